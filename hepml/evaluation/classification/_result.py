"""What a tagger, or the score of another framework, reached on some files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from hepml.evaluation import Discriminant, Evaluation
from hepml.evaluation.classification._jets import (
    JetKinematics,
    ScoredJets,
    calibration,
    mass_divergence,
)


@dataclass(frozen=True, eq=False)
class Sample:
    """Which jets of the files were evaluated, and what they were.

    Parameters
    ----------
    labels
        The number of the class of each jet.
    weights
        Their weights; None without.
    kinematics
        Of each jet.
    read
        The number of jets before the cut.
    cut, weights_from
        The expressions that chose and weighted them; None without.
    dropped
        Jets left out because they cannot be used, by reason.
    among
        The number of jets among which they were drawn evenly; None if they are all.
    """

    labels: Int64[np.ndarray, " sets"]
    weights: Float[np.ndarray, " sets"] | None
    kinematics: JetKinematics
    read: int
    cut: str | None
    weights_from: str | None
    dropped: Mapping[str, int]
    among: int | None = None

    def __str__(self) -> str:
        chosen = f"{len(self.labels):,} jets"
        if self.among is not None:
            chosen += f", drawn evenly from {self.among:,}"
            chosen += "" if self.cut is None else f" (cut: {self.cut})"
        elif self.cut is not None:
            chosen += f" of {self.read:,} (cut: {self.cut})"
        return f"{chosen}, " + (
            "not weighted" if self.weights_from is None else f"weighted by {self.weights_from}"
        )


@dataclass(frozen=True, eq=False)
class Result:
    """What a tagger reached on some files.

    Parameters
    ----------
    name
        The name in tables and figures, different for each tagger that is compared.
    model
        The class of the model; for the score of another framework, its expression.
    parameters
        The number of its parameters that training adjusts; None of a score.
    evaluation
        Accuracy, AUC, background rejections.
    sets_per_second
        Jets per second from the file to the score: reading, converting and the network together.
    sample
        The jets.
    probabilities
        Of the classes; None of a score.
    scores
        The score of each jet; None of a tagger, which has one for each pair of classes.
    origin
        Where the tagger is from: ``checkpoint``, ``seed`` of its training, ...
    epochs
        The table of the epochs of its training, column by column; empty if it is not known.
    """

    name: str
    model: str
    parameters: int | None
    evaluation: Evaluation
    sets_per_second: float
    sample: Sample
    probabilities: Float[np.ndarray, "sets classes"] | None = None
    scores: Float[np.ndarray, " sets"] | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    epochs: Mapping[str, list[float]] = field(default_factory=dict)

    @property
    def labels(self) -> Int64[np.ndarray, " sets"]:
        """The number of the class of each jet."""
        return self.sample.labels

    @property
    def weights(self) -> Float[np.ndarray, " sets"] | None:
        """The weight of each jet; None without."""
        return self.sample.weights

    @property
    def dropped(self) -> Mapping[str, int]:
        """Jets left out because they cannot be used, by reason."""
        return self.sample.dropped

    def jets_of(self, pair: Discriminant) -> ScoredJets:
        """The jets of a pair of classes, with the score for it."""
        names = self.evaluation.class_names
        signal, chosen = pair.is_signal(self.labels, names)
        weights = np.ones(len(self.labels)) if self.weights is None else self.weights
        if self.probabilities is not None:
            scores = pair.scores(self.probabilities, names)
        else:
            assert self.scores is not None
            scores = self.scores
        return ScoredJets(
            scores[chosen],
            signal[chosen],
            weights[chosen].astype(np.float64),
            self.sample.kinematics[chosen],
            self.probabilities is not None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without scores."""
        plain = self.evaluation.to_dict()
        for found in self.evaluation.discriminations:
            jets = self.jets_of(found.pair)
            divergence = mass_divergence(jets)
            plain["pairs"][str(found.pair)] |= {
                "calibration_error": calibration(jets).error if jets.is_probability else None,
                "mass_divergence": divergence if np.isfinite(divergence) else None,
            }
        return {
            "model": self.model,
            **self.origin,
            "parameters": self.parameters,
            "sets_per_second": self.sets_per_second,
            "cut": self.sample.cut,
            "sets_before_cut": self.sample.read,
            "drawn_from": self.sample.among,
            "weights": self.sample.weights_from,
            "dropped": dict(self.dropped),
            **plain,
        }
