"""ParticleSet from and to awkward arrays, sharing memory where the layout allows."""

import difflib
from collections.abc import Sequence
from typing import Any

import awkward as ak
import numpy as np
import torch
import vector
from torch import Tensor

from hepml.data._particle_set import ParticleSet
from hepml.data._places import other_padding, particle_places
from hepml.errors import InputError

_COMPONENTS = ("E", "px", "py", "pz")
# Names of coordinates, in the order in which they are looked for: the first of each that is there.
_AZIMUTHAL = (("px", "py"), ("pt", "phi"))
_LONGITUDINAL = (("pz",), ("eta",), ("theta",))
_MASSES = ("mass", "M", "m")
_TEMPORAL = (("E",), ("energy",), ("e",), *((name,) for name in _MASSES))
# What vector takes for coordinates without these names.
_OTHERS = ("x", "y", "z", "t", "rho")


def particle_set_from_awkward(
    momenta: Any,
    features: Sequence[str],
    *,
    context: Any,
    labels: Any,
    targets: Any,
    weights: Any,
    dtype: torch.dtype | None,
) -> ParticleSet:
    """See :meth:`ParticleSet.from_awkward`."""
    try:
        momenta = ak.Array(momenta, behavior=vector.backends.awkward.behavior)
    except Exception as error:
        # awkward raises what it stumbles on: TypeError, ValueError, BufferError, ...
        raise InputError(
            "momenta",
            expected="an awkward array of type sets * var * {px, py, pz, E, ...}",
            got=f"{type(momenta).__name__} ({str(error).strip().splitlines()[0]:.80})",
            fix="make records with ak.zip({...}, with_name='Momentum4D')",
        ) from error
    _check_jagged(momenta)
    if momenta.layout.is_indexed:
        momenta = ak.Array(momenta.layout.project(), behavior=momenta.behavior)
    offsets, records = _offsets_and_content(momenta)
    if momenta.layout.is_regular:
        offsets, records = _without_padding(offsets, records)
    p4 = _tensor(_interleave(momentum_components(records)))
    if dtype is not None:
        p4 = p4.to(dtype)
    columns = [_column(records, name) for name in features]
    return ParticleSet(
        p4,
        _tensor(offsets),
        _tensor(_interleave(columns)).to(p4.dtype) if columns else None,
        context=None if context is None else _per_set("context", context).to(p4.dtype),
        labels=None if labels is None else _classes_or_targets(_per_set("labels", labels)),
        targets=None if targets is None else _per_set("targets", targets).to(p4.dtype),
        weights=None if weights is None else _per_set("weights", weights).to(p4.dtype),
    )


def awkward_from_particle_set(particles: ParticleSet, features: Sequence[str] | None) -> Any:
    """See :meth:`ParticleSet.to_awkward`."""
    channels = particles.features.shape[1]
    names: list[Any] = [f"feature_{i}" for i in range(channels)]
    if features is not None:
        names = list(features) if isinstance(features, Sequence) else [features]
    if len(names) != channels or not all(isinstance(name, str) for name in names):
        raise InputError(
            "features",
            expected=f"{channels} names, one for each feature",
            got=repr(names),
            fix="give the names in the order of the columns that were read",
        )
    p4 = particles.p4.detach().cpu().numpy()
    feature_array = particles.features.detach().cpu().numpy()
    fields = {name: p4[:, i] for i, name in enumerate(_COMPONENTS)}
    fields |= {name: feature_array[:, i] for i, name in enumerate(names)}
    records = ak.contents.RecordArray(
        [ak.contents.NumpyArray(column) for column in fields.values()],
        list(fields),
        length=p4.shape[0],
        parameters={"__record__": "Momentum4D"},
    )
    offsets = ak.index.Index64(particles.offsets.cpu().numpy())
    layout = ak.contents.ListOffsetArray(offsets, records)
    try:
        if len(fields) < len(_COMPONENTS) + channels:
            raise TypeError("the same name twice")
        return ak.Array(layout, behavior=vector.backends.awkward.behavior)
    except TypeError as error:
        raise InputError(
            "features",
            expected="different names, none of them a coordinate of a momentum",
            got=repr(names),
            fix="rename, for example pt to log_pt or part_pt: the momenta have their own",
        ) from error


def _check_jagged(momenta: Any) -> None:
    """Refuse anything but ``sets * var * record``, with no list or record missing."""
    layout = momenta.layout
    lists = layout.is_list or (layout.is_indexed and layout.content.is_list)
    if momenta.ndim != 2 or not momenta.fields or not lists or _is_optional(layout):
        raise InputError(
            "momenta",
            expected="an awkward array of type sets * var * {px, py, pz, E, ...} "
            "without missing values",
            got=str(momenta.type),
            fix="flatten events of jets with ak.flatten(array, axis=1), remove missing values with "
            "ak.drop_none, make records with ak.zip({...}, with_name='Momentum4D')",
        )


def _is_optional(layout: Any) -> bool:
    """Whether a list or a record of the layout may be missing."""
    if layout.is_list or layout.is_indexed:
        return layout.is_option or _is_optional(layout.content)
    return bool(layout.is_option)


