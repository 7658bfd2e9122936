"""Efficiencies and resolutions as functions, and the smearing that they describe."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Steps:
    """A function of |eta| and pt (GeV), constant in each interval (lower, upper].

    Zero beyond the last edge in |eta| and below the first in pt; the last interval in pt is open.
    """

    eta_edges: tuple[float, ...]
    pt_edges: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]

    def __call__(
        self, eta: Float[np.ndarray, " particles"], pt: Float[np.ndarray, " particles"]
    ) -> Float[np.ndarray, " particles"]:
        """The value at each point."""
        padded = np.pad(np.array(self.values), ((1, 1), (1, 0)))
        # eta = 0 belongs to the first interval although it is its open end.
        row = np.maximum(np.searchsorted(self.eta_edges, np.abs(eta)), 1)
        values: Float[np.ndarray, " particles"] = padded[row, np.searchsorted(self.pt_edges, pt)]
        return values


@dataclass(frozen=True)
class Resolution:
    """A width that is a sum in quadrature of three terms, by region of |eta|.

    ``sigma(x)^2 = (linear x)^2 + root^2 x + constant^2``; the rows are (largest |eta|, linear,
    root, constant), and the last row serves beyond its edge too.
    """

    rows: tuple[tuple[float, float, float, float], ...]

    def __call__(
        self, eta: Float[np.ndarray, " points"], x: Float[np.ndarray, " points"]
    ) -> Float[np.ndarray, " points"]:
        """The width at each point."""
        edges, linear, root, constant = np.array(self.rows).T
        row = np.minimum(np.searchsorted(edges, np.abs(eta)), len(edges) - 1)
        width: Float[np.ndarray, " points"] = np.sqrt(
            (linear[row] * x) ** 2 + root[row] ** 2 * x + constant[row] ** 2
        )
        return width


def log_normal(
    mean: Float[np.ndarray, " points"],
    width: Float[np.ndarray, " points"],
    rng: np.random.Generator,
) -> Float[np.ndarray, " points"]:
    """Draw from the log-normal distributions of these means and standard deviations.

    Zero where the mean is zero.
    """
    safe = np.where(mean > 0, mean, 1)
    shape = np.sqrt(np.log1p((width / safe) ** 2))
    drawn = safe * np.exp(shape * rng.standard_normal(len(mean)) - shape**2 / 2)
    return np.where(mean > 0, drawn, 0)
