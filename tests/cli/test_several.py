import pytest
from support.small_jets import write_jets

from hepml.cli import main


@pytest.fixture
def jets(tmp_path, monkeypatch):
    """A file, in the folder where the commands run."""
    monkeypatch.chdir(tmp_path)
    return str(write_jets(tmp_path / "jets.root", 80))


SMALL = ["--epochs=1", "--batch-size=20"]


@pytest.mark.slow
def test_folds_end_in_a_table(jets, tmp_path, capsys):
    words = ["train", "ParticleFlow", jets, *SMALL, "--folds=2", "-o", "runs"]
    assert main([*words, "--fold-by", "entry"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ParticleFlow, 2 runs"
    assert lines[1].split("  ")[0] == "run"
    assert [line.split()[0] for line in lines[2:]] == [
        "fold-0", "fold-1", "mean", "spread", "written"
    ]  # fmt: skip
    shown = [float(line.split()[-1]) for line in lines[2:5]]
    assert shown[2] == pytest.approx(sum(shown[:2]) / 2, abs=1e-4)
    assert (tmp_path / "runs" / "runs.csv").exists()
    # The configuration of one of them goes on with that one alone.
    assert main(["train", "--config", "runs/fold-1/config.yaml", "--resume"]) == 0
    assert "; best epoch 1: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "0", "1", "--folds=2"], "seeds: expected seeds or folds, got both"),
        (["--fold-by=entry"], "fold_by: expected a number of folds, got none"),
        (["--seeds", "0", "1", "--seed=4"], "seed: expected none beside seeds"),
    ],
)
def test_options_that_exclude_each_other(jets, tmp_path, capsys, words, message):
    assert main(["train", "ParticleFlow", jets, *SMALL, *words]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
