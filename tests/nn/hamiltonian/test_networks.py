import pytest
import torch

from hepml.errors import InputError
from hepml.nn import HamiltonianFlow, MLPHamiltonian, SeparableHamiltonian


def test_the_published_network():
    # 2 * 200 + 200, 200 * 200 + 200, 200; the authors' has a second output, without use here.
    h = MLPHamiltonian(1)
    assert sum(p.numel() for p in h.parameters()) == 41_000
    weight = h.energy[2].weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(200), rtol=0, atol=1e-4)


def test_time_reversal_of_the_separable_one_alone():
    torch.manual_seed(1)
    q, p = torch.randn(2, 5, 3, dtype=torch.float64)
    separable, general = SeparableHamiltonian(3).double(), MLPHamiltonian(3).double()
    assert torch.equal(separable(q, p), separable(q, -p))
    assert (general(q, p) - general(q, -p)).abs().min() > 1e-3
    rate_q, rate_p = HamiltonianFlow(separable)(q, p)
    back_q, back_p = HamiltonianFlow(separable)(q, -p)
    torch.testing.assert_close(back_q, -rate_q, rtol=0, atol=1e-14)
    torch.testing.assert_close(back_p, rate_p, rtol=0, atol=1e-14)


@pytest.mark.usefixtures("unchecked_types")
def test_an_activation_without_second_derivative():
    with pytest.raises(InputError, match=r"activation: expected one of tanh.*smooth, got 'relu'"):
        MLPHamiltonian(2, activation="relu")
