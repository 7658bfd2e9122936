"""How far predictions are from the truth."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float

from hepml.deploy import Tagger
from hepml.errors import InputError
from hepml.evaluation._estimate import Estimate
from hepml.evaluation._sample import Sample, scored
from hepml.evaluation._taggers import checked_names, columns_for, origin_of, weighted
from hepml.evaluation.regression._figures import figures_of, weighted_quantiles
from hepml.io import Chunk, Columns, Files
from hepml.training import (
    count_without_target,
    warn_of_training_files,
    with_missing_targets,
)

# Where the residuals are said to lie: one and two standard deviations of a normal distribution.
QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)


@dataclass(frozen=True)
class Regression:
    """The predictions of one target, and their figures, all weighted as the sample is.

    Parameters
    ----------
    name, target
        What the network is called, and what it predicts.
    truth, prediction, width
        Those of each set or particle; no width of networks that predict none.
    bias
        The median of prediction minus truth.
    resolution
        Half the distance between its 16 % and 84 % quantiles.
    rmse
        Its root mean square; NaN where negative weights leave none.
    constant
        The resolution of the best constant, the median of the truth.
    correlation
        Pearson's correlation of prediction and truth; NaN where negative weights leave none.
    pull_width
        Half the distance between the same quantiles of ``(prediction - truth) / width``: 1 where
        widths are right.
    sample
        What was evaluated, how it was chosen and weighted.
    origin
        Where the network is from: ``checkpoint``, ``training``.
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
    sample: Sample
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def residual(self) -> Float[np.ndarray, " rows"]:
        """Prediction minus truth."""
        residual: np.ndarray = self.prediction - self.truth
        return residual

    @property
    def weights(self) -> Float[np.ndarray, " rows"]:
        """The weight of each row; one without weights."""
        if self.sample.weights is None:
            return np.ones(len(self.truth))
        return self.sample.weights.astype(np.float64)

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many sets were left out as bad, by reason."""
        return self.sample.dropped

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        figures = {
            name: each.to_dict()
            for name in ("bias", "resolution", "rmse", "constant", "correlation", "pull_width")
            if (each := getattr(self, name)) is not None
        }
        quantiles = weighted_quantiles(self.residual, QUANTILES, self.weights).tolist()
        return {
            "name": self.name,
            "target": self.target,
            **self.origin,
            **self.sample.to_dict(),
            **figures,
            "quantiles of the residual": dict(zip(map(str, QUANTILES), quantiles, strict=True)),
        }


def evaluate_regression(
    taggers: Tagger | str | os.PathLike[str] | Sequence[Tagger | str | os.PathLike[str]],
    files: Files,
    *,
    columns: Columns | None = None,
    names: Sequence[str] = (),
    weights: str | None = None,
    missing_target: Literal["error", "drop"] | None = None,
    max_sets: int | None = None,
    bad: Literal["error", "drop"] = "error",
    replicas: int = 100,
    seed: int = 0,
    device: torch.device | str = "auto",
    batch_size: int = 128,
    progress: bool = False,
) -> list[Regression]:
    """Predict the targets of some files and compare with the truth, for each network and target.

    Parameters
    ----------
    taggers
        Networks that predict numbers, with columns; checkpoints or folders of runs, for which
        `device` and `batch_size` are.
    files
        As in :func:`hepml.io.read`; they need the targets.
    columns
        How to read these files, if not as each network was trained; targets of sets that they do
        not name are those of the network.
    names
        What tables and figures call the networks, in their order; by default as in :func:`compare`.
    weights
        An expression for the weight of each set in place of that of the columns; ``"none"`` for
        none.
    missing_target
        Whether a target that is NaN is an error, or its set or particle left out and counted; by
        default what it was in training.
    max_sets
        Take so many sets only, drawn evenly over the files.
    bad
        What to do with sets that cannot be: "error" or "drop".
    replicas, seed
        The number of bootstrap replicas that give the uncertainties, and the seed of their random
        numbers; of particles, those of one set are drawn together.
    progress
        Whether to show a progress bar, on a terminal.

    Raises
    ------
    InputError
        If a network tells classes, names are not as many or not different, weights cancel, or there
        is nothing to compare.
    FileError, ColumnError, DataError
        As in :func:`hepml.io.read`.
    """
    several = [taggers] if isinstance(taggers, Tagger | str | os.PathLike) else taggers
    loaded = [
        each
        if isinstance(each, Tagger)
        else Tagger.load(Path(each), device=device, batch_size=batch_size)
        for each in several
    ]
    for tagger in loaded:
        if tagger.classifies or tagger.columns is None:
            raise InputError(
                f"tagger {tagger.name}",
                expected="a network that predicts numbers, with columns",
                got="one that tells classes" if tagger.classifies else "one without columns",
                fix="train one with --target; taggers are compared by compare",
            )
    results = []
    for tagger, name in zip(loaded, checked_names(names, loaded), strict=True):
        read = weighted(columns_for(tagger, columns), weights)
        warn_of_training_files(tagger.run, files, read.tree)
        missing = missing_target or tagger.run.get("missing_target", "error")
        values, sample = _predicted(
            tagger, read, files, missing, name=name, max_sets=max_sets, bad=bad, progress=progress
        )
        truth = np.asarray(sample.targets, np.float64)
        number = truth.shape[1]
        for i, target in enumerate(tagger.answers.names[:number]):
            width = values[:, number + i] if values.shape[1] > number else None
            figures = figures_of(
                *(truth[:, i], values[:, i], width),
                weights=sample.weights,
                set_index=sample.set_index,
                replicas=replicas,
                seed=seed,
            )
            results.append(
                Regression(
                    *(name, target, truth[:, i], values[:, i], width),
                    **figures,
                    sample=sample,
                    origin=origin_of(tagger),
                )
            )
    return results


def _predicted(
    tagger: Tagger,
    columns: Columns,
    files: Files,
    missing: Literal["error", "drop"],
    *,
    max_sets: int | None,
    **how: Any,
) -> tuple[Float[np.ndarray, "rows outputs"], Sample]:
    """What a network predicts for the rows of some files, and these rows."""
    per = tagger.answers.per
    read = with_missing_targets(columns, missing)

    def predicted(chunk: Chunk) -> Any:
        return tagger.values(chunk.particles).numpy()

    values, sample, _ = scored(predicted, read, files, per, max_sets=max_sets, **how)
    if not len(values):
        raise InputError(
            "files",
            expected=f"a {per} with a target, or more",
            got="none",
            fix="take other files",
        )
    if per == "set":
        # Those without a target did not pass, which is no cut that anybody wrote.
        without = count_without_target(columns, read, files)
        sample = replace(sample, cut=columns.cut, without=without)
    return values, sample
