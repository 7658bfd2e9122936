"""The folder of a run: what it holds, and that nothing of another run is lost."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hepml.errors import FileError, InputError
from hepml.outputs import locked, remove_parts, require_folder, whole_file, writing


def first_rank() -> bool:
    """Whether this process is the one that writes: with several devices there are others."""
    # In the order in which Lightning asks for them.
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK"):
        if name in os.environ:
            return int(os.environ[name]) == 0
    return True


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run, and the names of the files that it writes there.

    Parameters
    ----------
    path
        The folder.
    again
        What goes on with a run, in which ``{config}`` is the file of its options.
    """

    path: Path
    again: str = "hepml train --config {config} --resume"

    @property
    def config(self) -> Path:
        """The options of the run, for ``hepml train --config``."""
        return self.path / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint of the best epoch."""
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        """The checkpoint of the last finished epoch, from which a run is resumed."""
        return self.checkpoints / "last.ckpt"

    @property
    def metrics(self) -> Path:
        """The figures of each epoch."""
        return self.path / "metrics.csv"

    @property
    def curves(self) -> Path:
        """The picture of these figures, drawn when the run ends."""
        return self.path / "curves.png"

    @property
    def learning_rate(self) -> Path:
        """The picture of the search for a learning rate, if there was one."""
        return self.path / "learning_rate.png"

    @property
    def mlflow(self) -> Path:
        """What MLflow keeps, if it is asked for and no server is named."""
        return self.path / "mlflow.db"

    @property
    def wandb(self) -> Path:
        """What Weights & Biases keeps, if it is asked for."""
        return self.path / "wandb"

    @property
    def tensorboard(self) -> Path:
        """What TensorBoard shows, if it is installed."""
        return self.path / "tensorboard"

    @property
    def contents(self) -> list[Path]:
        """What of a run is there."""
        written = [self.config, self.checkpoints, self.metrics, self.curves, self.learning_rate]
        parts = [*written, self.tensorboard, self.mlflow, self.wandb]
        return [part for part in parts if part.exists()]

    @property
    def resume_with(self) -> str:
        """What goes on with a run."""
        return self.again.replace("{config}", str(self.config))

    def check_free(self) -> None:
        """Refuse to write where another run has written.

        Raises
        ------
        FileError
            If the folder holds a run, or cannot be written.
        """
        require_folder(self.path)
        if self.contents:
            raise FileError(
                f"output {self.path}",
                expected="a folder without a run",
                got=f"one that holds {', '.join(part.name for part in self.contents)}",
                fix="resume goes on with that run, overwrite removes it (--resume, --overwrite); "
                "or choose another folder",
            )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs out of the folder while this one writes.

        Raises
        ------
        FileError
            If another run writes to it, with its host and process; or if it cannot be written.
        """
        if not first_rank():
            yield
            return
        with writing(f"output {self.path}", "a folder that can be written"):
            self.path.mkdir(parents=True, exist_ok=True)
        try:
            with locked(self.path / ".lock", what=f"output {self.path}"):
                for folder in (self.path, self.checkpoints):
                    remove_parts(folder)
                yield
        finally:
            with suppress(OSError):
                # Nothing was written.
                self.path.rmdir()

    def check_same(
        self, options: Mapping[str, Any], saved: Mapping[str, Any], *, may_grow: str = ""
    ) -> None:
        """Refuse to resume a run with other options than it began with, but for one that may grow.

        Raises
        ------
        InputError
            If an option on which the result depends differs.
        """
        # The folder may have moved since.
        different = [k for k in options if k != "output" and k in saved and options[k] != saved[k]]
        if may_grow in different and options[may_grow] > saved[may_grow]:
            different.remove(may_grow)
        if different:
            raise InputError(
                f"run {self.path}",
                expected="the options that it began with: "
                + ", ".join(f"{k}={saved[k]!r:.200}" for k in different),
                got=", ".join(f"{k}={options[k]!r:.200}" for k in different),
                fix=f"resume with `{self.resume_with}`, or choose another folder",
            )

    def remove(self) -> None:
        """Remove a run, and nothing else that may be in the folder."""
        for part in self.contents:
            if part.is_dir() and not part.is_symlink():
                shutil.rmtree(part)
            else:
                part.unlink()

    def write_config(self, options: Mapping[str, Any]) -> None:
        """Write the options.

        Raises
        ------
        FileError
            If the folder cannot be written.
        """
        text = yaml.safe_dump(dict(options), sort_keys=False, allow_unicode=True)
        with whole_file(self.config) as part:
            part.write_text(f"# {self.resume_with}\n{text}")
