"""The Lorentz Group Network: its size, its symmetry where arithmetic is hardest, its sums."""

import pytest
import torch
from support.symmetries import jets, randomise, spread
from torch import Generator, Tensor, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.lorentz import random_lorentz
from hepml.models import LorentzCG


def _generator(seed: int = 1) -> Generator:
    return torch.Generator().manual_seed(seed)


def _model(**arguments: object) -> nn.Module:
    return randomise(LorentzCG(channels=[2, 3, 2], bells=3, **arguments).double(), _generator())  # type: ignore[arg-type]


def test_the_default_has_the_published_size() -> None:
    assert sum(parameter.numel() for parameter in LorentzCG().parameters()) == 4330


@pytest.mark.parametrize("max_rapidity", [1.0, 5.3, 7.6])
def test_it_is_invariant_up_to_gamma_1000(max_rapidity: float) -> None:
    model, particles = _model(beams=False), jets([3, 5, 2, 4], _generator(2))
    matrices = random_lorentz(max_rapidity, (3,), generator=_generator(3))
    with torch.no_grad():
        before = model(particles)
        for matrix in matrices:
            after = model(particles.with_p4(particles.p4 @ matrix.mT))
            assert float(((after - before).abs() / spread(before)).max()) < 1e-9


def test_the_check_sees_components_through_an_activation() -> None:
    model, particles = _model(beams=False), jets([3, 5, 2, 4], _generator(2))
    model.levels[0].mix.register_forward_hook(lambda _module, _inputs, x: x.tanh())  # type: ignore[union-attr,index]
    matrix = random_lorentz(1.0, generator=_generator(3))
    with torch.no_grad():
        before, after = model(particles), model(particles.with_p4(particles.p4 @ matrix.mT))
    assert float(((after - before).abs() / spread(before)).max()) > 1e-3


def test_beams_break_the_symmetry_to_rotations_about_them() -> None:
    model, particles = _model(), jets([3, 5, 2, 4], _generator(2))
    matrix = random_lorentz(0.0, generator=_generator(3))
    with torch.no_grad():
        before, after = model(particles), model(particles.with_p4(particles.p4 @ matrix.mT))
    assert float(((after - before).abs() / spread(before)).max()) > 1e-6


def test_beams_are_particles_of_every_set() -> None:
    """As if they had been in the file, marked by a scalar, here a feature."""
    with_beams, without = _model(), _model(beams=False, features=1)
    state = {k: v for k, v in with_beams.state_dict().items() if "standardise" not in k}
    # The mark of a beam is the second scalar of the one and the feature of the other.
    weight = state["embedding.weight"]
    state["embedding.weight"] = torch.cat([weight[:, :1], 0 * weight[:, :1], weight[:, 1:]], 1)
    without.load_state_dict(state)
    particles = jets([3, 2], _generator(2))
    beams = torch.tensor([[2**0.5, 0, 0, 1.0], [2**0.5, 0, 0, -1.0]], dtype=torch.float64)

    def among(p4: Tensor) -> tuple[Tensor, Tensor]:
        mark = torch.tensor([0.0] * len(p4) + [1.0, 1.0], dtype=torch.float64)
        return torch.cat([p4, beams]), mark[:, None]

    sets = [among(one.p4) for one in particles]
    other = ParticleSet(
        torch.cat([p4 for p4, _ in sets]), torch.tensor([0, 5, 9]), torch.cat([s for _, s in sets])
    )
    with torch.no_grad():
        torch.testing.assert_close(with_beams(particles), without(other), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("spin", [-0.5, 6.5, 1e9, float("nan")])
def test_a_spin_out_of_range_is_refused(spin):
    with pytest.raises(InputError, match=r"max_spin: expected a spin from 0 to 6, got"):
        LorentzCG(max_spin=spin)
