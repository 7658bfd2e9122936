"""``hepml predict`` from words to files."""

import numpy as np
import pytest
import torch
import uproot
from support.small_jets import write_jets

from hepml.cli import main
from hepml.deploy import Tagger
from hepml.io import PRESETS, read
from hepml.models import ParticleFlow
from hepml.training import save_checkpoint


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with a tagger and two files, in which commands run."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    columns = PRESETS["hepml"].with_features(["charge"])
    save_checkpoint(
        "flow.ckpt", ParticleFlow(features=1), arguments={"features": 1}, columns=columns
    )
    for i in range(2):
        write_jets(f"jets_{i}.root", 30 + i, i)
    return tmp_path


@pytest.mark.usefixtures("workplace")
def test_scores_of_several_files_in_one(capsys):
    assert main(["predict", "flow.ckpt", "jets_*.root", "-o", "out.root", "--tree", "nn"]) == 0
    assert capsys.readouterr().out == "out.root: 61 entries, 61 jets scored\n"
    tagger = Tagger.load("flow.ckpt")
    expected = tagger(read("jets_*.root", tagger.columns))[:, 1].float()
    with uproot.open("out.root") as file:
        np.testing.assert_allclose(file["nn"]["score_top"].array(), expected, rtol=1e-6)


def test_a_folder_of_scores_and_a_second_run(workplace, capsys):
    words = ["predict", "flow.ckpt", "jets_0.root", "jets_1.root", "-o", "scores"]
    assert main(words) == 0
    assert sorted(path.name for path in (workplace / "scores").iterdir()) == [
        "jets_0.root",
        "jets_1.root",
    ]
    assert main(words) == 1
    assert "pass overwrite=True (--overwrite)" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0


@pytest.mark.usefixtures("workplace")
def test_bad_jets_are_counted(capsys):
    with uproot.open("jets_0.root") as file:
        branches = file["tree"].arrays(how=dict)
    branches.pop("npart")
    energy = branches["part_energy"]
    branches["part_energy"] = np.where(np.arange(30) == 4, -1, 1) * energy
    with uproot.recreate("bad.root") as file:
        file.mktree("tree", {name: array.type for name, array in branches.items()})
        file["tree"].extend(branches)
    assert main(["predict", "flow.ckpt", "bad.root", "-o", "out.root"]) == 0
    assert "30 entries, 29 jets scored, NaN for 1 bad ones (1 " in capsys.readouterr().out


@pytest.mark.usefixtures("workplace")
def test_observers_and_the_score_of_empty_jets(capsys):
    words = ["predict", "flow.ckpt", "jets_0.root", "-o", "out.root"]
    assert main([*words, "--observers", "label", "pt=jet_pt / 1000", "--empty", "nan"]) == 0
    assert capsys.readouterr().out == "out.root: 30 entries, 30 jets scored\n"
    with uproot.open("out.root") as file, uproot.open("jets_0.root") as jets:
        scores, tree = file["scores"].arrays(), jets["tree"].arrays()
    assert scores.label.to_list() == tree.label.to_list()
    assert scores.label.type.content == tree.label.type.content
    np.testing.assert_allclose(scores.pt, tree.jet_pt / 1000, rtol=1e-6)


@pytest.mark.usefixtures("workplace")
def test_nan_of_the_network_fails_unless_it_is_allowed(capsys):
    model = ParticleFlow(features=1)
    next(model.parameters()).data.fill_(float("nan"))
    columns = PRESETS["hepml"].with_features(["charge"])
    save_checkpoint("nan.ckpt", model, arguments={"features": 1}, columns=columns)
    words = ["predict", "nan.ckpt", "jets_0.root", "-o", "out.root", "--overwrite"]
    assert main(words) == 1
    assert "the network gave NaN to 30 jets" in capsys.readouterr().err
    assert main([*words, "--allow-nan"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lost.ckpt", "jets_0.root", "-o", "out.root"], "try flow.ckpt"),
        (["flow.ckpt", "lost.root", "-o", "out.root"], "expected a file, got no such file"),
        (["flow.ckpt", "jets_0.root", "-o", "jets_0.root"], "got an input file"),
    ],
)
@pytest.mark.usefixtures("workplace")
def test_mistakes_give_one_message(capsys, words, message):
    assert main(["predict", *words]) == 1
    text, errors = capsys.readouterr()
    assert text == ""
    assert message in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.usefixtures("workplace")
def test_an_output_must_be_named(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["predict", "flow.ckpt", "jets_0.root"])
    assert "output" in capsys.readouterr().err


@pytest.mark.usefixtures("workplace")
@pytest.mark.filterwarnings("default:skipped, of")
def test_missing_files_are_an_error_or_skipped_and_counted(capsys):
    words = ["predict", "flow.ckpt", "jets_0.root", "lost.root", "gone_*.root", "-o", "out.root"]
    assert main(words) == 1
    assert "file 'lost.root': expected a file, got no such file" in capsys.readouterr().err
    assert main([*words, "--missing", "skip"]) == 0
    out, err = capsys.readouterr()
    assert out == "out.root: 30 entries, 30 jets scored\n"
    assert "warning: skipped, of 3 files, 2 that do not exist (lost.root, gone_*.root)" in err
