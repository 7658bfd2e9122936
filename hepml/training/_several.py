"""Several runs that differ in one thing, with the mean and the spread of their figures."""

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from torch import nn

from hepml.errors import InputError
from hepml.io import ENTRY_NUMBER, BatchStream, Files, NoSets
from hepml.outputs import whole_file
from hepml.training._hold_out import hold_out
from hepml.training._inputs import choose_columns
from hepml.training._train import TrainedRun, _listed, train
from hepml.training.engine._folder import RunFolder

# What says how a run is validated, which folds decide themselves.
_VALIDATION = ("validation", "validation_fraction", "validation_cut")


@dataclass(frozen=True)
class SeveralRuns:
    """Finished runs that differ in one thing, a seed or a fold, and their figures.

    Parameters
    ----------
    path
        The folder that holds a folder for each run, and the table of their figures.
    runs
        The runs by the names of their folders.
    """

    path: Path
    runs: Mapping[str, TrainedRun]

    @property
    def table(self) -> Path:
        """The file with the figures of the best epoch of each run."""
        return self.path / "runs.csv"

    @property
    def names(self) -> list[str]:
        """The figures that every run has, in their order, without the number of the epoch."""
        each = [run.figures for run in self.runs.values()]
        return [n for n in each[0] if n != "epoch" and all(n in figures for figures in each)]

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each figure over the runs."""
        return {name: self._over_runs(fmean, name) for name in self.names}

    @property
    def spread(self) -> dict[str, float]:
        """The standard deviation of each figure from run to run, from n - 1 of n runs.

        It is that of one run; the mean of n of them is known to ``spread / sqrt(n)`` if they are
        independent, which seeds are for the same data, and folds are not quite.
        """
        return {name: self._over_runs(stdev, name) for name in self.names}

    def _over_runs(self, function: Callable[[list[float]], float], name: str) -> float:
        """A function of a figure's values; NaN, if one of them is not finite."""
        values = [float(run.figures[name]) for run in self.runs.values()]
        return function(values) if all(map(math.isfinite, values)) else math.nan


def train_seeds(
    network: str | type[nn.Module],
    files: Files,
    *,
    output: str | Path,
    seeds: Sequence[int],
    **options: Any,
) -> SeveralRuns:
    """Train the same network with several seeds, in ``output/seed-0`` and so on.

    Parameters
    ----------
    network, files
        See :func:`train`.
    output
        The folder of all runs.
    seeds
        Two or more, each of which decides a run.
    options
        Other options of :func:`train`, the same for all runs. With ``resume`` runs that are
        finished stay as they are, and those that are not there begin.

    Raises
    ------
    InputError
        If the seeds are not two or more different ones, or an option makes no sense.
    FileError, DataError
        As from :func:`train`; runs that were finished before stay.
    """
    seeds = list(seeds)
    if len({*seeds}) < max(len(seeds), 2) or min(seeds) < 0:
        raise InputError(
            "seeds",
            expected="two or more different numbers, 0 or above",
            got=", ".join(map(str, seeds)) or "none",
            fix="name each once, as in 0 1 2",
        )
    _refuse(options, ("seed",), "seeds")
    changed = {f"seed-{seed}": {"seed": seed} for seed in seeds}
    return _train_each(network, files, Path(output), changed, options)


def train_folds(
    network: str | type[nn.Module],
    files: Files,
    *,
    output: str | Path,
    folds: int,
    fold_by: str = ENTRY_NUMBER,
    **options: Any,
) -> SeveralRuns:
    """Train a network on all folds but one, validate with that one, for each fold.

    Parameters
    ----------
    network, files
        See :func:`train`.
    output
        The folder of all runs: ``output/fold-0`` validates with fold 0, and so on.
    folds
        How many.
    fold_by
        An expression of which a set belongs to fold ``floor(fold_by) % folds``; by default the
        number of an entry in its file. With the number of an event, the jets of an event stay
        together.
    options
        Other options of :func:`train`, the same for all runs, but for those that say what to
        validate with. With ``resume`` runs that are finished stay as they are, and those that are
        not there begin.

    Raises
    ------
    InputError
        If there are fewer than two folds, a fold has no sets, or an option makes no sense.
    FileError, DataError
        As from :func:`train`; runs that were finished before stay.
    """
    if folds < 2:
        raise InputError("folds", expected="at least 2", got=str(folds), fix="5 is usual")
    _refuse(options, _VALIDATION, "folds")
    cuts = [f"floor({fold_by}) % {folds} == {fold}" for fold in range(folds)]
    columns = choose_columns(options.get("columns"), "all", _listed(files))
    for fold, cut in enumerate(cuts):
        wanted = dict.fromkeys(_VALIDATION) | {"validation_cut": cut}
        try:
            BatchStream(
                files,
                hold_out(columns, wanted)[1],
                batch_size=1,
                bad=options.get("bad", "error"),
            )
        except NoSets as error:
            raise InputError(
                "fold_by",
                expected=f"an expression with sets in each of {folds} folds",
                got=f"{fold_by!r}, and none in fold {fold}",
                fix="choose fewer folds, or another expression",
            ) from error
    changed = {f"fold-{fold}": {"validation_cut": cut} for fold, cut in enumerate(cuts)}
    return _train_each(network, files, Path(output), changed, options)


def _refuse(options: Mapping[str, Any], names: Sequence[str], by: str) -> None:
    """Refuse options that the runs decide themselves."""
    for name in names:
        if options.get(name) not in (None, (), []):
            raise InputError(
                name,
                expected=f"none beside {by}, which decide it for each run",
                got=repr(options[name]),
                fix=f"leave {name} or {by} out",
            )


def _train_each(
    network: str | type[nn.Module],
    files: Files,
    path: Path,
    changed: Mapping[str, Mapping[str, Any]],
    options: Mapping[str, Any],
    run: Callable[..., TrainedRun] = train,
) -> SeveralRuns:
    """Train once with each change of the options; write the table when all runs are finished."""
    if options.get("devices", 1) > 1:
        raise InputError(
            "devices",
            expected="1 with several runs, which one process makes after each other",
            got=str(options["devices"]),
            fix="train with one device, or each run with a command of its own",
        )
    if not (options.get("resume") or options.get("overwrite")):
        for name in changed:
            RunFolder(path / name).check_free()
    runs = {
        name: run(network, files, output=path / name, **{**options, **change})
        for name, change in changed.items()
    }
    several = SeveralRuns(path, runs)
    _write(several)
    return several


def _write(several: SeveralRuns) -> None:
    """Write the figures of each run, their mean and their spread."""
    names = several.names
    with whole_file(several.table) as part, open(part, "w", newline="") as file:
        table = csv.DictWriter(file, fieldnames=["run", "epoch", *names], extrasaction="ignore")
        table.writeheader()
        for name, run in several.runs.items():
            table.writerow({"run": name, **run.figures})
        table.writerow({"run": "mean", **several.mean})
        table.writerow({"run": "spread", **several.spread})
