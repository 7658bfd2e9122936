"""Symmetries of motion, and the networks that have them."""

import pytest
import torch
from support.motion import bodies
from torch import nn

from hepml.errors import InputError
from hepml.nn import (
    CentralHamiltonian,
    GraphHamiltonian,
    HamiltonianFlow,
    SeparableHamiltonian,
)
from hepml.ops import segment_sum
from hepml.symmetry import (
    BodyPermutation,
    MotionReversal,
    SpaceInversion,
    SpaceRotation,
    SpaceTranslation,
    check,
    random_jets,
)

KINDS = [MotionReversal, SpaceTranslation, SpaceRotation, SpaceInversion, BodyPermutation]


class Magnetic(nn.Module):
    """Central forces, and a field that momenta feel: symmetric under rotations and permutations."""

    def __init__(self):
        super().__init__()
        self.central = CentralHamiltonian(2, (6, 6))

    def forward(self, q, p, offsets):
        kinetic = p - torch.stack([-q[:, 1], q[:, 0]], 1)
        return self.central(q, kinetic, offsets)


class Ordered(GraphHamiltonian):
    """Counts the bodies: each pulls as strongly as its number."""

    def potential(self, q, offsets, pairs=None):  # noqa: ARG002
        number = torch.arange(len(q), device=q.device)[:, None].to(q)
        return segment_sum((number * q.square()).sum(1), offsets)


CLAIMS = {
    GraphHamiltonian: GraphHamiltonian.claims,
    CentralHamiltonian: CentralHamiltonian.claims,
    Magnetic: ("space rotation", "space inversion", "body permutation"),
    Ordered: ("motion reversal", "space inversion"),
}


def build(kind):
    torch.manual_seed(0)
    return kind() if kind is Magnetic else kind(2, (6, 6))


def rates(flow, state):
    return torch.cat(flow(state.q, state.p, state.offsets), dim=1)


@pytest.mark.parametrize("kind", CLAIMS)
@pytest.mark.parametrize("symmetry", KINDS)
def test_energies_and_rates(kind, symmetry):
    expected = "holds" if symmetry().name in CLAIMS[kind] else "broken"
    options = {"dtypes": "float64", "elements": 1, "draws": 1}
    energies = check(
        build(kind),
        bodies(),
        symmetry(),
        apply=lambda h, state: h(state.q, state.p, state.offsets)[:, None],
        **options,
    )
    assert energies.verdict == expected, energies
    flow = HamiltonianFlow(build(kind))
    found = check(flow, bodies(), symmetry(outputs="rates"), apply=rates, **options)
    assert found.verdict == expected, found


def test_reversed_motion_runs_back():
    state = bodies()
    element = MotionReversal().element(state, None, torch.Generator())
    assert torch.equal(MotionReversal().act(element, state).p, -state.p)
    assert torch.equal(MotionReversal().act(element, state).q, state.q)
    turned = MotionReversal(outputs="rates").act_on_outputs(element, torch.ones(1, 4))
    assert turned.tolist() == [[-1, -1, 1, 1]]


@pytest.mark.parametrize("space", [2, 3])
def test_rotations_are_rotations(space):
    state = bodies(space)
    element = SpaceRotation().element(state, None, torch.Generator().manual_seed(1))
    torch.testing.assert_close(element @ element.T, torch.eye(space).double())
    assert float(element.det()) == pytest.approx(1)
    turned = SpaceRotation().act(element, state)
    torch.testing.assert_close(turned.q, state.q @ element.T)
    torch.testing.assert_close(turned.p, state.p @ element.T)
    assert (turned.q - state.q).abs().max() > 0.1


def test_translations_move_each_set_by_itself():
    state = bodies()
    element = SpaceTranslation().element(state, 10.0, torch.Generator().manual_seed(1))
    shift = SpaceTranslation().act(element, state).q - state.q
    torch.testing.assert_close(shift[:3], element[:1].expand(3, 2))
    torch.testing.assert_close(shift[3], element[1])


def test_bodies_stay_in_their_sets():
    state = bodies()
    order = BodyPermutation().element(state, None, torch.Generator().manual_seed(3))
    for start, stop in zip(state.offsets[:-1], state.offsets[1:], strict=True):
        assert order[start:stop].sort().values.tolist() == list(range(start, stop))
    assert not torch.equal(order, torch.arange(12))


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("symmetry", KINDS)
def test_particles_have_no_phase_space(symmetry):
    with pytest.raises(InputError, match=r"expected PhaseSpace\(q, p, offsets\).*got ParticleSet"):
        check(lambda particles: particles.p4, random_jets(3), symmetry().name.replace(" ", "-"))


def test_a_network_of_plain_states():
    flow = HamiltonianFlow(SeparableHamiltonian(2, (6, 6)))
    report = check(
        flow,
        bodies(),
        MotionReversal(outputs="rates"),
        apply=lambda flow, state: torch.cat(flow(state.q, state.p), 1),
        dtypes="float64",
    )
    assert report.verdict == "holds"
