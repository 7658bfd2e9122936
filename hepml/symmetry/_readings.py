"""How a tensor inside of a network may have changed, where a symmetry holds."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hepml.lorentz import Irreps, representation
from hepml.symmetry._images import PhiRotation, Translation
from hepml.symmetry._motion import BodyPermutation, MotionReversal, SpaceInversion, SpaceRotation
from hepml.symmetry._sets import BatchComposition, Permutation
from hepml.symmetry._symmetry import Symmetry
from hepml.symmetry._transformations import Transformations


class Fit(NamedTuple):
    """The representation that fits best what a tensor does under a symmetry.

    Attributes
    ----------
    reading
        How it changes under the symmetry, in words.
    violation
        How far it is from that: the largest change of a row, in units of the size of the component
        or vector over all rows; infinite where no reading applies.
    """

    reading: str
    violation: float


# In the rest frame of their set, which a boost only turns.
_AT_REST = "four-vectors at rest"

Error = Callable[[Tensor, Tensor], float]


def best_fit(
    symmetry: Symmetry, element: Any, before: Tensor, after: Tensor, irreps: tuple[Any, ...]
) -> Fit:
    """The reading that fits best, of a tensor before and after the inputs were transformed.

    Parameters
    ----------
    symmetry, element
        What transformed the inputs.
    before, after
        The tensor in the network, for the inputs as they were and for their images.
    irreps
        Those that the module which made or took it says of itself, in hepml or e3nn.
    """
    found = [
        Fit(name, error(before, after))
        for name, error in _readings(symmetry, element, irreps, before)
    ]
    best = min(found, key=lambda fit: fit.violation)
    if best.reading == _AT_REST:
        # What is invariant fits this as well.
        others = [fit for fit in found if fit.violation < 100 * best.violation]
        best = min(others, key=lambda fit: fit.reading == _AT_REST)
    return best


def _readings(
    symmetry: Symmetry, element: Any, irreps: tuple[Any, ...], before: Tensor
) -> Iterator[tuple[str, Error]]:
    """What the symmetry may make of a tensor, and how far it is from that."""
    channels = before.shape[-1] if before.dim() > 1 else 1
    yield "invariant", lambda before, after: in_place(before, after, 1)
    if isinstance(symmetry, Permutation | BodyPermutation):
        yield "rows in another order", _in_another_order
    elif isinstance(symmetry, BatchComposition):
        yield "rows of the chosen sets", _among
    elif isinstance(symmetry, PhiRotation | Translation):

        def moved(before: Tensor, after: Tensor) -> float:
            # Round the edge: the background is that of the other side.
            return in_place(before.roll(element, (-2, -1)), after, 1)

        if before.dim() > 2:
            yield "pixels moved", moved
    elif isinstance(symmetry, Transformations):
        # References may change places, as both beams under parity.
        yield "rows in another order", _in_another_order
        for given in irreps:
            yield from _of_irreps(given, element, channels)
        if channels % 4 == 0:
            yield "four-vectors", _turned_by(element)
            yield "four-vectors in another order", _turned_by(element, _in_another_order)
            yield _AT_REST, _energies_and_lengths
        if channels % 3 == 0 and torch.equal(element[0], torch.eye(4, dtype=torch.float64)[0]):
            yield "vectors", _turned_by(element[1:, 1:])
    elif isinstance(symmetry, SpaceRotation) and channels % len(element) == 0:
        yield "vectors", _turned_by(element)
    elif isinstance(symmetry, SpaceInversion | MotionReversal):
        yield "the other sign", lambda before, after: in_place(-before, after, 1)

    def as_outputs(before: Tensor, after: Tensor) -> float:
        try:
            expected = symmetry.act_on_outputs(element, before)
        except (ValueError, RuntimeError, IndexError):
            # Of another shape than the outputs.
            return torch.inf
        return in_place(expected, after, 1)

    if before.dim():
        yield "as the outputs", as_outputs


def _of_irreps(given: Any, element: Tensor, channels: int) -> Iterator[tuple[str, Error]]:
    """Tensors of irreps: of hepml by their matrices, and all by the norm of each irrep.

    A network that calculates in the rest frame of a set sees a boost as a rotation of that set: it
    leaves these norms.
    """
    if getattr(given, "dim", None) != channels:
        return
    if isinstance(given, Irreps) and float(torch.linalg.det(element)) > 0 < float(element[0, 0]):
        yield str(given), _turned_by(representation(given, element))
    widths = [irrep.dim for mul, irrep in given for _ in range(mul)]

    def norms(before: Tensor, after: Tensor) -> float:
        each = [
            torch.stack([part.norm(dim=-1) for part in torch.split(tensor, widths, -1)], -1)
            for tensor in (before, after)
        ]
        return in_place(each[0], each[1], 1)

    yield f"norms of {given}", norms


def _turned_by(matrix: Tensor, compare: Error | None = None) -> Error:
    """Vectors along the last axis, multiplied with a matrix, and compared in place by default."""

    def error(before: Tensor, after: Tensor) -> float:
        width = len(matrix)
        if before.shape != after.shape:
            return torch.inf
        vectors = before.reshape(*before.shape[:-1], -1, width)
        wide = torch.promote_types(vectors.dtype, matrix.dtype)
        turned = (vectors.to(wide) @ matrix.to(vectors.device, wide).mT).flatten(-2)
        return in_place(turned, after, width) if compare is None else compare(turned, after)

    return error


def _energies_and_lengths(before: Tensor, after: Tensor) -> float:
    """How far the energies and lengths of four-vectors are from invariant.

    A network that calculates in the rest frame of a set sees a boost as a rotation of that set.
    """
    if before.shape != after.shape:
        return torch.inf
    one, other = (each.reshape(-1, 4) for each in (before, after))
    one, other = (torch.stack([each[:, 0], each[:, 1:].norm(dim=-1)], -1) for each in (one, other))
    return in_place(one, other, 1)


def in_place(expected: Tensor, after: Tensor, width: int) -> float:
    """The largest change, where every number has kept its place."""
    if expected.shape != after.shape:
        return torch.inf
    if not after.numel():
        return 0.0
    expected, after = (t.reshape(-1, _rows(t).shape[1] // width, width) for t in (expected, after))
    return _largest((after - expected).norm(dim=-1), expected.norm(dim=-1))


def _in_another_order(before: Tensor, after: Tensor) -> float:
    """The largest change of a row, where the rows of both are put into one order."""
    found = [torch.inf]
    for one, other in _as_rows(before, after):
        if one.shape == other.shape and one.numel():
            order, order2 = (_keys(each, one).argsort() for each in (one, other))
            found.append(_largest((one[order] - other[order2]).abs(), one.abs()))
    return min(found)


def _among(before: Tensor, after: Tensor) -> float:
    """The largest distance of a row from the one of those before that is next to it."""
    found = [torch.inf]
    for one, other in _as_rows(before, after):
        if one.shape[1] != other.shape[1] or not one.numel():
            continue
        keys, order = _keys(one, one).sort()
        place = torch.searchsorted(keys, _keys(other, one))
        differences = [
            (other - one[order[(place + step).clamp(0, len(keys) - 1)]]).abs()
            for step in (-1, 0, 1)
        ]
        nearest = torch.stack([each.amax(1) for each in differences]).argmin(0)
        chosen = torch.stack(differences)[nearest, torch.arange(len(other))]
        found.append(_largest(chosen, one.abs()))
    return min(found)


def _as_rows(before: Tensor, after: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Both as rows of channels: along the last axis, along the second, or single numbers."""
    yield _rows(before), _rows(after)
    if before.dim() > 2 and before.dim() == after.dim():
        yield _rows(before.movedim(1, -1)), _rows(after.movedim(1, -1))
        if before.shape[-1] == before.shape[-2] and after.shape[-1] == after.shape[-2]:
            yield before.reshape(-1, 1), after.reshape(-1, 1)


