"""Edges agree with loops over the sets, with scipy's tree, and between kernels, ties included."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from support.ragged import offsets_from
from torch import Tensor

from hepml.errors import InputError
from hepml.ops import Edges, all_pairs, checked_edges, nearest_neighbours, neighbours_within
from hepml.ops.edges import _native, _torch
from hepml.ops.edges._priority import EDGE_KERNELS

counts = st.lists(st.integers(0, 30), max_size=5)
PERIODS = [None, 1.0, (None, 0.75), (1.0, 3.0)]
each_period = pytest.mark.parametrize("period", PERIODS, ids=str)


def points(counts, dimensions=2, *, lattice=False, seed=0) -> Tensor:
    """Random points, some of them beyond one period; on a lattice many are equally far."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(sum(counts), dimensions, generator=generator, dtype=torch.float64) * 2 - 0.5
    return (x * 8).round() / 8 if lattice else x


def of_each(edges: Edges) -> list[list[int]]:
    bounds = edges.offsets.tolist()
    return [edges.senders[a:b].tolist() for a, b in pairwise(bounds)]


def distances_by_hand(x: Tensor, period) -> np.ndarray:
    """All distances, over the images in the neighbouring periods."""
    lengths = period if isinstance(period, tuple) else (period,) * x.shape[1]
    total = np.zeros((len(x), len(x)))
    for column, length in zip(x.numpy().T, lengths, strict=True):
        d = column[:, None] - column
        if length is not None:
            images = [np.abs(d + n * length) for n in range(-4, 5)]
            d = np.min(images, axis=0)
        total += d**2
    return np.sqrt(total)


@given(counts)
def test_all_pairs_agree_with_a_loop(counts):
    edges = all_pairs(offsets_from(counts), sum(counts))
    expected, start = [], 0
    for count in counts:
        items = range(start, start + count)
        expected += [(i, j) for i in items for j in items if j != i]
        start += count
    assert list(zip(edges.receivers.tolist(), edges.senders.tolist(), strict=True)) == expected
    assert edges.offsets.shape == (sum(counts) + 1,)


@each_period
@given(counts=counts, neighbours=st.integers(0, 40), loops=st.booleans(), seed=st.integers(0, 99))
def test_the_nearest_are_the_nearest(period, counts, neighbours, loops, seed):
    x = points(counts, seed=seed)
    edges = nearest_neighbours(x, offsets_from(counts), neighbours, period=period, loops=loops)
    start = 0
    found = of_each(edges)
    for count in counts:
        far = distances_by_hand(x[start : start + count], period)
        if not loops:
            np.fill_diagonal(far, np.inf)
        for i in range(count):
            wanted = min(neighbours, count - (not loops))
            got = np.array(found[start + i], int) - start
            assert len(got) == wanted == len({*got.tolist()})
            assert (np.diff(far[i][got]) >= -1e-12).all()
            np.testing.assert_allclose(far[i][got], np.sort(far[i])[:wanted], atol=1e-12)
        start += count


@each_period
@given(counts=counts, distance=st.floats(0, 1.5), loops=st.booleans(), seed=st.integers(0, 99))
def test_none_within_the_distance_is_left_out(period, counts, distance, loops, seed):
    x = points(counts, seed=seed)
    edges = neighbours_within(x, offsets_from(counts), distance, period=period, loops=loops)
    start, found = 0, of_each(edges)
    for count in counts:
        far = distances_by_hand(x[start : start + count], period)
        for i in range(count):
            near = np.flatnonzero(far[i] <= distance)
            assert found[start + i] == [start + j for j in near if loops or j != i]
        start += count


@pytest.mark.parametrize("boxed", [False, True])
@pytest.mark.parametrize("dimensions", [1, 2, 3, 6])
def test_one_large_set_agrees_with_scipy(dimensions, boxed):
    x = points([3000], dimensions, seed=dimensions) % 1.0
    tree = cKDTree(x.numpy(), boxsize=1.0 if boxed else None)
    offsets, period = torch.tensor([0, 3000]), 1.0 if boxed else None
    edges = nearest_neighbours(x, offsets, 5, period=period, loops=True)
    assert np.array_equal(edges.senders.reshape(-1, 5).numpy(), tree.query(x.numpy(), 5)[1])
    distance = 0.1 if dimensions < 4 else 0.3
    edges = neighbours_within(x, offsets, distance, period=period, loops=True)
    theirs = tree.query_ball_point(x.numpy(), distance, return_sorted=True)
    assert of_each(edges) == theirs.tolist()


@pytest.mark.parametrize("kernel", ["native", "torch"])
@each_period
@given(
    counts=st.lists(st.integers(0, 80), max_size=4),
    lattice=st.booleans(),
    dimensions=st.sampled_from([1, 2, 3, 5]),
    loops=st.booleans(),
    seed=st.integers(0, 99),
)
def test_kernels_agree_in_every_tie(kernel, period, counts, lattice, dimensions, loops, seed):
    x, offsets = points(counts, dimensions, lattice=lattice, seed=seed), offsets_from(counts)
    several = period if isinstance(period, tuple) else (period,)
    lengths = (several * dimensions)[:dimensions]
    for operation, number in (("nearest_neighbours", 7), ("neighbours_within", 0.5)):
        functions = {each.name: each.function for each in EDGE_KERNELS[operation]}
        got = functions[kernel](x, offsets, lengths, number, loops)
        wanted = functions["reference"](x, offsets, lengths, number, loops)
        if operation == "nearest_neighbours":
            got, wanted = [got], [wanted]
        assert all(map(torch.equal, got, wanted))


