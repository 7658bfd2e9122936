"""Batch norm of ragged rows, and of pairs, agrees with torch's, and bears fewer than two rows."""

import pytest
import torch
from support.symmetries import jets
from torch import Generator, Tensor, nn

from hepml.nn import psi
from hepml.nn._batch_norm import PairBatchNorm, RaggedBatchNorm


@pytest.mark.parametrize("training", [True, False])
def test_it_agrees_with_torch(training: bool) -> None:
    torch.manual_seed(1)
    ours, theirs = RaggedBatchNorm(3).train(training), nn.BatchNorm1d(3).train(training)
    x = 2 + torch.randn(10, 3)
    for _ in range(3):
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_for_statistics_leave_them_alone(rows: int) -> None:
    norm = RaggedBatchNorm(3)
    x = torch.ones(rows, 3, requires_grad=True)
    norm(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert norm.running_mean.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="more than 1 value"):
        nn.BatchNorm1d(3)(torch.ones(1, 3))


def _pairs(offsets: Tensor) -> Tensor:
    """Receivers and senders."""
    sets = zip(offsets.tolist(), offsets.tolist()[1:], strict=False)
    pairs = [(i, j) for a, b in sets for i in range(a, b) for j in range(a, b) if i != j]
    return torch.tensor(pairs).T


@pytest.mark.parametrize("momentum", [0.1, None])
def test_pairs_are_normalised_as_if_they_were_there(momentum: float | None) -> None:
    """Far from 0 and close to each other: squares of float32 would cancel."""
    particles = jets([5, 1, 0, 4], Generator().manual_seed(1))
    p4, offsets = particles.p4, particles.offsets
    a, b = torch.randn(2, 10, 3, generator=Generator().manual_seed(2)) + 1000
    weight = torch.randn(3, 2, generator=Generator().manual_seed(3))
    folded, rows = PairBatchNorm(3, momentum=momentum), nn.BatchNorm1d(3, momentum=momentum)
    folded.weight.data = rows.weight.data = torch.tensor([0.5, 1.0, 2.0])
    folded.bias.data = rows.bias.data = torch.tensor([-1.0, 0.0, 1.0])
    receivers, senders = _pairs(offsets)
    metric = torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64)
    products = [(p4[receivers] - p4[senders]).square() @ metric]
    products += [(p4[receivers] * p4[senders]) @ metric]
    s = psi(torch.stack(products, dim=1)).float()
    for _ in range(2):
        new_a, new_b, new_weight = folded.fold(a, b, weight, p4, offsets)
        result = new_a[receivers] + new_b[senders] + s @ new_weight.T
        expected = rows.double()((a[receivers] + b[senders] + s @ weight.T).double())
        torch.testing.assert_close(result.double(), expected, rtol=0, atol=2e-3)
    rows.float()
    for ours, theirs in zip(folded.buffers(), rows.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
