"""Spectra of classes: flat or that of a class, by weights and by drawing sets."""

import numpy as np
import pytest
from torch.utils.data import DataLoader

from hepml.errors import DataError, InputError
from hepml.io import PRESETS, BatchStream, reweighting
from hepml.io.streams._reweighting import LARGEST, binned

COLUMNS = PRESETS["hepml"].replace(weights="w", context={"x": "x", "y": "y"})


@pytest.fixture(scope="module")
def file(tmp_path_factory, write, jets):
    """Jets of two classes whose spectra in x and y fall and rise, with weights."""
    random = np.random.default_rng(0)
    branches = jets(np.ones(6000, int), seed=3)
    label = random.integers(0, 2, 6000)
    branches["label"] = label.astype(branches["label"].dtype)
    x = random.random(6000)
    branches["x"] = np.where(label == 1, np.sqrt(x), 1 - np.sqrt(x))
    branches["y"] = random.random(6000)
    branches["w"] = random.uniform(0.5, 1.5, 6000).astype(np.float32)
    return write(tmp_path_factory.mktemp("spectra") / "jets.root", branches, clusters=[2000, 4000])


def stream_of(file, columns=COLUMNS, **options):
    return BatchStream(file, columns, **{"batch_size": 500, "shuffle": True} | options)


def spectra(batches, edges):
    """The sum of weights of each class in bins of the context, over the mean of the class."""
    sums = np.zeros((2, *(len(each) - 1 for each in edges)))
    for batch in batches:
        values = batch.context.double().numpy()[:, : len(edges)]
        np.add.at(sums, (batch.labels.numpy(), *binned(values, edges)), batch.weights.numpy())
    return sums / sums.reshape(2, -1).mean(1).reshape(2, *[1] * len(edges))


def test_weighted_spectra_are_flat_and_keep_their_sums(file):
    stream = stream_of(file)
    before = stream.class_totals()
    values = stream.set_values(["x"])
    stream.reweight = reweighting(
        values, ["x"], ["a", "b"], by="loss", bins=[np.linspace(0, 1, 11).tolist()]
    )
    found = spectra(stream, stream.reweight.edges)
    # One bin of each class has so few sets that ten times as much is not enough.
    assert stream.reweight.limited == (1, 1)
    inside = np.abs(stream.reweight.factors) < LARGEST
    for own, here in zip(found, inside, strict=True):
        np.testing.assert_allclose(own[here], own[here][0], rtol=1e-5)
        assert own[~here].max() < 0.9 * own[here][0]
    np.testing.assert_allclose(stream.class_totals(), before, rtol=1e-12)
    weights = np.concatenate([batch.weights.numpy() for batch in stream])
    assert stream.mean_weight == pytest.approx(weights.mean(), rel=1e-5)


def test_all_classes_get_the_spectrum_of_one_in_two_numbers(file):
    stream = stream_of(file)
    values = stream.set_values(["x", "y"])
    stream.reweight = reweighting(
        values, ["x", "y"], ["a", "b"], to="b", by="loss", bins=[[0.1, 0.5, 0.9], 3]
    )
    edges = stream.reweight.edges
    assert [len(each) for each in edges] == [3, 4]
    assert (stream.reweight.factors[1] == 1).all()
    found = spectra(stream, edges)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


def test_drawn_sets_have_the_spectrum_that_weights_give(file):
    columns = COLUMNS.replace(weights=None)
    stream = stream_of(file, columns)
    edges = [[0.2, 0.4, 0.6, 0.8]]
    stream.reweight = reweighting(stream.set_values(["x"]), ["x"], ["a", "b"], bins=edges)
    counts, sizes, total = np.zeros((2, 3)), [], []
    for epoch in range(12):
        stream.set_epoch(epoch)
        batches = list(stream)
        sizes += [len(batch) for batch in batches[:-1]]
        total.append(sum(map(len, batches)))
        for batch in batches:
            x = batch.context.double().numpy()[:, :1]
            np.add.at(counts, (batch.labels.numpy(), *binned(x, stream.reweight.edges)), 1)
    spread = np.sqrt(counts.mean(1, keepdims=True))
    assert np.abs(counts - counts.mean(1, keepdims=True)).max() < 4 * spread.max()
    assert np.mean(sizes) == pytest.approx(500, rel=0.03)
    assert np.mean(total) == pytest.approx(6000 * stream.acceptance, rel=0.02)
    assert stream.mean_weight == 1.0
    assert stream.dropped == {}


def test_what_is_drawn_changes_with_the_epoch_alone(file):
    stream = stream_of(file)
    stream.reweight = reweighting(stream.set_values(["x"]), ["x"], ["a", "b"])

    def drawn(batches):
        return sorted(float(x) for batch in batches for x in batch.context[:, 0])

    first = drawn(stream)
    assert drawn(stream) == first
    assert drawn(DataLoader(stream, batch_size=None, num_workers=2)) == first
    in_order = stream_of(file, shuffle=False)
    in_order.reweight = stream.reweight
    assert drawn(in_order) == first
    stream.set_epoch(1)
    assert drawn(stream) != first


def test_the_mean_weight_of_drawn_sets(file):
    stream = stream_of(file, batch_size=100)
    stream.reweight = reweighting(stream.set_values(["w"]), ["w"], ["a", "b"], bins=[2])
    found = []
    for epoch in range(10):
        stream.set_epoch(epoch)
        found += [batch.weights.numpy() for batch in stream]
    assert stream.mean_weight == pytest.approx(np.concatenate(found).mean(), rel=5e-3)


def test_a_set_without_a_weight_has_no_say(file):
    values = stream_of(file).set_values(["x"])
    weights = values.weights.copy()
    weights[::50] = np.nan
    kept = np.isfinite(weights)
    found = reweighting(values._replace(weights=weights), ["x"], ["a", "b"], bins=[[0.0, 0.5, 1.0]])
    expected = reweighting(
        type(values)(*(each[kept] for each in values)), ["x"], ["a", "b"], bins=[[0.0, 0.5, 1.0]]
    )
    np.testing.assert_array_equal(found.factors, expected.factors)
    assert found.mean_weight == expected.mean_weight
    stream = stream_of(file, COLUMNS.replace(weights="where(x < 0.01, x / 0 - x / 0, w)"))
    assert stream.class_totals().isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"expressions": ["x", "y", "w"]}, "one expression of jets, or two, got 3"),
        ({"to": "c"}, "flat, or a class: a, b, got 'c'"),
        ({"bins": [0]}, "a number of bins, or two edges or more that rise, got 0"),
        ({"bins": [[1, 0]]}, "two edges or more that rise"),
        ({"bins": [1, 2, 3]}, "bins for each of 1 expressions, or the same for all, got 3"),
        ({"expressions": ["0 * x"]}, "numbers that differ from set to set"),
        ({"expressions": ["log(x - 0.5)"]}, "finite numbers, got .* of 6000 sets"),
        ({"classes": ["a", "b", "c"]}, "sets of every class to learn from, got none of c"),
    ],
)
def test_what_cannot_be_reweighted_is_refused(file, options, message):
    options = {"expressions": ["x"], "classes": ["a", "b"]} | options
    values = stream_of(file).set_values(options["expressions"])
    with pytest.raises((InputError, DataError), match=message):
        reweighting(values, **options)
