"""Scores inside an analysis: values against numpy, structure against awkward."""

import os
import subprocess
import sys

import awkward as ak
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hepml.data import ParticleSet
from hepml.deploy import Tagger
from hepml.errors import FileError, InputError
from hepml.io import PRESETS
from hepml.models import ParticleFlow
from hepml.ops import segment_sum
from hepml.training import save_checkpoint


class Charges(nn.Module):
    """Logits (0, sum of charge * pt / 100 of the set): simple enough to compute by hand."""

    def __init__(self, *, outputs=2, features=1):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.01))
        self.features = features
        self.outputs = outputs
        self.dropout = nn.Dropout(0.5)
        self.seen = []

    def forward(self, particles):
        self.seen.append(len(particles))
        pt = particles.p4[:, 1:3].norm(dim=1, keepdim=True)
        if self.features:
            pt = pt * particles.features[:, :1]
        total = self.dropout(self.scale * segment_sum(pt, particles.offsets))
        return torch.cat([torch.zeros_like(total), total.expand(-1, self.outputs - 1)], 1)


@pytest.fixture
def tagger():
    return Tagger(Charges(), feature_names=["charge"], class_names=["qcd", "top"])


def particles(counts, seed=0):
    """Flat particles under a jagged structure, with extra fields as analyses have them."""
    random = np.random.default_rng(seed)
    size = int(np.sum(counts))
    fields = {
        "pt": random.exponential(50, size),
        "eta": random.normal(size=size),
        "phi": random.uniform(-np.pi, np.pi, size),
        "mass": np.full(size, 0.14),
        "charge": random.integers(-1, 2, size).astype(np.int8),
        "gen_index": ak.mask(np.arange(size), random.random(size) < 0.5),
    }
    return ak.unflatten(ak.zip(fields, with_name="Momentum4D"), counts)


def expected_top(momenta):
    """The second class' score, computed by awkward."""
    return 1 / (1 + np.exp(-0.01 * ak.sum(momenta.pt * momenta.charge, axis=-1)))


def sets_of(jets):
    """The jets as a batch, in float64."""
    return ParticleSet.from_awkward(jets[["pt", "eta", "phi", "mass", "charge"]], ["charge"])


