"""The first layer that breaks a symmetry is named."""

import pytest
import torch
from support.planted_bugs import PAIRS, PaddedPool, Pair, padded, symmetric_inputs
from support.symmetries import jets
from torch import Tensor, nn

from hepml.errors import InputError
from hepml.models import LorentzCG, LorentzNet, ParticleFlow, RestFrame
from hepml.symmetry import Lorentz, Rotation, random_jets, trace

BATCH = jets([3, 7, 1, 5], torch.Generator().manual_seed(1))
TRACEABLE = [pair for pair in PAIRS if not pair.symmetry.vanishing]


@pytest.mark.parametrize("pair", TRACEABLE, ids=lambda pair: pair.name)
def test_the_planted_bug_is_placed(pair: Pair) -> None:
    torch.manual_seed(1)
    found = trace(pair.bugged(), symmetric_inputs(pair.symmetry), pair.symmetry)
    assert found.first == pair.layer, str(found)
    assert found.violation > 1e-3
    honest = trace(pair.honest(), symmetric_inputs(pair.symmetry), pair.symmetry)
    assert honest.first is None, str(honest)
    assert honest.violation < 1e-10
    # Nothing in it is suspected.
    ends = [fit for layer in honest.layers for fit in (layer.inputs, layer.output)]
    assert all(fit.violation < 1e-10 for fit in ends if fit is not None), str(honest)


class Clamped(nn.Module):
    """A block that clamps the components of the momenta that it puts out."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, *arguments: Tensor) -> tuple[Tensor, Tensor]:
        x, h = self.block(*arguments)
        return x.clamp(-1.0, 1.0), h


def test_the_block_of_a_network_is_named_and_what_follows_is_broken():
    model = LorentzNet(beams=False, blocks=3, width=8)
    model.blocks[1] = Clamped(model.blocks[1])
    found = trace(model, random_jets(4, particles=6), "lorentz")
    assert found.first == "blocks.1"
    assert found.where == "blocks.1 (Clamped) is the first whose output breaks it"
    layers = {layer.name: layer for layer in found.layers}
    assert layers["blocks.0"].output.reading == "four-vectors at rest, invariant"
    assert layers["blocks.0"].output.violation < 1e-6
    assert layers["blocks.1.block"].output.violation < 1e-6
    assert layers["blocks.1"].inputs.violation < 1e-6 < 1e-3 < layers["blocks.1"].output.violation
    assert layers["decoder.0"].output.violation > 1e-3
    lines = str(found).splitlines()
    assert lines[0] == f"lorentz of LorentzNet: {found.where}"
    marks = {line.split()[0]: line.split()[-1] for line in lines[2:]}
    assert marks["blocks.1"] == "first"
    assert marks["decoder.0"] == "broken"
    assert marks["blocks.1.block"] == "invariant"


@pytest.mark.parametrize("symmetry", ["permutation", "batch composition", "lorentz with beams"])
@pytest.mark.parametrize("kind", [LorentzNet, LorentzCG])
def test_in_honest_networks_every_layer_fits(kind, symmetry):
    found = trace(kind(), random_jets(3, particles=6), symmetry, elements=2)
    assert found.first is None
    for layer in found.layers:
        assert layer.output is None or layer.output.violation < 1e-6, str(found)


def test_layers_of_e3nn_are_read_by_the_norms_of_their_irreps():
    """In the rest frame of a set a boost is a rotation, by another angle in each set."""
    model = RestFrame()
    particles = random_jets(3, particles=6)
    assert trace(model, particles, "lorentz", elements=1).first is None

    class Shifted(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, *arguments: Tensor) -> Tensor:
            return self.layer(*arguments) + 1.0

    # Not in the last block, which puts out scalars alone.
    model.blocks[0].out = Shifted(model.blocks[0].out)
    found = trace(model, particles, "lorentz", elements=1)
    assert found.first == "blocks.0.out"


def test_a_function_that_feeds_the_network_is_named():
    def unmasked(model, particles):
        x, _ = padded(particles)
        return model(x.cumsum(1)).sum(1)

    found = trace(nn.Linear(4, 2), BATCH, "permutation", apply=unmasked)
    assert found.first == "apply"
    assert found.where == "broken before the code of Linear itself is called, in `apply`"

    def afterwards(model, particles):
        return model(particles) * particles.counts.diff(prepend=particles.counts[:1])[:, None]

    found = trace(PaddedPool(False), BATCH, "batch composition", apply=afterwards)
    assert found.first == "apply"
    assert found.where == "broken after the last layer, in `apply`"


def test_another_path_is_a_place():
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.soft, self.hard = nn.Linear(1, 2), nn.Linear(1, 2)

        def forward(self, particles):
            total = torch.stack([jet.p4.sum(0) for jet in particles]) / 300
            mass = (total.square() @ total.new_tensor([[1.0], [-1.0], [-1.0], [-1.0]])).log1p()
            leading = float(particles.p4[0, 1].abs())
            return self.soft(mass) if leading < 200 else self.hard(mass)

    found = trace(Branches(), BATCH, Lorentz(), strength=100.0, elements=8)
    assert found.first == ""
    assert "calls other layers for the transformed inputs" in found.where


def test_turns_of_a_cube_are_not_all():
    """What only they leave is seen by random elements."""

    class Quartic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 2)

        def forward(self, particles):
            fourth = (particles.p4[:, 1:] / 300).pow(4).sum(1, keepdim=True)
            return torch.stack(
                [each.sum(0) for each in self.layer(fourth).split(particles.counts.tolist())]
            )

    assert trace(Quartic(), BATCH, Rotation(), elements=1).first is None
    assert trace(Quartic(), BATCH, Rotation()).first == ""


def test_the_model_stays_as_it_is():
    model = ParticleFlow().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    trace(model, random_jets(3), "permutation")
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("model", "symmetry", "message"),
    [
        (lambda x: x, "lorentz", r"expected a torch.nn.Module, whose layers .* got function"),
        (nn.Linear(4, 2), "soft emission", r"one about the limit of the outputs"),
    ],
)
def test_what_has_no_layers_to_tell_apart_is_refused(model, symmetry, message):
    with pytest.raises(InputError, match=message):
        trace(model, BATCH, symmetry)
