"""The energy flow network is infrared and collinear safe."""

from itertools import pairwise

import pytest
import torch
from support.symmetries import jets, randomise, spread
from torch import Tensor, nn

from hepml.data import ParticleSet, concatenate
from hepml.errors import InputError
from hepml.lorentz import phi, pt, rapidity
from hepml.models import EnergyFlow, ParticleFlow
from hepml.ops import segment_gather, segment_mean, segment_sum


def _model(kind: type[nn.Module], seed: int = 1) -> nn.Module:
    model = kind(particle_widths=[16, 12], set_widths=[10]).double().eval()
    return randomise(model, torch.Generator().manual_seed(seed))


def _jets() -> ParticleSet:
    return jets([5, 3, 8, 1, 4], torch.Generator().manual_seed(2))


def _with_particles(particles: ParticleSet, new: Tensor) -> ParticleSet:
    """Each set with one more particle."""
    return concatenate(
        [
            ParticleSet(torch.cat([one.p4, extra[None]]), torch.tensor([0, len(one.p4) + 1]))
            for one, extra in zip(particles, new, strict=True)
        ]
    )


def _change(model: nn.Module, before: ParticleSet, after: ParticleSet) -> float:
    with torch.no_grad():
        outputs = model(before)
        return float(((model(after) - outputs).abs() / spread(outputs)).max())


def _split(particles: ParticleSet, fraction: float) -> ParticleSet:
    """Each set with its first particle split into two that fly the same way."""
    starts = particles.offsets[:-1]
    p4 = particles.p4.clone()
    p4[starts] *= 1 - fraction
    return _with_particles(particles.with_p4(p4), fraction * particles.p4[starts])


def _soft(energy: float) -> Tensor:
    """A light-like particle for each of five sets, in any direction."""
    direction = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    direction /= direction.norm(dim=1, keepdim=True)
    return energy * torch.cat([torch.ones(5, 1, dtype=torch.float64), direction], dim=1)


@pytest.mark.parametrize("fraction", [0.5, 0.1, 1e-6])
def test_collinear_splitting_changes_nothing(fraction: float) -> None:
    particles = _jets()
    assert _change(_model(EnergyFlow), particles, _split(particles, fraction)) < 1e-10


def test_the_change_by_soft_emission_falls_linearly() -> None:
    model, particles = _model(EnergyFlow), _jets()
    energies = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5]
    changes = [_change(model, particles, _with_particles(particles, _soft(e))) for e in energies]
    assert changes[0] > 1e-6
    for change, smaller in pairwise(changes):
        assert smaller == pytest.approx(change / 10, rel=0.1)


def test_a_particle_without_energy_changes_nothing() -> None:
    particles = _jets()
    assert _change(_model(EnergyFlow), particles, _with_particles(particles, _soft(0.0))) < 1e-12


def test_particle_flow_is_neither_safe() -> None:
    model, particles = _model(ParticleFlow), _jets()
    assert _change(model, particles, _split(particles, 0.5)) > 1e-2
    assert _change(model, particles, _with_particles(particles, _soft(1e-5))) > 1e-2


def test_an_axis_that_is_not_safe_would_be_found() -> None:
    model, particles = _model(EnergyFlow), _jets()

    class MeanDirection(nn.Module):
        """The same network about the plain mean direction, which counts a split particle twice."""

        def forward(self, sets: ParticleSet) -> Tensor:
            angles = torch.stack([rapidity(sets.p4), phi(sets.p4)], dim=1)
            axis = segment_gather(segment_mean(angles, sets.offsets), sets.offsets, len(angles))
            total = segment_gather(
                segment_sum(pt(sets.p4), sets.offsets), sets.offsets, len(angles)
            )
            return model.deep_sets(angles - axis, sets.offsets, pt(sets.p4) / total)

    assert _change(MeanDirection(), particles, _split(particles, 0.5)) > 1e-2


def test_features_are_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match=r"expected 0, since charge.*got 3.*with_features"):
        EnergyFlow(features=3)