def assert_same(found, expected):
    """The same structure, and numbers to the rounding of float32."""
    assert str(found.type) == str(ak.values_astype(expected, np.float32).type)
    flat = [np.asarray(ak.flatten(array, axis=None)) for array in (found, expected)]
    np.testing.assert_allclose(*flat, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@settings(max_examples=30)
@given(
    counts=st.lists(st.lists(st.integers(0, 4), max_size=3), max_size=5),
    batch_size=st.integers(1, 5),
)
def test_scores_have_the_structure_of_the_jets(counts, batch_size):
    tagger = Tagger(
        Charges(), feature_names=["charge"], class_names=["qcd", "top"], batch_size=batch_size
    )
    flat = np.array([n for event in counts for n in event], int)
    jets = particles(flat)
    scores = tagger(jets)
    assert scores.fields == ["qcd", "top"]
    assert_same(scores.top, expected_top(jets))
    events = ak.unflatten(jets, np.array([len(event) for event in counts], int))
    assert_same(tagger(events).top, expected_top(events))
    assert ak.all(abs(tagger(events).qcd + tagger(events).top - 1) < 1e-6, axis=None)


def test_deeper_structures_are_kept(tagger):
    jets = particles([1, 0, 2, 3])
    candidates = ak.unflatten(ak.unflatten(jets, [1, 2, 1]), [2, 0, 1])
    assert_same(
        tagger(candidates).top,
        ak.unflatten(ak.unflatten(expected_top(jets), [1, 2, 1]), [2, 0, 1]),
    )


def test_views_that_analyses_make_are_scored_like_copies(tagger):
    events = ak.unflatten(particles([3, 0, 2, 5, 1]), [2, 0, 3])
    for view in (
        events[::-1],
        events[ak.num(events) > 1],
        events[ak.argsort(ak.num(events, axis=2), axis=1)],
        events[events.pt > 40],
        events[:, :1],
    ):
        assert_same(tagger(view).top, expected_top(view))


@pytest.mark.parametrize("name", ["Momentum4D", "PtEtaPhiMLorentzVector", None])
def test_the_name_and_coordinates_of_the_records_do_not_matter(tagger, name):
    jets = particles([3, 2])
    cartesian = ak.with_name(sets_of(jets).to_awkward(["charge"]), name)
    assert_same(tagger(cartesian).top, expected_top(jets))
    assert_same(tagger(ak.with_name(jets, name)).top, expected_top(jets))


def test_regular_arrays_are_jagged_ones_of_equal_lengths(tagger):
    jets = particles([2, 2, 2])
    assert_same(tagger(ak.to_regular(jets)).top, expected_top(jets))


def test_fixed_arrays_are_scored_without_their_padding(tagger):
    """As files are: the same jets have the same scores whichever way they come."""
    filled = np.arange(4) < np.array([[2], [4], [0], [1]])
    random = np.random.default_rng(0)
    names = ("pt", "eta", "phi", "mass", *tagger.feature_names)
    table = {name: np.where(filled, random.uniform(1, 2, filled.shape), 0) for name in names}
    padded = ak.zip({name: ak.from_numpy(column) for name, column in table.items()})
    jagged = ak.from_regular(padded)
    assert ak.num(jagged[jagged.pt > 0]).tolist() == [2, 4, 0, 1]
    assert ak.array_equal(tagger(padded), tagger(jagged[jagged.pt > 0]))


def test_a_jet_without_particles_has_the_score_of_the_empty_set(tagger):
    assert tagger(particles([0])).to_list() == [{"qcd": 0.5, "top": 0.5}]


def test_sets_without_particles_get_the_score_of_choice():
    options = {"feature_names": ["charge"], "class_names": ["qcd", "top"]}
    jets = particles([0, 2, 0])
    usual = Tagger(Charges(), **options)(jets).top
    for empty in (-1.0, float("nan")):
        tagger = Tagger(Charges(), empty=empty, **options)
        np.testing.assert_array_equal(tagger(jets).top, [empty, usual[1], empty])
        assert tagger.model.seen[1:] == [1]
        np.testing.assert_array_equal(tagger(jets[:1]).top, [empty])


def test_a_tagger_says_what_it_is():
    tagger = Tagger(Charges(), feature_names=["charge"], context_names=["ht"], device="cpu")
    assert repr(tagger) == (
        "Tagger(Charges with 1 parameters, classes (0, 1), features (charge), context (ht), "
        "without columns, cpu)"
    )


@pytest.mark.slow
def test_a_forked_child_scores_on_one_thread():
    code = """
import multiprocessing, torch
from hepml.deploy import Tagger
from hepml.models import ParticleFlow
from hepml.symmetry import random_jets

torch.set_num_threads(2)
jets, tagger = random_jets(400), Tagger(ParticleFlow(), device="cpu")
expected = tagger(jets)
context = multiprocessing.get_context("fork")
found = context.SimpleQueue()
def score():
    found.put((torch.get_num_threads(), float((tagger(jets) - expected).abs().max())))
child = context.Process(target=score)
child.start()
child.join(60)
if child.is_alive():
    child.kill()
    raise SystemExit("the child hangs")
print(*found.get(), torch.get_num_threads())
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    threads, difference, of_parent = done.stdout.split()
    assert (threads, of_parent) == ("1", "2")
    assert float(difference) < 1e-6


def test_particle_sets_give_tensors(tagger):
    jets = particles([3, 0, 2])
    probabilities = tagger(sets_of(jets))
    assert probabilities.shape == (3, 2)
    assert not probabilities.requires_grad
    np.testing.assert_allclose(probabilities[:, 1], expected_top(jets), rtol=1e-5)


def test_dropout_is_off_and_batches_are_as_large_as_asked(tagger):
    jets = particles(np.full(300, 2))
    tagger.model.seen.clear()
    first = tagger(jets)
    assert tagger.model.seen == [128, 128, 44]
    assert first.to_list() == tagger(jets).to_list()


def test_the_precision_of_the_model_is_that_of_the_scores():
    jets = particles([3, 1])
    tagger = Tagger(Charges().double(), feature_names=["charge"])
    sets = sets_of(jets)
    scale = float(tagger.model.scale.detach())
    exact = 1 / (1 + np.exp(-scale * ak.sum(jets.pt * jets.charge, axis=-1)))
    np.testing.assert_allclose(tagger(sets)[:, 1], exact, rtol=1e-12)


def test_missing_fields_are_listed(tagger):
    jets = particles([1])
    with pytest.raises(InputError, match=r"features charge, got fields pt, .*; charge missing"):
        tagger(ak.without_field(jets, "charge"))
    with pytest.raises(InputError, match=r"got fields \(none\); charge missing"):
        tagger(ak.Array([[1.0], [2.0]]))
    with pytest.raises(InputError, match="coordinates that vector knows"):
        tagger(jets[["pt", "charge"]])
    with pytest.raises(InputError, match=r"sets \* var \* "):
        tagger(jets[0])


@pytest.mark.parametrize("axis", [0, 1])
def test_missing_jets_get_none_and_shift_nothing(tagger, axis):
    events = ak.unflatten(particles([1, 2, 3]), [2, 1])
    mask = ak.Array([True, False]) if axis == 0 else ak.Array([[True, False], [True]])
    expected = ak.mask(expected_top(events), mask)
    scores = tagger(ak.mask(events, mask)).top
    assert ak.is_none(scores, axis=axis).to_list() == (~mask).to_list()
    np.testing.assert_allclose(
        ak.drop_none(ak.flatten(scores, axis=None)),
        ak.drop_none(ak.flatten(expected, axis=None)),
        rtol=1e-5,
    )


def test_other_features_than_trained_on_are_refused(tagger):
    sets = ParticleSet(torch.zeros(1, 4), torch.tensor([0, 1]))
    with pytest.raises(InputError, match=r"expected 1 features \(charge\), got 0 features"):
        tagger(sets)


def test_constructor_refuses_what_cannot_work():
    with pytest.raises(InputError, match="classes a, b, c, got 2 outputs"):
        Tagger(Charges(features=0), class_names=["a", "b", "c"])
    with pytest.raises(InputError, match="batch_size: expected at least 1, got 0"):
        Tagger(Charges(features=0), batch_size=0)
    with pytest.raises(InputError, match=r"device 'nowhere': expected one of this machine: cpu"):
        Tagger(Charges(features=0), device="nowhere")


class Padded(nn.Module):
    """A network of another package: it pads, and takes no set without particles."""

    def __init__(self, *, outputs=2, features=0, neighbours=16):
        super().__init__()
        self.layer = nn.Linear(4 + features, outputs)
        self.neighbours = neighbours

    def forward(self, particles):
        rows = [set.p4.sum(0) for set in particles]
        if min(len(set.p4) for set in particles) < 1:
            raise RuntimeError("max(): Expected reduction dim to be specified")
        torch.cat([set.p4 for set in particles]).topk(self.neighbours, dim=0)
        return self.layer(torch.stack(rows))


def test_networks_of_others_are_tried_with_particles():
    assert Tagger(Padded()).class_names == ("0", "1")
    with pytest.raises(InputError, match=r"network Padded: expected one that maps .* for Particle"):
        Tagger(Padded(neighbours=1000))


def test_a_class_is_imported_only_if_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "my_nets.py").write_text(
        "from hepml.models import ParticleFlow\nclass Mine(ParticleFlow): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "mine.ckpt"
    code = (
        "from my_nets import Mine; from hepml.training import save_checkpoint; "
        f"save_checkpoint({str(path)!r}, Mine(), arguments={{}})"
    )
    exec(code)
    sys.modules.pop("my_nets")
    with pytest.raises(FileError, match=r"got 'my_nets:Mine', .*--network my_nets:Mine"):
        Tagger.load(path)
    assert "my_nets" not in sys.modules
    assert Tagger.load(path, model="my_nets:Mine").name == "Mine"


def test_context_is_asked_of_sets_and_dropped_where_no_network_reads_it():
    columns = PRESETS["hepml"].replace(context={"pt": "jet_pt", "eta": "jet_eta"}).with_features([])
    tagger = Tagger(ParticleFlow(context=2), columns)
    assert tagger.context_names == ("pt", "eta")
    sets = ParticleSet(torch.ones(2, 4), torch.tensor([0, 2]), context=torch.ones(1, 2))
    assert tagger(sets).shape == (1, 2)
    with pytest.raises(InputError, match=r"expected 2 context \(pt, eta\), got 0 context"):
        tagger(ParticleSet(sets.p4, sets.offsets))
    # As trained before networks read context.
    old = Tagger(ParticleFlow(), columns)
    assert (old.context_names, old.columns.context_names) == ((), ())
    assert old(sets).shape == (1, 2)


def test_load_without_columns_uses_the_names_of_to_awkward(tmp_path):
    path = tmp_path / "charges.ckpt"
    arguments = {"outputs": 3, "features": 1}
    save_checkpoint(path, Charges(**arguments), arguments=arguments)
    tagger = Tagger.load(path, model=Charges)
    assert tagger.feature_names == ("feature_0",)
    assert tagger.class_names == ("0", "1", "2")
    assert tagger(sets_of(particles([2, 1])).to_awkward()).fields == ["0", "1", "2"]
    with pytest.raises(FileError, match="no such file"):
        Tagger.load(tmp_path / "charge.ckpt")


@pytest.mark.slow
def test_a_tagger_needs_neither_plots_nor_training_engine():
    code = "import sys; from hepml.deploy import Tagger; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"matplotlib", "lightning"}.isdisjoint(done.stdout.split())
