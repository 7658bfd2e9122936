"""How two real fields of irreps couple to a third: the constants of the tensor product."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import torch
from jaxtyping import Complex128, Float64
from torch import Tensor

from hepml.lorentz import Irrep, clebsch_gordan

Path = tuple[Irrep | str, Irrep | str, Irrep | str]
Triple = tuple[Irrep, Irrep, Irrep]


class Coupling(NamedTuple):
    """A path, the field that it gives, and the real coefficients of its copies."""

    path: Triple
    irrep: Irrep
    tensors: tuple[Float64[Tensor, "components1 components2 components"], ...]


def real_couplings(irrep1: Irrep, irrep2: Irrep) -> Iterator[Coupling]:
    """All real couplings of two fields, each path once."""
    seen: set[Triple] = set()
    parts1, parts2 = (dict.fromkeys((irrep, irrep.conjugate)) for irrep in (irrep1, irrep2))
    for part1, part2 in product(parts1, parts2):
        for _, irrep in part1 * part2:
            path = normal_path((part1, part2, irrep))
            if path not in seen:
                seen.add(path)
                yield Coupling(path, path[2], _real_tensors(path))


def _real_tensors(
    path: Triple,
) -> tuple[Float64[Tensor, "components1 components2 components"], ...]:
    """The real coefficients of a path: of a field, or of one or two copies of a real irrep."""
    irrep1, irrep2, irrep = path
    tensor = torch.einsum(
        "pqk,pi,qj->ijk",
        clebsch_gordan(irrep1, irrep2, irrep).to(torch.complex128),
        _complex_components(irrep1),
        _complex_components(irrep2),
    )
    tensors = [tensor.real, tensor.imag]
    if not irrep.is_real:
        tensors = [torch.cat(tensors, -1)]
    elif irrep1.is_real and irrep2.is_real:
        tensors = tensors[:1]
    # Unit variance of the components, on average, for factors of unit variance.
    return tuple(each * (each.shape[-1] / each.square().sum()).sqrt() for each in tensors)


def _complex_components(irrep: Irrep) -> Complex128[Tensor, "dim components"]:
    """The components of (a,b) from the real ones of its field: ``x + iy``, ``x - iy`` for a < b."""
    eye = torch.eye(irrep.dim, dtype=torch.complex128)
    if irrep.is_real:
        return eye
    return torch.cat([eye, 1j * eye if irrep.j1 > irrep.j2 else -1j * eye], -1)


def normal_path(path: Path) -> Triple:
    """Of a path and that of the conjugates the one that leads to (a,b), a > b, or is smaller."""
    irrep1, irrep2, irrep = (Irrep(each) if isinstance(each, str) else each for each in path)
    conjugate = (irrep1.conjugate, irrep2.conjugate, irrep.conjugate)
    if irrep.is_real:
        return min((irrep1, irrep2, irrep), conjugate)
    return (irrep1, irrep2, irrep) if irrep.j1 > irrep.j2 else conjugate
