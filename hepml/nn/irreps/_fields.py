"""How the columns of irreps split into real fields, which layers mix and couple."""

import torch
from jaxtyping import Float
from torch import Tensor

from hepml.errors import InputError
from hepml.lorentz import Irrep, Irreps
from hepml.ops import check_rows

SCALAR = Irrep(0, 0)


class Fields:
    """The fields in tensors of real irreps: one for each irrep (a,b), a >= b, in their order.

    A field has a row for each copy. For a > b, its components are the real parts, from the columns
    of (a,b), and then the imaginary parts, from those of (b,a).

    Parameters
    ----------
    name
        What error messages call the irreps.
    irreps
        Real irreps.

    Raises
    ------
    InputError
        If the irreps are not real.
    """

    def __init__(self, name: str, irreps: Irreps | str) -> None:
        self.irreps = irreps = Irreps(irreps)
        if not irreps.is_real:
            raise InputError(
                name,
                expected="each (a,b) as often as (b,a), so that tensors are real",
                got=str(irreps),
                fix="add the conjugates, for example 2x(1,0) + 2x(0,1)",
            )
        # Numbers of copies. Everything that forward passes need is numbers, for the compiler.
        self.copies = {t.irrep: t.mul for t in irreps.sorted() if t.irrep.j1 >= t.irrep.j2}
        columns = irreps.slices()
        self._sources = [
            [
                (irrep.dim, [columns[i] for i, term in enumerate(irreps) if term.irrep == part])
                for part in dict.fromkeys((irrep, irrep.conjugate))
            ]
            for irrep in self.copies
        ]
        self._targets: list[tuple[int, slice, slice]] = []
        used: dict[Irrep, int] = {}
        for mul, irrep in irreps:
            start = used.get(irrep, 0)
            used[irrep] = start + mul
            first = 0 if irrep.j1 >= irrep.j2 else irrep.dim
            index = list(self.copies).index(field_of(irrep))
            rows = slice(start, start + mul)
            self._targets.append((index, rows, slice(first, first + irrep.dim)))

    def split(
        self, x: Float[Tensor, "*batch dim"], name: str = "x", weight: Tensor | None = None
    ) -> list[Float[Tensor, "*batch _ _"]]:
        """The fields in columns of irreps; refuses other columns than theirs."""
        check_rows(name, x, self.irreps.dim, weight=weight)
        return [
            _cat(
                [_cat([_rows(x, columns, dim) for columns in part], -2) for dim, part in parts], -1
            )
            for parts in self._sources
        ]

    def join(self, fields: list[Float[Tensor, "*batch _ _"]]) -> Float[Tensor, "*batch dim"]:
        """The columns of irreps with these fields: the inverse of :meth:`split`."""
        return _cat(
            [
                fields[index][..., rows, components].flatten(-2)
                for index, rows, components in self._targets
            ],
            -1,
        )


def field_of(irrep: Irrep) -> Irrep:
    """(a,b), a >= b, for itself and its conjugate."""
    return irrep if irrep.j1 >= irrep.j2 else irrep.conjugate


def field_dim(irrep: Irrep) -> int:
    """Number of real components of (a,b) and, if that is another one, of (b,a) together."""
    return irrep.dim if irrep.is_real else 2 * irrep.dim


def irreps_of(copies: dict[Irrep, int]) -> Irreps:
    """The sorted irreps with these numbers of copies of (a,b), a >= b, and of (b,a)."""
    return Irreps(
        (mul, each)
        for irrep, mul in copies.items()
        for each in dict.fromkeys((irrep, irrep.conjugate))
    ).sorted()


def _rows(
    x: Float[Tensor, "*batch dim"], columns: slice, components: int
) -> Float[Tensor, "*batch _ _"]:
    """Columns as rows of components."""
    copies = (columns.stop - columns.start) // components
    return x[..., columns].reshape(*x.shape[:-1], copies, components)


def _cat(parts: list[Tensor], axis: int) -> Tensor:
    """Concatenation, without a copy of a single part."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)
