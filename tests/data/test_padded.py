"""Padded tensors: the way there and back changes no bit, and what padding holds does not matter."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.particle_batches import assert_same, batch

from hepml.data import ParticleSet
from hepml.errors import InputError


def back(padded, particles, **more):
    """The way back, with the numbers of each set."""
    per_set = {name: getattr(particles, name) for name in particles.of_sets}
    return ParticleSet.from_padded(*padded, **per_set, **more)


@given(
    counts=st.lists(st.integers(0, 5), max_size=5),
    channels=st.integers(0, 3),
    double=st.booleans(),
)
def test_the_round_trip_is_exact(counts, channels, double):
    dtype = torch.float64 if double else torch.float32
    particles = batch(counts, channels=channels, dtype=dtype)
    padded = particles.to_padded()
    longest = max(counts, default=0)
    assert padded.p4.shape == (len(counts), longest, 4)
    assert padded.features.shape == (len(counts), longest, channels)
    assert padded.mask.sum(1).tolist() == counts
    assert not padded.p4[~padded.mask].any()
    assert not padded.features[~padded.mask].any()
    for each, p4, features in zip(particles, padded.p4, padded.features, strict=True):
        assert torch.equal(p4[: len(each.p4)], each.p4)
        assert torch.equal(features[: len(each.p4)], each.features)
    assert_same(back(padded, particles), particles)


def test_particles_without_momentum_survive_with_a_mask():
    particles = ParticleSet(torch.zeros(3, 4), torch.tensor([0, 1, 3]), torch.ones(3, 1))
    padded = particles.to_padded()
    assert_same(ParticleSet.from_padded(*padded), particles)
    assert ParticleSet.from_padded(padded.p4).counts.tolist() == [0, 0]


def test_more_places_than_needed_are_zero():
    particles = batch()
    padded = particles.to_padded(7)
    assert padded.p4.shape == (4, 7, 4)
    assert_same(back(padded, particles), particles)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_of_longer_sets_the_hardest_are_taken_in_their_order(length):
    particles = batch((2, 0, 6, 5))
    padded = particles.to_padded(length)
    assert padded.mask.sum(1).tolist() == [min(n, length) for n in (2, 0, 6, 5)]
    for each, p4, mask in zip(particles, padded.p4, padded.mask, strict=True):
        pt = each.p4[:, 1:3].norm(dim=1)
        chosen = sorted(pt.argsort(descending=True)[:length].tolist())
        assert torch.equal(p4[mask], each.p4[chosen])
    assert_same(back(padded, particles), particles.hardest(length))


def test_of_equal_particles_the_first_are_the_hardest():
    p4 = torch.tensor([[5.0, 3, 4, 0], [6, 0, 1, 0], [9, -5, 0, 0], [7, 4, 3, 0]])
    particles = ParticleSet(p4, torch.tensor([0, 4]), torch.arange(4.0)[:, None])
    assert particles.hardest(2).features.flatten().tolist() == [0, 2]
    assert particles.hardest(4) is particles


def test_a_mask_may_have_holes_and_padding_may_hold_anything():
    p4 = torch.full((2, 3, 4), torch.nan)
    p4[0, 1], p4[1, 0], p4[1, 2] = 1.0, 2.0, 3.0
    mask = torch.tensor([[False, True, False], [True, False, True]])
    particles = ParticleSet.from_padded(p4, mask=mask)
    assert particles.p4[:, 0].tolist() == [1, 2, 3]
    assert particles.counts.tolist() == [1, 2]
    with pytest.raises(InputError, match="p4: expected finite numbers"):
        ParticleSet.from_padded(p4, mask=~mask)


@pytest.mark.parametrize("fill", [-1.0, -999.0, np.nan])
def test_without_a_mask_other_padding_is_refused(fill):
    padded = batch().to_padded()
    p4 = padded.p4.masked_fill(~padded.mask[..., None], fill)
    with pytest.raises(InputError, match=rf"p4: expected zeros .*, got {fill:g} in the last place"):
        ParticleSet.from_padded(p4)
    assert torch.equal(ParticleSet.from_padded(p4, mask=padded.mask).p4, batch().p4)


def test_gradients_flow_there_and_back():
    particles = batch(optional=False, dtype=torch.float64)

    def there_and_back(p4):
        padded = particles.with_p4(p4).to_padded(2)
        return ParticleSet.from_padded(*padded).p4.square()

    p4 = particles.p4.clone().requires_grad_()
    assert torch.autograd.gradcheck(there_and_back, (p4,))
    there_and_back(p4).sum().backward()
    assert (p4.grad != 0).all(1).sum() == 5


@pytest.mark.usefixtures("unchecked_types")
class TestRefusals:
    @pytest.mark.parametrize("length", [0, -1, True, 2.0, "2", float("nan"), [2]])
    def test_lengths(self, length):
        with pytest.raises(InputError, match="length: expected a number of places, one or more"):
            batch().to_padded(length)
        with pytest.raises(InputError, match="number: expected a number of particles, one or more"):
            batch().hardest(length)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("p4", None),
            ("p4", np.zeros((4, 3, 4))),
            ("p4", torch.zeros(12, 4)),
            ("p4", torch.zeros(4, 4, 3)),
            ("p4", torch.zeros(4, 3, 4, dtype=torch.int64)),
            ("features", torch.zeros(12, 2)),
            ("features", torch.zeros(4, 2, 3)),
            ("features", torch.zeros(4, 3, 2, dtype=torch.float64)),
            ("features", [0.0]),
            ("mask", torch.ones(4, 3)),
            ("mask", torch.ones(4, 3, 1, dtype=torch.bool)),
            ("mask", torch.ones(3, 4, dtype=torch.bool)),
            ("mask", np.ones((4, 3), bool)),
            ("context", torch.zeros(3, 2)),
            ("labels", torch.zeros(3)),
            ("weights", torch.zeros(4, dtype=torch.int64)),
        ],
    )
    def test_tensors(self, name, value):
        right = {"p4": torch.ones(4, 3, 4), "features": torch.ones(4, 3, 2)}
        with pytest.raises(InputError, match=rf"{name}: expected"):
            ParticleSet.from_padded(**right | {name: value})
