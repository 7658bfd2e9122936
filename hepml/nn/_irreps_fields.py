"""How the columns of irreps split into real fields, which layers mix and couple."""

import torch
from jaxtyping import Float
from torch import Tensor

from hepml.errors import InputError
from hepml.lorentz import Irrep, Irreps

SCALAR = Irrep(0, 0)


def real_irreps(name: str, irreps: Irreps | str) -> Irreps:
    """The irreps of real tensors; complex ones are refused."""
    irreps = Irreps(irreps)
    if not irreps.is_real:
        raise InputError(
            name,
            expected="each (a,b) as often as (b,a), so that tensors are real",
            got=str(irreps),
            fix="add the conjugates, for example 2x(1,0) + 2x(0,1)",
        )
    return irreps


def field_counts(irreps: Irreps) -> dict[Irrep, int]:
    """Numbers of copies of the irreps (a,b), a >= b, in order; each stands for (b,a) as well."""
    return {term.irrep: term.mul for term in irreps.sorted() if term.irrep.j1 >= term.irrep.j2}


def field_dim(irrep: Irrep) -> int:
    """Number of real components of (a,b) and, if that is another one, of (b,a) together."""
    return irrep.dim if irrep.is_real else 2 * irrep.dim


def irreps_of(counts: dict[Irrep, int]) -> Irreps:
    """The sorted irreps with these numbers of copies of (a,b), a >= b, and of (b,a)."""
    return Irreps(
        (count, each)
        for irrep, count in counts.items()
        for each in dict.fromkeys((irrep, irrep.conjugate))
    ).sorted()


def split_fields(
    x: Float[Tensor, "*batch dim"], irreps: Irreps
) -> dict[Irrep, Float[Tensor, "*batch copies components"]]:
    """The fields of each irrep (a,b), a >= b: a row for each copy.

    For a > b, the components are the real parts, from the columns of (a,b), and then the imaginary
    parts, from those of (b,a).
    """
    blocks: dict[Irrep, list[Tensor]] = {}
    for (mul, irrep), columns in zip(irreps, irreps.slices(), strict=True):
        rows = x[..., columns].reshape(*x.shape[:-1], mul, irrep.dim)
        blocks.setdefault(irrep, []).append(rows)
    joined = {
        irrep: rows[0] if len(rows) == 1 else torch.cat(rows, -2) for irrep, rows in blocks.items()
    }
    return {
        irrep: rows if irrep.is_real else torch.cat([rows, joined[irrep.conjugate]], -1)
        for irrep, rows in sorted(joined.items(), key=lambda item: item[0])
        if irrep.j1 >= irrep.j2
    }


def join_fields(
    fields: dict[Irrep, Float[Tensor, "*batch copies components"]], irreps: Irreps
) -> Float[Tensor, "*batch dim"]:
    """The columns of irreps from their fields: the inverse of :func:`split_fields`."""
    used: dict[Irrep, int] = {}
    columns = []
    for mul, irrep in irreps:
        field = fields[irrep if irrep.j1 >= irrep.j2 else irrep.conjugate]
        start = used.get(irrep, 0)
        used[irrep] = start + mul
        first = 0 if irrep.j1 >= irrep.j2 else irrep.dim
        columns.append(field[..., start : start + mul, first : first + irrep.dim].flatten(-2))
    return torch.cat(columns, -1)
