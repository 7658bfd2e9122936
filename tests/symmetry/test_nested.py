"""Functions of the tensors in nested inputs."""

from collections import namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from hepml.errors import InputError
from hepml.symmetry import random_jets
from hepml.symmetry._nested import first_tensor, in_precision, map_tensors


@dataclass(frozen=True)
class State:
    """Another's container, which checks nothing again."""

    q: Tensor
    name: str

    def __post_init__(self):
        assert self.q.dtype == torch.float64


Named = namedtuple("Named", "a b")


def test_structure_and_other_values_are_kept():
    x = torch.ones(2, dtype=torch.float64)
    tree = {"list": [x, 1], "tuple": (x, "a"), "named": Named(x, None), "state": State(x, "one")}
    out = map_tensors(lambda t: t + 1, tree)
    assert torch.equal(out["list"][0], x + 1)
    assert out["list"][1] == 1
    assert out["tuple"][1] == "a"
    assert isinstance(out["named"], Named)
    assert out["named"].b is None
    assert torch.equal(out["state"].q, x + 1)
    assert out["state"].name == "one"
    assert torch.equal(tree["state"].q, x)


def test_only_floating_point_changes_precision():
    jets = random_jets(2, features=1)
    out = in_precision({"jets": jets, "state": State(torch.ones(1).double(), "")}, torch.float32)
    assert out["jets"].p4.dtype == out["jets"].features.dtype == torch.float32
    assert out["jets"].offsets.dtype == torch.int64
    assert out["state"].q.dtype == torch.float32
    assert len(out["jets"]) == 2


def test_the_first_tensor():
    x = torch.ones(1)
    assert first_tensor(("a", {"b": [x, torch.zeros(1)]})) is x
    with pytest.raises(InputError, match=r"expected a ParticleSet, a tensor, .* got int"):
        first_tensor(3)
