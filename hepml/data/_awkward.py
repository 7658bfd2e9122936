"""ParticleSet from and to awkward arrays, sharing memory where the layout allows."""

from collections.abc import Sequence
from typing import Any

import awkward as ak
import numpy as np
import torch
import vector

from hepml.data._particle_set import ParticleSet
from hepml.errors import InputError

_COMPONENTS = ("E", "px", "py", "pz")
# The names under which vector accepts each component.
_STORED = {"E": ("E", "energy", "e", "t"), "px": ("px", "x"), "py": ("py", "y"), "pz": ("pz", "z")}


def particle_set_from_awkward(
    momenta: Any,
    features: Sequence[str],
    *,
    context: Any,
    labels: Any,
    weights: Any,
    dtype: torch.dtype | None,
) -> ParticleSet:
    """See :meth:`ParticleSet.from_awkward`."""
    momenta = ak.Array(momenta, behavior=vector.backends.awkward.behavior)
    _check_jagged(momenta)
    offsets, records = _offsets_and_content(momenta)
    components = [_field(records, name, momenta) for name in _COMPONENTS]
    p4 = _interleave(components)
    columns = [_field(records, name, momenta) for name in features]
    p4_tensor = torch.from_numpy(p4)
    if dtype is not None:
        p4_tensor = p4_tensor.to(dtype)
    return ParticleSet(
        p4_tensor,
        torch.from_numpy(offsets),
        torch.from_numpy(_interleave(columns)).to(p4_tensor.dtype) if columns else None,
        context=_per_set(context, p4_tensor.dtype),
        labels=_per_set(labels, None),
        weights=_per_set(weights, p4_tensor.dtype),
    )


def awkward_from_particle_set(particles: ParticleSet, features: Sequence[str] | None) -> Any:
    """See :meth:`ParticleSet.to_awkward`."""
    channels = particles.features.shape[1]
    names = [f"feature_{i}" for i in range(channels)] if features is None else list(features)
    if len(names) != channels:
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
    return ak.Array(
        ak.contents.ListOffsetArray(offsets, records), behavior=vector.backends.awkward.behavior
    )


def _check_jagged(momenta: Any) -> None:
    """Refuse anything but ``sets * var * record`` without missing values."""
    layout = momenta.layout
    if momenta.ndim != 2 or not momenta.fields or _has_option(layout):
        raise InputError(
            "momenta",
            expected="an awkward array of type sets * var * {px, py, pz, E, ...} "
            "without missing values",
            got=str(momenta.type),
            fix="flatten events of jets with ak.flatten(array, axis=1), remove missing values with "
            "ak.drop_none, make records with ak.zip({...}, with_name='Momentum4D')",
        )


def _has_option(layout: Any) -> bool:
    """Whether a list or record of the layout may be missing."""
    if layout.is_option:
        return True
    if layout.is_record:
        return any(_has_option(content) for content in layout.contents)
    return (layout.is_list or layout.is_indexed) and _has_option(layout.content)


def _offsets_and_content(array: Any) -> tuple[Any, Any]:
    """Offsets from 0 as int64, and the flat records between the first and the last of them."""
    layout = array.layout
    if layout.is_indexed:
        layout = layout.project()
    if not isinstance(layout, ak.contents.ListOffsetArray):
        layout = layout.to_ListOffsetArray64(True)
    offsets = np.asarray(layout.offsets).astype(np.int64, copy=False)
    content = layout.content[offsets[0] : offsets[-1]]
    # Subtracting would copy; most arrays start at 0 already.
    shifted = offsets - offsets[0] if offsets[0] else offsets
    return shifted, ak.Array(content, behavior=array.behavior)


def _field(records: Any, name: str, momenta: Any) -> Any:
    """One column as numpy: a stored field, or a coordinate that vector computes."""
    stored = {
        "E": ("E", "energy", "e", "t"),
        "px": ("px", "x"),
        "py": ("py", "y"),
        "pz": ("pz", "z"),
    }
    for candidate in stored.get(name, (name,)):
        if candidate in records.fields:
            return ak.to_numpy(records[candidate])
    if name in _COMPONENTS:
        try:
            if records.layout.parameter("__record__") != "Momentum4D":
                records = ak.with_name(records, "Momentum4D")
            return ak.to_numpy(getattr(records, name))
        except (AttributeError, TypeError) as error:
            raise _missing(name, momenta) from error
    raise _missing(name, momenta)


def _missing(name: str, momenta: Any) -> InputError:
    """The error of a record that lacks a field."""
    return InputError(
        f"field {name!r}",
        expected="momenta in coordinates that vector knows: (px, py, pz, E), (pt, eta, phi, mass) "
        "or (pt, eta, phi, energy)",
        got=f"records with {', '.join(momenta.fields)}",
        fix="rename the fields, or choose features among them",
    )


def _interleave(columns: Sequence[Any]) -> Any:
    """Columns side by side as (rows, columns); a view where they already lie so in memory."""
    first = columns[0]
    step = first.dtype.itemsize
    if len(first) and all(
        column.dtype == first.dtype
        and column.strides == (step * len(columns),)
        and column.__array_interface__["data"][0] == first.__array_interface__["data"][0] + i * step
        for i, column in enumerate(columns)
    ):
        return np.lib.stride_tricks.as_strided(
            first, (len(first), len(columns)), (step * len(columns), step)
        )
    dtype = np.result_type(np.float32, *(c for c in {column.dtype for column in columns}))
    table = np.empty((len(first), len(columns)), dtype)
    for i, column in enumerate(columns):
        table[:, i] = column
    return table


def _per_set(values: Any, dtype: torch.dtype | None) -> torch.Tensor | None:
    """An array with one row for each set as a tensor."""
    if values is None:
        return None
    tensor = torch.from_numpy(np.array(ak.to_numpy(values)))
    return tensor.to(dtype) if dtype is not None else tensor
