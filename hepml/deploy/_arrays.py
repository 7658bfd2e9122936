"""Awkward arrays of an analysis: their jets as sets, and scores in the structure of the array."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import awkward as ak
import numpy as np
import torch

from hepml.data import Graph, ParticleSet, momentum_components
from hepml.deploy._wrapping import unwrapped
from hepml.errors import InputError
from hepml.io import UNITS, Columns, passing_of_array, read_array, record_depth

# What becomes of jets that cannot be scored.
BadInArrays = Literal["error", "nan"]

# The names under which vector knows the coordinates of a momentum; and those that mean the place of
# a particle where others of the momentum are there.
_COORDINATES = {
    *("px", "py", "pz", "E", "x", "y", "z", "t", "e", "energy"),
    *("pt", "rho", "phi", "eta", "theta", "mass", "M", "m", "tau"),
}
_PLACE = {"x", "y", "z", "t", "rho"}


def reading_columns(columns: Columns | None) -> Columns:
    """How to read jets to be scored: without labels and cut.

    Raises
    ------
    InputError
        If there are no columns.
    """
    if columns is None:
        raise InputError(
            "tagger",
            expected="columns, which say how to read files",
            got="a tagger without columns",
            fix="save its checkpoint with columns, or give them to Tagger",
        )
    return columns.without_labels().replace(cut=None)


def checked_unit(unit: str | None, columns: Columns | None) -> str:
    """The unit of momenta, GeV if it is not said and the columns are in GeV.

    Raises
    ------
    InputError
        If it is none, or not said while the columns have another than GeV.
    """
    stored = "GeV" if columns is None else columns.unit
    if unit in UNITS or (unit is None and stored == "GeV"):
        return unit or "GeV"
    raise InputError(
        "unit",
        expected=f"'GeV' or 'MeV', said of the momenta: the columns of the tagger are in {stored}",
        got=repr(unit),
        fix="pass unit='GeV' or unit='MeV'",
    )


class Jets(NamedTuple):
    """The jets of an array that can be scored, and where they are in it.

    Parameters
    ----------
    particles
        The jets.
    rows
        For each of them, its number among all that are not missing.
    total
        How many these are.
    wrap
        Gives an array with one value for each of these the structure of the whole.
    """

    particles: ParticleSet | Graph
    rows: Any
    total: int
    wrap: Callable[[Any], Any]


def jets_by_columns(events: Any, columns: Columns, bad: BadInArrays) -> Jets:
    """The jets of events, or of records of one jet each, by the columns' own expressions."""
    records, wrap = unwrapped(events)
    chunk = read_array(records, columns, bad="drop" if bad == "nan" else "error")
    counts = chunk.sets_per_entry

    def wrap_jets(values: Any) -> Any:
        return wrap(values if counts is None else ak.unflatten(values, counts))

    return Jets(chunk.particles, chunk.rows, chunk.total, wrap_jets)


def jets_passing(events: Any, columns: Columns) -> Any:
    """Whether each jet of the events passes the cut of the columns."""
    records, wrap = unwrapped(events)
    passed, counts = passing_of_array(records, columns)
    return wrap(ak.Array(passed) if counts is None else ak.unflatten(passed, counts))


def jets_of_momenta(
    momenta: Any,
    feature_names: Sequence[str],
    context_names: Sequence[str],
    *,
    context: Any,
    unit: str,
    bad: BadInArrays,
    dtype: torch.dtype,
) -> Jets:
    """The jets of momenta with a field for each feature: jets * particles, or deeper."""
    momenta = needed_momenta(momenta, feature_names)
    if record_depth(momenta) < 2:
        # ParticleSet says what is expected.
        ParticleSet.from_awkward(momenta, feature_names)
    jets, wrap = unwrapped(_with_context(momenta, context, context_names))
    total = len(jets)
    rows = np.arange(total)
    particles = jets.momenta
    if particles.layout.content.is_option:
        # A particle that is missing is none of the set's.
        particles = ak.drop_none(particles, axis=1)
    table = _table(jets, context_names) if context_names else None
    if bad == "nan":
        good = _usable(particles, feature_names, table, dtype)
        rows = np.flatnonzero(good)
        particles, table = particles[rows], None if table is None else table[rows]
    sets = ParticleSet.from_awkward(
        particles,
        feature_names,
        context=table,
        dtype=dtype,
    )
    if UNITS[unit] != 1:
        sets = sets.with_p4(sets.p4 * UNITS[unit])
    return Jets(sets, rows, total, wrap)


def needed_momenta(momenta: Any, feature_names: Sequence[str]) -> Any:
    """The fields of momenta that are coordinates or features, as records of no kind.

    Raises
    ------
    InputError
        If a feature is missing.
    """
    fields = momenta.fields
    if missing := [name for name in feature_names if name not in fields]:
        raise InputError(
            "momenta",
            expected=f"fields for the features {', '.join(feature_names)}",
            got=f"fields {', '.join(fields) or '(none)'}; {', '.join(missing)} missing",
            fix="add them: momenta['name'] = values (`feature_names` of the tagger lists them); or "
            "give events with the branches of the tagger's columns",
        )
    # Other fields of an analysis may be anything, missing values included; and vector would
    # refuse a record of its own kind without some of its fields.
    coordinates = _COORDINATES - _PLACE if {"px", "pt"} & {*fields} else _COORDINATES
    return ak.without_parameters(momenta)[
        [name for name in fields if name in {*coordinates, *feature_names}]
    ]


def _with_context(momenta: Any, context: Any, names: Sequence[str]) -> Any:
    """A record for each jet, of its momenta and its context; missing where one of them is."""
    parts = {"momenta": momenta}
    if (context is not None) != bool(names) or not {*names} <= {*getattr(context, "fields", ())}:
        raise InputError(
            "context",
            expected=f"an array of jets with the fields {', '.join(names)}"
            if names
            else "none: the network reads no numbers of jets",
            got="none"
            if context is None
            else f"fields {', '.join(ak.fields(context)) or '(none)'}",
            fix="pass the jets themselves, as in tagger(jets.constituents, context=jets)"
            if names
            else "leave it out",
        )
    if names:
        parts["context"] = ak.without_parameters(context)[list(names)]
    try:
        return ak.zip(parts, depth_limit=record_depth(momenta) - 1, optiontype_outside_record=True)
    except ValueError as error:
        raise InputError(
            "context",
            expected=f"one record for each jet of {momenta.type}",
            got=str(parts["context"].type),
            fix="pass the jets whose constituents the momenta are",
        ) from error


def _usable(particles: Any, feature_names: Sequence[str], table: Any, dtype: torch.dtype) -> Any:
    """Which jets have finite momenta, features and context in the precision of the network."""
    records = ak.flatten(particles, axis=1)
    kind = torch.empty(0, dtype=dtype).numpy().dtype
    with np.errstate(all="ignore"):
        columns = [
            *momentum_components(records),
            *(ak.to_numpy(records[name]) for name in feature_names),
        ]
        finite = np.all([np.isfinite(np.asarray(c).astype(kind)) for c in columns], axis=0)
        good = np.asarray(ak.all(ak.unflatten(finite, ak.num(particles, axis=1)), axis=1))
        if table is not None:
            good = good & np.isfinite(table.astype(kind)).all(1)
    return good


def _table(jets: Any, names: Sequence[str]) -> Any:
    """The context of each jet in a row."""
    columns = [ak.to_numpy(jets.context[name], allow_missing=True) for name in names]
    return np.stack([np.ma.filled(column.astype(float), np.nan) for column in columns], axis=1)
