"""Loggers by name: which are made, and what is said where a package is missing."""

from pathlib import Path

import pytest
from lightning.pytorch.loggers.logger import DummyLogger

from hepml.errors import InputError, MissingDependencyError
from hepml.training.engine import _loggers
from hepml.training.engine._folder import RunFolder
from hepml.training.engine._options import RunOptions


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(_loggers, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match="pip install mlflow"):
        _loggers.check_loggers(["tensorboard", "mlflow"])
    _loggers.check_loggers(["tensorboard"])
    assert _loggers.run_loggers(["tensorboard"], RunFolder(Path("run"))) == []


def test_they_write_into_the_folder_and_nowhere_else(monkeypatch, tmp_path):
    made = {}

    def recorded(name):
        def make(*_, **options):
            made[name] = options
            return DummyLogger()

        return make

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setattr(_loggers, "MLFlowLogger", recorded("mlflow"))
    monkeypatch.setattr(_loggers, "WandbLogger", recorded("wandb"))
    folder = RunFolder(tmp_path / "run")
    assert len(_loggers.run_loggers(["wandb", "mlflow"], folder)) == 2
    assert made["mlflow"]["tracking_uri"] == f"sqlite:///{folder.mlflow}"
    assert made["wandb"]["offline"] is True
    assert made["wandb"]["save_dir"] == folder.path


def test_other_names_are_refused():
    with pytest.raises(InputError, match="names among tensorboard, mlflow, wandb"):
        RunOptions(loggers=["comet"])