def _offsets_and_content(array: Any) -> tuple[Any, Any]:
    """Offsets from 0 as int64, and the flat records between the first and the last of them."""
    layout = array.layout
    if not isinstance(layout, ak.contents.ListOffsetArray):
        # Bounds that lie outside the content would take memory without limit.
        if error := ak.validity_error(array):
            raise InputError(
                "momenta",
                expected="an awkward array whose lists lie in their content",
                got=error.splitlines()[0],
                fix="make it with awkward's functions instead of from its layout",
            )
        layout = layout.to_ListOffsetArray64(True)
    offsets = np.asarray(layout.offsets).astype(np.int64, copy=False)
    content = layout.content[offsets[0] : offsets[-1]]
    # Subtracting would copy; most arrays start at 0 already.
    shifted = offsets - offsets[0] if offsets[0] else offsets
    return shifted, ak.Array(content, behavior=array.behavior)


def _without_padding(offsets: Any, records: Any) -> tuple[Any, Any]:
    """Offsets and records of fixed arrays without the padding at the end of each."""
    names = [name for name in _stored_names(records) if name not in _MASSES]
    names = names or [name for name in _OTHERS if name in records.fields]
    if not names:
        return offsets, records
    values = [_numbers(name, records[name]) for name in names]
    pt = values[names.index("pt")] if "pt" in names else None
    found = other_padding(values, offsets, pt)
    if found is not None:
        raise InputError(
            "momenta",
            expected="zeros in the places of a fixed array that hold no particle",
            got=f"{found.value:g} in the last place of set {found.set}, which looks like padding",
            fix="keep the particles alone: momenta = ak.from_regular(momenta), then, for example, "
            "momenta[momenta.pt > 0]",
        )
    kept = particle_places(values, offsets)
    before = np.concatenate([[0], np.cumsum(kept)])
    return before[offsets], records[kept]


def _stored_names(records: Any) -> list[str]:
    """The names of one coordinate of each kind, as far as they are there."""
    names: list[str] = []
    for choices in (_AZIMUTHAL, _LONGITUDINAL, _TEMPORAL):
        names += next((names for names in choices if {*names} <= {*records.fields}), ())
    return names


def momentum_components(records: Any) -> list[Any]:
    """E, px, py, pz, as they are stored or as vector computes them."""
    names = _stored_names(records)
    # Vector refuses more than one set of coordinates, and takes x and y for the momentum even if
    # they say where a particle was made. Without the names above, it may know x, y, z, t.
    coordinates = records[names] if len(names) == 4 else records
    try:
        behavior = vector.backends.awkward.behavior
        momenta = ak.with_name(coordinates, "Momentum4D", behavior=behavior)
        return [_numbers(name, getattr(momenta, name)) for name in _COMPONENTS]
    except (AttributeError, TypeError) as error:
        raise InputError(
            "momenta",
            expected="coordinates that vector knows: (px, py, pz, E), (pt, eta, phi, mass) or "
            "(pt, eta, phi, energy)",
            got=f"records with {', '.join(records.fields)}",
            fix="rename the fields, or add the one that is missing, such as a mass of 0",
        ) from error


def _column(records: Any, name: str) -> Any:
    """A field that becomes a feature."""
    if name not in records.fields:
        near = difflib.get_close_matches(name, records.fields)
        raise InputError(
            f"feature {name!r}",
            expected=f"one of the fields {', '.join(records.fields)}",
            got=repr(name),
            fix=f"did you mean {', '.join(near)}" if near else "choose among the fields",
        )
    return _numbers(name, records[name])


def _numbers(name: str, values: Any, dimensions: tuple[int, ...] = (1,)) -> Any:
    """A rectangular array as numpy, sharing memory where it lies so."""
    if isinstance(values, np.ndarray):
        # Neither awkward nor torch knows another order of bytes than the machine's.
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
    try:
        array = ak.to_numpy(values, allow_missing=False)
    except (TypeError, ValueError):
        array = None
    if array is None or array.ndim not in dimensions or array.dtype.kind not in "biuf":
        raise InputError(
            name,
            expected="numbers, none of them missing, and as many in each row",
            got=str(getattr(values, "type", type(values).__name__)),
            fix="fill missing values with ak.fill_none, and make jagged fields rectangular",
        )
    # torch has no wider floats.
    wide = array.dtype.kind == "f" and array.dtype.itemsize > 8
    return array.astype(np.float64) if wide else array


def _interleave(columns: Sequence[Any]) -> Any:
    """Columns side by side as (rows, columns); a view where they already lie so in memory."""
    first = columns[0]
    step = first.dtype.itemsize
    if (
        len(first) > 1
        and first.dtype.kind == "f"
        and all(
            column.dtype == first.dtype
            and column.strides == (step * len(columns),)
            and column.__array_interface__["data"][0]
            == first.__array_interface__["data"][0] + i * step
            for i, column in enumerate(columns)
        )
    ):
        return np.lib.stride_tricks.as_strided(
            first, (len(first), len(columns)), (step * len(columns), step)
        )
    dtype = np.result_type(np.float32, *(c for c in {column.dtype for column in columns}))
    table = np.empty((len(first), len(columns)), dtype)
    for i, column in enumerate(columns):
        table[:, i] = column
    return table


def _tensor(array: Any) -> Tensor:
    """The array's memory as a tensor; a copy where it must not be written to."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _per_set(name: str, values: Any) -> Tensor:
    """A copy of an array with one row for each set."""
    return torch.tensor(_numbers(name, values, (1, 2)))


def _classes_or_targets(labels: Tensor) -> Tensor:
    """Whole numbers and truth values as int64, which torch's losses take for classes."""
    return labels if labels.is_floating_point() else labels.long()
