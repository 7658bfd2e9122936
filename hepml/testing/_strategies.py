"""Hypothesis strategies: batches with everything that breaks careless formulas."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hepml.data import ParticleSet
from hepml.errors import InputError, MissingDependencyError

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise MissingDependencyError(
        "hypothesis strategies",
        expected="the package hypothesis",
        got=str(error),
        fix="pip install hypothesis",
    ) from error

KINDS = (
    "massive",
    "light-like",
    "single",
    "empty",
    "identical",
    "collinear",
    "soft",
    "boosted",
)


def particle_sets(
    *,
    kinds: Sequence[str] = KINDS,
    min_sets: int = 0,
    max_sets: int = 4,
    max_particles: int = 6,
    features: int = 0,
    dtype: torch.dtype = torch.float64,
) -> "st.SearchStrategy[ParticleSet]":
    """Batches of sets, each of a kind that is drawn for it.

    Parameters
    ----------
    kinds
        Among these:

        * "massive": momenta of 0.1 to 1000 GeV with masses of 0.1 to 100 GeV;
        * "light-like": E = \\|p\\|, up to rounding;
        * "single" and "empty": one massive particle, and none;
        * "identical": the same momentum several times;
        * "collinear": parallel light-like momenta;
        * "soft": massive, and some down to 1e-12 of the others' energy;
        * "boosted": massive, and all boosted by a Lorentz factor of up to 1e4.
    min_sets, max_sets
        How many sets.
    max_particles
        How many particles a set may have.
    features
        How many further numbers, from -3 to 3, a particle has.
    dtype
        The precision; the momenta are calculated in float64.

    Raises
    ------
    InputError
        If a kind is unknown.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(particle_sets(kinds=["light-like"], max_sets=2))
    ... def test_energies_are_positive(particles):
    ...     assert bool((particles.p4[:, 0] > 0).all())
    >>> test_energies_are_positive()
    """
    if not kinds or not {*kinds} <= {*KINDS}:
        raise InputError(
            "kinds",
            expected=f"one or more of {', '.join(KINDS)}",
            got=", ".join(map(str, kinds)) or "none",
            fix="choose among these",
        )
    sets = st.lists(_sets(tuple(kinds), max_particles), min_size=min_sets, max_size=max_sets)
    return _batches(sets, features, dtype)


@st.composite
def _batches(draw: Any, sets: Any, features: int, dtype: torch.dtype) -> ParticleSet:
    """Batches of the sets of momenta, with features."""
    drawn = draw(sets)
    rows = [row for each in drawn for row in each]
    numbers = st.lists(st.floats(-3.0, 3.0, width=32), min_size=features, max_size=features)
    extra = draw(st.lists(numbers, min_size=len(rows), max_size=len(rows)))
    return ParticleSet(
        torch.tensor(rows, dtype=torch.float64).reshape(-1, 4).to(dtype),
        torch.tensor([0, *map(len, drawn)]).cumsum(0),
        torch.tensor(extra, dtype=dtype).reshape(len(rows), features),
    )


def jets(
    *,
    min_sets: int = 2,
    max_sets: int = 4,
    max_particles: int = 8,
    features: int = 0,
    dtype: torch.dtype = torch.float64,
) -> "st.SearchStrategy[ParticleSet]":
    """Batches of sets of particles that fly into one direction, with positive energies and masses.

    Parameters
    ----------
    min_sets, max_sets, max_particles, features, dtype
        As for :func:`particle_sets`.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(jets(min_sets=3, max_sets=3))
    ... def test_none_is_empty(particles):
    ...     assert len(particles) == 3 and bool((particles.counts > 0).all())
    >>> test_none_is_empty()
    """
    particle = st.tuples(
        st.floats(0.5, 500.0), st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(0.1, 5.0)
    )
    axis = st.tuples(st.floats(-2.0, 2.0), st.floats(-math.pi, math.pi))
    jet = st.tuples(axis, st.lists(particle, min_size=1, max_size=max_particles))

    def batch(drawn: Any) -> ParticleSet:
        sets = [
            [_p4(pt, eta + deta, phi + dphi, mass) for pt, deta, dphi, mass in members]
            for (eta, phi), members in drawn
        ]
        rows = [row for each in sets for row in each]
        p4 = torch.tensor(rows, dtype=torch.float64).reshape(-1, 4)
        # Of features it matters only that they differ.
        extra = torch.arange(len(rows) * features).reshape(len(rows), features).sin()
        offsets = torch.tensor([0, *map(len, sets)]).cumsum(0)
        return ParticleSet(p4.to(dtype), offsets, extra.to(dtype))

    return st.lists(jet, min_size=min_sets, max_size=max_sets).map(batch)


class RandomGraph(NamedTuple):
    """Nodes with channels, and who sends to whom."""

    nodes: Float[Tensor, "nodes channels"]
    senders: Int64[Tensor, " edges"]
    receivers: Int64[Tensor, " edges"]


@st.composite
def graphs(
    draw: Any,
    *,
    max_nodes: int = 6,
    channels: int = 2,
    loops: bool = False,
    dtype: torch.dtype = torch.float64,
) -> RandomGraph:
    """Directed graphs without multiple edges; also without nodes, without edges, and complete.

    Parameters
    ----------
    max_nodes
        How many nodes.
    channels
        How many numbers, from -3 to 3, a node has.
    loops
        Whether a node may send to itself.
    dtype
        The precision of these numbers.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(graphs(max_nodes=3))
    ... def test_edges_join_nodes(graph):
    ...     assert bool((graph.senders < len(graph.nodes)).all())
    >>> test_edges_join_nodes()
    """
    size = draw(st.integers(0, max_nodes))
    pairs = [(i, j) for i in range(size) for j in range(size) if loops or i != j]
    kept = [(i, j) for i, j in pairs if draw(st.booleans())]
    numbers = st.lists(st.floats(-3.0, 3.0), min_size=channels * size, max_size=channels * size)
    edges = torch.tensor(kept, dtype=torch.int64).reshape(-1, 2)
    nodes = torch.tensor(draw(numbers), dtype=dtype).reshape(size, channels)
    return RandomGraph(nodes, edges[:, 0], edges[:, 1])


Row = tuple[float, float, float, float]

# The functions below take and give lists without a type: to check the items of a list, beartype
# draws one at random, which hypothesis does not allow in a strategy.


@st.composite
def _sets(draw: Any, kinds: Any, most: int) -> Any:
    """The momenta of one set of a kind."""
    kind = draw(st.sampled_from(kinds))
    if kind == "empty" or most < 1:
        return []
    particle = st.tuples(
        st.floats(0.1, 1000.0),
        st.floats(-3.0, 3.0),
        st.floats(-math.pi, math.pi),
        st.just(0.0) if kind in ("light-like", "collinear") else st.floats(0.1, 100.0),
    ).map(lambda x: _p4(*x))
    first: Row = draw(particle)
    if kind == "single":
        return [first]
    size = draw(st.integers(1, most))
    if kind == "identical":
        return [first] * size
    if kind == "collinear":
        shares = draw(st.lists(st.floats(1e-3, 1.0), min_size=size, max_size=size))
        return [_scaled(first, share) for share in shares]
    rows: list[Row] = [first, *draw(st.lists(particle, min_size=size - 1, max_size=size - 1))]
    if kind == "soft":
        exponents = st.lists(st.floats(-12.0, 0.0), min_size=size - 1, max_size=size - 1)
        soft = [
            _scaled(row, 10**power) for row, power in zip(rows[1:], draw(exponents), strict=True)
        ]
        return [first, *soft]
    if kind == "boosted":
        return _boosted(rows, 10 ** draw(st.floats(0.0, 4.0)))
    return rows


def _p4(pt: float, eta: float, phi: float, mass: float) -> Row:
    """(E, px, py, pz)."""
    px, py, pz = pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta)
    return math.sqrt(px * px + py * py + pz * pz + mass * mass), px, py, pz


def _scaled(row: Row, factor: float) -> Row:
    """A multiple of a momentum."""
    energy, px, py, pz = row
    return factor * energy, factor * px, factor * py, factor * pz


def _boosted(rows: Any, gamma: float) -> Any:
    """The momenta after a boost along x, with the masses that they had."""
    boosted = []
    for energy, px, py, pz in rows:
        along = gamma * px + math.sqrt((gamma - 1) * (gamma + 1)) * energy
        mass_squared = max(energy * energy - px * px - py * py - pz * pz, 0.0)
        total = math.sqrt(along * along + py * py + pz * pz + mass_squared)
        boosted.append((total, along, py, pz))
    return boosted