def _rows(tensor: Tensor) -> Tensor:
    """All but the last axis in one."""
    return tensor.reshape(-1, tensor.shape[-1]) if tensor.dim() > 1 else tensor.reshape(-1, 1)


def _keys(rows: Tensor, scale: Tensor) -> Tensor:
    """A number of each row that hardly two share by chance."""
    real, size = (torch.cat([t.real, t.imag], 1) if t.is_complex() else t for t in (rows, scale))
    weights = torch.linspace(1.0, 2.0, real.shape[1], dtype=real.dtype, device=real.device)
    # Components that are nothing but rounding must not decide.
    size = torch.maximum(size.square().mean(0).sqrt(), 1e-6 * size.square().mean().sqrt())
    return (real * (weights.sqrt() / torch.where(size > 0, size, 1.0))).sum(1)


def _largest(change: Tensor, size: Tensor) -> float:
    """The largest change in units of the spread of its component over all rows.

    Or of a millionth of its size, where it does not vary.
    """
    wide = size.double()
    each = (wide - wide.mean(0)).square().mean(0).sqrt()
    each = torch.maximum(each, 1e-6 * wide.square().mean().sqrt())
    relative = change.double() / torch.where(each > 0, each, 1.0)
    return float(relative.nan_to_num(nan=torch.inf).amax())
