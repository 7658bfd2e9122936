"""Networks by name, and what is asked of them before they are trained or loaded."""

import pytest
import torch
from support.small_jets import TinyFlow, random_sets
from torch import nn

from hepml.errors import InputError
from hepml.models import (
    LorentzNet,
    ParticleFlow,
    class_for,
    find_network,
    is_importable,
    name_of,
    outputs_of,
    takes,
)

OWN = "support.small_jets:TinyFlow"


def test_names_and_classes():
    assert name_of(LorentzNet) == "LorentzNet"
    assert find_network("LorentzNet") is LorentzNet
    assert name_of(TinyFlow) == OWN
    assert find_network(OWN).__name__ == "TinyFlow"
    assert find_network(TinyFlow) is TinyFlow
    assert is_importable(OWN)
    assert not is_importable("__main__:Net")
    assert not is_importable("nets:make.<locals>.Net")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Lorentznet", r"one of EnergyFlow.*package\.module:Class.* try LorentzNet"),
        ("no_such_module:Net", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("support.small_jets:Tiny", "has no attribute 'Tiny'"),
        ("support.small_jets:write_jets", "expected a class of torch.nn.Module, got <function"),
    ],
)
def test_names_that_are_none(name, message):
    with pytest.raises(InputError, match=message):
        find_network(name)


def test_a_checkpoint_chooses_among_the_classes_that_are_given():
    assert class_for("ParticleFlow", [TinyFlow]) is ParticleFlow
    assert class_for("elsewhere:Net", [TinyFlow]) is TinyFlow
    assert class_for("elsewhere:TinyFlow", [LorentzNet, TinyFlow]) is TinyFlow
    # As names were written before.
    assert class_for("elsewhere.TinyFlow", [LorentzNet, TinyFlow]) is TinyFlow
    assert class_for("elsewhere:Net", [LorentzNet, TinyFlow]) is None
    assert class_for(OWN, []) is None


def test_arguments_that_a_class_takes():
    assert takes(LorentzNet, "context")
    assert not takes(TinyFlow, "context")


class Gives(nn.Module):
    """Whatever it is made to."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, particles):
        return self.function(particles)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda _: torch.zeros(3, 2),
            r"\(sets, outputs\), \(40, ...\) for 40 sets, got shape \(3, 2",
        ),
        (lambda _: torch.zeros(40), r"got shape \(40,\)"),
        (lambda _: [1.0] * 40, "got list"),
        (
            lambda p: p.p4 @ torch.zeros(3, 2),
            r"RuntimeError: .*test_by_name.py, line \d+\) for Part",
        ),
    ],
)
def test_networks_that_do_not_give_a_row_for_each_set(function, message):
    with pytest.raises(InputError, match=message):
        outputs_of(Gives(function), random_sets())


def test_outputs_are_counted():
    assert outputs_of(TinyFlow(outputs=5).eval(), random_sets()) == 5
