"""Both beams as particles of every set."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hepml.ops import segment_index


def beam_momenta(beams: bool) -> Float[Tensor, "beams 3"]:
    """Three-momenta (0, 0, ±1) GeV of the beams, or none: exact in every floating-point type."""
    along_z = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    return along_z if beams else along_z[:0]


def beam_p4(momenta: Float[Tensor, "beams 3"], dtype: torch.dtype) -> Float[Tensor, "beams 4"]:
    """Four-momenta of beams of mass 1 GeV."""
    momenta = momenta.to(dtype)
    return torch.cat([(1 + momenta.square().sum(1, keepdim=True)).sqrt(), momenta], 1)


def with_beams(
    of_particles: Float[Tensor, "particles channels"],
    of_beams: Float[Tensor, "beams channels"],
    offsets: Int64[Tensor, " bounds"],
) -> tuple[Float[Tensor, "nodes channels"], Int64[Tensor, " bounds"]]:
    """The rows of the beams, and then those of its particles, of each set; and their bounds."""
    particles, beams, sets = of_particles.shape[0], of_beams.shape[0], offsets.shape[0] - 1
    order = torch.arange(particles, device=offsets.device)
    at_particles = order + beams * (segment_index(offsets, particles) + 1)
    offsets = offsets + beams * torch.arange(sets + 1, device=offsets.device)
    at_beams = (offsets[:-1, None] + torch.arange(beams, device=offsets.device)).flatten()
    nodes = of_particles.new_zeros(particles + beams * sets, of_particles.shape[1])
    nodes = nodes.index_copy(0, at_particles, of_particles)
    return nodes.index_copy(0, at_beams, of_beams.repeat(sets, 1)), offsets
