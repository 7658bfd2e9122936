"""How far predictions are from the truth."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from hepml.deploy import Tagger
from hepml.errors import InputError
from hepml.evaluation._estimate import Estimate
from hepml.io import EvenSample, Files, iterate
from hepml.training import warn_of_training_files

# Where the residuals are said to lie: one and two standard deviations of a normal distribution.
QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)


@dataclass(frozen=True)
class Regression:
    """The predictions of one target, and their figures.

    Parameters
    ----------
    name, target
        What the network is called, and what it predicts.
    truth, prediction, width
        Of each set or particle; no width of networks that predict none.
    bias
        The median of prediction minus truth.
    resolution
        Half the distance between its 16 % and 84 % quantiles.
    rmse
        Its root mean square.
    constant
        The resolution of the best constant, the median of the truth.
    correlation
        Pearson's, of prediction and truth.
    pull_width
        Half the distance between the same quantiles of ``(prediction - truth) / width``: 1 where
        widths are right.
    dropped
        How many sets were left out as bad, by reason.
    """

    name: str
    target: str
    truth: Float[np.ndarray, " rows"]
    prediction: Float[np.ndarray, " rows"]
    width: Float[np.ndarray, " rows"] | None
    bias: Estimate
    resolution: Estimate
    rmse: Estimate
    constant: Estimate
    correlation: Estimate
    pull_width: Estimate | None
    dropped: Mapping[str, int]

    @property
    def residual(self) -> Float[np.ndarray, " rows"]:
        """Prediction minus truth."""
        residual: np.ndarray = self.prediction - self.truth
        return residual

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        figures = {
            name: each.to_dict()
            for name in ("bias", "resolution", "rmse", "constant", "correlation", "pull_width")
            if (each := getattr(self, name)) is not None
        }
        quantiles = np.quantile(self.residual, QUANTILES).tolist()
        return {
            "name": self.name,
            "target": self.target,
            "rows": len(self.truth),
            **figures,
            "quantiles of the residual": dict(zip(map(str, QUANTILES), quantiles, strict=True)),
            "dropped": dict(self.dropped),
        }


def evaluate_regression(
    tagger: Tagger,
    files: Files,
    *,
    name: str | None = None,
    max_sets: int | None = None,
    bad: Literal["error", "drop"] = "error",
    replicas: int = 100,
    seed: int = 0,
) -> list[Regression]:
    """Predict the targets of some files and compare with the truth, for each target.

    Parameters
    ----------
    tagger
        A network that predicts numbers, with columns.
    files
        As in :func:`hepml.io.read`; they need the targets.
    name
        What the network is called; by default as the tagger is.
    max_sets
        Take so many sets only, drawn evenly over the files.
    bad
        What to do with sets that cannot be: "error" or "drop".
    replicas, seed
        Of the bootstrap that gives the uncertainties, over sets or particles.

    Raises
    ------
    InputError
        If the network tells classes, or there is nothing to compare.
    FileError, ColumnError, DataError
        As in :func:`hepml.io.read`.
    """
    answers, columns = tagger.answers, tagger.columns
    if tagger.classifies or columns is None:
        raise InputError(
            f"tagger {tagger.name}",
            expected="a network that predicts numbers, with columns",
            got="one that tells classes" if tagger.classifies else "one without columns",
            fix="train one with --target; taggers are compared by compare",
        )
    warn_of_training_files(tagger.run, files, columns.tree)
    columns = columns.replace(observers={}, weights=None)
    chunks = (
        iterate(files, columns, bad=bad)
        if max_sets is None
        else EvenSample(files, columns, sets=max_sets, bad=bad).chunks()
    )
    wanted, found, dropped = [], [], Counter[str]()
    for chunk in chunks:
        sets = chunk.particles
        truth = sets.targets if answers.per == "set" else sets.particle_targets
        assert truth is not None
        wanted.append(truth.double().numpy())
        found.append(tagger.values(sets).numpy())
        dropped.update(chunk.dropped)
    truth, values = np.concatenate(wanted), np.concatenate(found)
    if not len(truth):
        raise InputError(
            "files", expected=f"a {answers.per} or more", got="none", fix="take other files"
        )
    number = truth.shape[1]
    results = []
    for i, target in enumerate(answers.names[:number]):
        width = values[:, number + i] if values.shape[1] > number else None
        figures = figures_of(truth[:, i], values[:, i], width, replicas=replicas, seed=seed)
        results.append(
            Regression(
                tagger.name if name is None else name,
                target,
                *(truth[:, i], values[:, i], width),
                **figures,
                dropped=dict(dropped),
            )
        )
    return results


def figures_of(
    truth: Float[np.ndarray, " rows"],
    prediction: Float[np.ndarray, " rows"],
    width: Float[np.ndarray, " rows"] | None = None,
    *,
    replicas: int = 100,
    seed: int = 0,
) -> dict[str, Any]:
    """The figures of :class:`Regression`, each with its uncertainty by bootstrap.

    Parameters
    ----------
    truth, prediction, width
        Of each set or particle.
    replicas, seed
        How often the rows are drawn again, and how.
    """
    columns = [truth, prediction, *([] if width is None else [width])]
    random = np.random.default_rng(seed)
    samples = [_figures(*columns)]
    for _ in range(replicas):
        rows = random.integers(0, len(truth), len(truth))
        samples.append(_figures(*(each[rows] for each in columns)))
    best, others = samples[0], samples[1:]
    figures: dict[str, Any] = {
        name: Estimate(value, float(np.std([each[name] for each in others])))
        for name, value in best.items()
    }
    return {"pull_width": None, **figures}


def half_width(values: Float[np.ndarray, " rows"]) -> float:
    """Half the distance between the 16 % and 84 % quantiles."""
    low, high = np.quantile(values, [0.16, 0.84])
    return float(high - low) / 2


def _figures(*columns: Float[np.ndarray, " rows"]) -> dict[str, float]:
    """The figures of one sample."""
    truth, prediction = columns[:2]
    residual = prediction - truth
    spread = float(truth.std() * prediction.std())
    product = float(((truth - truth.mean()) * (prediction - prediction.mean())).mean())
    figures = {
        "bias": float(np.median(residual)),
        "resolution": half_width(residual),
        "rmse": float(np.sqrt(np.square(residual).mean())),
        "constant": half_width(truth),
        "correlation": product / spread if spread > 0 else 0.0,
    }
    if len(columns) > 2:
        figures["pull_width"] = half_width(residual / columns[2])
    return figures
