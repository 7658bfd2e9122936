"""The tensor product of irreps of the Lorentz group."""

from collections.abc import Iterable
from itertools import accumulate, pairwise, product
from operator import attrgetter
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.errors import InputError
from hepml.lorentz import Irrep, Irreps
from hepml.nn.irreps._couplings import Coupling, Path, Triple, normal_path, real_couplings
from hepml.nn.irreps._fields import Fields, field_dim, field_of, irreps_of
from hepml.nn.irreps._messages import Blocks, blocks_of, mean_products
from hepml.ops import Edges, check_rows, checked_edges


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
        self._fields1, self._fields2 = Fields("irreps1", irreps1), Fields("irreps2", irreps2)
        self.irreps1, self.irreps2 = self._fields1.irreps, self._fields2.irreps
        chosen = None if paths is None else {normal_path(path) for path in paths}
        kept = None if only is None else {field_of(irrep) for _, irrep in Irreps(only)}
        groups: list[_Group] = []
        found: set[Triple] = set()
        for copies1, fields1 in _by_copies(self._fields1).items():
            for copies2, fields2 in _by_copies(self._fields2).items():
                couplings = [
                    coupling
                    for irrep1, irrep2 in product(fields1, fields2)
                    for coupling in real_couplings(irrep1, irrep2)
                    if (kept is None or coupling.irrep in kept)
                    and (chosen is None or coupling.path in chosen)
                ]
                found.update(coupling.path for coupling in couplings)
                if couplings:
                    _check_copies(copies1, copies2, fields1, fields2)
                    groups.append(
                        _Group(
                            _Factor(self._fields1, fields1),
                            _Factor(self._fields2, fields2),
                            max(copies1, copies2),
                            couplings,
                        )
                    )
        if chosen is not None and chosen - found:
            raise _no_such_path(min(chosen - found), self.irreps1, self.irreps2)
        if not found:
            raise InputError(
                "only, paths",
                expected="at least one path",
                got=f"only={only}, paths={paths}",
                fix=f"keep some of {self.irreps1 * self.irreps2}",
            )
        numbers: dict[Irrep, int] = {}
        for group in groups:
            for irrep, copies in group.copies.items():
                numbers[irrep] = numbers.get(irrep, 0) + copies
        self._out = Fields("irreps_out", irreps_of(numbers))
        self.irreps_out = self._out.irreps
        self._weights_of_fields = list(self._out.copies.values())
        # Of each field that comes out: the groups that give it, and where it is in them.
        self._sources = [
            [
                (i, list(group.copies).index(irrep))
                for i, group in enumerate(groups)
                if irrep in group.copies
            ]
            for irrep in self._out.copies
        ]
        self.groups = nn.ModuleList(groups)
        self.weights = sum(self._weights_of_fields)
        self.weight = nn.Parameter(torch.ones(self.weights)) if shared_weights else None

    def forward(
        self,
        x: Float[Tensor, "*#batch dim1"],
        y: Float[Tensor, "*#batch dim2"],
        weights: Float[Tensor, "*#batch weights"] | None = None,
    ) -> Float[Tensor, "*batch dim_out"]:
        """The product, with weights of its own for each item if they are given."""
        fields1, fields2 = self._fields1.split(x), self._fields2.split(y, "y")
        self._check(x, y, weights)
        products = [cast(_Group, group).products(fields1, fields2) for group in self.groups]
        return self._couple(products, weights)

    def message(
        self,
        edge: Float[Tensor, "edges dim1"],
        y: Float[Tensor, "items dim2"],
        edges: Edges,
        weights: Float[Tensor, "*#items weights"] | None = None,
    ) -> Float[Tensor, "items dim_out"]:
        """What items receive: the mean over their senders of the product of the pair and sender.

        Products of components are summed before they are coupled, which is linear in them, and
        never held for all edges.
        """
        fields1, fields2 = self._fields1.split(edge, "edge"), self._fields2.split(y, "y", edge)
        check_rows("y", y, axes=2)
        edges = checked_edges(edges, y.shape[0])
        check_rows("edge", edge, axes=2, like=edges.senders)
        self._check(y, y, weights)
        blocks = blocks_of(edges)
        products = [cast(_Group, group).received(fields1, fields2, blocks) for group in self.groups]
        return self._couple(products, weights)

    def _check(self, x: Tensor, y: Tensor, weights: Tensor | None) -> None:
        """Refuse factors and weights whose leading axes do not broadcast."""
        if weights is not None:
            check_rows("weights", weights, self.weights)
        shapes = [each.shape[:-1] for each in (x, y, weights) if each is not None]
        if torch.compiler.is_compiling() or len({*shapes}) == 1:
            return
        try:
            torch.broadcast_shapes(*shapes)  # type: ignore[no-untyped-call]
        except RuntimeError:
            raise InputError(
                "x, y and weights",
                expected="leading axes that broadcast",
                got=" and ".join(str(tuple(shape)) for shape in shapes),
                fix="give a row of each for each item",
            ) from None

    def _couple(
        self,
        products: list[Float[Tensor, "*batch _ _"]],
        weights: Float[Tensor, "*#batch weights"] | None,
    ) -> Float[Tensor, "*batch dim_out"]:
        """The irreps of products of components."""
        groups = [
            cast(_Group, group).couple(together)
            for group, together in zip(self.groups, products, strict=True)
        ]
        fields = [torch.cat([groups[i][j] for i, j in parts], -2) for parts in self._sources]
        for weight in (self.weight, weights):
            if weight is not None:
                scales = torch.split(weight, self._weights_of_fields, -1)
                fields = [
                    scale[..., None] * field for scale, field in zip(scales, fields, strict=True)
                ]
        return self._out.join(fields)


