import warnings
from types import SimpleNamespace

import awkward as ak
import numpy as np
import pytest
import torch
import uproot
from support.small_jets import write_jets

from hepml.data import concatenate
from hepml.errors import DataError
from hepml.io import PRESETS, read
from hepml.training import ParticleData


@pytest.fixture
def data(tmp_path):
    file = write_jets(tmp_path / "jets.root", 50)
    return ParticleData(str(file), str(file), columns=PRESETS["hepml"], batch_size=8)


def first_energies(loader):
    return [float(batch.p4[0, 0]) for batch in loader]


def test_learning_leaves_out_what_fills_no_batch_and_validation_nothing(data):
    assert [len(batch) for batch in data.train_dataloader()] == [8] * 6
    assert [len(batch) for batch in data.val_dataloader()] == [8] * 6 + [2]
    assert (len(data.train_dataloader()), len(data.val_dataloader())) == (6, 7)


def test_validation_has_the_order_of_the_file(data, tmp_path):
    everything = concatenate(list(data.val_dataloader()))
    expected = read(tmp_path / "jets.root", PRESETS["hepml"])
    assert torch.equal(everything.p4, expected.p4)
    assert torch.equal(everything.labels, expected.labels)


def test_the_epoch_is_asked_for_with_the_first_batch(data):
    data.trainer = SimpleNamespace(current_epoch=0)
    loader = data.train_dataloader()
    early = iter(loader)
    data.trainer.current_epoch = 1
    second = first_energies(early)
    assert second == first_energies(loader)
    data.trainer.current_epoch = 0
    assert first_energies(loader) != second


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_reading_draws_nothing_from_the_global_random_numbers(data, workers):
    data.workers = workers
    state = torch.get_rng_state()
    list(data.train_dataloader())
    assert torch.equal(torch.get_rng_state(), state)


def test_without_files_there_is_no_validation(tmp_path):
    file = write_jets(tmp_path / "jets.root", 20)
    data = ParticleData(str(file), columns=PRESETS["hepml"], batch_size=8, max_sets=10)
    assert data.val_dataloader() == []
    assert data.train_stream.sets == 10


def test_classes_without_sets_are_said_once(tmp_path):
    file = str(write_jets(tmp_path / "jets.root", 20, label=np.ones(20, np.int8)))
    columns = PRESETS["hepml"].replace(classes=("qcd", "top", "other"))
    data = ParticleData(file, file, columns=columns, batch_size=8)
    loaders = [data.train_dataloader(), data.val_dataloader()]
    for loader, purpose in zip(loaders, ("learn from", "validate with"), strict=True):
        with pytest.warns(UserWarning, match="no sets") as told:
            list(loader)
        assert [str(w.message) for w in told] == [f"no sets to {purpose} of the classes qcd, other"]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            list(loader)


def write_bad(folder, jets, bad):
    """A file in which the first momentum of some jets is NaN."""
    with uproot.open(write_jets(folder / "good.root", jets)) as good:
        arrays = good["tree"].arrays()
    particles = {f[5:]: arrays[f] for f in arrays.fields if f.startswith("part_")}
    first = ak.local_index(particles["px"]) == 0
    spoilt = first & np.isin(np.arange(jets), bad)
    particles["px"] = ak.values_astype(ak.where(spoilt, float("nan"), particles["px"]), "float32")
    with uproot.recreate(folder / "bad.root") as file:
        contents = {"part": ak.zip(particles), "label": arrays["label"]}
        file.mktree("tree", {name: values.type for name, values in contents.items()})
        file["tree"].extend(contents)
    return str(folder / "bad.root")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_one_warning_says_what_all_workers_have_dropped(tmp_path, workers):
    path = write_bad(tmp_path, 50, [3, 20, 47])
    data = ParticleData(
        path, path, columns=PRESETS["hepml"], batch_size=8, workers=workers, bad="drop"
    )
    with pytest.warns(UserWarning, match="dropped") as told:
        assert sum(map(len, data.val_dataloader())) == 47
    assert [str(w.message) for w in told] == ["dropped 3 bad sets: 3 NaN momentum"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_jet_is_the_same_error_in_a_worker(tmp_path, workers):
    path = write_bad(tmp_path, 20, [7])
    data = ParticleData(path, columns=PRESETS["hepml"], batch_size=8, workers=workers)
    with pytest.raises(DataError, match="entry 7") as caught:
        list(data.train_dataloader())
    assert "Traceback" not in str(caught.value)
