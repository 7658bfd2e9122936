"""The strategies draw what they promise."""

import builtins
import importlib
import sys

import pytest
import torch
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from hepml.data import ParticleSet
from hepml.errors import InputError, MissingDependencyError
from hepml.testing import graphs, jets, particle_sets
from hepml.testing._strategies import KINDS


def _mass_squared(p4):
    return p4[:, 0].square() - p4[:, 1:].square().sum(1)


@given(particle_sets(features=2, max_sets=5))
def test_batches_are_valid(particles):
    ParticleSet(particles.p4, particles.offsets, particles.features)
    assert particles.features.shape[1] == 2
    assert bool((particles.p4[:, 0] >= 0).all())
    # What the largest boost makes of the momenta, to rounding.
    noise = 1e-12 * particles.p4[:, 0].square()
    assert bool((_mass_squared(particles.p4) >= -noise).all())


@given(st.data())
@settings(max_examples=200)
def test_every_kind_is_what_it_is_called(data):
    kind = data.draw(st.sampled_from(KINDS))
    particles = data.draw(particle_sets(kinds=[kind], min_sets=1, max_sets=1))
    p4 = particles.p4
    relative = _mass_squared(p4).abs() / p4[:, 0].square()
    if kind == "empty":
        assert len(p4) == 0
        return
    assert len(p4) >= 1
    if kind == "single":
        assert len(p4) == 1
    if kind == "identical":
        assert torch.equal(p4, p4[:1].expand_as(p4))
    if kind in ("light-like", "collinear"):
        assert float(relative.max()) < 1e-14
    if kind == "collinear":
        directions = p4[:, 1:] / p4[:, :1]
        torch.testing.assert_close(directions, directions[:1].expand_as(directions))
    if kind in ("massive", "single"):
        assert float(relative.min()) > 0


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        ("soft", lambda p4: len(p4) > 1 and float(p4[1:, 0].min()) < 1e-6 * float(p4[0, 0])),
        ("boosted", lambda p4: len(p4) > 0 and float(p4[:, 0].max()) > 1e6),
    ],
)
def test_extremes_are_reached(kind, condition):
    found = find(
        particle_sets(kinds=[kind], min_sets=1),
        lambda particles: condition(particles.p4),
        settings=settings(max_examples=500, phases=[Phase.generate]),
    )
    assert len(found) >= 1


@given(particle_sets(dtype=torch.float32, min_sets=2, max_sets=3, max_particles=2))
def test_sizes_and_precision_are_kept(particles):
    assert particles.dtype == torch.float32
    assert 2 <= len(particles) <= 3
    assert particles.counts.max() <= 2


def test_unknown_kinds_are_refused():
    with pytest.raises(InputError, match=r"kinds: expected one or more of massive.*got tachyon"):
        particle_sets(kinds=["tachyon"])


@given(jets(features=3, max_particles=5))
def test_jets_are_collimated(particles):
    assert len(particles) >= 2
    assert bool((particles.counts >= 1).all())
    assert particles.features.shape == (len(particles.p4), 3)
    for jet in particles:
        directions = torch.nn.functional.normalize(jet.p4[:, 1:], dim=1)
        assert float((directions @ directions.T).min()) > 0
    assert float(_mass_squared(particles.p4).min()) > 0


@given(graphs(max_nodes=4, channels=3))
def test_graphs_have_no_multiple_edges_and_no_loops(graph):
    assert graph.nodes.shape[1] == 3
    assert graph.nodes.dtype == torch.float64
    edges = set(zip(graph.senders.tolist(), graph.receivers.tolist(), strict=True))
    assert len(edges) == len(graph.senders)
    assert all(i != j and max(i, j) < len(graph.nodes) for i, j in edges)


def test_graphs_reach_all_sizes():
    assert len(find(graphs(), lambda graph: len(graph.nodes) == 0).nodes) == 0
    complete = find(graphs(max_nodes=3), lambda graph: len(graph.senders) == 6)
    assert len(complete.nodes) == 3
    loop = find(graphs(loops=True), lambda graph: bool((graph.senders == graph.receivers).any()))
    assert len(loop.senders) == 1


def test_without_hypothesis_the_error_tells_what_to_install(monkeypatch):
    original = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "hypothesis":
            raise ImportError("No module named 'hypothesis'")
        return original(name, *arguments, **keywords)

    monkeypatch.delitem(sys.modules, "hepml.testing._strategies")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match="pip install hypothesis"):
        importlib.import_module("hepml.testing._strategies")
