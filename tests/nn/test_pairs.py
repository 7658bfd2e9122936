"""Pairs agree with loops over the sets."""

import math

import torch
import vector
from hypothesis import given
from hypothesis import strategies as st
from support.symmetries import jets
from torch import Tensor

from hepml.nn import all_pairs, nearest_pairs

_counts = st.lists(st.integers(0, 6), max_size=6)


def _offsets(counts: list[int]) -> Tensor:
    return torch.tensor([0, *counts]).cumsum(0)


@given(_counts)
def test_all_pairs_agree_with_a_loop(counts: list[int]) -> None:
    pairs = all_pairs(_offsets(counts), sum(counts))
    expected, start = [], 0
    for count in counts:
        items = range(start, start + count)
        expected += [(i, j) for i in items for j in items if j != i]
        start += count
    assert list(zip(pairs.receivers.tolist(), pairs.senders.tolist(), strict=True)) == expected
    assert pairs.offsets.shape == (sum(counts) + 1,)


@given(_counts, st.integers(1, 4))
def test_nearest_pairs_agree_with_sorted_distances(counts: list[int], neighbours: int) -> None:
    particles = jets(counts, torch.Generator().manual_seed(1))
    pairs = nearest_pairs(particles.p4, particles.offsets, neighbours)
    p = [vector.obj(E=energy, px=px, py=py, pz=pz) for energy, px, py, pz in particles.p4.tolist()]
    expected, start = [], 0
    for count in counts:
        items = range(start, start + count)
        for i in items:
            near = sorted((j for j in items if j != i), key=lambda j, i=i: p[i].deltaR(p[j]))
            expected += [(i, j) for j in near[:neighbours]]
        start += count
    assert list(zip(pairs.receivers.tolist(), pairs.senders.tolist(), strict=True)) == expected


def test_the_nearest_neighbour_may_lie_across_the_cut_in_azimuth() -> None:
    angle = torch.tensor([math.pi - 0.1, -math.pi + 0.1, 2.0])
    p4 = torch.stack([torch.ones(3), angle.cos(), angle.sin(), torch.zeros(3)], dim=1)
    assert nearest_pairs(p4, torch.tensor([0, 3]), 1).senders.tolist() == [1, 0, 0]
    # Without the period, the neighbour of the first would be the third.
    assert (angle[0] - angle[2]).abs() < (angle[0] - angle[1]).abs()


def test_identical_particles_and_those_along_the_beam_have_neighbours() -> None:
    p4 = torch.tensor([[5.0, 3.0, 4.0, 0.0]] * 2 + [[1.0, 0.0, 0.0, 1.0]] * 2)
    assert nearest_pairs(p4, torch.tensor([0, 4]), 1).senders.tolist() == [1, 0, 3, 2]
