"""Where the figures of a run go beside its table: TensorBoard, MLflow, Weights & Biases."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from lightning.pytorch.loggers.logger import DummyLogger

from hepml.errors import MissingDependencyError
from hepml.training.engine._folder import RunFolder


def check_loggers(names: Sequence[str]) -> None:
    """Refuse loggers whose packages are not installed; TensorBoard is left out where it is not.

    Raises
    ------
    MissingDependencyError
        If MLflow or Weights & Biases is asked for and not installed.
    """
    for name in {*names} & {*_MADE}:
        if find_spec(name) is None:
            raise MissingDependencyError(
                name,
                expected=f"the package {name}, for --loggers {name}",
                got="not installed",
                fix=f"pip install {name}, or leave it out",
            )


def run_loggers(names: Sequence[str], folder: RunFolder) -> list[Logger]:
    """The loggers of these names, which write into the folder from now on."""
    found: list[Logger] = []
    if "tensorboard" in names and find_spec("tensorboard") is not None:
        found.append(_Log(folder.path, "", folder.tensorboard.name, default_hp_metric=False))
    return [*found, *(make(folder) for name, make in _MADE.items() if name in names)]


def _mlflow(folder: RunFolder) -> Logger:
    """MLflow, in a file of the folder unless its environment names a server."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.mlflow.resolve()}"
    return MLFlowLogger("hepml", run_name=folder.path.name, tracking_uri=uri)


def _wandb(folder: RunFolder) -> Logger:
    """Weights & Biases, in the folder and offline unless its environment says otherwise."""
    folder.path.mkdir(parents=True, exist_ok=True)
    offline = os.environ.get("WANDB_MODE", "offline") == "offline"
    return WandbLogger(folder.path.name, save_dir=folder.path, offline=offline, project="hepml")


_MADE: dict[str, Callable[[RunFolder], Logger]] = {"mlflow": _mlflow, "wandb": _wandb}


class _Log(TensorBoardLogger):
    """TensorBoard's log, without which a run goes on if it cannot be written."""

    _stopped = False

    @property
    def experiment(self) -> Any:
        """The file, made when it is first asked for; what takes everything where there is none."""
        found: list[Any] = []
        self._unless_stopped(lambda: found.append(super(_Log, self).experiment))
        return found[0] if found else DummyLogger().experiment

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write figures."""
        self._unless_stopped(lambda: super(_Log, self).log_metrics(metrics, step))

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Write none: they are in the file of options beside it."""

    def save(self) -> None:
        """Write what waits."""
        self._unless_stopped(super().save)

    def finalize(self, status: str) -> None:
        """Write what waits, and close the file."""
        self._unless_stopped(lambda: super(_Log, self).finalize(status))

    def _unless_stopped(self, write: Callable[[], None]) -> None:
        """Write, and warn once where that fails: the checkpoints decide whether a run can go on."""
        if self._stopped:
            return
        try:
            write()
        except OSError as error:
            self._stopped = True
            warnings.warn(
                f"TensorBoard's log stops, it cannot be written: {error}", UserWarning, stacklevel=2
            )
