"""How well two sides are told apart: numbers and curve of the sample, and their spread."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from hepml.evaluation._estimate import Estimate
from hepml.evaluation.classification._discriminants import Discriminant
from hepml.evaluation.classification._metrics import Ranking

EFFICIENCIES = (0.5, 0.3)
# No event where mu are expected has probability exp(-mu): 0.05 at this mu.
_EVENTS_AT_95_PERCENT = -math.log(0.05)
# The signal efficiencies at which the band of a ROC curve is kept.
GRID = np.linspace(0.005, 1.0, 200)


@dataclass(frozen=True, eq=False)
class Discrimination:
    """How well a tagger tells the classes of a pair apart.

    Parameters
    ----------
    pair
        The classes.
    rows
        The numbers of signal and of background: of jets, particles, ...
    auc
        The area under the ROC curve.
    rejections
        1 / background efficiency at the signal efficiencies that are the keys.
    signal_efficiency, background_efficiency
        The ROC curve on an even grid of signal efficiencies.
    background_low, background_high
        The band around it that holds 68.3 % of the replicas.
    """

    pair: Discriminant
    rows: tuple[int, int]
    auc: Estimate
    rejections: dict[float, Estimate]
    signal_efficiency: Float[np.ndarray, " points"]
    background_efficiency: Float[np.ndarray, " points"]
    background_low: Float[np.ndarray, " points"]
    background_high: Float[np.ndarray, " points"]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the curve."""
        return {
            "signal": list(self.pair.signal),
            "background": list(self.pair.background),
            "signal_rows": self.rows[0],
            "background_rows": self.rows[1],
            "auc": self.auc.to_dict(),
            "rejection": {f"{at:g}": x.to_dict() for at, x in self.rejections.items()},
        }


def discrimination(
    pair: Discriminant, ranking: Ranking, replicas: Float[np.ndarray, "replicas numbers"]
) -> Discrimination:
    """The numbers of the sample with the spread of (area, background efficiencies) around them."""
    curve = ranking.curve()
    rejections = {}
    for column, efficiency in enumerate(EFFICIENCIES, start=1):
        sigma = spread(replicas[:, column])
        passing = float(curve.background_at(np.array([efficiency]))[0])
        if passing > 0:
            rejections[efficiency] = Estimate(1 / passing, sigma / passing**2)
        else:
            effective = ranking.background.sum() ** 2 / (ranking.background**2).sum()
            limit = float(effective) / _EVENTS_AT_95_PERCENT
            rejections[efficiency] = Estimate(math.inf, math.nan, limit)
    # The shares of a normal distribution below minus and plus one standard deviation.
    low, high = np.quantile(replicas[:, 1 + len(EFFICIENCIES) :], (0.15866, 0.84134), axis=0)
    return Discrimination(
        pair,
        (int((ranking.signal != 0).sum()), int((ranking.background != 0).sum())),
        Estimate(curve.area, spread(replicas[:, 0])),
        rejections,
        GRID,
        curve.background_at(GRID),
        low,
        high,
    )


def spread(values: Float[np.ndarray, " replicas"]) -> float:
    """The standard deviation; zero where the values differ by rounding alone."""
    sigma = float(np.std(values, ddof=1))
    return sigma if sigma > 1e-12 * float(np.abs(values).max()) else 0.0
