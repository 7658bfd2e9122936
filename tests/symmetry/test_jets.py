"""Jets made at random."""

import pytest
import torch

from hepml.errors import InputError
from hepml.lorentz import delta_r, mass, pt
from hepml.symmetry import random_jets


def test_they_resemble_jets():
    jets = random_jets(200, features=2, particles=20)
    assert len(jets) == 200
    assert jets.dtype == torch.float32
    assert jets.features.shape[1] == 2
    assert 10 <= int(jets.counts.min()) < int(jets.counts.max()) <= 31
    axis = torch.stack([jet.p4.sum(0) for jet in jets]).double()
    assert 400 < float(pt(axis).median()) < 700
    assert float(delta_r(jets.p4, axis.float()[jets.set_index]).quantile(0.9)) < 1
    slow = jets.p4.double()[jets.p4[:, 0] < 5]
    masses = mass(slow).abs()
    assert float(((masses - 0.13957).abs() < 0.01).double().mean()) == pytest.approx(0.65, abs=0.1)
    assert float((masses < 0.01).double().mean()) == pytest.approx(0.35, abs=0.1)


def test_the_seed_decides():
    assert torch.equal(random_jets(3, seed=1).p4, random_jets(3, seed=1).p4)
    assert not torch.equal(random_jets(3, seed=1).p4[:4], random_jets(3, seed=2).p4[:4])
    assert len(random_jets(0)) == 0


def test_impossible_sizes_are_refused():
    with pytest.raises(InputError, match="expected 0, 0, 0 and 1 or more, got 3, -1, 0, 30"):
        random_jets(3, features=-1)
