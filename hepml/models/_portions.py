"""Networks that keep all pairs of a batch, on so many sets at a time as memory holds."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.models._inputs import check_particles
from hepml.ops import check_memory, is_transformed

# Numbers that a portion may need at once, 134 MB in single precision. Memory above comes fresh from
# the system each time: half a gigabyte halved what RestFrame scores of 256 jets in a second.
_PORTION = 1 << 25


def in_portions(
    model: nn.Module,
    logits: Callable[[ParticleSet], Tensor],
    particles: ParticleSet,
    *,
    beams: int = 0,
    per_node: int,
    per_pair: int,
) -> Float[Tensor, "rows outputs"]:
    """The logits of each set or particle: some sets after others, where nothing is learned.

    Parameters
    ----------
    model
        The network; in training its batch norms see the whole batch, which stays together.
    logits
        What it gives for a batch.
    beams
        Nodes of each set that are no particles.
    per_node, per_pair
        About how many numbers it needs at once for each.

    Raises
    ------
    InputError
        If one portion, or what must stay together, does not fit into memory.
    """
    check_particles(particles)
    if torch.compiler.is_compiling():
        # The number of sets would be a constant of the program.
        return logits(particles)
    nodes = particles.p4.shape[0] + beams * len(particles)
    if (
        particles.device.type != "cpu"
        or nodes * (per_node + nodes * per_pair) <= _PORTION
        or is_transformed(particles.p4)
    ):
        return logits(particles)
    counts = (particles.counts + beams).double()
    needs = counts * (per_node + (counts - 1) * per_pair)
    together = model.training or torch.is_grad_enabled()
    portions = needs.new_zeros(len(needs)) if together else (needs.cumsum(0) / _PORTION).floor()
    _, sizes = torch.unique_consecutive(portions, return_counts=True)
    results = []
    start = 0
    for size in sizes.tolist():
        part = particles[start : start + size]
        need = int(needs[start : start + size].sum()) * particles.p4.element_size()
        fix = "take fewer or smaller sets at a time" + (
            "; score with model.eval() under torch.no_grad()" if together and len(part) > 1 else ""
        )
        what = f"{type(model).__name__} on {len(part)} sets of {part.p4.shape[0]} particles"
        check_memory(what, need, particles.device, fix)
        results.append(logits(part))
        start += size
    return torch.cat(results)
