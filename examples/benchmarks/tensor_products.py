"""The tensor products of the Lorentz Group Network: IrrepsTensorProduct against the authors' way.

    python examples/benchmarks/tensor_products.py [--jets N] [--particles N] [--channels N]

One level of the network has two products: each particle's tensors with themselves, and the sum over
all pairs of those of the pair (a scalar and a vector) with those of the sender. The authors' way,
written anew here: tensors of each irrep (k,n) are complex, kept as their real and imaginary parts,
in the basis of spins. For each pair of irreps all four real products of components are formed,
summed over senders, put together to complex ones, and multiplied by the matrix of the pair's
Clebsch-Gordan coefficients, which are real in this basis. Ours are real tensors, coupled by one
matrix for all paths, and sums over senders are matrix products.

The sizes are the published network's: irreps up to (1,1), 4 channels (its largest level), batches
of 8 jets; float32. All jets have equally many particles, so that their way pays for no padding.
Compared with it are

* equal channels: the same map of the same real fields. That it is the same is checked in float64
  before the clocks start, in one basis; what each path gives is a combination of their paths.
* equal numbers: ours has twice the channels, for the published tensors have complex components,
  and behind complex weights these are those of no real field.

All take turns, and the ratios are formed within each round.

References
----------
A. Bogatskiy et al., ICML 2020, arXiv:2006.04780, sections 5 and 6.
"""

import argparse
import statistics
from collections.abc import Callable, Sequence
from itertools import product

import _measure as measure
import torch
from torch import Tensor

from hepml.lorentz import Irrep, Irreps, generators, su2_clebsch_gordan
from hepml.nn import IrrepsTensorProduct
from hepml.ops import all_pairs

KEPT = Irreps("(0,0) + (1/2,1/2) + (1,0) + (0,1) + (1,1)")
# Complex tensors: the real and imaginary parts first, components last.
Tensors = dict[Irrep, Tensor]


def main(words: Sequence[str] | None = None) -> None:
    """Compare, measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jets", type=int, default=8)
    parser.add_argument("--particles", type=int, default=50)
    parser.add_argument("--channels", type=int, default=4)
    measure.add_arguments(parser, rounds=15)
    arguments = parser.parse_args(words)
    sizes = (arguments.jets, arguments.particles)
    error = difference(2, 5, arguments.channels)
    theirs = Published(*sizes, arguments.channels)
    ours = {n: Ours(*sizes, n * arguments.channels) for n in (1, 2)}
    levels: dict[str, Callable[[], list[Tensor]]] = {
        "authors' way": theirs.level,
        "hepml, equal channels": ours[1].level,
        "hepml, equal numbers": ours[2].level,
    }
    seconds = {
        "forward": measure.interleave(levels, arguments.rounds, least=0.05),
        "forward and backward": measure.interleave(
            {name: with_backward(level) for name, level in levels.items()},
            arguments.rounds,
            least=0.05,
        ),
    }
    results = {
        "sizes": {"jets": sizes[0], "particles": sizes[1], "channels": arguments.channels},
        "difference": error,
        "machine": measure.machine(("torch",)),
        "seconds": seconds,
        "ratios": {what: ratios(each) for what, each in seconds.items()},
    }
    rows = [
        [
            f"{name}, {what}",
            *(f"{1e3 * t:.2f}" for t in measure.spread(each)),
            f"{results['ratios'][what].get(name, 1.0):.1f}",
        ]
        for what, levels_seconds in seconds.items()
        for name, each in levels_seconds.items()
    ]
    text = [
        measure.described(results["machine"]),
        f"{sizes[0]} jets of {sizes[1]} particles, {arguments.channels} channels, float32; "
        f"the same map to {error:.1e} in float64",
        "",
        measure.table(["one level", "ms", "lowest", "highest", "times as fast"], rows),
    ]
    measure.print_and_save("tensor_products", "\n".join(text), results, arguments.output)


def ratios(seconds: dict[str, list[float]]) -> dict[str, float]:
    """How many times as fast as the authors' way: the median over rounds."""
    theirs, *ours = seconds
    return {
        name: statistics.median(a / b for a, b in zip(seconds[theirs], seconds[name], strict=True))
        for name in ours
    }


