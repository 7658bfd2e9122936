"""Lightning's trainer as hepml uses it: silent, interruptible, with safe checkpoints."""

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor

from hepml.errors import FileError, HepmlError, InputError
from hepml.outputs import Terminated, cleaned_up, raise_again
from hepml.training.engine._callbacks import RaiseAgain, SafeCheckpointIO
from hepml.training.engine._folder import RunFolder
from hepml.training.engine._options import RunOptions

# Double precision is a matter of the weights alone: tasks convert their batches to theirs.
_PRECISIONS: dict[str, Any] = {"32": "32-true", "64": "32-true", "bf16-mixed": "bf16-mixed"}


def make_trainer(
    options: RunOptions,
    callbacks: Sequence[Callback],
    *,
    validates: bool,
    steps: int = -1,
) -> Trainer:
    """The trainer of a run.

    Parameters
    ----------
    options
        How it is run.
    callbacks
        What is done besides.
    validates
        Whether there is anything to validate with.
    steps
        After how many steps it ends at the latest; -1 sets no limit.

    Raises
    ------
    InputError
        If the devices are not there.
    """
    try:
        return Trainer(
            accelerator=options.accelerator,
            devices=options.devices,
            precision=_PRECISIONS[options.precision],
            max_epochs=options.epochs,
            gradient_clip_val=options.clip_gradient,
            accumulate_grad_batches=options.accumulate,
            max_steps=steps,
            logger=False,
            # A search of some steps keeps nothing.
            enable_checkpointing=steps < 0,
            callbacks=[*callbacks, RaiseAgain()],
            plugins=[SafeCheckpointIO()],
            limit_val_batches=1.0 if validates else 0,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
    except (ValueError, RuntimeError, MisconfigurationException) as error:
        raise InputError(
            "accelerator and devices",
            expected="devices that are here",
            got=f"{options.accelerator}, {options.devices} ({' '.join(str(error).split())})",
            fix="leave them out to use what is here",
        ) from error


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's notes on devices and its advice off the terminal, not its warnings."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Advice on workers and intervals: the category that Lightning made for being filtered.
        warnings.simplefilter("ignore", PossibleUserWarning)
        # Lightning 2.6 asks torch 2.13 about trees in a way that torch calls deprecated.
        warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
        hook = threading.excepthook
        threading.excepthook = lambda failed: _report_thread(failed, hook)
        try:
            yield
        finally:
            threading.excepthook = hook
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def fit_from(
    last: Path | None, finished: int, trainer: Trainer, task: LightningModule, *data: Any
) -> None:
    """Learn from the beginning, or go on from a checkpoint.

    Parameters
    ----------
    last, finished
        The checkpoint, and how many epochs it says that it has behind it.
    trainer, task, data
        Those of :meth:`lightning.pytorch.Trainer.fit`.

    Raises
    ------
    FileError
        If the checkpoint holds no state from which this run can go on.
    """
    begun = _Begun(finished)
    trainer.callbacks.append(begun)  # type: ignore[attr-defined]
    learning, testing = (*data, None)[:2]
    try:
        trainer.fit(task, learning, testing, ckpt_path=last)
    except HepmlError:
        raise
    # While it is restored, a state may be anything.
    except Exception as error:
        if last is None or begun.restored:
            raise
        raise FileError(
            f"checkpoint {last}",
            expected="the state of such a run, to be resumed",
            got=f"another ({type(error).__name__}: {' '.join(str(error).split()):.200})",
            fix="train again with --overwrite",
        ) from error


class _Begun(Callback):
    """Whether all of the state of a checkpoint was restored, and fits the weights."""

    def __init__(self, finished: int) -> None:
        self.finished, self.restored = finished, False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Look for what Lightning leaves out without a word, and compare shapes."""
        if self.finished:
            counts = [trainer.current_epoch, *map(len, (o.state for o in trainer.optimizers))]
            steps = [config.scheduler.last_epoch for config in trainer.lr_scheduler_configs]
            if trainer.current_epoch != self.finished or not all(counts + steps):
                raise ValueError("parts of it are missing")
        for optimizer in trainer.optimizers:
            for weight, state in optimizer.state.items():
                for value in state.values():
                    if isinstance(value, Tensor) and value.shape not in (weight.shape, ()):
                        raise ValueError(f"state of shape {list(value.shape)} in the optimiser")
        self.restored = True


def _report_thread(
    failed: threading.ExceptHookArgs, hook: Callable[[threading.ExceptHookArgs], Any]
) -> None:
    """Leave out what TensorBoard's thread could not write: the log says so itself."""
    writer = "AsyncWriter" in type(failed.thread).__name__
    if not (writer and isinstance(failed.exc_value, OSError)):
        hook(failed)


@contextmanager
def interruptible(folder: RunFolder) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM leave the block as what they are, with the line that goes on.

    Lightning turns Ctrl-C into an exit and ignores the next, and SIGTERM into an exit without an
    error.
    """
    with cleaned_up():
        handler = signal.getsignal(signal.SIGINT)
        try:
            yield
            raise_again()
        except (KeyboardInterrupt, SystemExit) as stopped:
            cause = stopped.__context__ if type(stopped) is SystemExit else stopped
            kept = folder.last.exists()
            message = f"`{folder.resume_with}` goes on after the " + (
                "last finished epoch" if kept else "beginning: no epoch was finished"
            )
            if isinstance(cause, KeyboardInterrupt):
                signal.signal(signal.SIGINT, handler)
                raise KeyboardInterrupt(f"stopped; {message}") from None
            if isinstance(cause, Terminated | SIGTERMException):
                number = getattr(cause, "number", signal.SIGTERM)
                name = signal.Signals(number).name
                raise Terminated(number, f"stopped by {name}; {message}") from None
            raise
