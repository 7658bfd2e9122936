"""The recipe from the outside: arguments, tasks, files, reproducibility, interruption."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
import uproot

from hepml.datasets import generate_top_tagging
from hepml.datasets.jets import _top_tagging
from hepml.datasets.jets._top_tagging import _split_sizes, _tasks
from hepml.errors import FileError, InputError


@pytest.fixture
def generators():
    """The packages that generation needs."""
    pytest.importorskip("pythia8mc", reason="needs pythia8mc")
    pytest.importorskip("fastjet", reason="needs fastjet")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"jets": 0}, "jets: expected a whole number from 1, got 0"),
        ({"workers": 0}, "workers: expected a whole number from 1, got 0"),
        ({"seed": -1}, "seed: expected a whole number from 0, got -1"),
        ({"signal_fraction": 1.5}, "signal_fraction: expected a number from 0 to 1, got 1.5"),
        ({"split": (0.5, 0.5)}, "split: expected three parts"),
        ({"split": (0.5, 0.2, 0.2)}, "split: expected three parts that sum to 1"),
        ({"split": (1.2, -0.1, -0.1)}, "split: expected three parts"),
        ({"split": (0.98, 0.01, 0.01)}, "split: expected at least one jet in each file"),
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path, argument, message):
    with pytest.raises(InputError, match=message):
        generate_top_tagging(tmp_path / "jets.root", **{"jets": 10, "seed": 1, **argument})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("generators")
def test_a_file_that_exists_is_not_touched(tmp_path):
    path = tmp_path / "jets.root"
    path.write_text("mine")
    with pytest.raises(FileError, match="--overwrite"):
        generate_top_tagging(path, jets=10, seed=1)
    assert path.read_text() == "mine"


def test_the_split_is_exact_where_it_can_be():
    assert _split_sizes(20_000, (0.6, 0.2, 0.2)) == [12_000, 4_000, 4_000]
    assert sum(_split_sizes(1001, (0.7, 0.2, 0.1))) == 1001


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.5, 1.0])
def test_tasks_share_out_files_and_classes(fraction):
    sizes = [1700, 499, 1]
    tasks = _tasks(sizes, seed=7, signal_fraction=fraction)
    for file, size in enumerate(sizes):
        own = [task for task in tasks if task.file == file]
        assert sum(task.jets for task in own) == size
        assert sum(task.tops for task in own) == round(fraction * size)
        assert all(0 <= task.tops <= task.jets <= 500 for task in own)
    assert max(Counter(task.seed for task in tasks).values()) == 1
    assert {task.seed[0] for task in tasks} == {7}


def content(path):
    """All branches and the recipe of a file."""
    with uproot.open(path) as file:
        return file["tree"].arrays(), json.loads(file["recipe"])


@pytest.mark.slow
@pytest.mark.usefixtures("generators")
def test_the_seed_decides_about_every_number_and_the_workers_about_none(tmp_path, monkeypatch):
    # Small tasks, so that two workers share them.
    monkeypatch.setattr(_top_tagging, "_JETS_PER_TASK", 4)
    made = []
    for name, seed, workers in (("a", 1, 1), ("b", 1, 2), ("c", 2, 2)):
        (path,) = generate_top_tagging(
            tmp_path / f"{name}.root", jets=8, seed=seed, workers=workers
        )
        made.append(content(path)[0])
    first, again, other = made
    assert first.fields == again.fields
    for field in first.fields:
        assert first[field].tolist() == again[field].tolist(), field
    assert first.jet_pt.tolist() != other.jet_pt.tolist()
    assert first.label.tolist().count(1) == 4
    # Tasks are not copies of each other.
    assert len(set(first.jet_pt.tolist())) == 8


@pytest.mark.slow
@pytest.mark.usefixtures("generators")
def test_a_split_makes_three_files_that_tell_their_recipe(tmp_path, capfd):
    paths = generate_top_tagging(
        tmp_path, jets=9, seed=3, workers=3, signal_fraction=1 / 3, split=(1 / 3, 1 / 3, 1 / 3)
    )
    assert [path.name for path in paths] == ["train.root", "val.root", "test.root"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "test.root",
        "train.root",
        "val.root",
    ]
    jets = set()
    for path in paths:
        arrays, recipe = content(path)
        assert arrays.label.tolist().count(1) == 1
        assert recipe["file"] == path.name
        assert recipe["jets_in_file"] == len(arrays) == 3
        assert recipe["request"]["seed"] == 3
        assert recipe["versions"]["hepml"]
        assert "PartonLevel:MPI = off" in recipe["processes"]["qcd"]["settings"]
        assert recipe["processes"]["top"]["cross_section_of_selected_jets_mb"] > 0
        assert recipe["detector"]["field"] == 2.0
        jets |= set(arrays.jet_pt.tolist())
    assert len(jets) == 9
    # The banners of FastJet would spoil what a command prints.
    assert capfd.readouterr().out == ""


def is_gone(group):
    """Whether a process group ends within ten seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
@pytest.mark.usefixtures("generators")
def test_ctrl_c_leaves_neither_file_nor_process(tmp_path):
    command = [sys.executable, "-m", "hepml.cli", "generate", "top-tagging"]
    command += [str(tmp_path / "jets.root"), "--jets", "4000", "--workers", "2"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.iterdir()):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read().decode()
        time.sleep(0.1)
    time.sleep(4)
    assert process.poll() is None
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    # As a terminal does it: to every process of the group.
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out == b""
    assert b"Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    assert is_gone(process.pid)


def test_the_seed_is_not_the_seed_of_a_neighbouring_run():
    """Task 1 of seed 0 and task 0 of seed 1 are different streams."""
    states = {
        tuple(np.random.SeedSequence([seed, task, top]).generate_state(2))
        for seed in range(5)
        for task in range(5)
        for top in range(2)
    }
    assert len(states) == 50