def with_backward(level: Callable[[], list[Tensor]]) -> Callable[[], object]:
    """A level, and the derivative of the sum of squares of what it gives."""
    return lambda: sum(each.square().sum() for each in level()).backward()


class Ours:
    """A level by IrrepsTensorProduct, on random real tensors."""

    def __init__(
        self, jets: int, particles: int, channels: int, dtype: torch.dtype = torch.float32
    ) -> None:
        nodes = jets * particles
        irreps, edge_irreps = channels * KEPT, channels * KEPT[:2]
        self.square = IrrepsTensorProduct(irreps, irreps, only=KEPT)
        self.message = IrrepsTensorProduct(edge_irreps, irreps, only=KEPT)
        offsets = torch.arange(0, nodes + 1, particles)
        self.pairs = all_pairs(offsets, nodes)
        generator = torch.Generator().manual_seed(1)
        self.x = torch.randn(nodes, irreps.dim, generator=generator, dtype=dtype)
        pairs = len(self.pairs.senders)
        self.edge = torch.randn(pairs, edge_irreps.dim, generator=generator, dtype=dtype)
        for each in (self.x, self.edge):
            each.requires_grad_()

    def level(self) -> list[Tensor]:
        """The two products."""
        received = self.message.message(self.edge, self.x, self.pairs)
        return [self.square(self.x, self.x), received]


class Published:
    """A level as the authors compute it, on random complex tensors of all pairs of particles."""

    def __init__(self, jets: int, particles: int, channels: int) -> None:
        generator = torch.Generator().manual_seed(1)

        def tensors(irreps: Irreps, *shape: int) -> Tensors:
            return {
                irrep: torch.randn(2, *shape, channels, irrep.dim, generator=generator)
                for _, irrep in irreps
            }

        self.x = tensors(KEPT, jets, particles)
        self.edge = tensors(KEPT[:2], jets, particles, particles)
        for each in (*self.x.values(), *self.edge.values()):
            each.requires_grad_()
        self.matrices = pair_matrices(torch.float32)

    def level(self) -> list[Tensor]:
        """The two products."""
        square = per_pair(self.x, self.x, self.matrices)
        sent = {irrep: each[:, :, None] for irrep, each in self.x.items()}
        received = per_pair(self.edge, sent, self.matrices, over=3)
        return [*square.values(), *received.values()]


def per_pair(
    x: Tensors, y: Tensors, matrices: dict[tuple[Irrep, Irrep], Tensor], over: int | None = None
) -> Tensors:
    """The product, one pair of irreps after the other, summed over an axis of the items."""
    found: dict[Irrep, list[Tensor]] = {irrep: [] for _, irrep in KEPT}
    for (irrep1, x1), (irrep2, y2) in product(x.items(), y.items()):
        z = x1[:, None, ..., :, None] * y2[None, :, ..., None, :]
        if over is not None:
            z = z.sum(over + 1)
        z = torch.stack([z[0, 0] - z[1, 1], z[0, 1] + z[1, 0]]).flatten(-2)
        kept = kept_of(irrep1, irrep2)
        together = torch.split(z @ matrices[irrep1, irrep2], [each.dim for each in kept], -1)
        for irrep, part in zip(kept, together, strict=True):
            found[irrep].append(part)
    return {irrep: torch.cat(parts, -2) for irrep, parts in found.items() if parts}


def kept_of(irrep1: Irrep, irrep2: Irrep) -> list[Irrep]:
    """The irreps in a product that the network keeps."""
    return [irrep for _, irrep in irrep1 * irrep2 if irrep in KEPT]


def pair_matrices(dtype: torch.dtype) -> dict[tuple[Irrep, Irrep], Tensor]:
    """For each pair of irreps the Clebsch-Gordan coefficients of all that are kept, real."""
    return {
        (irrep1, irrep2): torch.cat([spin_coupling(irrep1, irrep2, k) for k in kept], -1).to(dtype)
        for (_, irrep1), (_, irrep2) in product(KEPT, KEPT)
        if (kept := kept_of(irrep1, irrep2))
    }


