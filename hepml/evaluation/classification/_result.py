"""What a tagger, or the score of another framework, reached on some files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from hepml.evaluation import Discriminant, Evaluation
from hepml.evaluation._sample import NOUNS, Sample
from hepml.evaluation.classification._jets import ScoredRows, calibration, mass_divergence


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
        The jets, or the particles, nodes or edges of jets.
    probabilities
        The probabilities of the classes for each row; None of a score.
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
    probabilities: Float[np.ndarray, "rows classes"] | None = None
    scores: Float[np.ndarray, " rows"] | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    epochs: Mapping[str, list[float]] = field(default_factory=dict)

    @property
    def labels(self) -> Int64[np.ndarray, " rows"]:
        """The number of the class of each row."""
        assert self.sample.labels is not None
        return self.sample.labels

    @property
    def weights(self) -> Float[np.ndarray, " rows"] | None:
        """The weight of each row; None without."""
        return self.sample.weights

    @property
    def dropped(self) -> Mapping[str, int]:
        """Jets left out because they cannot be used, by reason."""
        return self.sample.dropped

    def rows_of(self, pair: Discriminant) -> ScoredRows:
        """The rows of a pair of classes, with the score for it."""
        names = self.evaluation.class_names
        signal, chosen = pair.is_signal(self.labels, names)
        weights = np.ones(len(self.labels)) if self.weights is None else self.weights
        if self.probabilities is not None:
            scores = pair.scores(self.probabilities, names)
        else:
            assert self.scores is not None
            scores = self.scores
        kinematics = self.sample.kinematics
        return ScoredRows(
            scores[chosen],
            signal[chosen],
            weights[chosen].astype(np.float64),
            None if kinematics is None else kinematics[chosen],
            self.probabilities is not None,
            NOUNS[self.sample.per],
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without scores."""
        plain = self.evaluation.to_dict()
        for found in self.evaluation.discriminations:
            rows = self.rows_of(found.pair)
            divergence = mass_divergence(rows)
            plain["pairs"][str(found.pair)] |= {
                "calibration_error": calibration(rows).error if rows.is_probability else None,
                "mass_divergence": divergence if np.isfinite(divergence) else None,
            }
        return {
            "model": self.model,
            **self.origin,
            "parameters": self.parameters,
            "sets_per_second": self.sets_per_second,
            **self.sample.to_dict(),
            **plain,
        }
