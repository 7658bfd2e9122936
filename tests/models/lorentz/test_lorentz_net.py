"""LorentzNet is invariant, and gives the authors' logits with the authors' weights."""

import math
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from support.symmetries import (
    all_degenerate,
    jets,
    random_lorentz,
    randomise,
    rotation_about,
    spread,
)
from torch import Generator, Tensor
from torch.nn import functional

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.io import read
from hepml.lorentz import minkowski_dot
from hepml.models import LorentzNet
from hepml.symmetry import check, random_jets

JETS = Path(__file__).parents[3] / "data" / "val.root"
METRIC = torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64)


def _generator(seed: int = 1) -> Generator:
    return torch.Generator().manual_seed(seed)


def _published_state(
    scalars: int, width: int, blocks: int, outputs: int, prefix: str
) -> dict[str, Tensor]:
    """A state with the keys and shapes of the authors' checkpoints, and weights of order one."""
    shapes: dict[str, tuple[int, ...]] = {
        "embedding.weight": (width, scalars),
        "embedding.bias": (width,),
    }
    for i in range(blocks):
        block = f"LGEBs.{i}."
        shapes[block + "phi_e.0.weight"] = (width, 2 * width + 2)
        shapes[block + "phi_h.0.weight"] = (width, 2 * width + scalars)
        shapes[block + "phi_h.0.bias"] = (width,)
        shapes[block + "phi_m.0.weight"] = (1, width)
        shapes[block + "phi_m.0.bias"] = (1,)
        for norm in ("phi_e.1.", "phi_h.1."):
            for name in ("weight", "bias", "running_mean", "running_var"):
                shapes[block + norm + name] = (width,)
        for linear in ("phi_e.3.", "phi_h.3.") + (("phi_x.0.",) if i < blocks - 1 else ()):
            shapes[block + linear + "weight"] = (width, width)
            shapes[block + linear + "bias"] = (width,)
        if i < blocks - 1:
            shapes[block + "phi_x.2.weight"] = (1, width)
    shapes |= {"graph_dec.0.weight": (width, width), "graph_dec.0.bias": (width,)}
    shapes |= {"graph_dec.3.weight": (outputs, width), "graph_dec.3.bias": (outputs,)}
    state = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=_generator(len(state)), dtype=torch.float64)
        value = value / math.sqrt(shape[-1]) if len(shape) == 2 else 0.3 * value
        # Steps of GeV, yet below the clamp.
        value = 0.3 * value if name.endswith("phi_x.2.weight") else value
        state[prefix + name] = 0.5 + value.abs() if name.endswith("running_var") else value
        if name.endswith("running_var"):
            counter = name.replace("running_var", "num_batches_tracked")
            state[prefix + counter] = torch.tensor(100)
    return state


