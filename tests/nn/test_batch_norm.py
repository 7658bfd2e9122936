"""Batch norm of ragged rows agrees with torch's, and bears fewer than two rows."""

import pytest
import torch
from torch import nn

from hepml.nn._batch_norm import RaggedBatchNorm


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
