"""The plugin in test runs of its own."""

import re
import subprocess
import sys

import pytest

MODULE = """
import torch
from hepml.symmetry import Rotation, random_jets

def masses(jets):
    p4 = torch.stack([jet.p4.sum(0) for jet in jets])
    return (p4.square() @ torch.tensor([[1.], [-1.], [-1.], [-1.]]).to(p4)).abs().sqrt()

def energies(jets):
    return torch.stack([jet.p4.sum(0) for jet in jets])[:, :1]

def test_masses(assert_symmetric):
    assert_symmetric(masses, random_jets(4), "lorentz", strengths=[2.0])

def test_energies(assert_symmetric):
    assert_symmetric(energies, random_jets(4), "lorentz", strengths=[2.0])

def test_elements(assert_symmetric):
    class Counted(Rotation):
        def element(self, inputs, strength, generator):
            print("element", generator.initial_seed())
            return super().element(inputs, strength, generator)

    assert_symmetric(masses, random_jets(4), Counted())
"""


def _run(folder, *words):
    (folder / "test_network.py").write_text(MODULE)
    # By its module, whether or not an entry point loads it as well.
    plugin = ["-p", "no:hepml", "-p", "hepml.testing.plugin"]
    command = [sys.executable, "-m", "pytest", "-q", *plugin]
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider", *words], cwd=folder, capture_output=True, text=True
    )
    return run.stdout + run.stderr


@pytest.mark.slow
def test_the_fixture_fails_a_network_that_breaks_the_symmetry(tmp_path):
    text = _run(tmp_path)
    assert "1 failed, 2 passed" in text
    assert "energies breaks 'lorentz'" in text
    assert "measured in float64" in text


@pytest.mark.slow
def test_options_choose_seeds_trials_and_precision(tmp_path):
    words = ["--symmetry-seed", "3", "--symmetry-seed", "4", "--symmetry-trials", "3"]
    text = _run(tmp_path, *words, "--symmetry-precision", "float32", "-s")
    assert "measured in float32" in text
    elements = re.findall(r"element \d+", text)
    assert len(elements) == len(set(elements)) == 2 * 3


@pytest.mark.slow
def test_loading_the_plugin_loads_neither_torch_nor_hypothesis():
    script = (
        "import sys, hepml.testing.plugin; "
        "print([name for name in ('torch', 'hypothesis') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_unknown_names_are_attribute_errors():
    import hepml.testing

    with pytest.raises(AttributeError, match="has no attribute 'assert_something'"):
        hepml.testing.assert_something  # noqa: B018
