"""What happens around each epoch: seeding, checkpoints, the table of figures."""

import csv
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sized
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning.fabric.plugins.io import CheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from hepml.outputs import raise_again, whole_file
from hepml.training.engine._average import MovingAverage
from hepml.training.engine._checkpoint import read_checkpoint, write_checkpoint
from hepml.training.engine._task import Figure, Task


class SafeCheckpointIO(CheckpointIO):
    """Lightning's checkpoints, written at once or not at all, and read without executing.

    Lightning's own writer moves a file from the folder for temporary files, which is a copy that a
    crash can leave half done if that is another file system.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any = None,  # noqa: ARG002
    ) -> None:
        """Write under another name, then rename."""
        write_checkpoint(path, checkpoint)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any = None,  # noqa: ARG002
        weights_only: bool | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Read tensors and plain values only, whatever Lightning asks for."""
        return read_checkpoint(path)

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove the file, if it is there."""
        Path(path).unlink(missing_ok=True)


class SeedEachEpoch(Callback):
    """Make what is random in an epoch, such as dropout, a function of the seed and the epoch.

    A run resumed at the start of an epoch then goes on as if it had never stopped.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Seed torch from the seed, the epoch and the rank."""
        words = [self.seed, trainer.current_epoch, trainer.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0]))


class RaiseAgain(Callback):
    """Stop at the next batch, if a signal came whose exception was dropped.

    So does Python where workers that read are forked.
    """

    def on_train_batch_start(self, *_: Any) -> None:
        """Ask before a batch is learned."""
        raise_again()

    def on_validation_batch_start(self, *_: Any) -> None:
        """Ask before a batch is validated."""
        raise_again()


class EpochCheckpoints(Checkpoint):
    """After each epoch ``last.ckpt`` to resume from, and ``best.ckpt`` if it is the best so far.

    ``best.ckpt`` holds no state of the optimiser.

    Parameters
    ----------
    best, last
        The files.
    average
        The weights to be kept in the best, if these are not the network's own.
    patience
        Stop after so many epochs that were not better; None never does.

    Notes
    -----
    What decides which epoch is the best is a figure of the task; without it, it is the last one.
    """

    def __init__(
        self,
        best: Path,
        last: Path,
        *,
        average: MovingAverage | None = None,
        patience: int | None = None,
    ) -> None:
        self.best_path, self.last_path = best, last
        self.average, self.patience = average, patience
        self.best: dict[str, int | float] = {}
        self.stopped = False

    def state_dict(self) -> dict[str, Any]:
        """The figures of the best epoch."""
        return dict(self.best)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the figures of the best epoch."""
        self.best = dict(state_dict)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Let a run that had lost its patience stay as it is."""
        if self.best:
            self._stop(trainer, trainer.current_epoch)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the checkpoints; Lightning calls this after every other hook of the epoch's end."""
        task = cast(Task, pl_module)
        figures = _reached(trainer, task)
        if _is_better(task.decides, figures, self.best):
            self.best = {"epoch": trainer.current_epoch + 1, **figures}
            with self.average.in_place(task) if self.average else nullcontext():
                trainer.save_checkpoint(self.best_path, weights_only=True)
        trainer.save_checkpoint(self.last_path)
        self._stop(trainer, trainer.current_epoch + 1)

    def _stop(self, trainer: Trainer, finished: int) -> None:
        """Stop if too many epochs were not better."""
        if self.patience is not None and finished - self.best["epoch"] >= self.patience:
            trainer.should_stop = self.stopped = True


def _reached(trainer: Trainer, task: Task) -> dict[str, float]:
    """The figures of the task that this epoch has given."""
    metrics = trainer.callback_metrics
    return {f.name: float(metrics[f.name]) for f in task.figures if f.name in metrics}


def _is_better(
    decides: Figure | None, figures: Mapping[str, int | float], best: Mapping[str, int | float]
) -> bool:
    """Whether these figures are better than those of the best epoch; the last is where none is."""
    if decides is None or decides.name not in figures or not best:
        return True
    reached, before = figures[decides.name], best[decides.name]
    return reached > before if decides.rising else reached < before


class EpochTable(Callback):
    """One row of figures for each epoch in a CSV file, and one line on the terminal.

    Parameters
    ----------
    path
        The file. The rows of the epochs that a resumed run has finished are kept.
    show
        Whether to print the lines.
    """

    def __init__(self, path: Path, *, show: bool = True) -> None:
        self.path, self.show = path, show
        self.rows: list[dict[str, Any]] = []
        self._jets = 0
        self._start = self._learned = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Keep the rows of the epochs that are in the checkpoint."""
        finished = trainer.current_epoch
        if finished and trainer.is_global_zero:
            rows = {int(row["epoch"]): row for row in _rows(self.path)}
            self.rows = [rows[epoch] for epoch in range(1, finished + 1) if epoch in rows]
            if len(self.rows) < finished:
                warnings.warn(
                    f"{self.path} is damaged: it goes on without {finished - len(self.rows)} of "
                    f"the {finished} epochs that are finished",
                    UserWarning,
                    stacklevel=2,
                )

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Start the clock."""
        self._jets, self._start = 0, time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Sized,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Count the jets, and take the time up to the last batch."""
        self._jets += len(batch) * trainer.world_size
        self._learned = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the row of the epoch."""
        if not trainer.is_global_zero:
            return
        task = cast(Task, pl_module)
        figures = {n: float(f"{x:.6g}") for n, x in _reached(trainer, task).items()}
        row = {
            "epoch": trainer.current_epoch + 1,
            **figures,
            task.unit: self._jets,
            f"{task.unit}_per_second": round(self._jets / (self._learned - self._start), 1),
            "seconds": round(time.perf_counter() - self._start, 1),
        }
        self.rows.append(row)
        self._write()
        if self.show:
            texts = [f"{name.replace('_', ' ')} {value:#.4g}" for name, value in figures.items()]
            print(
                f"epoch {row['epoch']}/{trainer.max_epochs}: {', '.join(texts)}, "
                f"{row[f'{task.unit}_per_second']:.0f} {task.unit}/s, {row['seconds']:.0f} s",
                file=sys.stderr,
                flush=True,
            )

    def _write(self) -> None:
        """Replace the file at once, so that a killed run leaves a whole table."""
        with whole_file(self.path) as part, open(part, "w", newline="") as file:
            table = csv.DictWriter(file, fieldnames=list(self.rows[-1]), extrasaction="ignore")
            table.writeheader()
            table.writerows(self.rows)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a table that have a number in every place, whatever else a damaged one holds."""
    # A file that is gone, a NUL in a line.
    with suppress(OSError, csv.Error), open(path, newline="", errors="replace") as file:
        for row in csv.DictReader(file):
            with suppress(KeyError, TypeError, ValueError):
                int(row["epoch"])
                for number in row.values():
                    float(number)
                yield row
