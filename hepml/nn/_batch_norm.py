"""Batch normalisation of ragged rows."""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn


class RaggedBatchNorm(nn.BatchNorm1d):
    """Batch norm over the rows that exist, whichever set they belong to, even if none does.

    One row has no variance, and none has no mean: torch refuses the first and gives NaN for the
    second. Here, with fewer than two rows, the running statistics serve in training, too.
    """

    def forward(self, x: Float[Tensor, "rows channels"]) -> Float[Tensor, "rows channels"]:
        """The normalised rows."""
        if self.training and x.shape[0] > 1:
            return super().forward(x)
        # By hand: torch's own asks for the number of rows, which a compiler of ragged batches does
        # not know.
        mean, variance = cast(Tensor, self.running_mean), cast(Tensor, self.running_var)
        scale = self.weight * (variance + self.eps).rsqrt()
        return torch.addcmul(self.bias - mean * scale, x, scale)
