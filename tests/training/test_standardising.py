"""Centre and scale of the inputs, from the files that are learned from."""

import numpy as np
import pytest
import torch
from support.small_jets import TinyFlow, write_jets

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.io import PRESETS, read
from hepml.models import ParticleFlow
from hepml.training import load_checkpoint, train
from hepml.training._standardising import check_standardisation, sample_of, standardise_inputs


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return str(write_jets(tmp_path_factory.mktemp("jets") / "jets.root", 200))


def learned(file, folder, **options):
    return train("ParticleFlow", file, output=folder, epochs=1, progress=False, **options)


@pytest.mark.slow
def test_the_network_and_its_checkpoint_hold_the_quantiles_of_the_file(file, tmp_path):
    trained = learned(file, tmp_path / "run")
    features = read(file).features.numpy()
    low, centre, high = np.percentile(features, [16, 50, 84], axis=0)
    scale = np.maximum(high - centre, centre - low)
    scale[scale == 0] = 1
    for network in (trained.model, load_checkpoint(trained.folder.best).model):
        np.testing.assert_allclose(network.standardise.centre, centre, rtol=1e-6)
        np.testing.assert_allclose(network.standardise.scale, scale, rtol=1e-6)


@pytest.mark.slow
def test_none_leaves_the_inputs_as_they_are(file, tmp_path):
    standardise = learned(file, tmp_path / "run", standardise="none").model.standardise
    assert not standardise.centre.any()
    assert bool((standardise.scale == 1).all())


def test_a_way_that_there_is_not_is_refused():
    with pytest.raises(InputError, match="standardise: expected 'robust' or 'none', got 'mean'"):
        check_standardisation("mean")


def test_context_goes_by_sets_and_not_by_particles():
    offsets = torch.tensor([0, 1, 2, 103])
    sets = ParticleSet(
        torch.rand(103, 4), offsets, torch.rand(103, 1), context=torch.tensor([[1.0], [2.0], [9.0]])
    )
    model = ParticleFlow(features=1, context=1)
    assert standardise_inputs(model, sets) == 103
    assert float(model.standardise.centre[1]) == 2.0


def test_of_very_many_particles_a_part_is_used(monkeypatch):
    monkeypatch.setattr("hepml.training._standardising._PARTICLES", 10)
    sets = ParticleSet(torch.rand(100, 4), torch.tensor([0, 100]), torch.arange(100.0)[:, None])
    model = ParticleFlow(features=1)
    assert standardise_inputs(model, sets) == 10
    assert float(model.standardise.centre[0]) == 45.0


def test_networks_without_the_layer_or_without_inputs_are_left():
    sets = ParticleSet(torch.rand(3, 4), torch.tensor([0, 3]), torch.rand(3, 2))
    assert standardise_inputs(TinyFlow(features=2), sets) == 0
    bare = ParticleSet(torch.rand(3, 4), torch.tensor([0, 3]))
    assert standardise_inputs(ParticleFlow(), bare) == 0


def test_the_sample_is_the_same_each_time(file):
    first, second = (sample_of([file], PRESETS["hepml"]) for _ in range(2))
    assert torch.equal(first.features, second.features)
