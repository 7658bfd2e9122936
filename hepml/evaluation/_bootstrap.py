"""Replicas of a sample, from which numbers get their uncertainties."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped

from hepml.errors import InputError


@dataclass(frozen=True)
class Bootstrap:
    """Replicas of a sample of rows: how often each row enters each of them.

    Parameters
    ----------
    replicas, seed
        How many, and the seed of their random numbers.

    Notes
    -----
    Rows are drawn with replacement, within each class: the numbers of rows of the classes are a
    choice of the sample and no result. Rows of one set, such as the particles of a jet, depend on
    each other and are taken together: each set gets a weight from an exponential distribution, the
    Bayesian bootstrap, in which no class is ever absent.

    References
    ----------
    D. B. Rubin, The Bayesian Bootstrap, Annals of Statistics 9 (1981) 130.
    """

    replicas: int
    seed: int

    def __post_init__(self) -> None:
        if self.replicas < 2:
            raise InputError(
                "replicas",
                expected="at least 2",
                got=str(self.replicas),
                fix="100 give an uncertainty good to 7 %",
            )

    def draw(
        self, labels: Int[np.ndarray, " rows"], set_index: Int[np.ndarray, " rows"] | None = None
    ) -> Iterator[Shaped[np.ndarray, " rows"]]:
        """How often each row enters each replica.

        Parameters
        ----------
        labels
            The class of each row.
        set_index
            The set that each row belongs to; None if each is one of its own.
        """
        random = np.random.default_rng(self.seed)
        if set_index is not None:
            sets, of_row = np.unique(set_index, return_inverse=True)
            for _ in range(self.replicas):
                yield random.exponential(size=len(sets))[of_row]
            return
        members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        for _ in range(self.replicas):
            counts = np.empty(len(labels), np.int64)
            for rows in members:
                drawn = random.integers(len(rows), size=len(rows))
                counts[rows] = np.bincount(drawn, minlength=len(rows))
            yield counts
