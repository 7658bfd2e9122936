import json
from dataclasses import replace

import pytest
import torch

from hepml.cli import main
from hepml.data import Trajectories
from hepml.io import read_trajectories, write_trajectories


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
    words = ["dynamics", "train", "SeparableHamiltonian", str(springs), "-o", str(run)]
    words += ["--epochs=3", "--steps=20", "--widths", "8", "8", "--learning-rate=1e-2"]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "SeparableHamiltonian with 192 parameters; 60 states to learn from" in printed.err
    assert f"next        hepml dynamics evaluate {run} {springs}" in printed.out

    assert main(words) == 1
    assert "expected a folder without a run" in capsys.readouterr().err
    assert main(["dynamics", "train", "--config", str(run / "config.yaml"), "--resume"]) == 0
    capsys.readouterr()

    evaluate = ["dynamics", "evaluate", str(run), str(springs), "-o", str(folder)]
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
    assert main(["dynamics", "rollout", str(run), str(springs), "-o", str(output)]) == 0
    assert "12 predicted trajectories\n" in capsys.readouterr().out
    predicted, data = read_trajectories(output), read_trajectories(springs)
    assert predicted.q.shape == data.q.shape
    torch.testing.assert_close(predicted.q[:, 0], data.q[:, 0].float())
    assert predicted.about["predicted_by"] == "SeparableHamiltonian"


@pytest.fixture
def checkpoint(springs, tmp_path):
    """A network that has learned next to nothing."""
    words = ["dynamics", "train", "MLPHamiltonian", str(springs), "-o", str(tmp_path / "run")]
    assert main([*words, "--epochs=1", "--steps=1", "--widths", "4"]) == 0
    return tmp_path / "run"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["evaluate", "rollout"])
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
        assert main(["dynamics", *words]) == 1
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
    monkeypatch.setattr("hepml.cli._dynamics.simulate", work)
    (tmp_path / "file").write_text("kept")
    words = {
        "evaluate": ["evaluate", str(checkpoint), str(springs), "-o"],
        "rollout": ["rollout", str(checkpoint), str(springs), "-o"],
        "generate": ["generate", "pendulum"],
    }
    for command, name, message in (
        ("evaluate", "file", "expected a folder, got a file"),
        ("evaluate", "file/below", "file/below: expected a folder, got"),
        ("rollout", "file", "expected a new file, got a file that exists"),
        ("rollout", "", "expected a new file, got a folder"),
        ("rollout", "file/x.root", "file: expected a folder, got a file"),
        ("generate", "file/x.root", "file: expected a folder, got a file"),
    ):
        assert main(["dynamics", *words[command], str(tmp_path / name)]) == 1
        assert message in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "kept"


def test_generate(tmp_path, capsys):
    pytest.importorskip("scipy", reason="needs scipy")
    words = ["dynamics", "generate", "quadrupole", str(tmp_path / "x.root"), "--trajectories=5"]
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
        (["generate", "spring", "x.root"], "system: expected one of mass-spring, pendulum"),
        (["train", "HNN", "x.root"], "network: expected one of CentralHamiltonian"),
        (["evaluate", "x.ckpt", "x.root"], "checkpoint x.ckpt"),
    ],
)
def test_one_clear_error(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert main(["dynamics", *words]) == 1
    assert message in capsys.readouterr().err


def test_a_number_below_its_range(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["dynamics", "generate", "pendulum", "x.root", "--seed=-1"])
    assert "-1 does not conform to restriction v>=0" in capsys.readouterr().err


def test_no_subcommand(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["dynamics"])
    assert "generate,train,rollout,evaluate" in capsys.readouterr().err