class _Padded:
    """The authors' network from the equations of their paper, on jets padded with zeros."""

    def __init__(self, state: dict[str, Tensor], c: float) -> None:
        self.state = {key.removeprefix("module."): value for key, value in state.items()}
        self.blocks = 1 + max(int(key.split(".")[1]) for key in self.state if "LGEBs" in key)
        self.c = c
        self.largest_step = 0.0

    def linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self.state[name + ".weight"], self.state.get(name + ".bias"))

    def norm(self, x: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (
            self.state[f"{name}.{part}"]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    def __call__(self, x: Tensor, s: Tensor, mask: Tensor) -> Tensor:
        """Logits of (jets, nodes, 4) momenta with (jets, nodes, scalars) and a mask of nodes."""
        size = x.shape[1]
        edges = (mask[:, :, None] & mask[:, None, :] & ~torch.eye(size, dtype=torch.bool))[
            ..., None
        ]
        h = self.linear(s, "embedding")
        for i in range(self.blocks):
            name = f"LGEBs.{i}."
            difference = x[:, :, None] - x[:, None, :]
            norms = (METRIC * difference**2).sum(-1, keepdim=True)
            dots = (METRIC * x[:, :, None] * x[:, None, :]).sum(-1, keepdim=True)
            h_i, h_j = (h[:, :, None], h[:, None, :])
            h_i, h_j = h_i.expand(-1, -1, size, -1), h_j.expand(-1, size, -1, -1)
            m = torch.cat([h_i, h_j, _psi(norms), _psi(dots)], dim=-1)
            m = self.norm(self.linear(m, name + "phi_e.0"), name + "phi_e.1").relu()
            m = self.linear(m, name + "phi_e.3").relu()
            m = m * self.linear(m, name + "phi_m.0").sigmoid() * edges
            if name + "phi_x.2.weight" in self.state:
                step = self.linear(self.linear(m, name + "phi_x.0").relu(), name + "phi_x.2")
                step = step * difference * edges
                self.largest_step = max(self.largest_step, float(step.abs().max()))
                x = x + self.c * step.clamp(-100, 100).sum(2) / edges.sum(2).clamp(min=1)
            received = torch.cat([h, m.sum(2), s], dim=-1)
            received = self.norm(self.linear(received, name + "phi_h.0"), name + "phi_h.1").relu()
            h = h + self.linear(received, name + "phi_h.3")
        pooled = (h * mask[..., None]).mean(1)
        return self.linear(self.linear(pooled, "graph_dec.0").relu(), "graph_dec.3")


def _psi(x: Tensor) -> Tensor:
    return x.sign() * (x.abs() + 1).log()


def _padded_top_tagging_inputs(jet: ParticleSet, padding: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Momenta, scalars and mask of one jet with its beams, as the authors collate them."""
    beams = torch.tensor([[2**0.5, 0, 0, 1], [2**0.5, 0, 0, -1]], dtype=torch.float64)
    x = functional.pad(torch.cat([beams, jet.p4]), (0, 0, 0, padding))
    mass = _psi((METRIC * x * x).sum(1).abs().sqrt())
    s = torch.zeros(len(x), 2, dtype=torch.float64)
    s[:2, 1], s[2:, 0] = mass[:2], mass[2:]
    extra = functional.pad(jet.features, (0, 0, 2, padding))
    return x[None], torch.cat([s, extra], dim=1)[None], (x[:, 0] != 0)[None]


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(
    ("scalars", "width", "blocks", "outputs"), [(2, 72, 6, 2), (2, 8, 1, 3), (5, 10, 3, 2)]
)
def test_published_weights_give_the_published_logits(
    scalars: int, width: int, blocks: int, outputs: int, prefix: str
) -> None:
    state = _published_state(scalars, width, blocks, outputs, prefix)
    ours, theirs = LorentzNet.from_published(state, c=5e-3), _Padded(state, c=5e-3)
    particles = jets([12, 1, 20, 5], _generator(), features=scalars - 2, scale=30.0, mass=5.0)
    with torch.no_grad():
        logits = ours(particles)
        expected = torch.cat([theirs(*_padded_top_tagging_inputs(jet)) for jet in particles])
    assert theirs.largest_step < 100
    assert theirs.largest_step > 1 or blocks == 1
    assert not ours.training
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)


def test_published_weights_give_the_published_logits_of_real_jets_in_float32() -> None:
    """Most of their particles are lighter than float32 resolves, and theirs has no such bound."""
    state = _published_state(2, 72, 6, 2, "")
    # Half as large: no step reaches the clamp.
    state = {key: value / 2 if value.dim() == 2 else value for key, value in state.items()}
    theirs = _Padded(state, c=5e-3)
    single = {
        key: value.float() if value.is_floating_point() else value for key, value in state.items()
    }
    jets_of_file = read(JETS, max_sets=8)
    particles = ParticleSet(jets_of_file.p4, jets_of_file.offsets)
    assert particles.dtype == torch.float32
    with torch.no_grad():
        expected = torch.cat(
            [theirs(*_padded_top_tagging_inputs(jet)) for jet in particles.to(dtype=torch.float64)]
        )
        logits = LorentzNet.from_published(single)(particles)
        double = LorentzNet.from_published(state)(particles.to(dtype=torch.float64))
        blind = LorentzNet.from_published(single)
        blind.mass_resolution = 8.0
        without_noise = blind(particles)
    assert theirs.largest_step < 100
    torch.testing.assert_close(logits.double(), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(double, expected, rtol=0, atol=1e-9)
    assert float((without_noise - expected).abs().max()) > 1e-4


def test_published_weights_without_beams_read_features_alone() -> None:
    state = _published_state(8, 10, 3, 2, "module.")
    ours, theirs = LorentzNet.from_published(state, c=1e-3, beams=False), _Padded(state, c=1e-3)
    particles = jets([12, 4], _generator(), features=8, scale=30.0, mass=5.0)
    with torch.no_grad():
        logits = ours(particles)
        for row, jet in zip(logits, particles, strict=True):
            mask = torch.ones(1, len(jet.p4), dtype=torch.bool)
            expected = theirs(jet.p4[None], jet.features[None], mask)
            torch.testing.assert_close(row[None], expected, rtol=0, atol=1e-5)


def test_padding_changes_the_logits_of_the_published_code_only() -> None:
    state = _published_state(2, 8, 2, 2, "")
    theirs = _Padded(state, c=5e-3)
    (jet,) = jets([6], _generator(), scale=30.0, mass=5.0)
    alone = theirs(*_padded_top_tagging_inputs(jet))
    padded = theirs(*_padded_top_tagging_inputs(jet, padding=4))
    assert float((padded - alone).abs().max()) > 1e-2


@pytest.mark.parametrize(
    "missing", ["embedding.weight", "LGEBs.0.phi_x.2.weight", "graph_dec.3.bias"]
)
def test_a_state_of_something_else_is_refused(missing: str) -> None:
    state = _published_state(2, 8, 2, 2, "")
    del state[missing]
    with pytest.raises(InputError, match=r"state_dict: expected the state of the authors'"):
        LorentzNet.from_published(state)


def test_a_state_with_too_few_scalars_is_refused() -> None:
    with pytest.raises(InputError, match=r"ValueError: 1 scalars.*beams=False"):
        LorentzNet.from_published(_published_state(1, 8, 2, 2, ""))


def _change(before: Tensor, after: Tensor) -> float:
    return float(((after - before).abs() / spread(before)).max())


def test_invariance_at_large_boosts_is_as_exact_as_the_momenta() -> None:
    """At gamma = 100 the last digit of a boosted momentum is worth 1e-10 of the output."""
    violations = []
    for seed in range(9):
        model = LorentzNet(width=12, blocks=3, c=1.0, beams=False).double().eval()
        randomise(model, _generator(seed))
        particles = jets([8, 12, 3, 10, 6], _generator(seed))
        boosted = particles.p4 @ random_lorentz(_generator(seed + 50), 100.0).T
        noise = torch.rand(boosted.shape, generator=_generator(seed), dtype=torch.float64)
        last_digit = 1 + torch.finfo(torch.float64).eps * (2 * noise - 1).round()
        with torch.no_grad():
            before, after = model(particles), model(particles.with_p4(boosted))
            rounded = model(particles.with_p4(boosted * last_digit))
        violations.append(_change(before, after))
        assert violations[-1] < max(30 * _change(before, rounded + before - after), 1e-10)
        assert violations[-1] < 1e-8
    assert sorted(violations)[4] < 1e-10


def test_the_logits_stay_if_the_beams_transform_along() -> None:
    for seed in range(3):
        model = LorentzNet(width=8, blocks=2, c=1.0).double().eval()
        randomise(model, _generator(seed))
        particles = jets([5, 8, 3], _generator(seed))
        transformation = random_lorentz(_generator(seed), 5.0)
        transformed = particles.with_p4(particles.p4 @ transformation.T)
        with torch.no_grad():
            before, beams_stay = model(particles), model(transformed)
            energy = (1 + model.beams.square().sum(1, keepdim=True)).sqrt()
            model.beams = (torch.cat([energy, model.beams], dim=1) @ transformation.T)[:, 1:]
            beams_move = model(transformed)
        assert _change(before, beams_move) < 1e-10
        # The beams are seen: a rotation that moves the jets alone is not a symmetry.
        assert _change(before, beams_stay) > 1e-2


def test_tilting_the_jets_against_the_beams_is_seen() -> None:
    model = randomise(LorentzNet(width=8, blocks=2, c=1.0).double().eval(), _generator())
    particles = jets([5, 8, 3], _generator())
    tilted = particles.with_p4(particles.p4 @ rotation_about(0, 1.0).T)
    with torch.no_grad():
        assert _change(model(particles), model(tilted)) > 1e-2


def test_light_like_particles_have_no_mass_in_any_frame() -> None:
    """Rounding gives them one, whose square root an invariant network must not take."""
    direction = torch.randn(200, 3, generator=_generator())
    direction = 300 * direction / direction.norm(dim=1, keepdim=True)
    p4 = torch.cat([direction.norm(dim=1, keepdim=True), direction], dim=1)
    turned = (p4.double() @ random_lorentz(_generator(), 1.5).T).float()
    model = LorentzNet(width=8, blocks=1, beams=False).eval()
    for momenta in (p4, turned):
        _, scalars, _ = model._nodes(ParticleSet(momenta, torch.tensor([0, 200])))
        assert not scalars.any()
        naive = (METRIC.float() * momenta.square()).sum(1).abs().sqrt()
        assert float(naive.max()) > 0.05


def test_a_pion_keeps_its_mass_where_float32_holds_it() -> None:
    energy = torch.tensor([10.0, 50.0])
    pz = (energy.double().square() - 0.1396**2).sqrt().float()
    p4 = torch.stack([energy, torch.zeros(2), torch.zeros(2), pz], dim=1)
    model = LorentzNet(width=8, blocks=1, beams=False)
    _, scalars, _ = model._nodes(ParticleSet(p4, torch.tensor([0, 2])))
    torch.testing.assert_close(scalars[:, 0].exp() - 1, torch.full((2,), 0.1396), atol=0.02, rtol=0)


def test_the_mean_runs_over_particles_and_beams() -> None:
    model = LorentzNet(width=8, blocks=1).eval()
    batch = all_degenerate(torch.float32)
    x, s, offsets = model._nodes(batch)
    assert torch.equal(offsets.diff(), batch.counts + 2)
    first = offsets[:-1]
    assert torch.equal(x[first, 3], torch.ones(len(batch)))
    assert torch.equal(x[first + 1, 3], -torch.ones(len(batch)))
    torch.testing.assert_close(s[first], torch.tensor([[0.0, math.log(2)]]).expand(len(batch), 2))
    particle = torch.ones(len(x), dtype=torch.bool)
    particle[first] = particle[first + 1] = False
    assert torch.equal(x[particle], batch.p4)
    assert not s[particle, 1].any()


@pytest.mark.parametrize("beams", [False, True])
def test_the_blocks_work_at_rest_on_the_same_products_of_momenta(beams: bool) -> None:
    model = LorentzNet(beams=beams).double()
    particles = random_jets(2, particles=6).to(dtype=torch.float64)
    seen: list[Tensor] = []
    model.blocks[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model(particles)
    before, _, offsets = model._nodes(particles)
    for first, last in pairwise(offsets.tolist()):
        x, p4 = seen[0][first:last], before[first:last]
        assert float(x.sum(0)[1:].abs().max()) < 1e-11 * float(x.sum(0)[0])
        close = partial(torch.testing.assert_close, rtol=0, atol=1e-11 * float(p4.sum(0)[0]) ** 2)
        close(minkowski_dot(x[:, None], x), minkowski_dot(p4[:, None], p4))


def test_an_exact_boost_by_128_leaves_eleven_digits() -> None:
    model = LorentzNet(beams=False, width=8, blocks=3)
    report = check(
        *(model, random_jets(3, particles=6), "lorentz"),
        strengths=[128.0],
        dtypes="float64",
        draws=2,
        weights="random",
        elements="exact",
    )
    assert report.verdict == "holds", str(report)
    # It was 1e-10 where the blocks worked on the momenta of the laboratory.
    assert report.largest() < 1e-11, str(report)


def test_batches_of_momenta_and_gradients_of_each_sample_by_torch_func():
    torch.manual_seed(0)
    network = LorentzNet().double().eval()
    p4 = torch.tensor([[30.0, 3, 4, 5], [20, 1, 2, 3], [9, 0, 1, 8]]).double()
    offsets = torch.tensor([0, 1, 3])
    several = torch.stack([p4, 1.25 * p4])

    def score(parameters, p4):
        return torch.func.functional_call(network, parameters, (ParticleSet(p4, offsets),)).sum()

    parameters = dict(network.named_parameters())
    found = torch.func.vmap(torch.func.grad(score), (None, 0))(parameters, several)
    for row, each in enumerate(several):
        alone = torch.func.grad(score)(parameters, each)
        for name in parameters:
            torch.testing.assert_close(found[name][row], alone[name], rtol=1e-9, atol=1e-12)
