"""Infrared and collinear safety: claims about a limit."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float64, Int64
from torch import Generator, Tensor

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.symmetry._symmetry import Symmetry


class Emission(NamedTuple):
    """Particles that take part, in float64: what they become, and what joins their sets."""

    emitter: Int64[Tensor, " emissions"]
    remaining: Float64[Tensor, "emissions 4"]
    emitted: Float64[Tensor, "emissions 4"]


class _Safety(Symmetry):
    """One particle of each set becomes two, which the output must not see in a limit."""

    vanishing: ClassVar[bool] = True

    def element(
        self, inputs: ParticleSet, strength: float | None, generator: Generator
    ) -> Emission:
        """One emission in each set that has particles."""
        if not isinstance(inputs, ParticleSet):
            raise InputError(
                f"inputs of the symmetry {self.name!r}",
                expected="a ParticleSet",
                got=type(inputs).__name__,
                fix="convert them, or write a Symmetry that acts on this type",
            )
        counts = inputs.counts.cpu()
        some = counts > 0
        uniform = torch.rand(len(counts), generator=generator, dtype=torch.float64)
        chosen = inputs.offsets[:-1].cpu() + (uniform * counts).long()
        emitter = chosen[some]
        p4 = inputs.p4.detach().cpu().double()
        normal = torch.randn(len(emitter), 3, generator=generator, dtype=torch.float64)
        energy = torch.zeros(len(counts), dtype=torch.float64)
        energy = energy.index_add(0, inputs.set_index.cpu(), p4[:, 0])[some]
        momenta = self._split(p4[emitter], energy, normal, strength, generator)
        return Emission(emitter, *momenta)

    @abstractmethod
    def _split(
        self,
        p4: Float64[Tensor, "emissions 4"],
        energy: Float64[Tensor, " emissions"],
        normal: Float64[Tensor, "emissions 3"],
        strength: float | None,
        generator: Generator,
    ) -> tuple[Float64[Tensor, "emissions 4"], Float64[Tensor, "emissions 4"]]:
        """What remains of the emitters and what they emit, given the energies of their sets."""

    def act(self, element: Emission, inputs: ParticleSet) -> ParticleSet:
        """The sets after the emission; the emitted has the features of its emitter."""
        emitter = element.emitter.to(inputs.device)
        p4 = inputs.p4.index_copy(0, emitter, element.remaining.to(inputs.p4))
        p4 = torch.cat([p4, element.emitted.to(inputs.p4)])
        rows = torch.cat([torch.arange(len(inputs.p4), device=inputs.device), emitter])
        set_index = inputs.set_index[rows]
        order = set_index.argsort(stable=True)
        counts = torch.bincount(set_index, minlength=len(inputs))
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return inputs.with_items(rows[order], offsets).with_p4(p4[order])

    def describe(self, element: Emission) -> str:
        """How many particles are emitted."""
        return f"{len(element.emitter)} emissions"


@dataclass(frozen=True)
class SoftEmission(_Safety):
    """Infrared safety: one more particle changes less and less the softer it is.

    The strength is its energy as a fraction of that of its set. It is massless, and has a direction
    some 0.3 rad from that of a random particle.

    References
    ----------
    G. Sterman, S. Weinberg, Phys. Rev. Lett. 39 (1977) 1436. P. T. Komiske, E. M. Metodiev,
    J. Thaler, JHEP 01 (2019) 121, arXiv:1810.05165, section 2.2.
    """

    name: ClassVar[str] = "soft emission"
    strengths: ClassVar[tuple[float | None, ...]] = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
    strength_name: ClassVar[str] = "energy fraction"

    def _split(
        self,
        p4: Float64[Tensor, "emissions 4"],
        energy: Float64[Tensor, " emissions"],
        normal: Float64[Tensor, "emissions 3"],
        strength: float | None,
        generator: Generator,  # noqa: ARG002
    ) -> tuple[Float64[Tensor, "emissions 4"], Float64[Tensor, "emissions 4"]]:
        """The emitters as they are, and soft particles."""
        direction = torch.nn.functional.normalize(p4[:, 1:], dim=1) + 0.3 * normal
        direction = torch.nn.functional.normalize(direction, dim=1)
        soft = (1e-3 if strength is None else strength) * energy[:, None]
        return p4, torch.cat([soft, soft * direction], dim=1)


@dataclass(frozen=True)
class CollinearSplitting(_Safety):
    """Collinear safety: a particle in two parts changes less and less the nearer they fly.

    The strength is the opening angle in rad. The parts ``x p + k`` and ``(1 - x) p - k``, with x
    uniform from 0.1 to 0.9 and k orthogonal to the momentum, have masses x m and (1 - x) m: at the
    angle 0 they are parts of the same momentum.

    References
    ----------
    As for :class:`SoftEmission`.
    """

    name: ClassVar[str] = "collinear splitting"
    strengths: ClassVar[tuple[float | None, ...]] = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
    strength_name: ClassVar[str] = "opening angle"

    def _split(
        self,
        p4: Float64[Tensor, "emissions 4"],
        energy: Float64[Tensor, " emissions"],  # noqa: ARG002
        normal: Float64[Tensor, "emissions 3"],
        strength: float | None,
        generator: Generator,
    ) -> tuple[Float64[Tensor, "emissions 4"], Float64[Tensor, "emissions 4"]]:
        """The two parts."""
        x = 0.1 + 0.8 * torch.rand(len(p4), 1, generator=generator, dtype=torch.float64)
        momentum = p4[:, 1:]
        size = momentum.norm(dim=1, keepdim=True)
        sideways = torch.nn.functional.normalize(torch.linalg.cross(momentum, normal), dim=1)
        angle = 1e-3 if strength is None else strength
        k = angle * x * (1 - x) * size * sideways

        def part(share: Tensor, kick: Tensor) -> Tensor:
            # k is orthogonal to p, so that E² grows by k² at the same mass.
            grown = ((share * p4[:, :1]).square() + kick.square().sum(1, keepdim=True)).sqrt()
            return torch.cat([grown, share * momentum + kick], dim=1)

        return part(x, k), part(1 - x, -k)
