"""The tensor product of irreps of the Lorentz group."""

from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise, product
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from hepml.errors import InputError
from hepml.lorentz import Irrep, Irreps, clebsch_gordan
from hepml.nn._irreps_fields import (
    field_counts,
    field_dim,
    irreps_of,
    join_fields,
    real_irreps,
    split_fields,
)

Path = tuple[Irrep | str, Irrep | str, Irrep | str]


class IrrepsTensorProduct(nn.Module):
    """Products of two tensors of irreps, channel by channel, split into irreps.

    For each path, two irreps and one in their product, ``z_c = w_c C x_c y_c`` with their
    Clebsch-Gordan tensor C, of the copies c of both.

    Parameters
    ----------
    irreps1, irreps2
        The factors; real irreps. A path needs equally many copies of both, or one copy of one,
        which then is paired with each of the other.
    only
        The irreps that are kept; all by default.
    paths
        Triples such as ("(1/2,1/2)", "(1/2,1/2)", "(1,0)"); all by default. Each stands for the
        triple of the conjugates as well.
    shared_weights
        Whether the layer has weights w of its own.

    Attributes
    ----------
    irreps_out
        What comes out, sorted.
    weights
        Number of weights: one for each copy that comes out.

    Raises
    ------
    InputError
        If irreps are not real, a path does not exist, or numbers of copies do not match.

    Notes
    -----
    Where the factors of a path to an (n,n) are not both real, its product has a real and an
    imaginary part: two copies, as E² - B² and 2 E·B of two fields. Each output has unit variance if
    those that come in are independent and have unit variance, and w = 1.

    All products of components are formed at once, and one constant matrix takes them to the irreps.

    Examples
    --------
    >>> product = IrrepsTensorProduct("3x(1/2,1/2)", "1x(1/2,1/2)", only="(0,0) + (1,1)")
    >>> product.irreps_out
    Irreps("3x(0,0) + 3x(1,1)")
    >>> product(torch.ones(5, 12), torch.ones(5, 4)).shape
    torch.Size([5, 30])
    """

    def __init__(
        self,
        irreps1: Irreps | str,
        irreps2: Irreps | str,
        *,
        only: Irreps | str | None = None,
        paths: Iterable[Path] | None = None,
        shared_weights: bool = False,
    ) -> None:
        super().__init__()
        self.irreps1 = real_irreps("irreps1", irreps1)
        self.irreps2 = real_irreps("irreps2", irreps2)
        chosen = None if paths is None else {_normal(path) for path in paths}
        kept = None if only is None else set(field_counts(Irreps(only)))
        self.groups = nn.ModuleList()
        found: set[Triple] = set()
        for copies1, fields1 in _by_copies(self.irreps1).items():
            for copies2, fields2 in _by_copies(self.irreps2).items():
                couplings = [
                    coupling
                    for irrep1, irrep2 in product(fields1, fields2)
                    for coupling in _couplings(irrep1, irrep2)
                    if (kept is None or coupling.irrep in kept)
                    and (chosen is None or coupling.path in chosen)
                ]
                found.update(coupling.path for coupling in couplings)
                if couplings:
                    _check_copies(copies1, copies2, fields1, fields2)
                    self.groups.append(_Group(fields1, fields2, max(copies1, copies2), couplings))
        if chosen is not None and chosen - found:
            raise _no_such_path(min(chosen - found), self.irreps1, self.irreps2)
        if not found:
            raise InputError(
                "only, paths",
                expected="at least one path",
                got=f"only={only}, paths={paths}",
                fix=f"keep some of {self.irreps1 * self.irreps2}",
            )
        counts: dict[Irrep, int] = {}
        for group in self._groups():
            for irrep, number in group.numbers.items():
                counts[irrep] = counts.get(irrep, 0) + number * group.copies
        self.irreps_out = irreps_of(counts)
        self._counts = field_counts(self.irreps_out)
        self.weights = sum(counts.values())
        self.weight = nn.Parameter(torch.ones(self.weights)) if shared_weights else None

    def forward(
        self,
        x: Float[Tensor, "*#batch dim1"],
        y: Float[Tensor, "*#batch dim2"],
        weights: Float[Tensor, "*#batch weights"] | None = None,
    ) -> Float[Tensor, "*batch dim_out"]:
        """The product, with weights of its own for each item if they are given."""
        fields1, fields2 = split_fields(x, self.irreps1), split_fields(y, self.irreps2)
        products: dict[Irrep, list[Tensor]] = {irrep: [] for irrep in self._counts}
        for group in self._groups():
            for irrep, copies in group(fields1, fields2).items():
                products[irrep].append(copies)
        fields = {irrep: torch.cat(parts, -2) for irrep, parts in products.items()}
        for weight in (self.weight, weights):
            if weight is not None:
                scales = torch.split(weight, list(self._counts.values()), -1)
                fields = {
                    irrep: scale[..., None] * fields[irrep]
                    for irrep, scale in zip(self._counts, scales, strict=True)
                }
        return join_fields(fields, self.irreps_out)

    def _groups(self) -> "Iterator[_Group]":
        """The parts of the product, with their type."""
        return (group for group in self.groups if isinstance(group, _Group))


Triple = tuple[Irrep, Irrep, Irrep]


class _Coupling(NamedTuple):
    """A path, the field that it gives, and the real coefficients of its copies."""

    path: Triple
    irrep: Irrep
    tensors: tuple[Float64[Tensor, "components1 components2 components"], ...]