def test_portions_are_the_whole(monkeypatch):
    x, offsets = points([40, 0, 3, 1, 60]), offsets_from([40, 0, 3, 1, 60])
    whole = [_torch.nearest(x, offsets, (None, 1.0), 4, False)]
    whole += _torch.within(x, offsets, (None, 1.0), 0.3, False)
    monkeypatch.setattr(_torch, "_PAIRS", 100)
    parts = [_torch.nearest(x, offsets, (None, 1.0), 4, False)]
    parts += _torch.within(x, offsets, (None, 1.0), 0.3, False)
    assert all(map(torch.equal, whole, parts))


@pytest.mark.parametrize("threads", [1, 2])
def test_any_number_of_threads_gives_the_same(threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    x, offsets = points([700, 900]), offsets_from([700, 900])
    got = _native.nearest(x, offsets, (None, None), 3, False)
    assert torch.equal(got, _torch.nearest(x, offsets, (None, None), 3, False))


def test_identical_points_are_taken_in_their_order():
    x = torch.zeros(5000, 2)
    edges = nearest_neighbours(x, torch.tensor([0, 5000]), 2)
    assert of_each(edges)[:3] == [[1, 2], [0, 2], [0, 1]]
    assert (edges.senders.reshape(-1, 2)[2:] == torch.tensor([0, 1])).all()


def test_a_distance_belongs_to_its_edges():
    x = torch.arange(5.0)[:, None]
    edges = neighbours_within(x, torch.tensor([0, 5]), 2.0)
    assert of_each(edges) == [[1, 2], [0, 2, 3], [0, 1, 3, 4], [1, 2, 4], [2, 3]]
    assert neighbours_within(x, torch.tensor([0, 5]), math.nextafter(2.0, 0.0)).offsets[-1] == 8


def test_neighbours_lie_across_the_period():
    angle = torch.tensor([[math.pi - 0.1], [-math.pi + 0.1], [2.0]])
    offsets = torch.tensor([0, 3])
    assert nearest_neighbours(angle, offsets, 1, period=2 * math.pi).senders.tolist() == [1, 0, 0]
    assert nearest_neighbours(angle, offsets, 1).senders.tolist() == [2, 2, 0]


@pytest.mark.usefixtures("unchecked_types")
def test_a_compiled_graph_has_the_same_edges():
    x, offsets = points([9, 0, 4]), offsets_from([9, 0, 4])

    def senders(x, offsets):
        return nearest_neighbours(x, offsets, 2, period=(None, 1.0)).senders

    compiled = torch.compile(senders, backend="eager")
    assert torch.equal(compiled(x, offsets), senders(x, offsets))


X, OFFSETS = torch.rand(5, 2), torch.tensor([0, 2, 5])


@pytest.mark.usefixtures("unchecked_types")
class TestRefused:
    @pytest.mark.parametrize("x", [X[:, 0], X.long(), X[:, :0], None, X.half(), X.to_sparse()])
    def test_coordinates(self, x):
        for search in (nearest_neighbours, neighbours_within):
            with pytest.raises(InputError, match="coordinates: expected float32 or float64 of sh"):
                search(x, OFFSETS, 1)

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_a_place_that_is_none(self, bad):
        x = X.clone()
        x[3, 1] = bad
        message = rf"coordinates: expected finite numbers, got .*{bad}.* in row 3"
        with pytest.raises(InputError, match=message):
            nearest_neighbours(x, OFFSETS, 1)

    @pytest.mark.parametrize("neighbours", [-1, 1.5, True, "3", None, 2**63])
    def test_neighbours(self, neighbours):
        with pytest.raises(InputError, match="neighbours: expected a whole number from 0 on"):
            nearest_neighbours(X, OFFSETS, neighbours)

    @pytest.mark.parametrize("distance", [-0.1, math.nan, math.inf, "near", None, True])
    def test_distances(self, distance):
        with pytest.raises(InputError, match="distance: expected a number from 0 on"):
            neighbours_within(X, OFFSETS, distance)

    @pytest.mark.parametrize(
        "period", [0, -1.0, math.nan, (1.0,), (None, None, 1.0), "2", (1, "a")]
    )
    def test_periods(self, period):
        with pytest.raises(InputError, match="period: expected a positive number or None for each"):
            nearest_neighbours(X, OFFSETS, 1, period=period)

    def test_edges_of_other_items(self):
        edges = all_pairs(OFFSETS, 5)
        assert checked_edges(edges, 5) is edges
        with pytest.raises(InputError, match="edges: expected bounds of the 8 edges of 6 items"):
            checked_edges(edges, 6)
