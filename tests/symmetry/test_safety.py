"""Emissions: what is conserved, and how soft or collinear they are."""

import pytest
import torch
from hypothesis import given, settings
from support.symmetries import jets
from torch import Generator

from hepml.errors import InputError
from hepml.models import EnergyFlow, ParticleFlow
from hepml.symmetry import CollinearSplitting, SoftEmission, check, random_jets
from hepml.testing import particle_sets

METRIC = torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64)
BOTH = [SoftEmission(), CollinearSplitting()]


def _generator(seed: int = 1) -> Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("symmetry", BOTH)
@given(particles=particle_sets(features=2))
@settings(max_examples=40)
def test_every_set_with_particles_gets_one_more(symmetry, particles):
    after = symmetry.act(symmetry.element(particles, 1e-2, _generator()), particles)
    assert torch.equal(after.counts, particles.counts + (particles.counts > 0))
    assert after.features.shape[1] == 2
    for before, new in zip(particles, after, strict=True):
        known = before.features.tolist()
        # The emitted one is the last, and has the features of one that was there.
        assert len(before.p4) == 0 or new.features[-1].tolist() in known
        assert new.features[:-1].tolist() == known or len(before.p4) == 0


@pytest.mark.parametrize("share", [1e-1, 1e-6])
def test_soft_particles_have_this_share_of_the_energy(share):
    particles = jets([3, 5, 1], _generator())
    after = SoftEmission().act(SoftEmission().element(particles, share, _generator()), particles)
    for before, new in zip(particles, after, strict=True):
        assert torch.equal(new.p4[:-1], before.p4)
        soft = new.p4[-1]
        assert float(soft[0]) == pytest.approx(share * float(before.p4[:, 0].sum()))
        assert abs(float((METRIC * soft * soft).sum())) < 1e-12 * float(soft[0]) ** 2


@pytest.mark.parametrize("angle", [1e-2, 1e-5])
def test_parts_have_the_momentum_the_masses_and_the_angle(angle):
    particles = jets([1, 1, 1], _generator(), mass=0.1)
    after = CollinearSplitting().act(
        CollinearSplitting().element(particles, angle, _generator()), particles
    )
    for before, new in zip(particles, after, strict=True):
        whole, (one, other) = before.p4[0], new.p4
        torch.testing.assert_close((one + other)[1:], whole[1:], rtol=1e-13, atol=1e-10)
        directions = torch.nn.functional.normalize(new.p4[:, 1:], dim=1)
        assert float((directions[0] - directions[1]).norm()) == pytest.approx(angle, rel=1e-4)
        share = float((one[1:] @ whole[1:]) / whole[1:].square().sum())
        assert 0.1 <= share <= 0.9
        mass = (METRIC * whole * whole).sum().sqrt()
        masses = (METRIC * new.p4 * new.p4).sum(1).sqrt()
        torch.testing.assert_close(
            masses, mass * torch.tensor([share, 1 - share]).double(), rtol=1e-3, atol=0
        )


def test_at_no_angle_the_parts_add_up_to_the_whole():
    particles = jets([4], _generator())
    element = CollinearSplitting().element(particles, 0.0, _generator())
    after = CollinearSplitting().act(element, particles)
    torch.testing.assert_close(after.p4.sum(0), particles.p4.sum(0), rtol=1e-13, atol=0)


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("symmetry", BOTH)
def test_other_inputs_are_refused(symmetry):
    with pytest.raises(InputError, match=r"expected a ParticleSet, got Tensor"):
        symmetry.element(torch.ones(2, 4), None, _generator())


@pytest.mark.slow
def test_the_energy_flow_network_is_safe_and_the_particle_flow_network_is_not():
    """Soft: linear in the energy. Collinear: linear in the angle or better."""
    particles = random_jets(12)
    soft = check(EnergyFlow(), particles, "soft emission", dtypes="float64", draws=3)
    assert soft.verdict == "holds"
    assert soft.exponent == pytest.approx(1, abs=0.1)
    collinear = check(EnergyFlow(), particles, "collinear splitting", dtypes="float64", draws=3)
    assert collinear.verdict == "holds"
    assert collinear.exponent > 0.9
    for symmetry in BOTH:
        report = check(ParticleFlow(), particles, symmetry, dtypes="float64", draws=3)
        assert report.verdict == "broken"
        assert report.exponent < 0.3
