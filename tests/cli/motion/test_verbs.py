import json
from dataclasses import replace

import pytest
import torch

from hepml.cli import main
from hepml.cli._kinds import module_of
from hepml.data import Trajectories
from hepml.io import read_trajectories, write_trajectories
from hepml.models import ParticleFlow
from hepml.training import save_checkpoint


@pytest.fixture(scope="module")
def springs(tmp_path_factory):
    """Trajectories of the mass on a spring, in closed form: H = q^2 + p^2."""
    path = tmp_path_factory.mktemp("springs") / "springs.root"
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(2, 12, 1, 1, 1, generator=generator).double()
    t = torch.linspace(0, 3, 10, dtype=torch.float64)
    c, s = (2 * t).cos()[:, None, None], (2 * t).sin()[:, None, None]
    q, p = start[0] * c + start[1] * s, start[1] * c - start[0] * s
    about = {"system": "mass-spring", "constants": {}, "test_fraction": 0.5}
    write_trajectories(Trajectories(t, q, p, 2 * p, -2 * q, q, p, about), path)
    return path


@pytest.mark.slow
def test_from_trajectories_to_figures(springs, tmp_path, capsys):
    run, folder = tmp_path / "run", tmp_path / "evaluation"
    words = ["train", "SeparableHamiltonian", str(springs), "-o", str(run)]
    words += ["--epochs=3", "--steps=20", "--widths", "8", "8", "--learning-rate=1e-2"]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "SeparableHamiltonian with 192 parameters; 60 states to learn from" in printed.err
    assert f"next        hepml evaluate {run} {springs}" in printed.out

    assert main(words) == 1
    assert "expected a folder without a run" in capsys.readouterr().err
    assert main(["train", "--config", str(run / "config.yaml"), "--resume"]) == 0
    capsys.readouterr()

    evaluate = ["evaluate", str(run), str(springs), "-o", str(folder)]
    assert main([*evaluate, "--solver", "yoshida4"]) == 0
    printed = capsys.readouterr().out
    assert "SeparableHamiltonian on 6 trajectories of mass-spring, yoshida4" in printed
    metrics = json.loads((folder / "metrics.json").read_text())
    assert set(metrics["drift"]) == {"energy"}
    assert metrics["stopped"] == 0
    assert f"energy MSE  {metrics['energy_mse']:.3g} ±" in printed
    names = {
        f"{n}.{e}" for n in ("phase", "energy", "error", "trajectories") for e in ("png", "pdf")
    }
    assert {path.name for path in folder.iterdir()} == {"metrics.json", *names}
    assert main(evaluate) == 1
    assert "metrics.json, which exists" in capsys.readouterr().err

    output = tmp_path / "rollout.root"
    assert main(["predict", str(run), str(springs), "-o", str(output)]) == 0
    assert "12 predicted trajectories\n" in capsys.readouterr().out
    predicted, data = read_trajectories(output), read_trajectories(springs)
    assert predicted.q.shape == data.q.shape
    torch.testing.assert_close(predicted.q[:, 0], data.q[:, 0].float())
    assert predicted.about["predicted_by"] == "SeparableHamiltonian"


