import math

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad

from hepml.errors import InputError
from hepml.nn import (
    CentralHamiltonian,
    EvenHamiltonian,
    GraphHamiltonian,
    HamiltonianFlow,
    MLPHamiltonian,
    SeparableHamiltonian,
)
from hepml.solvers import (
    RK4,
    ImplicitMidpoint,
    Leapfrog,
    SeparableFlow,
    hamilton_equations,
    rollout,
)


class Known(nn.Module):
    """A coupled oscillator whose matrices are parameters."""

    def __init__(self):
        super().__init__()
        self.m = nn.Parameter(torch.tensor([[2.0, 0.3], [0.3, 1.0]], dtype=torch.float64))
        self.k = nn.Parameter(torch.tensor([[1.0, -0.5], [-0.5, 3.0]], dtype=torch.float64))

    def forward(self, q, p):
        return ((p @ self.m) * p).sum(1) / 2 + ((q @ self.k) * q).sum(1) / 2


def states(rows, dimension, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, rows, dimension, generator=generator, dtype=torch.float64)


def test_rates_of_a_known_hamiltonian():
    q, p = states(5, 2)
    known = Known()
    rate_q, rate_p = HamiltonianFlow(known)(q, p)
    torch.testing.assert_close(rate_q, p @ known.m, rtol=0, atol=1e-14)
    torch.testing.assert_close(rate_p, -q @ known.k, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("network", "context"),
    [
        (MLPHamiltonian(2, (5, 4)), ()),
        (SeparableHamiltonian(2, (5, 4)), ()),
        (EvenHamiltonian(2, (5, 4)), ()),
        (GraphHamiltonian(2, (5, 4)), (torch.tensor([0, 2, 2, 3]),)),
        (CentralHamiltonian(2, (5, 4)), (torch.tensor([0, 2, 2, 3]),)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_derivatives_are_exact(network, context):
    flow = HamiltonianFlow(network).double()
    q, p = (x.requires_grad_() for x in states(3, 2))
    assert torch.autograd.gradcheck(lambda q, p: flow(q, p, *context), (q, p))
    assert torch.autograd.gradgradcheck(lambda q, p: flow(q, p, *context), (q, p), atol=1e-4)

    parameters = dict(network.named_parameters())

    def rates(*values):
        replaced = dict(zip(parameters, values, strict=True))
        return torch.func.functional_call(
            flow,
            {f"hamiltonian.{name}": value for name, value in replaced.items()},
            (q.detach(), p.detach(), *context),
        )

    values = tuple(value.detach().clone().requires_grad_() for value in parameters.values())
    assert torch.autograd.gradcheck(rates, values, fast_mode=True)
    assert torch.autograd.gradgradcheck(rates, values, fast_mode=True, atol=1e-4)


@pytest.mark.parametrize("onednn", [True, False])
def test_large_networks_in_single_precision(monkeypatch, onednn):
    if not onednn:
        monkeypatch.setattr("hepml.nn.hamiltonian._gradient._onednn", lambda: None)
    torch.manual_seed(0)
    network = MLPHamiltonian(3, (80, 96))
    q, p = (x.float() for x in states(100, 3))

    def rates_and_slopes(network, q, p, rates):
        network.zero_grad()
        found = rates(q, p)
        sum(rate.square().sum() for rate in found).backward()
        slopes = [weight.grad.clone() for weight in network.parameters()]
        return [*(rate.detach() for rate in found), *slopes]

    single = rates_and_slopes(network, q, p, HamiltonianFlow(network))
    with torch.no_grad():
        unrecorded = HamiltonianFlow(network)(q, p)
    network.double()
    exact = rates_and_slopes(
        network, q.double(), p.double(), lambda q, p: hamilton_equations(network, q, p)
    )
    for found, expected in zip([*single, *unrecorded], [*exact, *exact[:2]], strict=True):
        scale = float(expected.abs().max())
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-5 * scale)


def test_mixed_precision_is_as_good_as_its_products():
    torch.manual_seed(0)
    flow = HamiltonianFlow(MLPHamiltonian(3, (80, 96)))
    q, p = (x.float() for x in states(100, 3))
    exact = flow(q, p)[0].detach()
    with torch.autocast("cpu", torch.bfloat16):
        recorded = flow(q, p)[0]
        with torch.no_grad():
            unrecorded = flow(q, p)[0]
    recorded.float().square().sum().backward()
    for found in (recorded.detach(), unrecorded):
        assert (found.float() - exact).abs().max() < 0.03 * exact.abs().max()


# Torch itself uses it where it loads what jvp needs.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
@pytest.mark.parametrize("recorded", [False, True])
def test_forward_mode_through_large_networks_in_single_precision(recorded):
    # Large enough for oneDNN, which has no forward mode.
    torch.manual_seed(1)
    flow = HamiltonianFlow(SeparableHamiltonian(64, [96, 96]))
    q, p, tangent = torch.randn(3, 80, 64)

    def end(q):
        run = rollout(flow.bind(), q, p, solver=RK4(), dt=0.1, steps=3)
        return run.p[-1].square().sum()

    variable = q.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(end(variable), variable)
    with torch.set_grad_enabled(recorded), forward_ad.dual_level():
        found = forward_ad.unpack_dual(end(forward_ad.make_dual(q, tangent))).tangent
    torch.testing.assert_close(found, (gradient * tangent).sum(), rtol=1e-4, atol=0)


def test_torch_func_sees_through_closed_forms():
    torch.manual_seed(0)
    flow = HamiltonianFlow(MLPHamiltonian(2, (5, 4)).double())
    q, p = states(3, 2)
    of_q = torch.func.jacrev(lambda q: flow(q, p)[1].sum(0))(q)
    expected = torch.autograd.functional.jacobian(lambda q: flow(q, p)[1].sum(0), q)
    torch.testing.assert_close(of_q, expected, rtol=0, atol=1e-13)
    each = torch.vmap(lambda q, p: flow(q[None], p[None])[0][0])(q, p)
    torch.testing.assert_close(each, flow(q, p)[0], rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", [MLPHamiltonian, SeparableHamiltonian, EvenHamiltonian])
@pytest.mark.parametrize("activation", ["tanh", "softplus", "silu"])
@pytest.mark.parametrize("widths", [(), (6,), (6, 5, 7)])
def test_closed_forms_are_what_autograd_finds(kind, activation, widths):
    torch.manual_seed(0)
    network = kind(2, widths, activation).double()
    # Beyond the straight part of softplus, too, and the flat one of tanh.
    q, p = 30 * states(40, 2)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2)
    flow = HamiltonianFlow(network)
    exact = hamilton_equations(network, q, p)
    with torch.no_grad():
        unrecorded = flow(q, p)
    for rates in (flow(q, p), unrecorded):
        for found, expected in zip(rates, exact, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    if kind is not MLPHamiltonian:
        split = flow.bind()
        torch.testing.assert_close(split.velocity(p), exact[0], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(split.force(q), exact[1], rtol=1e-12, atol=1e-12)

    def slopes(rates):
        network.zero_grad()
        sum(rate.square().sum() for rate in rates).backward()
        return [torch.zeros_like(w) if w.grad is None else w.grad for w in network.parameters()]

    for found, expected in zip(
        slopes(flow(q, p)), slopes(hamilton_equations(network, q, p)), strict=True
    ):
        scale = float(expected.abs().max())
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-11 * scale)


def test_a_subclass_with_another_energy_is_differentiated():
    class Harmonic(SeparableHamiltonian):
        def potential(self, q):
            return q.square().sum(1)

    class Shifted(MLPHamiltonian):
        def forward(self, q, p):
            return super().forward(q, p) + q.square().sum(1)

    class Stiff(Harmonic):
        def potential_gradient(self, q):
            return 7 * q

    q, p = states(5, 2)
    torch.manual_seed(0)
    flow = HamiltonianFlow(Harmonic(2).double()).bind()
    torch.testing.assert_close(flow.force(q), -2 * q, rtol=0, atol=1e-14)
    torch.testing.assert_close(flow(q, p)[1], -2 * q, rtol=0, atol=1e-14)
    torch.testing.assert_close(flow(q, p)[0], flow.velocity(p), rtol=0, atol=1e-14)
    shifted = Shifted(2).double()
    torch.testing.assert_close(
        HamiltonianFlow(shifted)(q, p)[1], -shifted.gradient(q, p)[0] - 2 * q, rtol=0, atol=1e-13
    )
    # What it says of itself is believed.
    assert torch.equal(HamiltonianFlow(Stiff(2).double()).bind().force(q), -7 * q)


def test_only_a_sum_is_split():
    q, p = states(5, 2)
    split = HamiltonianFlow(SeparableHamiltonian(2).double()).bind()
    whole = HamiltonianFlow(MLPHamiltonian(2).double()).bind()
    assert isinstance(split, SeparableFlow)
    assert not isinstance(whole, SeparableFlow)
    rate_q, rate_p = split(q, p)
    torch.testing.assert_close(split.velocity(p), rate_q, rtol=0, atol=1e-14)
    torch.testing.assert_close(split.force(q), rate_p, rtol=0, atol=1e-14)
    with pytest.raises(InputError, match=r"flow: expected velocity\(p\) and force\(q\)"):
        rollout(whole, q, p, solver=Leapfrog(), dt=0.1, steps=1)


def test_no_graph_where_none_is_recorded():
    flow = HamiltonianFlow(SeparableHamiltonian(2)).bind()
    q = torch.randn(3, 2)
    with torch.no_grad():
        rates = (*flow(q, q), flow.velocity(q), flow.force(q))
    assert not any(rate.requires_grad for rate in rates)


def test_parameters_learn_through_a_rollout():
    q, p = states(4, 2)
    stiffness = Known().k.detach().clone().requires_grad_()

    def end(k):
        known = Known()
        del known.k
        known.k = k
        flow = HamiltonianFlow(known).bind()
        return rollout(flow, q, p, solver=ImplicitMidpoint(), dt=0.05, steps=4).q[-1]

    assert torch.autograd.gradcheck(end, (stiffness,))


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("network", [MLPHamiltonian(2, (5,)), SeparableHamiltonian(2, (5,))])
def test_compiles_without_graph_breaks(network):
    torch._dynamo.reset()
    flow = HamiltonianFlow(network.double())
    compiled = torch.compile(flow, fullgraph=True, backend="eager")
    q, p = states(4, 2)

    def gradients(flow):
        network.zero_grad()
        loss = sum(rate.square().sum() for rate in flow(q, p))
        loss.backward()
        return [loss, *(weight.grad.clone() for weight in network.parameters())]

    for found, expected in zip(gradients(compiled), gradients(flow), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("unchecked_types")
def test_shapes_that_differ():
    flow = HamiltonianFlow(SeparableHamiltonian(2))
    with pytest.raises(InputError, match=r"q and p: expected the same shape, got \(3, 2\) and"):
        flow(torch.zeros(3, 2), torch.zeros(3, 1))


@pytest.mark.usefixtures("unchecked_types")
def test_nan_is_refused_before_it_spreads():
    flow = HamiltonianFlow(SeparableHamiltonian(1)).bind()
    q = torch.tensor([[0.0], [math.nan]])
    with pytest.raises(InputError, match="NaN or infinity in 1 of 2 rows, first in row 1"):
        rollout(flow, q, torch.zeros(2, 1), solver=Leapfrog(), dt=0.1, steps=1)
