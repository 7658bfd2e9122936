"""Scores of awkward arrays: with their data, without, and of those that dask has not read yet."""

import warnings
from functools import partial
from typing import Any, Protocol, get_args, runtime_checkable

import awkward as ak
import numpy as np
import torch
from torch import Tensor

from hepml.data import Graph, ParticleSet
from hepml.deploy._answers import Answers
from hepml.deploy._arrays import (
    BadInArrays,
    Jets,
    checked_unit,
    jets_by_columns,
    jets_of_momenta,
    jets_passing,
    needed_momenta,
    reading_columns,
)
from hepml.deploy._wrapping import by_dask, has_form_alone, is_dask, of_form_alone
from hepml.errors import ColumnError, InputError
from hepml.io import Columns, fields_of


@runtime_checkable
class Scorer(Protocol):
    """What gives scores to sets: a tagger."""

    name: str
    columns: Columns | None
    feature_names: tuple[str, ...]
    context_names: tuple[str, ...]
    answers: Answers
    dtype: torch.dtype
    told_of_cut: bool

    def values(self, particles: ParticleSet | Graph) -> Tensor:
        """A row of probabilities, or of numbers, for each set."""


def has_columns(array: Any, columns: Columns) -> bool:
    """Whether an array has all branches that the columns read, and lists among them."""
    # The type of dask's arrays is there without their data.
    known = array._meta if is_dask(array) else array
    return fields_of(known, columns) is not None


def scores_by_columns(tagger: Scorer, events: Any, *, bad: BadInArrays) -> Any:
    """The scores of the jets of events, by the tagger's own columns."""
    columns = reading_columns(tagger.columns)
    if is_dask(events):
        return by_dask(partial(scores_by_columns, tagger, bad=bad), events)
    if has_form_alone(events):
        for field in fields_of(events, columns) or [events]:
            ak.typetracer.touch_data(field)
        return of_form_alone(partial(scores_by_columns, tagger, bad=bad), events)
    _tell_of_cut(tagger, events)
    return _scores(tagger, jets_by_columns(events, columns, bad))


def checked_array(name: str, array: Any) -> Any:
    """An awkward array, or one of dask; lists become one.

    Raises
    ------
    InputError
        If it is neither.
    """
    if is_dask(array) or isinstance(array, ak.Array):
        return array
    if isinstance(array, list | tuple):
        return ak.Array(array)
    raise InputError(
        name,
        expected="an awkward array of jets, or a ParticleSet",
        got=f"{type(array).__name__} {array!r:.40}",
        fix="make one: ak.Array(...); of a single jet array[:1]",
    )


def checked_bad(bad: BadInArrays) -> BadInArrays:
    """What to do with bad jets.

    Raises
    ------
    InputError
        If it is no such word.
    """
    if bad not in get_args(BadInArrays):
        raise InputError("bad", expected="'error' or 'nan'", got=repr(bad), fix="choose one")
    return bad


def scores_of_momenta(
    tagger: Scorer,
    momenta: Any,
    context: Any = None,
    *,
    unit: str | None,
    bad: BadInArrays,
) -> Any:
    """The scores of the jets whose constituents the momenta are."""
    if tagger.columns is not None and tagger.columns.edges:
        raise InputError(
            "particles",
            expected="a Graph, or an array with the branches that the columns read, of a network "
            "of graphs",
            got="momenta, which have no edges",
            fix="tagger.from_columns(events), or read files with the tagger's columns",
        )
    unit = checked_unit(unit, tagger.columns)
    arrays = [momenta] if context is None else [momenta, context]
    again = partial(scores_of_momenta, tagger, unit=unit, bad=bad)
    if is_dask(momenta):
        return by_dask(again, *arrays)
    momenta = ak.Array(momenta)
    if has_form_alone(momenta):
        ak.typetracer.touch_data(needed_momenta(momenta, tagger.feature_names))
        if context is not None:
            ak.typetracer.touch_data(context[list(tagger.context_names)])
        return of_form_alone(again, *arrays)
    jets = jets_of_momenta(
        *(momenta, tagger.feature_names, tagger.context_names),
        context=context,
        unit=unit,
        bad=bad,
        dtype=tagger.dtype,
    )
    return _scores(tagger, jets)


def _scores(tagger: Scorer, jets: Jets) -> Any:
    """The scores of jets, NaN for bad ones, in the structure of their array."""
    names = tagger.answers.names
    per = tagger.answers.per
    if per != "set":
        kind = "ParticleSet" if per == "particle" else "Graph"
        raise InputError(
            tagger.name,
            expected=f"a {kind}, of a network with outputs for each {per}",
            got="an awkward array",
            fix="tagger(ParticleSet.from_awkward(...)), or predict for files"
            if per == "particle"
            else "predict for files",
        )
    table = np.full((jets.total, len(names)), np.nan, np.float32)
    table[jets.rows] = tagger.values(jets.particles).float().numpy()
    return jets.wrap(ak.zip({name: table[:, i] for i, name in enumerate(names)}))


def _tell_of_cut(tagger: Scorer, events: Any) -> None:
    """Say once how many jets the training would have left out."""
    cut = None if tagger.columns is None else tagger.columns.cut
    if cut is None or tagger.told_of_cut:
        return
    try:
        passing = jets_passing(events, reading_columns(tagger.columns).replace(cut=cut))
        passed = ak.to_numpy(ak.drop_none(ak.flatten(passing, axis=None)))
        if passed.all():
            return
        text = f"is not passed by {np.sum(~passed):,} of {len(passed):,} jets"
    except ColumnError:
        text = "cannot be computed from these arrays"
    tagger.told_of_cut = True
    warnings.warn(
        f"the cut {cut!r}, with which {tagger.name} was trained, {text}: all jets get scores; "
        "passes_cut(events) says which pass",
        UserWarning,
        stacklevel=4,
    )
