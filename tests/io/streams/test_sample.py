"""A sample of files that are sorted by class is a fair one."""

import numpy as np
import pytest
import torch
from support.small_jets import write_jets

from hepml.data import concatenate
from hepml.errors import InputError
from hepml.io import EvenSample, read


@pytest.fixture
def files(tmp_path):
    """Two files of one class each, and one in which classes follow each other."""
    labels = [np.zeros(90, np.int8), np.ones(60, np.int8), np.repeat(np.int8([0, 1]), 75)]
    return [write_jets(tmp_path / f"{i}.root", len(x), label=x) for i, x in enumerate(labels)]


def drawn(sample):
    return concatenate([chunk.particles for chunk in sample.chunks()])


def test_all_classes_and_files_have_their_share(files):
    sample = EvenSample(files, sets=60, step=25)
    sets = drawn(sample)
    assert (len(sets), sample.among) == (60, 300)
    # 165 of 300 are of the first class.
    assert torch.bincount(sets.labels).tolist() == pytest.approx([33, 27], abs=2)
    assert torch.equal(drawn(EvenSample(files, sets=60, step=25)).p4, sets.p4)


def test_more_than_there_are_is_all_in_order(files):
    sample = EvenSample(files, sets=1000)
    assert torch.equal(drawn(sample).p4, read(files).p4)
    assert sample.entries == 300


def test_a_cut_comes_first(files):
    sample = EvenSample(files, read_columns(files).replace(cut="label == 1"), sets=20)
    assert sample.among == 135
    assert drawn(sample).labels.tolist() == [1] * 20


def read_columns(files):
    return EvenSample(files, sets=1).columns


def test_none_is_no_sample(files):
    with pytest.raises(InputError, match="sets: expected one or more, got 0"):
        EvenSample(files, sets=0)
