"""Lightning's trainer as hepml uses it: silent, interruptible, with safe checkpoints."""

import logging
import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from hepml.errors import InputError
from hepml.training._callbacks import SafeCheckpointIO
from hepml.training._folder import RunFolder

# Double precision is a matter of the weights alone: TaggingTask converts its batches to theirs.
_PRECISIONS: dict[str, Any] = {"32": "32-true", "64": "32-true", "bf16-mixed": "bf16-mixed"}


def make_trainer(options: Mapping[str, Any], callbacks: Sequence[Callback]) -> Trainer:
    """The trainer of a run.

    Raises
    ------
    InputError
        If the precision is none of "32", "bf16-mixed", "64", or if the devices are not there.
    """
    if options["precision"] not in _PRECISIONS:
        raise InputError(
            "precision",
            expected=f"one of {', '.join(_PRECISIONS)}",
            got=repr(options["precision"]),
            fix="choose one of them",
        )
    try:
        return Trainer(
            accelerator=options["accelerator"],
            devices=options["devices"],
            precision=_PRECISIONS[options["precision"]],
            max_epochs=options["epochs"],
            logger=_tensorboard(RunFolder(Path(options["output"]))),
            callbacks=list(callbacks),
            plugins=[SafeCheckpointIO()],
            limit_val_batches=1.0 if options["validation"] else 0,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
    except (ValueError, RuntimeError, MisconfigurationException) as error:
        raise InputError(
            "accelerator and devices",
            expected="devices that are here",
            got=f"{options['accelerator']}, {options['devices']} ({' '.join(str(error).split())})",
            fix="leave them out to use what is here",
        ) from error


def _tensorboard(folder: RunFolder) -> TensorBoardLogger | bool:
    """TensorBoard's log, if it is installed."""
    if find_spec("tensorboard") is None:
        return False
    return TensorBoardLogger(
        folder.path, name="", version=folder.tensorboard.name, default_hp_metric=False
    )


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
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def interruptible(folder: RunFolder, network: str) -> Iterator[None]:
    """Let Ctrl-C be a KeyboardInterrupt: Lightning turns it into an exit and ignores the next."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as stopped:
        if not isinstance(stopped.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        kept = folder.last.exists()
        raise KeyboardInterrupt(
            f"stopped; `{folder.resume_with(network)}` goes on after the "
            f"{'last finished epoch' if kept else 'beginning: no epoch was finished'}"
        ) from None
