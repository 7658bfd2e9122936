"""Small files of random jets, and the way to the real ones."""

import os
import struct
from itertools import pairwise
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot


def make_jets(counts, seed=0):
    """Jets of massive particles with the branches of our own layout, as an awkward array."""
    counts = np.asarray(counts, np.int64)
    random = np.random.default_rng(seed)
    total = int(counts.sum())
    momentum = random.normal(scale=50, size=(total, 3)).astype(np.float32)
    energy = np.sqrt((momentum.astype(np.float64) ** 2).sum(1) + 0.14**2).astype(np.float32)
    particles = {
        "part_px": momentum[:, 0],
        "part_py": momentum[:, 1],
        "part_pz": momentum[:, 2],
        "part_energy": energy,
        "part_charge": random.integers(-1, 2, total).astype(np.int8),
        "part_pid": random.choice(np.array([211, -211, 130, 22, 11, -13], np.int16), total),
        "part_d0val": random.normal(size=total).astype(np.float32),
        "part_d0err": random.exponential(size=total).astype(np.float32),
        "part_dzval": random.normal(size=total).astype(np.float32),
        "part_dzerr": random.exponential(size=total).astype(np.float32),
    }
    jets = {name: ak.unflatten(values, counts) for name, values in particles.items()}
    jets["jet_pt"] = random.uniform(500, 600, len(counts)).astype(np.float32)
    jets["label"] = random.integers(0, 2, len(counts)).astype(np.int8)
    # A name for each jet, to follow it through shuffles.
    jets["number"] = np.arange(len(counts), dtype=np.int32)
    return jets


def write_tree(path, branches, name="tree", *, kind="ttree", clusters=None, **how):
    """Write one tree or RNTuple; clusters are the bounds at which it is extended."""
    entries = len(next(iter(branches.values())))
    bounds = [0, *(clusters or ()), entries]
    with uproot.recreate(path, **how) as file:
        add_tree(file, branches, name, kind=kind, bounds=bounds)
    return str(path)


def add_tree(file, branches, name, *, kind="ttree", bounds=None):
    """Add a tree to an open file."""
    branches = {
        key: ak.Array(value) if kind == "rntuple" else value for key, value in branches.items()
    }
    bounds = bounds or [0, len(next(iter(branches.values())))]
    pieces = [
        {key: value[start:stop] for key, value in branches.items()}
        for start, stop in pairwise(bounds)
    ]
    if kind == "rntuple":
        pieces = [ak.zip(piece, depth_limit=1) for piece in pieces]
        tree = file.mkrntuple(name, pieces[0])
    else:
        tree = file.mktree(name, {key: _branch_type(value) for key, value in pieces[0].items()})
        tree.extend(pieces[0])
    for piece in pieces[1:]:
        tree.extend(piece)


def shorten_branch(path, branch, entries):
    """Make a branch of an uncompressed tree of two clusters end with the first of these."""
    with uproot.open(path) as file:
        key, found = file.key("tree"), file["tree"][branch]
        start = key.fSeekKey + key.fKeylen + found.cursor.index
        whole = found.num_entries
        assert found.entry_offsets == [0, entries, whole]
    data = bytearray(path.read_bytes())
    # fWriteBasket and fEntryNumber; then fIOFeatures, fOffset, fMaxBaskets, fSplitLevel, fEntries.
    at = data.index(struct.pack(">iq", 2, whole), start)
    data[at : at + 12] = struct.pack(">iq", 1, entries)
    at = data.index(struct.pack(">q", whole), at + 31)
    data[at : at + 8] = struct.pack(">q", entries)
    path.write_bytes(data)
    with uproot.open(path) as file:
        assert file["tree"][branch].num_entries == entries
        assert file["tree"].num_entries == whole
        assert len(file["tree"][branch].array()) == entries


def _branch_type(values):
    """What mktree wants to know: a dtype with a shape, or the type of a jagged array."""
    if isinstance(values, np.ndarray):
        return (values.dtype, values.shape[1:]) if values.ndim > 1 else values.dtype
    return str(values.type.content)


@pytest.fixture(scope="session")
def jets():
    return make_jets


@pytest.fixture(scope="session")
def write():
    return write_tree


@pytest.fixture(scope="session")
def shorten():
    return shorten_branch


@pytest.fixture(scope="session")
def data():
    """The folder of real files."""
    if "HEPML_TEST_DATA" not in os.environ:
        pytest.skip("HEPML_TEST_DATA is not set")
    return Path(os.environ["HEPML_TEST_DATA"])


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A file of 60 jets in three clusters, with empty jets at both ends, and its branches."""
    random = np.random.default_rng(7)
    counts = random.integers(0, 9, 60)
    counts[[0, -1, 20]] = 0
    branches = make_jets(counts)
    path = tmp_path_factory.mktemp("small") / "jets.root"
    return write_tree(path, branches, clusters=[20, 40]), branches
