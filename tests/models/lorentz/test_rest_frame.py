"""RestFrame: its symmetry where arithmetic is hardest, its exact coefficients, its beams."""

from pathlib import Path

import pytest
import torch
from support.symmetries import jets, randomise, spread
from torch import Generator, Tensor, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.io import read
from hepml.lorentz import boost, random_lorentz
from hepml.models import RestFrame

DATA = Path(__file__).parents[3] / "data"


def _generator(seed: int = 1) -> Generator:
    return torch.Generator().manual_seed(seed)


def _model(seed: int = 1, **arguments: object) -> nn.Module:
    return randomise(RestFrame(channels=4, **arguments).double().eval(), _generator(seed))  # type: ignore[arg-type]


def _change(before: Tensor, after: Tensor) -> Tensor:
    """The largest change of the logits of each set, in units of their spread."""
    return ((after - before).abs() / spread(before)).amax(1).detach()


def _transformed(particles: ParticleSet, gamma: float, seed: int = 3) -> ParticleSet:
    left, right = random_lorentz(0.0, (2,), generator=_generator(seed))
    velocity = torch.tensor([0.0, 0.0, (1 - gamma**-2) ** 0.5], dtype=torch.float64)
    return particles.with_p4(boost(particles.p4 @ right.mT, velocity) @ left.mT)


@pytest.mark.parametrize("gamma", [2.0, 10.0, 100.0])
def test_it_is_invariant(gamma: float) -> None:
    model, particles = _model(), jets([3, 5, 2, 4, 12], _generator(2))
    assert float(_change(model(particles), model(_transformed(particles, gamma))).max()) < 1e-10


def test_jets_in_float64_are_as_invariant_as_their_last_digit() -> None:
    """Those of a light quark with E/m = 100 lose four digits before any boost."""
    particles = read(DATA / "val.root")[:60]
    particles = ParticleSet(particles.p4.double(), particles.offsets)
    model = _model()
    boosted = _transformed(particles, 100.0)
    noise = 2 * torch.rand(boosted.p4.shape, generator=_generator(), dtype=torch.float64) - 1
    rounded = boosted.with_p4(boosted.p4 * (1 + torch.finfo(torch.float64).eps * noise))
    before, after = model(particles), model(boosted)
    violation, last_digit = _change(before, after), _change(after, model(rounded))
    assert float(violation.median()) < max(10 * float(last_digit.median()), 1e-10)
    assert float(violation.max()) < max(30 * float(last_digit.max()), 1e-10)
    assert float(violation.max()) < 1e-6


def test_in_float32_all_that_is_lost_is_lost_by_the_momenta() -> None:
    particles = read(DATA / "val.root")[:60]
    particles = ParticleSet(particles.p4.double(), particles.offsets)
    boosted = _transformed(particles, 10.0).to(dtype=torch.float32)
    model, wide = _model().float(), _model()
    wide.load_state_dict(model.state_dict())
    exact = wide(boosted.to(dtype=torch.float64))
    assert float(_change(exact, model(boosted).double()).max()) < 1e-4
    assert float(_change(wide(particles), exact).median()) < 1e-3


def test_the_check_sees_components_through_an_activation() -> None:
    model, particles = _model(), jets([3, 5, 2, 4], _generator(2))
    model.blocks[0].mix.register_forward_hook(lambda _module, _inputs, x: x.tanh())  # type: ignore[union-attr,index]
    assert float(_change(model(particles), model(_transformed(particles, 2.0))).max()) > 1e-3


def test_coefficients_are_exact_in_every_precision() -> None:
    from e3nn import o3

    model = RestFrame().float().bfloat16().double()
    for name, buffer in model.blocks[0].product.named_buffers():
        if "_w3j_" in name:
            spins = map(int, name.rpartition("_w3j_")[2].split("_"))
            assert torch.equal(buffer, o3.wigner_3j(*spins, dtype=torch.float64))
    coefficients = {name for name in model.state_dict() if not name.startswith("standardise.")}
    assert coefficients == dict(model.named_parameters()).keys()


def test_mixed_precision() -> None:
    model, particles = _model().float(), jets([3, 5, 2, 4], _generator(2), dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = model(particles)
    mixed.float().square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert float(_change(model(particles), mixed.float()).max()) < 0.3


@pytest.mark.parametrize("p4", [[5.0, 3.0, 0.0, 4.0], [13.0, 3.0, 4.0, 0.0]], ids=str)
def test_a_particle_alone_has_a_frame(p4: list[float]) -> None:
    """Light-like or massive; its mass is all that is left of it."""
    one = ParticleSet(torch.tensor([p4], dtype=torch.float64), torch.tensor([0, 1]))
    model = _model()
    for gamma in (2.0, 100.0):
        torch.testing.assert_close(model(_transformed(one, gamma)), model(one), rtol=0, atol=1e-6)
    mass = float((one.p4[:, :1] ** 2 - one.p4[:, 1:].square().sum(1)).sqrt())
    at_rest = one.with_p4(torch.tensor([[mass, 0, 0, 0]], dtype=torch.float64))
    torch.testing.assert_close(model(at_rest), model(one), rtol=0, atol=1e-6)


def test_beams_are_seen_but_not_boosts_along_them() -> None:
    model, particles = _model(beams=True), jets([3, 5, 2, 4], _generator(2))
    before = model(particles)
    along = torch.tensor([0.0, 0.0, 0.99], dtype=torch.float64)
    boosted = particles.with_p4(boost(particles.p4, along))
    assert float(_change(before, model(boosted)).max()) < 1e-10
    across = particles.with_p4(boost(particles.p4, along[[2, 1, 0]]))
    assert float(_change(before, model(across)).max()) > 1e-3
    turned = _transformed(particles, 1.0)
    assert float(_change(before, model(turned)).max()) > 1e-3


@pytest.mark.parametrize("degree", [0, 12, 10**9])
def test_a_degree_out_of_range_is_refused(degree):
    with pytest.raises(InputError, match=rf"degree: expected .* from 1 to 11, got {degree}"):
        RestFrame(degree=degree)
