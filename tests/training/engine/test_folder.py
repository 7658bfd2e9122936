import os
from dataclasses import replace

import pytest
import yaml

from hepml.errors import FileError, InputError
from hepml.training.engine._folder import RunFolder, first_rank


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.write_config({"network": "LorentzNet", "model": {"sizes": (1, 2)}, "epochs": 3})
    return folder


def test_the_configuration_is_yaml_that_says_how_to_use_it(folder):
    text = folder.config.read_text()
    assert text.startswith(f"# hepml train --config {folder.config} --resume\n")
    assert yaml.safe_load(text)["model"] == {"sizes": [1, 2]}


def test_a_run_in_the_way_is_named_with_both_ways_out(folder):
    with pytest.raises(FileError, match=r"config\.yaml\. Fix: resume .*--resume, --overwrite"):
        folder.check_free()


def test_other_files_are_not_in_the_way_and_are_not_removed(folder):
    (folder.path / "notes.txt").write_text("mine")
    folder.checkpoints.mkdir()
    folder.best.write_text("")
    folder.remove()
    assert [path.name for path in folder.path.iterdir()] == ["notes.txt"]
    folder.check_free()


def test_options_that_differ_are_listed_and_a_folder_may_move(folder):
    saved = {"epochs": 3, "seed": 0, "output": "a"}
    folder.check_same(
        {"epochs": 3, "seed": 0, "output": "b", "new": 1, "network": "LorentzNet"}, saved
    )
    with pytest.raises(InputError, match=r"epochs=3, got epochs=4\. Fix: resume with .*--resume"):
        folder.check_same({"epochs": 4, "seed": 0, "output": "b", "network": "LorentzNet"}, saved)


def test_what_goes_on_with_a_run_is_said(folder):
    assert folder.resume_with == f"hepml train --config {folder.config} --resume"
    own = replace(folder, again="train(Net, ..., resume=True)")
    own.write_config({"network": "mine.networks.Net"})
    assert own.config.read_text().startswith("# train(Net, ...")
    with pytest.raises(InputError, match=r"resume with `train\(Net, \.\.\., resume="):
        own.check_same({"epochs": 4}, {"epochs": 3})


def test_one_run_at_a_time_writes_to_a_folder(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    folder.checkpoints.mkdir(parents=True)
    (folder.checkpoints / ".last.ckpt.0123.part").write_text("of a killed run")
    with folder.alone():
        assert not list(folder.checkpoints.iterdir())
        with pytest.raises(FileError, match=rf"run: .* this process, {os.getpid()}"):  # noqa: SIM117
            with RunFolder(tmp_path / "run").alone():
                pass
        monkeypatch.setenv("LOCAL_RANK", "1")
        with folder.alone():
            pass
        monkeypatch.delenv("LOCAL_RANK")
    with folder.alone():
        assert folder.contents == [folder.checkpoints]


def test_a_folder_in_which_nothing_was_written_goes(tmp_path):
    with RunFolder(tmp_path / "a" / "run").alone():
        pass
    assert not (tmp_path / "a" / "run").exists()


def test_a_link_in_a_run_is_removed_and_what_it_names_is_not(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "best.ckpt").write_text("mine")
    folder.checkpoints.symlink_to(tmp_path / "elsewhere")
    folder.remove()
    assert not folder.contents
    assert (tmp_path / "elsewhere" / "best.ckpt").read_text() == "mine"


@pytest.mark.parametrize(
    ("environment", "first"),
    [
        ({}, True),
        ({"LOCAL_RANK": "0"}, True),
        ({"LOCAL_RANK": "1"}, False),
        ({"RANK": "2", "LOCAL_RANK": "0"}, False),
    ],
)
def test_one_process_of_many_writes(environment, first, monkeypatch):
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert first_rank() is first
