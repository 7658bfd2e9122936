"""``hepml generate``: what it refuses and what it prints."""

import pytest
import uproot

from hepml.cli import main
from hepml.cli._generate import RECIPES
from hepml.datasets.jets import _pythia


def test_an_unknown_recipe_is_answered_with_those_that_exist(tmp_path, capsys):
    assert main(["generate", "top-tagger", str(tmp_path / "jets.root")]) == 1
    assert capsys.readouterr().err.endswith("got 'top-tagger'. Fix: try top-tagging.\n")


@pytest.mark.parametrize(
    "words",
    [
        ["top-tagging", "jets.root", "--jets=4"],
        ["top-tagging", "--jets", "4", "jets.root"],
        ["--jets=4", "top-tagging", "jets.root"],
        ["top-tagging", "-o", "jets.root", "--jets=4"],
        ["-o", "jets.root", "top-tagging", "--jets=4"],
        ["--output=jets.root", "--overwrite", "top-tagging", "--jets=4"],
        ["top-tagging", "--jets=4", "--split", "0.6", "0.2", "0.2", "--output", "jets.root"],
    ],
)
def test_the_file_is_an_option_or_the_last_word(capsys, monkeypatch, words):
    def recipe(output, **options):
        return [f"{output} {options['jets']}"]

    monkeypatch.setitem(RECIPES, "top-tagging", recipe)
    assert main(["generate", *words]) == 0
    assert capsys.readouterr().out == "jets.root 4\n"


@pytest.mark.parametrize("recipe", ["top-tagging", "pendulum"])
@pytest.mark.parametrize("words", [[], ["-o"], ["a.root", "-o", "b.root"]])
def test_one_file_is_named(recipe, words, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["generate", recipe, *words])
    assert "hepml generate" in capsys.readouterr().err


def test_the_help_lists_recipes_and_systems(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["generate", "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "usage: hepml generate RECIPE -o FILE [options]"
    assert any(line.startswith("  top-tagging          ") for line in lines)
    assert "  pendulum             An ideal pendulum" in lines
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--jets", "0"], "jets: expected a whole number from 1, got 0"),
        (["--workers", "-1"], "workers: expected a whole number from 1, got -1"),
        (["--signal-fraction", "2"], "signal_fraction: expected a number from 0 to 1, got 2.0"),
        (["--split", "0.6", "0.2", "0.1"], "split: expected three parts that sum to 1"),
    ],
)
def test_a_bad_number_is_one_message(tmp_path, capsys, words, message):
    assert main(["generate", "top-tagging", str(tmp_path / "jets.root"), *words]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"hepml generate: {message}")
    assert len(err.splitlines()) == 1


def test_without_the_generators_the_message_is_the_install_command(tmp_path, capsys, monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(_pythia, "import_module", absent)
    assert main(["generate", "top-tagging", str(tmp_path / "jets.root")]) == 1
    assert "pip install pythia8mc fastjet" in capsys.readouterr().err


def test_a_file_for_a_folder_and_an_existing_file_are_named(tmp_path, capsys):
    pytest.importorskip("pythia8mc", reason="needs pythia8mc")
    pytest.importorskip("fastjet", reason="needs fastjet")
    (tmp_path / "taken").write_text("")
    assert main(["generate", "top-tagging", str(tmp_path / "taken" / "jets.root")]) == 1
    assert "taken: expected a folder, got a file" in capsys.readouterr().err
    (tmp_path / "val.root").write_text("mine")
    words = ["generate", "top-tagging", str(tmp_path), "--split", "0.6", "0.2", "0.2"]
    assert main(words) == 1
    assert "or pass overwrite=True (--overwrite)" in capsys.readouterr().err
    assert (tmp_path / "val.root").read_text() == "mine"


@pytest.mark.slow
def test_it_names_the_file_on_standard_output_and_counts_on_standard_error(tmp_path, capfd):
    pytest.importorskip("pythia8mc", reason="needs pythia8mc")
    pytest.importorskip("fastjet", reason="needs fastjet")
    path = tmp_path / "jets.root"
    assert main(["generate", "top-tagging", str(path), "--jets", "4", "--seed", "9"]) == 0
    out, err = capfd.readouterr()
    assert out == f"{path}\n"
    assert "4/4" in err
    assert "jet/s" in err
    assert uproot.open(path)["tree"].num_entries == 4
