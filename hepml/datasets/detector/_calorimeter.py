"""A calorimeter: cells, their energies, and what is left when the tracks are subtracted."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from hepml.datasets.detector._response import Resolution, log_normal


@dataclass(frozen=True)
class Calorimeter:
    """A layer of cells that measures energies and, minus the tracks, neutral particles.

    Parameters
    ----------
    pid
        The code given to its neutral particles.
    eta_edges
        The edges of the rows of cells, ascending.
    cells_in_phi
        The number of cells around each row.
    resolution
        The width in GeV as a function of the energy in a cell.
    energy_min, significance_min
        A cell or a neutral excess below either is dropped.
    fractions
        The part of the energy that a particle of a kind (absolute PDG code) leaves here.
    other_fraction
        The same for all kinds not named.
    """

    pid: int
    eta_edges: tuple[float, ...]
    cells_in_phi: tuple[int, ...]
    resolution: Resolution
    energy_min: float
    significance_min: float
    fractions: tuple[tuple[int, float], ...]
    other_fraction: float

    @property
    def cells(self) -> int:
        """The number of all cells."""
        return sum(self.cells_in_phi)

    def fraction(self, pid: Int64[np.ndarray, " particles"]) -> Float[np.ndarray, " particles"]:
        """The part of each particle's energy that is left here."""
        fraction = np.full(len(pid), self.other_fraction, np.float64)
        for code, value in self.fractions:
            fraction[np.abs(pid) == code] = value
        return fraction

    def cell(
        self, eta: Float[np.ndarray, " particles"], phi: Float[np.ndarray, " particles"]
    ) -> Int64[np.ndarray, " particles"]:
        """The cell at each direction, -1 outside."""
        row = np.searchsorted(self.eta_edges, eta) - 1
        inside = (row >= 0) & (row < len(self.cells_in_phi))
        row = np.where(inside, row, 0)
        around = np.array(self.cells_in_phi)[row]
        column = np.minimum(((phi + np.pi) / (2 * np.pi) * around).astype(np.int64), around - 1)
        return np.where(inside, self._first_cells()[row] + column, -1)

    def bounds(self, cell: Int64[np.ndarray, " cells"]) -> Float[np.ndarray, "cells 4"]:
        """The lowest and highest eta, the lowest and highest phi of each cell."""
        first = self._first_cells()
        row = np.searchsorted(first, cell, side="right") - 1
        width = 2 * np.pi / np.array(self.cells_in_phi)[row]
        low = -np.pi + (cell - first[row]) * width
        edges = np.array(self.eta_edges)
        return np.stack([edges[row], edges[row + 1], low, low + width], axis=1)

    def _first_cells(self) -> Int64[np.ndarray, " rows"]:
        """The number of the first cell of each row."""
        return np.concatenate([[0], np.cumsum(self.cells_in_phi[:-1])]).astype(np.int64)


@dataclass(frozen=True)
class Neutrals:
    """Neutral candidates: their event and their momentum (E, px, py, pz)."""

    event: Int64[np.ndarray, " neutrals"]
    p4: Float[np.ndarray, "neutrals 4"]


def measure(
    calorimeter: Calorimeter,
    deposit_key: Int64[np.ndarray, " deposits"],
    deposit: Float[np.ndarray, " deposits"],
    track_key: Int64[np.ndarray, " tracks"],
    tracks: Float[np.ndarray, "tracks 4"],
    resolution: Float[np.ndarray, " tracks"],
    rng: np.random.Generator,
) -> tuple[Neutrals, Float[np.ndarray, " tracks"]]:
    """Measure the energies in the cells, and tell neutral particles from tracks.

    Parameters
    ----------
    deposit_key, deposit
        Where (event * cells + cell) particles leave how much energy in GeV.
    track_key, tracks, resolution
        Where tracks point, the momenta that they would leave, their relative uncertainties.

    Returns
    -------
    Neutrals
        The neutral candidates.
    scale
        The factor by which each track is rescaled.
    """
    keys, place = np.unique(np.concatenate([deposit_key, track_key]), return_inverse=True)
    hit_by, pointed_at = place[: len(deposit)], place[len(deposit) :]
    event, cell = np.divmod(keys, calorimeter.cells)
    low_eta, high_eta, low_phi, high_phi = calorimeter.bounds(cell).T
    center = (low_eta + high_eta) / 2

    def summed(
        cells: Int64[np.ndarray, " n"], values: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " cells"]:
        return np.bincount(cells, values, len(keys)).astype(np.float64)

    true = summed(hit_by, deposit)
    energy = log_normal(true, calorimeter.resolution(center, true), rng)
    sigma = calorimeter.resolution(center, energy)
    threshold = np.maximum(calorimeter.energy_min, calorimeter.significance_min * sigma)
    energy[energy < threshold] = 0

    size = tracks[:, 0]
    track_sigma = np.sqrt(summed(pointed_at, (resolution * size) ** 2))
    track_energy = summed(pointed_at, size)
    excess = np.maximum(energy - track_energy, 0)
    needed = np.maximum(
        calorimeter.energy_min, calorimeter.significance_min * np.hypot(track_sigma, sigma)
    )
    neutral = excess > needed

    with np.errstate(divide="ignore", invalid="ignore"):
        # The mean of track and cell by inverse variance, written so that a zero width wins.
        best = (track_energy * sigma**2 + energy * track_sigma**2) / (sigma**2 + track_sigma**2)
        ratio = np.where((sigma + track_sigma > 0) & ~neutral, best / track_energy, 1)

    spread = rng.random((2, len(keys)))
    eta = low_eta + spread[0] * (high_eta - low_eta)
    phi = low_phi + spread[1] * (high_phi - low_phi)
    pt = excess / np.cosh(eta)
    p4 = np.stack([excess, pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=1)
    return Neutrals(event[neutral], p4[neutral]), ratio[pointed_at]
