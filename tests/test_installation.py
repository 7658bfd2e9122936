"""Two packages of one name: it is noticed when one was installed over the other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hepml

PACKAGE = Path(hepml.__file__).parent


@pytest.fixture
def installed(tmp_path):
    """This package as pip leaves it in a folder, and what a process that imports it prints."""
    (tmp_path / "hepml").mkdir()
    for name in ("__init__.py", "installation.py", "errors.py"):
        (tmp_path / "hepml" / name).write_bytes((PACKAGE / name).read_bytes())

    def imported():
        run = subprocess.run(
            [sys.executable, "-c", "import hepml.errors"],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )
        return run.stderr

    return tmp_path, imported


def other_package(folder):
    """What pip writes beside a package."""
    (folder / "hepml-0.0.12.dist-info").mkdir(parents=True)


def test_the_package_alone_is_silent(installed):
    folder, imported = installed
    (folder / "hepml_networks-0.1.0.dist-info").mkdir()
    assert imported() == ""


@pytest.mark.parametrize("last", ["this", "other"])
def test_another_package_in_the_same_folder_is_said(installed, last):
    folder, imported = installed
    other_package(folder)
    if last == "other":
        (folder / "hepml" / "__init__.py").write_text('__version__ = "0.0.12"\n')
    assert "another package, hepml 0.0.12, is installed over this one" in imported()
    assert imported().count("pip uninstall -y hepml hepml-networks") == 1


def test_another_package_elsewhere_is_in_nobodys_way(installed, tmp_path, monkeypatch):
    _, imported = installed
    other_package(tmp_path / "elsewhere")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "elsewhere"))
    assert imported() == ""