@pytest.fixture
def checkpoint(springs, tmp_path):
    """A network that has learned next to nothing."""
    words = ["train", "MLPHamiltonian", str(springs), "-o", str(tmp_path / "run")]
    assert main([*words, "--epochs=1", "--steps=1", "--widths", "4"]) == 0
    return tmp_path / "run"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_trajectories_of_another_system(checkpoint, springs, tmp_path, capsys, command):
    data = read_trajectories(springs)
    for about, expected, got in (
        (
            {"system": "pendulum"},
            "the system that the network has learned, mass-spring",
            "pendulum",
        ),
        ({"constants": {"mass": 2.0}}, "the constants that the network has learned", "mass = 2.0"),
    ):
        other = tmp_path / f"{got.split()[0]}.root"
        write_trajectories(replace(data, about={**data.about, **about}), other)
        words = [command, str(checkpoint), str(other), "-o", str(tmp_path / "none")]
        assert main(words) == 1
        message = capsys.readouterr().err
        assert expected in message
        assert f"got {got}." in message
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_outputs_are_refused_before_the_work(checkpoint, springs, tmp_path, capsys, monkeypatch):
    def work(*_, **__):
        raise AssertionError("too late")

    monkeypatch.setattr("hepml.evaluation.evaluate_dynamics", work)
    monkeypatch.setattr("hepml.models.Dynamics", work)
    monkeypatch.setattr("hepml.cli.motion._generate.simulate", work)
    (tmp_path / "file").write_text("kept")
    words = {
        "evaluate": ["evaluate", str(checkpoint), str(springs), "-o"],
        "predict": ["predict", str(checkpoint), str(springs), "-o"],
        "generate": ["generate", "pendulum"],
    }
    for command, name, message in (
        ("evaluate", "file", "expected a folder, got a file"),
        ("evaluate", "file/below", "file/below: expected a folder, got"),
        ("predict", "file", "expected a new file, got a file that exists"),
        ("predict", "", "expected a new file, got a folder"),
        ("predict", "file/x.root", "file: expected a folder, got a file"),
        ("generate", "file/x.root", "file: expected a folder, got a file"),
    ):
        assert main([*words[command], str(tmp_path / name)]) == 1
        assert message in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "kept"