class _Group(nn.Module):
    """The product of fields with the same number of copies: one matrix for all their paths."""

    matrix: Float[Tensor, "products components"]

    def __init__(
        self,
        fields1: list[Irrep],
        fields2: list[Irrep],
        copies: int,
        couplings: list[_Coupling],
    ) -> None:
        super().__init__()
        self.fields1, self.fields2, self.copies = fields1, fields2, copies
        columns1, columns2 = _columns(fields1), _columns(fields2)
        size1, size2 = columns1[fields1[-1]].stop, columns2[fields2[-1]].stop
        # How many couplings give each irrep; their columns are in the order of irreps.
        self.numbers: dict[Irrep, int] = {}
        blocks = []
        for coupling in sorted(couplings, key=lambda coupling: coupling.irrep):
            irrep1, irrep2 = (_field(irrep) for irrep in coupling.path[:2])
            for tensor in coupling.tensors:
                block = torch.zeros(size1, size2, tensor.shape[-1], dtype=torch.float64)
                block[columns1[irrep1], columns2[irrep2]] = tensor
                blocks.append(block)
            self.numbers[coupling.irrep] = self.numbers.get(coupling.irrep, 0) + len(
                coupling.tensors
            )
        # Kept in float64, whatever the precision of the weights: rounded coefficients would break
        # the symmetry in a network that is converted later.
        self.register_buffer("matrix", torch.cat(blocks, -1).flatten(0, 1), persistent=False)

    def forward(
        self, fields1: dict[Irrep, Tensor], fields2: dict[Irrep, Tensor]
    ) -> dict[Irrep, Float[Tensor, "*batch copies components"]]:
        """The copies of each irrep: for each channel, those of all paths."""
        x = torch.cat([fields1[irrep] for irrep in self.fields1], -1)
        y = torch.cat([fields2[irrep] for irrep in self.fields2], -1)
        together = (x[..., :, None] * y[..., None, :]).flatten(-2) @ self.matrix.to(x.dtype)
        sizes = [number * field_dim(irrep) for irrep, number in self.numbers.items()]
        return {
            irrep: part.reshape(*part.shape[:-2], self.copies * number, field_dim(irrep))
            for (irrep, number), part in zip(
                self.numbers.items(), torch.split(together, sizes, -1), strict=True
            )
        }


def _couplings(irrep1: Irrep, irrep2: Irrep) -> Iterator[_Coupling]:
    """All real couplings of two fields, each path once."""
    seen: set[Triple] = set()
    parts1, parts2 = (dict.fromkeys((irrep, irrep.conjugate)) for irrep in (irrep1, irrep2))
    for part1, part2 in product(parts1, parts2):
        for _, irrep in part1 * part2:
            path = _normal((part1, part2, irrep))
            if path in seen:
                continue
            seen.add(path)
            part1_, part2_, irrep_ = path
            tensor = torch.einsum(
                "pqk,pi,qj->ijk",
                clebsch_gordan(*path).to(torch.complex128),
                _complex_components(part1_),
                _complex_components(part2_),
            )
            if not irrep_.is_real:
                tensors: tuple[Tensor, ...] = (torch.cat([tensor.real, tensor.imag], -1),)
            elif part1_.is_real and part2_.is_real:
                tensors = (tensor.real,)
            else:
                tensors = (tensor.real, tensor.imag)
            # Unit variance of the components, on average, for factors of unit variance.
            yield _Coupling(
                path,
                irrep_,
                tuple(each * (each.shape[-1] / each.square().sum()).sqrt() for each in tensors),
            )


def _complex_components(irrep: Irrep) -> Tensor:
    """The components of (a,b) from the real ones of its field: ``x + iy``, ``x - iy`` for a < b."""
    eye = torch.eye(irrep.dim, dtype=torch.complex128)
    if irrep.is_real:
        return eye
    return torch.cat([eye, 1j * eye if irrep.j1 > irrep.j2 else -1j * eye], -1)


def _field(irrep: Irrep) -> Irrep:
    """(a,b), a >= b, for itself and its conjugate."""
    return irrep if irrep.j1 >= irrep.j2 else irrep.conjugate


def _normal(path: Path) -> Triple:
    """Of a path and that of the conjugates the one that leads to (a,b), a > b, or is smaller."""
    irrep1, irrep2, irrep = (Irrep(each) if isinstance(each, str) else each for each in path)
    conjugate = (irrep1.conjugate, irrep2.conjugate, irrep.conjugate)
    if irrep.is_real:
        return min((irrep1, irrep2, irrep), conjugate)
    return (irrep1, irrep2, irrep) if irrep.j1 > irrep.j2 else conjugate


def _by_copies(irreps: Irreps) -> dict[int, list[Irrep]]:
    """The fields with each number of copies."""
    groups: dict[int, list[Irrep]] = {}
    for irrep, copies in field_counts(irreps).items():
        groups.setdefault(copies, []).append(irrep)
    return groups


def _columns(fields: list[Irrep]) -> dict[Irrep, slice]:
    """Where the components of each field are among those of all."""
    bounds = [0, *accumulate(map(field_dim, fields))]
    return {irrep: slice(*pair) for irrep, pair in zip(fields, pairwise(bounds), strict=True)}


def _check_copies(copies1: int, copies2: int, fields1: list[Irrep], fields2: list[Irrep]) -> None:
    """Refuse factors that cannot be paired channel by channel."""
    if copies1 != copies2 and 1 not in (copies1, copies2):
        raise InputError(
            f"copies of {fields1[0]} and {fields2[0]}",
            expected="equally many of both, or one of one of them",
            got=f"{copies1} and {copies2}",
            fix="mix them with IrrepsLinear first, or leave out the path",
        )


def _no_such_path(path: Triple, irreps1: Irreps, irreps2: Irreps) -> InputError:
    """The error for a path that is not there."""
    return InputError(
        "path " + ", ".join(map(str, path)),
        expected=f"a path between irreps of {irreps1} and {irreps2} that is kept",
        got="none",
        fix=f"the product of the first two is {path[0] * path[1]}",
    )
