"""What H depends on decides what is conserved."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hepml.errors import InputError
from hepml.nn import CentralHamiltonian, GraphHamiltonian, HamiltonianFlow
from hepml.ops import all_pairs
from hepml.solvers import (
    ImplicitMidpoint,
    Leapfrog,
    angular_momentum,
    hamilton_equations,
    rollout,
    total_momentum,
)

KINDS = [GraphHamiltonian, CentralHamiltonian]


def network(kind, seed=0):
    """With weights of order one, so that every part of it matters."""
    torch.manual_seed(seed)
    made = kind(2, (8, 8)).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return made


def bodies(counts, seed=0):
    generator = torch.Generator().manual_seed(seed)
    offsets = torch.tensor([0, *counts]).cumsum(0)
    q, p = torch.randn(2, sum(counts), 2, generator=generator, dtype=torch.float64)
    return q, p, offsets


def by_hand(h, q, p, offsets):
    """The sum over bodies and unordered pairs, one after the other."""
    central = isinstance(h, CentralHamiltonian)
    energies = []
    for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        energy = torch.zeros((), dtype=q.dtype)
        for i in range(start, stop):
            s = p[i].square().sum()
            if central:
                energy = energy + h.a * s + h.t(s[None])[0]
            else:
                energy = energy + h.a * s + (h.t(p[i]) + h.t(-p[i]))[0] / 2
            for j in range(i + 1, stop):
                d = q[i] - q[j]
                if central:
                    # Two bodies in one place have a distance, too.
                    energy = energy + h.v((d.square().sum() + 1e-12)[None].log() / 2)[0]
                else:
                    energy = energy + (h.v(d) + h.v(-d))[0] / 2
        energies.append(energy)
    return torch.stack(energies) if energies else q.new_zeros(0)


@pytest.mark.parametrize("kind", KINDS)
@given(counts=st.lists(st.integers(0, 4), max_size=5), seed=st.integers(0, 10))
def test_sum_over_bodies_and_pairs(kind, counts, seed):
    q, p, offsets = bodies(counts, seed)
    h = network(kind)
    torch.testing.assert_close(h(q, p, offsets), by_hand(h, q, p, offsets), rtol=1e-11, atol=1e-11)
    pairs = all_pairs(offsets, len(q))
    assert torch.equal(h(q, p, offsets, pairs), h(q, p, offsets))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("counts", [[3, 1, 0, 4], [1], []])
def test_closed_forms_are_what_autograd_finds(kind, counts):
    h = network(kind)
    q, p, offsets = bodies(counts)
    pairs = all_pairs(offsets, len(q))
    flow = HamiltonianFlow(h)
    assert flow.in_closed_form
    exact = hamilton_equations(lambda q, p: h(q, p, offsets), q, p)
    bound = flow.bind(offsets, pairs)
    with torch.no_grad():
        unrecorded = flow(q, p, offsets, pairs)
    for rates in (
        flow(q, p, offsets), bound(q, p), (bound.velocity(p), bound.force(q)), unrecorded
    ):  # fmt: skip
        for found, expected in zip(rates, exact, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_a_subclass_with_another_force_is_differentiated():
    class Springs(CentralHamiltonian):
        def of_pair(self, separation):
            return separation.square().sum(1) / 2

    q, p, offsets = bodies([2])
    flow = HamiltonianFlow(network(Springs))
    assert not flow.in_closed_form
    expected = torch.stack([q[1] - q[0], q[0] - q[1]])
    torch.testing.assert_close(flow(q, p, offsets)[1], expected, rtol=0, atol=1e-14)


def total_force_and_torque(h, q, p, offsets):
    """``sum_i dp_i/dt`` and ``sum_i (q_i x dp_i/dt + dq_i/dt x p_i)`` of each set, and a scale."""
    rate_q, rate_p = HamiltonianFlow(h)(q, p, offsets)
    torque = q[:, 0] * rate_p[:, 1] - q[:, 1] * rate_p[:, 0]
    torque = torque + rate_q[:, 0] * p[:, 1] - rate_q[:, 1] * p[:, 0]
    bounds = list(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))
    force = torch.stack([rate_p[a:b].sum(0) for a, b in bounds])
    return force.abs().max(), torch.stack([torque[a:b].sum() for a, b in bounds]).abs().max()


@pytest.mark.parametrize("kind", KINDS)
def test_forces_and_torques_add_up_to_nothing_where_they_must(kind):
    h = network(kind)
    q, p, offsets = bodies([3, 1, 4, 2])
    force, torque = total_force_and_torque(h, q, p, offsets)
    rate_p = HamiltonianFlow(h)(q, p, offsets)[1]
    assert rate_p.abs().max() > 0.1
    assert force < 1e-13 * rate_p.abs().max()
    if kind is CentralHamiltonian:
        assert torque < 1e-12
    else:
        # Relative positions know directions.
        assert torque > 1e-2


def test_a_force_that_knows_where_it_is_would_be_found():
    class Planted(GraphHamiltonian):
        def potential(self, q, offsets, pairs=None):
            shifted = q * (1 + 1e-6 * q.square().sum(1, keepdim=True))
            return super().potential(shifted, offsets, pairs)

    force, _ = total_force_and_torque(network(Planted), *bodies([3, 1, 4, 2]))
    assert force > 1e-8


@pytest.mark.parametrize("solver", [Leapfrog(), ImplicitMidpoint()], ids=["Leapfrog", "Midpoint"])
def test_momenta_along_a_trajectory(solver):
    torch.manual_seed(0)
    h = CentralHamiltonian(2, (8, 8)).double()
    q, p, offsets = bodies([3, 2])
    with torch.no_grad():
        flow = HamiltonianFlow(h).bind(offsets, all_pairs(offsets, 5))
        run = rollout(flow, q, p, solver=solver, dt=0.05, steps=50).complete()
    momentum = torch.stack([run.p[:, :3].sum(1), run.p[:, 3:].sum(1)])
    angular = run.q[..., 0] * run.p[..., 1] - run.q[..., 1] * run.p[..., 0]
    angular = torch.stack([angular[:, :3].sum(1), angular[:, 3:].sum(1)])
    for conserved in (momentum, angular):
        assert (conserved - conserved[:, :1]).abs().max() < 1e-12


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_conserved_by_construction_over_1e4_steps(kind):
    torch.manual_seed(0)
    h = kind(2, (8, 8)).double()
    q, p, offsets = bodies([3])
    with torch.no_grad():
        flow = HamiltonianFlow(h).bind(offsets, all_pairs(offsets, 3))
        run = rollout(flow, q, p, solver=Leapfrog(), dt=0.02, steps=10_000, every=100).complete()
    momentum, angular = total_momentum(run.p), angular_momentum(run.q, run.p)
    sizes = run.p.norm(dim=-1), run.q.norm(dim=-1) * run.p.norm(dim=-1)
    drifts = [
        float((x - x[0]).norm(dim=-1).max() / size.sum(-1).max())
        for x, size in zip((momentum, angular), sizes, strict=True)
    ]
    assert drifts[0] < 1e-10
    # Relative positions know directions, distances do not.
    assert drifts[1] < 1e-10 if kind is CentralHamiltonian else drifts[1] > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_translation_rotation_permutation_and_time_reversal(kind):
    h = network(kind)
    q, p, offsets = bodies([3, 2])
    energy = h(q, p, offsets)
    assert energy.std() > 0.1
    torch.testing.assert_close(h(q + 3.0, p, offsets), energy, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(h(q, -p, offsets), energy, rtol=1e-12, atol=1e-12)
    order = torch.tensor([2, 0, 1, 4, 3])
    torch.testing.assert_close(h(q[order], p[order], offsets), energy, rtol=1e-12, atol=1e-12)
    c, s = math.cos(0.7), math.sin(0.7)
    turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    turned = h(q @ turn.T, p @ turn.T, offsets)
    changed = (turned - energy).abs().max()
    assert changed < 1e-12 if kind is CentralHamiltonian else changed > 1e-2


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("kind", KINDS)
def test_bodies_of_another_space(kind):
    flow = HamiltonianFlow(network(kind))
    for space in (1, 3):
        q = torch.ones(3, space).double()
        with pytest.raises(InputError, match=rf"expected shape \(bodies, 2\).*3, {space}"):
            flow(q, q, torch.tensor([0, 3]))


@pytest.mark.parametrize("kind", KINDS)
def test_bodies_in_one_place(kind):
    h = network(kind)
    q, p, offsets = torch.zeros(3, 2).double(), torch.zeros(3, 2).double(), torch.tensor([0, 3])
    rate_q, rate_p = HamiltonianFlow(h)(q, p, offsets)
    loss = rate_q.square().sum() + rate_p.square().sum()
    loss.backward()
    assert rate_p.abs().max() < 1e-14
    assert all(x.grad is None or x.grad.isfinite().all() for x in h.parameters())
