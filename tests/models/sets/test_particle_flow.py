"""The particle flow network agrees with its formula, set by set."""

import torch
from support.symmetries import jets, randomise

from hepml.models import ParticleFlow
from hepml.nn import JetKinematics


def test_the_network_agrees_with_a_loop_over_sets() -> None:
    generator = torch.Generator().manual_seed(1)
    model = ParticleFlow(features=2, particle_widths=[8, 6], set_widths=[5]).double()
    randomise(model, generator)
    particles = jets([3, 0, 4], generator, features=2)
    phi, f = model.deep_sets.phi, model.deep_sets.f
    with torch.no_grad():
        logits = model(particles)
        for row, one in zip(logits, particles, strict=True):
            inputs = torch.cat([JetKinematics()(one.p4, one.offsets), one.features], dim=1)
            torch.testing.assert_close(row, f(phi(inputs).relu().sum(0)), rtol=1e-12, atol=1e-12)


def test_padding_would_change_the_sum() -> None:
    generator = torch.Generator().manual_seed(1)
    model = ParticleFlow(particle_widths=[8, 6], set_widths=[5]).double()
    randomise(model, generator)
    (jet,) = jets([3], generator)
    zeros = type(jet)(
        torch.cat([jet.p4, torch.zeros(2, 4, dtype=torch.float64)]), torch.tensor([0, 5])
    )
    # A particle without momentum is a particle: whoever pads has to mask.
    assert not torch.allclose(model(jet), model(zeros))
