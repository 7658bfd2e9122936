"""The loss of a validation sample."""

from torch import Tensor
from torchmetrics import MeanMetric

from hepml.errors import DataError


class MeanLoss(MeanMetric):
    """The weighted mean of losses, over a sample whose weights may be negative, but not as a whole.

    Raises
    ------
    DataError
        When it is computed, if the sum of the weights is not positive.
    """

    def compute(self) -> Tensor:
        """The mean of what was collected."""
        weight = float(self.weight)
        if not weight > 0:
            raise DataError(
                "validation",
                expected="weights with a positive sum",
                got=f"a sum of {weight:g}",
                fix="validate with more jets, or leave weights out of the columns",
            )
        return super().compute()
