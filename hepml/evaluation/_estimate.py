"""Measured numbers with their uncertainties."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A measured number with its uncertainty (one standard deviation).

    Parameters
    ----------
    value
        The number; infinite for a rejection when no background passes.
    uncertainty
        Its standard deviation; NaN where the value is infinite.
    lower_limit
        Where the value is infinite: the limit that the data still exclude at 95 % confidence.

    Examples
    --------
    >>> print(Estimate(56.2391, 2.3117), Estimate(math.inf, math.nan, 334.0))
    56.2 ± 2.3 > 334 (95% CL)
    """

    value: float
    uncertainty: float
    lower_limit: float | None = None

    def __str__(self) -> str:
        if self.lower_limit is not None:
            return f"> {self.lower_limit:.3g} (95% CL)"
        if not 0 < self.uncertainty < math.inf:
            return f"{self.value:.4g} ± {self.uncertainty:.2g}"
        decimals = max(0, 1 - math.floor(math.log10(self.uncertainty)))
        return f"{self.value:.{decimals}f} ± {self.uncertainty:.{decimals}f}"

    def to_dict(self) -> dict[str, float | None]:
        """Plain numbers for JSON, which has no infinity: ``null`` instead."""
        numbers = {"value": self.value, "uncertainty": self.uncertainty}
        plain = {name: x if math.isfinite(x) else None for name, x in numbers.items()}
        return plain if self.lower_limit is None else {**plain, "lower_limit_95": self.lower_limit}