class _Factor:
    """Those fields of a factor that have the same number of copies, side by side."""

    def __init__(self, fields: Fields, irreps: list[Irrep]) -> None:
        self.irreps = irreps
        self._index = [list(fields.copies).index(irrep) for irrep in irreps]
        bounds = [0, *accumulate(map(field_dim, irreps))]
        self.size = bounds[-1]
        # Where the components of each field are among those of all.
        self.columns = {
            irrep: slice(*pair) for irrep, pair in zip(irreps, pairwise(bounds), strict=True)
        }

    def components(
        self, fields: list[Float[Tensor, "*batch _ _"]]
    ) -> Float[Tensor, "*batch copies components"]:
        """The components of these fields."""
        return torch.cat([fields[index] for index in self._index], -1)


class _Group(nn.Module):
    """The product of fields with the same number of copies: one matrix for all their paths."""

    matrix: Float[Tensor, "products components"]

    def __init__(
        self, factor1: _Factor, factor2: _Factor, copies: int, couplings: list[Coupling]
    ) -> None:
        super().__init__()
        self._factors = (factor1, factor2)
        # Copies of each irrep; the columns are in the order of irreps.
        self.copies: dict[Irrep, int] = {}
        blocks = []
        for coupling in sorted(couplings, key=attrgetter("irrep")):
            irrep1, irrep2 = (field_of(irrep) for irrep in coupling.path[:2])
            for tensor in coupling.tensors:
                block = torch.zeros(
                    factor1.size, factor2.size, tensor.shape[-1], dtype=torch.float64
                )
                block[factor1.columns[irrep1], factor2.columns[irrep2]] = tensor
                blocks.append(block)
                self.copies[coupling.irrep] = self.copies.get(coupling.irrep, 0) + copies
        self._shapes = [(number, field_dim(irrep)) for irrep, number in self.copies.items()]
        self._sizes = [number // copies * dim for number, dim in self._shapes]
        # Kept in float64, whatever the precision of the weights: rounded coefficients would break
        # the symmetry in a network that is converted later.
        self.register_buffer("matrix", torch.cat(blocks, -1).flatten(0, 1), persistent=False)

    def products(
        self,
        fields1: list[Float[Tensor, "*batch1 _ _"]],
        fields2: list[Float[Tensor, "*batch2 _ _"]],
    ) -> Float[Tensor, "*batch copies products"]:
        """All products of a component of one factor and one of the other."""
        x, y = self._components(fields1, fields2)
        return (x[..., :, None] * y[..., None, :]).flatten(-2)

    def received(
        self,
        fields1: list[Float[Tensor, "edges _ _"]],
        fields2: list[Float[Tensor, "items _ _"]],
        blocks: Blocks,
    ) -> Float[Tensor, "items copies products"]:
        """The mean over senders of all products of components."""
        x, y = self._components(fields1, fields2)
        return mean_products(x, y, blocks).flatten(-2)

    def _components(
        self,
        fields1: list[Float[Tensor, "*batch1 _ _"]],
        fields2: list[Float[Tensor, "*batch2 _ _"]],
    ) -> tuple[Float[Tensor, "*batch1 _ _"], Float[Tensor, "*batch2 _ _"]]:
        """The components of both factors."""
        factor1, factor2 = self._factors
        return factor1.components(fields1), factor2.components(fields2)

    def couple(
        self, products: Float[Tensor, "*batch channels products"]
    ) -> list[Float[Tensor, "*batch _ _"]]:
        """The copies of each irrep: for each channel, those of all paths."""
        together = torch.split(products @ self.matrix.to(products.dtype), self._sizes, -1)
        return [
            part.reshape(*part.shape[:-2], *shape)
            for part, shape in zip(together, self._shapes, strict=True)
        ]


def _by_copies(fields: Fields) -> dict[int, list[Irrep]]:
    """The fields with each number of copies."""
    groups: dict[int, list[Irrep]] = {}
    for irrep, copies in fields.copies.items():
        groups.setdefault(copies, []).append(irrep)
    return groups


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
