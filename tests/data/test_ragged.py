"""The base of batches: a field that is declared survives whatever rebuilds a batch."""

import copy
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from support.particle_batches import assert_same, batch
from torch import Generator
from torch.utils.data import DataLoader

from hepml.data import ParticleSet, Ragged, bounds_of, concatenate, per, places_of
from hepml.io.streams._mixing import Slab, pool_of
from hepml.io.streams._shuffle import Pool
from hepml.symmetry import BatchComposition, CollinearSplitting, Permutation, SoftEmission
from hepml.symmetry._nested import in_precision


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Charged(ParticleSet):
    """A batch with two more fields: the number of each particle, and that of each set."""

    number: torch.Tensor = per("particles")
    event: torch.Tensor = per("sets", optional=True)

    def __init__(self, p4: Any, offsets: Any, *rest: Any, **more: Any) -> None:
        super().__init__(p4, offsets, *rest, **more)
        self._fill(
            **(
                self._values()
                | {"number": torch.arange(len(p4)), "event": torch.arange(len(offsets) - 1)}
            )
        )


def charged(**options) -> Charged:
    particles = batch(per_particle=True, **options)
    return Charged(**{name: getattr(particles, name) for name in particles._declared})


def check_alive(rebuilt: Ragged, made: Charged) -> None:
    """The momenta still are those of the particles, and the context that of the sets."""
    assert type(rebuilt) is Charged
    assert rebuilt.number.shape == rebuilt.p4.shape[:1]
    assert torch.equal(rebuilt.features, made.features.to(rebuilt.dtype)[rebuilt.number])
    assert torch.equal(rebuilt.particle_labels, made.particle_labels[rebuilt.number])
    assert torch.equal(rebuilt.context, made.context.to(rebuilt.dtype)[rebuilt.event])
    assert torch.equal(rebuilt.targets, made.targets.to(rebuilt.dtype)[rebuilt.event])
    assert torch.equal(made.set_index[rebuilt.number], rebuilt.event[rebuilt.set_index])


def acted(symmetry, particles):
    element = symmetry.element(particles, None, Generator().manual_seed(1))
    return symmetry.act(element, particles)


REBUILDS = {
    "one": lambda b: b[2],
    "a slice": lambda b: b[1:3],
    "a slice with a step": lambda b: b[::-2],
    "a list": lambda b: b[[3, 0, 0]],
    "a mask": lambda b: b[torch.tensor([True, False, True, False])],
    "an array": lambda b: b[np.array([2, 1])],
    "iteration": lambda b: next(iter(b)),
    "to": lambda b: b.to(torch.float64),
    "detach": lambda b: b.detach(),
    "with_p4": lambda b: b.with_p4(2 * b.p4),
    "hardest": lambda b: b.hardest(1),
    "concatenate": lambda b: concatenate([b[2:], b[:2]]),
    "copy": copy.deepcopy,
    "pickle": lambda b: pickle.loads(pickle.dumps(b)),
    "precision": lambda b: in_precision(b, torch.float64),
    "permutation": lambda b: acted(Permutation(), b),
    "batch composition": lambda b: acted(BatchComposition(), b),
    "soft emission": lambda b: acted(SoftEmission(), b),
    "collinear splitting": lambda b: acted(CollinearSplitting(), b),
    "a pool": lambda b: Pool([b[:1], b[1:]], np.array([3, 1, -1, 0, 2])).take(1, 5),
    "slabs": lambda b: pool_of(
        [Slab(b, np.array([2, -1, 0]), {})], np.random.Generator(np.random.PCG64(1))
    )[0].take(0, 3),
    "a loader": lambda b: next(iter(DataLoader(b, batch_size=3))),
}


@pytest.mark.parametrize("rebuild", REBUILDS.values(), ids=REBUILDS.keys())
def test_a_new_field_survives(rebuild):
    made = charged()
    rebuilt = rebuild(made)
    assert len(rebuilt.number)
    check_alive(rebuilt, made)


@pytest.mark.slow
def test_a_new_field_survives_workers():
    made = charged()
    loader = DataLoader(made, batch_size=2, num_workers=2)
    loaded = list(loader)
    assert sum(map(len, loaded)) == 4
    for each in loaded:
        check_alive(each, made)


def test_what_is_declared_is_printed():
    assert repr(charged()) == (
        "Charged(4 sets, 6 particles, 2 features, with context, labels, targets, weights, "
        "particle_labels, particle_targets, event, float32, cpu)"
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_new_field_is_pinned():
    assert charged().pin_memory().number.is_pinned()


def test_a_field_that_is_not_declared_is_lost():
    """The comparison sees it: what the tests above rest on."""
    made = charged()
    lost = ParticleSet(made.p4, made.offsets, made.features)
    with pytest.raises(AssertionError):
        check_alive(lost, made)
    with pytest.raises(AssertionError):
        assert_same(made, made._with(number=made.number + 1))


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Forest(Ragged):
    """Items of two kinds, of which one points to the other."""

    x: torch.Tensor = per("leaves")
    parent: torch.Tensor = places_of("knots", per="leaves")
    y: torch.Tensor = per("knots")
    leaf_bounds: torch.Tensor = bounds_of("leaves", per="trees")
    knot_bounds: torch.Tensor = bounds_of("knots", per="trees")
    weight: torch.Tensor = per("trees")


def forest() -> Forest:
    """Three trees, of which the second has no leaves."""
    return Forest._trusted(
        x=torch.arange(5.0),
        parent=torch.tensor([1, 0, 4, 3, 4]),
        y=torch.arange(5.0) * 10,
        leaf_bounds=torch.tensor([0, 2, 2, 5]),
        knot_bounds=torch.tensor([0, 2, 3, 5]),
        weight=torch.tensor([1.0, 2.0, 3.0]),
    )


POINTED = [10.0, 0.0, 40.0, 30.0, 40.0]


@pytest.mark.parametrize(
    "rebuild",
    [
        lambda f: f[[2, 1, 0]],
        lambda f: f[2],
        lambda f: f[1:],
        lambda f: concatenate([f[1:], f, f[0]]),
        lambda f: Pool([f[:1], f[1:]], np.array([2, 1, 0])).take(0, 2),
        lambda f: Pool([f], np.array([1, 2, 0])).take(1, 3),
    ],
)
def test_places_follow_what_they_point_to(rebuild):
    rebuilt = rebuild(forest())
    assert rebuilt.y[rebuilt.parent].tolist() == [POINTED[int(i)] for i in rebuilt.x]
    sets = torch.repeat_interleave(torch.arange(len(rebuilt)), rebuilt.leaf_bounds.diff())
    knots = torch.repeat_interleave(torch.arange(len(rebuilt)), rebuilt.knot_bounds.diff())
    assert torch.equal(knots[rebuilt.parent], sets)


def test_words_are_those_of_the_batch():
    assert repr(forest()) == "Forest(3 trees, 5 leaves, 5 knots, float32, cpu)"
