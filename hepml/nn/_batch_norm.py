"""Batch normalisation of ragged rows, and of pairs of them."""

from typing import cast

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from hepml.ops import check_rows, pair_moments, segment_counts, segment_gather, segment_sum


class RaggedBatchNorm(nn.BatchNorm1d):
    """Batch norm over the rows that exist, whichever set they belong to, even if none does.

    One row has no variance, and none has no mean: torch refuses the first and gives NaN for the
    second. Here, with fewer than two rows, the running statistics serve in training, too.

    Parameters
    ----------
    channels
        The number of channels.
    eps
        Added to the variance.
    momentum
        The share of the newest batch in the running statistics; None for their mean.

    Notes
    -----
    The statistics are those of each process; it cannot be made a SyncBatchNorm.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__(channels, eps, momentum)

    def forward(self, x: Float[Tensor, "rows channels"]) -> Float[Tensor, "rows channels"]:
        """The normalised rows."""
        check_rows("x", x, self.num_features, weight=self.weight, axes=2)
        if self.training and x.shape[0] > 1:
            return super().forward(x)
        # By hand: torch's own asks for the number of rows, which a compiler of ragged batches does
        # not know.
        mean, variance = cast(Tensor, self.running_mean), cast(Tensor, self.running_var)
        scale = self.weight * (variance + self.eps).rsqrt()
        return torch.addcmul(self.bias - mean * scale, x, scale)


class PairBatchNorm(RaggedBatchNorm):
    """Batch norm of ``a_i + b_j + W s_ij`` over the pairs of all sets, without making the pairs.

    It is affine: a, b and W can take it over. Mean and variance over the pairs of a batch follow
    from sums over the items, once the sums of the invariants s_ij over the pairs are known.
    """

    def fold(
        self,
        a: Float[Tensor, "items channels"],
        b: Float[Tensor, "items channels"],
        weight: Float[Tensor, "channels 2"],
        p4: Float[Tensor, "items 4"],
        offsets: Int64[Tensor, " bounds"],
    ) -> tuple[
        Float[Tensor, "items channels"],
        Float[Tensor, "items channels"],
        Float[Tensor, "channels 2"],
    ]:
        """a, b and W whose sum is the normalised one; see :func:`hepml.ops.pair_messages`."""
        mean, variance = cast(Tensor, self.running_mean), cast(Tensor, self.running_var)
        if self.training:
            others = segment_gather(segment_counts(offsets), offsets, a.shape[0]) - 1
            pairs = others.sum()
            now, spread = _statistics(a, b, weight, p4, offsets, others)
            # Before they are tracked: the running statistics change in place.
            used = [
                torch.where(pairs > 0, new.to(old.dtype), old)
                for new, old in ((now, mean), (spread, variance))
            ]
            self._track(now.detach(), spread.detach(), pairs)
            mean, variance = used
        scale = self.weight * (variance + self.eps).rsqrt()
        return a * scale, torch.addcmul(self.bias - mean * scale, b, scale), weight * scale[:, None]

    def _track(
        self, mean: Float[Tensor, " channels"], variance: Float[Tensor, " channels"], pairs: Tensor
    ) -> None:
        """Update the running statistics, if there are any pairs."""
        batches = cast(Tensor, self.num_batches_tracked)
        batches.add_(pairs > 0)
        share = 1 / batches.clamp(min=1) if self.momentum is None else self.momentum
        unbiased = variance * (pairs / (pairs - 1).clamp(min=1))
        for running, new in ((self.running_mean, mean), (self.running_var, unbiased)):
            old = cast(Tensor, running)
            old.add_((pairs > 0) * share * (new - old))


def _statistics(
    a: Float[Tensor, "items channels"],
    b: Float[Tensor, "items channels"],
    weight: Float[Tensor, "channels 2"],
    p4: Float[Tensor, "items 4"],
    offsets: Int64[Tensor, " bounds"],
    others: Int64[Tensor, " items"],
) -> tuple[Float64[Tensor, " channels"], Float64[Tensor, " channels"]]:
    """Mean and variance over all pairs; centred before they are squared, in double precision.

    ``s_ij = s_ji``: what an item receives of them is also what it sends.
    """
    sums, squares = pair_moments(p4, offsets)
    a, b, weight, times = a.double(), b.double(), weight.double(), others.double()
    share = times / times.sum().clamp(min=1)
    a_mean, b_mean, s_mean = share @ a, share @ b, sums.sum(0) / times.sum().clamp(min=1)
    a, b, sums = a - a_mean, b - b_mean, sums - times[:, None] * s_mean
    s_covariance = squares / times.sum().clamp(min=1) - s_mean.outer(s_mean)
    # Of all pairs of a set, those of an item with itself are none.
    a_with_b = (segment_sum(a, offsets) * segment_sum(b, offsets)).sum(0) - (a * b).sum(0)
    with_s = ((a + b) * (sums @ weight.T)).sum(0)
    variance = (
        share @ (a.square() + b.square())
        + ((weight @ s_covariance) * weight).sum(1)
        + 2 * (a_with_b + with_s) / times.sum().clamp(min=1)
    )
    # Where all pairs are the same, rounding can make it negative.
    return a_mean + b_mean + weight @ s_mean, variance.clamp(min=0)