def spin_coupling(irrep1: Irrep, irrep2: Irrep, irrep: Irrep) -> Tensor:
    """The coefficients of both spins, products of components by components."""
    left = su2_clebsch_gordan(irrep1.j1, irrep2.j1, irrep.j1)
    right = su2_clebsch_gordan(irrep1.j2, irrep2.j2, irrep.j2)
    tensor = torch.einsum("abc,xyz->axbycz", left, right)
    return tensor.reshape(irrep1.dim * irrep2.dim, irrep.dim)


def spin_basis(irrep: Irrep) -> Tensor:
    """The matrix to the components m1, m2 (descending) from those of hepml, up to a phase."""
    rotations, boosts = generators(irrep)
    left, right = (1j * rotations + boosts) / 2, (1j * rotations - boosts) / 2
    highest = (
        torch.linalg.svd(
            torch.cat(
                [
                    left[2] - float(irrep.j1) * torch.eye(irrep.dim),
                    right[2] - float(irrep.j2) * torch.eye(irrep.dim),
                ]
            )
        )
        .Vh[-1]
        .conj()
    )
    states = []
    for _ in range(irrep.twice_j1 + 1):
        state = highest
        for _ in range(irrep.twice_j2 + 1):
            states.append(state / state.norm())
            state = (right[0] - 1j * right[1]) @ state
        highest = (left[0] - 1j * left[1]) @ highest
    return torch.stack(states).conj()


def difference(jets: int, particles: int, channels: int) -> float:
    """How far ours is from theirs, on the same tensors, as a share of its size.

    What each path gives in one is a combination of what the paths give in the other, the same for
    all items, channels and components: a path of fields (a,b) + (b,a) is two of complex tensors.
    """
    ours = Ours(jets, particles, channels, dtype=torch.float64)
    shape = (jets, particles)
    x, edge = ours.x.detach(), ours.edge.detach()
    # Two different factors: of x with itself some paths give the same, or nothing.
    y = x.roll(1, 0)
    # A row for every pair; what an item would send to itself is 0.
    dense = torch.zeros(jets * particles, particles, edge.shape[1], dtype=edge.dtype)
    dense[ours.pairs.receivers, ours.pairs.senders % particles] = edge
    xs, ys = (complex_tensors(each, ours.square.irreps1, shape) for each in (x, y))
    edges = complex_tensors(dense.flatten(0, 1), ours.message.irreps1, (*shape, particles))
    matrices = pair_matrices(torch.float64)
    sent = {irrep: each[:, :, None] for irrep, each in xs.items()}
    compared = [
        (ours.square, ours.square(x, y), per_pair(xs, ys, matrices)),
        (
            ours.message,
            ours.message.message(edge, x, ours.pairs),
            per_pair(edges, sent, matrices, over=3),
        ),
    ]
    errors = []
    for layer, out, published in compared:
        found = complex_tensors(out, layer.irreps_out, shape)
        assert found.keys() == published.keys()
        for irrep, tensor in published.items():
            # Items, channels and components by paths.
            a = torch.complex(*found[irrep]).unflatten(-2, (channels, -1)).movedim(-2, -1)
            b = torch.complex(*tensor).unflatten(-2, (-1, channels)).movedim(-3, -1)
            a, b = a.flatten(0, -2), b.flatten(0, -2)
            assert a.shape == b.shape
            combined = a @ torch.linalg.lstsq(a, b).solution
            errors.append(float((combined - b).norm() / b.norm()))
    return max(errors)


def complex_tensors(x: Tensor, irreps: Irreps, shape: Sequence[int]) -> Tensors:
    """Real fields as tensors of each irrep in the basis of spins: x + iy, and its conjugate."""
    columns = dict(zip((irrep for _, irrep in irreps), irreps.slices(), strict=True))

    def part(irrep: Irrep) -> Tensor:
        return x[:, columns[irrep]].reshape(*shape, -1, irrep.dim)

    tensors = {}
    for irrep in columns:
        if irrep.is_real:
            z = part(irrep) + 0j
        elif irrep.j1 > irrep.j2:
            z = torch.complex(part(irrep), part(irrep.conjugate))
        else:
            z = torch.complex(part(irrep.conjugate), -part(irrep))
        tensors[irrep] = torch.view_as_real(z @ spin_basis(irrep).T).movedim(-1, 0)
    return tensors


if __name__ == "__main__":
    main()