def test_generate(tmp_path, capsys):
    pytest.importorskip("scipy", reason="needs scipy")
    words = ["generate", "quadrupole", "-o", str(tmp_path / "x.root"), "--trajectories=5"]
    assert main([*words, "--seed=3"]) == 0
    assert "5 trajectories of quadrupole, 40 times up to 2, noise 0" in capsys.readouterr().out
    data = read_trajectories(tmp_path / "x.root")
    assert data.about["seed"] == 3
    assert main(words) == 1
    assert "expected a new file" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generate", "spring", "x.root"], "a system (mass-spring, pendulum, two-body, three-body"),
        (["train", "HNN", "x.root"], "GraphHamiltonian, MLPFlow, MLPHamiltonian, SeparableHamilt"),
        (["evaluate", "x.ckpt", "x.root"], "checkpoint x.ckpt"),
    ],
)
def test_one_clear_error(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 1
    assert message in capsys.readouterr().err


def test_a_number_below_its_range(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["generate", "pendulum", "x.root", "--seed=-1"])
    assert "-1 does not conform to restriction v>=0" in capsys.readouterr().err


@pytest.mark.slow
def test_symmetries_of_motion_are_certified(springs, tmp_path, capsys):
    run, folder = str(tmp_path / "run"), tmp_path / "symmetries"
    words = ["train", "EvenHamiltonian", str(springs), "-o", run, "--epochs=1", "--steps=1"]
    assert main([*words, "--widths", "4"]) == 0
    capsys.readouterr()
    assert main(["check", run, str(springs), "-o", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert f"EvenHamiltonian on 12 states of {springs}" in printed
    for name in ("motion reversal", "space inversion"):
        (line,) = (line for line in printed.splitlines() if line.startswith(name))
        assert line.endswith("holds")
    assert json.loads((folder / "symmetries.json").read_text())["states"].startswith("12 states")
    # What it does not claim, and does not have.
    words = ["check", run, str(springs), "--symmetry", "space-translation", "--overwrite"]
    assert main([*words, "-o", str(folder)]) == 0
    assert "not claimed: broken" in capsys.readouterr().out
    assert main(["check", run, "-o", str(tmp_path / "none")]) == 1
    assert "files: expected one file with trajectories" in capsys.readouterr().err


@pytest.mark.slow
def test_checkpoints_of_both_kinds_are_not_evaluated_together(
    checkpoint, springs, tmp_path, capsys
):
    tagger = tmp_path / "tagger.ckpt"
    save_checkpoint(tagger, ParticleFlow(), arguments={})
    assert main(["evaluate", str(checkpoint), str(tagger), str(springs)]) == 1
    assert "checkpoints: expected networks of one kind" in capsys.readouterr().err
    for command in ("evaluate", "predict"):
        with pytest.raises(SystemExit, match="0"):
            main([command, str(checkpoint), "--help"])
        assert "--substeps" in capsys.readouterr().out


def test_inspect_says_what_moves(springs, capsys):
    assert main(["inspect", str(springs)]) == 0
    printed = capsys.readouterr().out
    assert "motion: mass-spring\n  12 trajectories of 1 body in 1 dimension\n" in printed
    assert "10 times from 0 to 3" in printed
    assert "layout" not in printed


def test_help_lists_the_networks_by_chapter(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["train", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "sets: EnergyFlow, ParticleFlow; graphs: MessagePassing, InteractionNetwork" in printed
    assert "dynamics: CentralHamiltonian" in printed
    with pytest.raises(SystemExit, match="0"):
        main(["train", "MLPHamiltonian", "--help"])
    assert "--horizon" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "now"),
    [
        (["generate", "pendulum", "x.root"], "hepml generate pendulum x.root"),
        (["rollout", "runs/a", "x.root"], "hepml predict runs/a x.root"),
        (["train", "MLPFlow", "my file.root"], "hepml train MLPFlow 'my file.root'"),
        ([], "hepml generate | train | evaluate | predict"),
    ],
)
def test_former_commands_are_answered_with_the_new_ones(words, now, capsys):
    assert main(["dynamics", *words]) == 2
    assert capsys.readouterr().err == f"hepml: `hepml dynamics` is now `{now}`\n"


@pytest.mark.parametrize(
    ("command", "words", "of_motion"),
    [
        ("generate", ["pendulum", "x.root"], True),
        ("generate", ["--seed=1", "pendulum", "x.root"], True),
        ("generate", ["top-tagging", "pendulum"], False),
        ("generate", ["-o", "pendulum", "top-tagging"], False),
        ("generate", ["-o", "top-tagging", "pendulum"], True),
        ("train", ["MLPFlow", "x.root"], True),
        ("train", ["--network", "MLPFlow", "x.root"], True),
        ("train", ["--network=MLPFlow", "x.root"], True),
        ("train", ["ParticleFlow", "MLPFlow"], False),
        ("train", ["x.root", "--network", "ParticleFlow"], False),
        ("evaluate", ["a.ckpt", "x.root"], False),
        ("inspect", ["pendulum"], False),
        ("train", [], False),
    ],
)
def test_words_tell_what_a_command_is_about(command, words, of_motion):
    assert (module_of(command, words) is not None) == of_motion


def test_the_network_may_be_an_option(springs, tmp_path, capsys):
    words = ["train", str(springs), "--network", "MLPFlow", "-o", str(tmp_path / "run")]
    assert main([*words, "--epochs=1", "--steps=1", "--widths", "4"]) == 0
    assert "MLPFlow; epoch 1" in capsys.readouterr().out
    (tmp_path / "run.yaml").write_text(f"network: MLPFlow\ntrajectories: {springs}\nepochs: 1\n")
    words = ["train", "--config", str(tmp_path / "run.yaml"), "-o", str(tmp_path / "other")]
    assert main([*words, "--steps=1"]) == 0


@pytest.mark.slow
def test_where_the_output_goes_tells_nothing(checkpoint, tmp_path, capsys):
    words = ["evaluate", str(tmp_path / "tagger.ckpt"), "x.root", "-o", str(checkpoint)]
    assert module_of("evaluate", words[1:]) is None
    assert main(words) == 1
    assert "tagger.ckpt" in capsys.readouterr().err
