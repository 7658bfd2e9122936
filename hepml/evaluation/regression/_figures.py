"""Numbers that say how far predictions are from the truth, weighted, with uncertainties."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from hepml.errors import InputError
from hepml.evaluation._bootstrap import Bootstrap
from hepml.evaluation._estimate import Estimate
from hepml.evaluation.classification._metrics import cancelling, check_lengths, checked_weights

# One standard deviation of a normal distribution, to both sides.
_LOW, _HIGH = 0.16, 0.84


def weighted_quantiles(
    values: Float[np.ndarray, " rows"],
    at: Sequence[float],
    weights: Float[np.ndarray, " rows"] | None = None,
) -> Float[np.ndarray, " quantiles"]:
    """The smallest values up to which these shares of the weight lie.

    Parameters
    ----------
    values
        The numbers, of which there are some.
    at
        Shares from 0 to 1.
    weights
        The weight of each; one by default. Of negative ones the share falls again beyond a value:
        the first value that reaches it is meant.

    Raises
    ------
    InputError
        If the sum of the weights is not positive.

    Notes
    -----
    A weight of two is the same as the value twice.
    """
    weights = np.ones(len(values)) if weights is None else weights
    order = np.argsort(values, kind="stable")
    return _quantiles(values[order], weights[order], at)


def half_width(
    values: Float[np.ndarray, " rows"], weights: Float[np.ndarray, " rows"] | None = None
) -> float:
    """Half the distance between the 16 % and 84 % quantiles."""
    low, high = weighted_quantiles(values, (_LOW, _HIGH), weights)
    return float(high - low) / 2


def figures_of(
    truth: Float[np.ndarray, " rows"],
    prediction: Float[np.ndarray, " rows"],
    width: Float[np.ndarray, " rows"] | None = None,
    *,
    weights: Float[np.ndarray, " rows"] | None = None,
    set_index: Int[np.ndarray, " rows"] | None = None,
    replicas: int = 100,
    seed: int = 0,
) -> dict[str, Any]:
    """The figures of :class:`Regression`, each with its uncertainty by bootstrap.

    Parameters
    ----------
    truth, prediction, width
        Those of each set, particle, ...
    weights
        The weight of each row; one by default. Some may be negative.
    set_index
        The set that each row belongs to, where rows are particles or edges of sets.
    replicas, seed
        How often the rows are drawn again, and how.

    Raises
    ------
    InputError
        If a prediction is NaN, or the weights cancel.
    """
    weights = checked_weights(weights, len(truth))
    if set_index is not None:
        check_lengths("set_index", set_index, len(truth))
    bad = ~np.isfinite(prediction)
    if bad.any():
        raise InputError(
            "predictions",
            expected="finite numbers",
            got=f"{prediction[bad][0]} for {int(bad.sum())} of {len(bad)} rows, first in row "
            f"{int(bad.argmax())}",
            fix="drop these, or look for the reason in the network and its input",
        )
    figures = _Figures(truth, prediction, width)
    best = figures.of(weights)
    none = np.zeros(len(truth), np.int64)
    others = [
        figures.of(weights * counts) for counts in Bootstrap(replicas, seed).draw(none, set_index)
    ]
    estimates: dict[str, Any] = {
        name: Estimate(value, float(np.std([each[name] for each in others], ddof=1)))
        for name, value in best.items()
    }
    return {"pull_width": None, **estimates}


class _Figures:
    """Predictions sorted once, for any weights of theirs."""

    def __init__(
        self,
        truth: Float[np.ndarray, " rows"],
        prediction: Float[np.ndarray, " rows"],
        width: Float[np.ndarray, " rows"] | None,
    ) -> None:
        self.truth, self.prediction = truth, prediction
        self.residual = prediction - truth
        columns = {"residual": self.residual, "truth": truth}
        if width is not None:
            columns["pull"] = self.residual / width
        self._sorted = {}
        for name, values in columns.items():
            order = np.argsort(values, kind="stable")
            self._sorted[name] = values[order], order

    def of(self, weights: Float[np.ndarray, " rows"]) -> dict[str, float]:
        """The figures with these weights."""
        total = float(weights.sum())
        if not total > 0:
            raise cancelling(total)

        def mean(values: Float[np.ndarray, " rows"]) -> float:
            return float(weights @ values) / total

        t, p = self.truth - mean(self.truth), self.prediction - mean(self.prediction)
        square, spread = mean(self.residual**2), (mean(t**2), mean(p**2))
        correlation = float("nan")
        if min(spread) >= 0:
            both = float(np.sqrt(spread[0] * spread[1]))
            correlation = mean(t * p) / both if both > 0 else 0.0
        figures = {
            "bias": self._quantile("residual", weights, (0.5,))[0],
            "resolution": self._half_width("residual", weights),
            "rmse": float(np.sqrt(square)) if square >= 0 else float("nan"),
            "constant": self._half_width("truth", weights),
            "correlation": correlation,
        }
        if "pull" in self._sorted:
            figures["pull_width"] = self._half_width("pull", weights)
        return figures

    def _half_width(self, name: str, weights: Float[np.ndarray, " rows"]) -> float:
        low, high = self._quantile(name, weights, (_LOW, _HIGH))
        return (high - low) / 2

    def _quantile(
        self, name: str, weights: Float[np.ndarray, " rows"], at: Sequence[float]
    ) -> list[float]:
        values, order = self._sorted[name]
        found: list[float] = _quantiles(values, weights[order], at).tolist()
        return found


def _quantiles(
    values: Float[np.ndarray, " rows"], weights: Float[np.ndarray, " rows"], at: Sequence[float]
) -> Float[np.ndarray, " quantiles"]:
    """The quantiles of values that are sorted."""
    # Equal values count as one: what negative weights take away again was never reached.
    last = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)
    reached = np.cumsum(weights)[last]
    total = float(reached[-1])
    if not total > 0:
        raise cancelling(total)
    # Rounding may leave the sum a little below the share that it should reach.
    reached = np.maximum.accumulate(reached) * (1 + 1e-12)
    places = np.searchsorted(reached, np.asarray(at) * total)
    found: Float[np.ndarray, " quantiles"] = values[last[np.minimum(places, len(last) - 1)]]
    return found
