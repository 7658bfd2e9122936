"""Batch normalisation of ragged rows."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class RaggedBatchNorm(nn.BatchNorm1d):
    """Batch norm over the rows that exist, whichever set they belong to, even if none does.

    One row has no variance, and none has no mean: torch refuses the first and gives NaN for the
    second. Here, with fewer than two rows, the running statistics serve in training, too.
    """

    def forward(self, x: Float[Tensor, "rows channels"]) -> Float[Tensor, "rows channels"]:
        """The normalised rows."""
        if x.shape[0] > 1:
            return super().forward(x)
        return functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )
