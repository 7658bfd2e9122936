"""Runs of hepml 0.1, and runs that were begun in Python, read and resumed today."""

import pytest
import yaml
from support.small_jets import write_jets

from hepml.cli import main
from hepml.errors import InputError
from hepml.models import ParticleFlow
from hepml.training import renamed_options, train
from hepml.training._earlier import comparable
from hepml.training.engine._checkpoint import read_checkpoint, write_checkpoint


def test_options_have_the_names_of_today():
    assert renamed_options({"max_jets": 3, "max_validation_jets": None, "seed": 1}) == {
        "max_sets": 3,
        "max_validation_sets": None,
        "seed": 1,
    }
    both = {"max_jets": 3, "max_sets": 4}
    assert renamed_options(both) == both


def test_arguments_left_to_their_defaults_are_those_of_a_run_that_wrote_them():
    here = comparable({"model": {"set_widths": (8, 8)}, "max_jets": 3}, ParticleFlow)
    there = comparable({"model": {"set_widths": [8, 8], "per": "set"}, "max_sets": 3}, ParticleFlow)
    assert here == there
    assert here != comparable({"model": {"per": "particle"}, "max_sets": 3}, ParticleFlow)
    # Those of a damaged checkpoint are compared as they are.
    assert comparable({"model": 5}, ParticleFlow) == {"model": 5}


@pytest.mark.slow
def test_a_run_of_0_1_is_read_and_resumed(tmp_path):
    """As it was written: with fewer options, under other names, and no arguments of the network."""
    files = [str(write_jets(tmp_path / f"{i}.root", 100, seed=i)) for i in range(2)]
    folder = tmp_path / "run"
    limits = {"max_sets": 40, "max_validation_sets": 30}
    run = train("ParticleFlow", files[0], validation=files[1], **limits, epochs=1, output=folder)
    assert run.figures["epoch"] == 1

    earlier = ("network", "model", "files", "validation", "output", "columns", "features", "epochs")

    def as_in_0_1(options):
        plain = {name: options[name] for name in earlier}
        return plain | {"max_jets": 40, "max_validation_jets": 30}

    content = read_checkpoint(folder / "checkpoints" / "last.ckpt")
    content["hepml"]["run"] = as_in_0_1(content["hepml"]["run"])
    write_checkpoint(folder / "checkpoints" / "last.ckpt", content)
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(as_in_0_1(yaml.safe_load(config.read_text()))))

    with pytest.raises(SystemExit):
        main(["train", "--config", str(config), "--resume", "--max-jats", "3"])
    words = ["train", "--config", str(config), "--resume", "--epochs", "2"]
    assert main([*words, "--max-jets", "41"]) == 1
    assert main(words) == 0
    plain = yaml.safe_load(config.read_text())
    assert (plain["max_sets"], plain["max_validation_sets"], plain["epochs"]) == (40, 30, 2)
    assert len((folder / "metrics.csv").read_text().splitlines()) == 3
    with pytest.raises(InputError, match="expected the options that it began with: max_sets=40"):
        train("ParticleFlow", files[0], validation=files[1], epochs=2, output=folder, resume=True)
