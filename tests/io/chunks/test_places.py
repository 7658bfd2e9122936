"""Padding of fixed arrays in files: the same sets come out, whatever the momenta are made of."""

import itertools

import awkward as ak
import numpy as np
import pytest
import torch

from hepml.errors import ColumnError, DataError
from hepml.io import Collection, Columns, JetIndex, Padding, iterate, read

COUNTS = np.array([3, 6, 0, 1])
FILLED = np.arange(6) < COUNTS[:, None]
POLAR = {"pt": "pt", "eta": "deta", "phi": "phi", "mass": "0.13957"}


def branches(fill=0.0, *, mass=0.0):
    """Four jets of up to six particles, padded with a number."""
    random = np.random.default_rng(3)
    numbers = {
        name: np.where(FILLED, random.uniform(1, 3, FILLED.shape), fill).astype(np.float32)
        for name in ("pt", "deta", "phi", "px", "py", "pz")
    }
    return numbers | {
        "pid": np.where(FILLED, 211, mass).astype(np.int32),
        "jet_eta": random.normal(size=4).astype(np.float32),
        "n": COUNTS.astype(np.int32),
        "valid": FILLED.copy(),
    }


def write_hdf5(path, values):
    """The same as a table of pandas, with numbered columns."""
    pytest.importorskip("h5py", reason="needs h5py")
    pytest.importorskip("tables", reason="needs tables")
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    frame = {}
    for name, array in values.items():
        columns = array.reshape(4, -1).T
        names = [name] if array.ndim == 1 else [f"{name}_{i}" for i in range(6)]
        frame |= dict(zip(names, columns, strict=True))
    pandas.DataFrame(frame).to_hdf(path, key="table", format="table")
    return path


@pytest.mark.parametrize("kind", ["ttree", "rntuple", "hdf5"])
@pytest.mark.parametrize(
    "momentum",
    [
        POLAR,
        POLAR | {"eta": "jet_eta + deta"},
        POLAR | {"mass": "where(abs(pid) == 211, 0.13957, 0.1)"},
        POLAR | {"pt": "exp(pt)"},
        {"E": "sqrt(px**2 + py**2 + pz**2 + 0.01)", "px": "px", "py": "py", "pz": "pz"},
    ],
    ids=["stored", "beside the jet", "mass by type", "logarithms", "energy from the mass"],
)
def test_what_is_computed_of_zeros_is_no_particle(tmp_path, write, kind, momentum):
    path = tmp_path / ("a.h5" if kind == "hdf5" else "a.root")
    if kind == "hdf5":
        write_hdf5(path, branches())
    else:
        write(path, branches(), kind=kind)
    for columns in (Columns(Collection(momentum)), Columns([Collection(momentum)] * 2)):
        counts = read(str(path), columns).counts
        assert counts.tolist() == (COUNTS * len(columns.collections)).tolist()


def test_a_type_that_is_not_zero_beside_zero_momenta_is_padding(tmp_path, write):
    path = write(tmp_path / "a.root", branches(mass=-1))
    momentum = POLAR | {"mass": "where(pid == 211, 0.13957, 0.1)"}
    assert read(path, Columns(Collection(momentum))).counts.tolist() == COUNTS.tolist()


@pytest.mark.parametrize("bad", ["error", "drop"])
@pytest.mark.parametrize("fill", [-1.0, -999.0, np.nan])
def test_other_padding_is_an_error_that_names_the_option(tmp_path, write, fill, bad):
    path = write(tmp_path / "a.root", branches(fill))
    message = (
        rf"a.root:tree, entry 0, momentum \(pt, deta, phi\): expected zeros .*, got {fill:g} in "
        rf"the last place.* padding: {{'fill': {fill:g}}} or {{'mask': 'pt > 0'}}, or {{'fill': 0}}"
    )
    with pytest.raises(DataError, match=message):
        read(path, Columns(Collection(POLAR)), bad=bad)


@pytest.mark.parametrize(
    "momentum",
    [
        {"pt": "abs(pt)", "eta": "deta", "phi": "phi", "mass": "0"},
        {
            "px": "pt*cos(phi)",
            "py": "pt*sin(phi)",
            "pz": "pt*sinh(deta)",
            "E": "abs(pt)*cosh(deta)",
        },
    ],
    ids=["absolute", "cartesian"],
)
def test_padding_that_differs_from_column_to_column(tmp_path, write, momentum):
    values = branches()
    for name, fill in (("pt", -999), ("deta", -9), ("phi", -9)):
        values[name][~FILLED] = fill
    path = write(tmp_path / "a.root", values)
    with pytest.raises(DataError, match=r"padding: {'mask': 'pt != -999'} or a count, as no one"):
        read(path, Columns(Collection(momentum)))
    told = Columns(Collection(momentum, padding=Padding(mask="pt != -999")))
    assert read(path, told).counts.tolist() == COUNTS.tolist()


def test_the_error_names_the_entry_of_the_file(tmp_path, write):
    values = {name: array[[1, 1, 1, 1, 1, 0]] for name, array in branches(-1).items()}
    path = write(tmp_path / "a.root", values, clusters=[3])
    with pytest.raises(DataError, match=r"tree, entry 5, momentum \(pt, deta, phi\)"):
        read(path, Columns(Collection(POLAR)))


@pytest.mark.parametrize("kind", ["ttree", "hdf5"])
@pytest.mark.parametrize(
    ("fill", "padding"),
    [
        (-1, Padding(fill=-1)),
        (-999, Padding(fill=-999)),
        (np.nan, Padding(fill=np.nan)),
        (0, Padding(fill=0)),
        (7, Padding(mask="valid")),
        (-1, Padding(mask="pt > 0")),
        (7, Padding(count="n")),
    ],
    ids=str,
)
def test_padding_that_is_told(tmp_path, write, kind, fill, padding):
    path = tmp_path / ("a.h5" if kind == "hdf5" else "a.root")
    (write_hdf5 if kind == "hdf5" else write)(path, branches(fill))
    columns = Columns(Collection(POLAR | {"eta": "jet_eta + deta"}, padding=padding))
    particles = read(str(path), columns)
    assert particles.counts.tolist() == COUNTS.tolist()
    np.testing.assert_allclose(particles.p4[:, 1:3].norm(dim=1), branches()["pt"][FILLED], 1e-6)


@pytest.mark.parametrize("fill", [-1, 7])
@pytest.mark.parametrize("cut", ["pt > 0", "n > 0", "pid == 211"])
def test_padding_that_the_cut_removes_is_no_error(tmp_path, write, fill, cut):
    path = write(tmp_path / "a.root", branches(fill))
    columns = Columns(Collection(POLAR, cut=cut))
    if cut == "pid == 211" or (cut, fill) == ("pt > 0", -1):
        assert read(path, columns).counts.tolist() == COUNTS.tolist()
    elif fill == -1:
        with pytest.raises(DataError, match="got -1 in the last place, which looks like padding"):
            read(path, columns)


def test_a_mask_may_have_holes(tmp_path, write):
    values = branches(-1)
    values["valid"][0, 1] = False
    path = write(tmp_path / "a.root", values)
    columns = Columns(Collection(POLAR, padding=Padding(mask="valid")))
    assert read(path, columns).counts.tolist() == [2, 6, 0, 1]


def test_lists_of_fixed_length_lose_padding_that_is_told_and_keep_zeros(tmp_path, write):
    jagged = {n: ak.Array(list(v)) if v.ndim > 1 else v for n, v in branches(-999).items()}
    path = write(tmp_path / "a.root", jagged)
    told = Columns(Collection(POLAR, padding=Padding(fill=-999)))
    assert read(path, told).counts.tolist() == COUNTS.tolist()
    zeros = {n: ak.Array(list(v)) if v.ndim > 1 else v for n, v in branches().items()}
    path = write(tmp_path / "b.root", zeros)
    assert read(path, Columns(Collection(POLAR))).counts.tolist() == [6, 6, 6, 6]


@pytest.mark.parametrize("number", [7, -1, 2.5, np.nan])
def test_a_count_outside_the_array_is_bad(tmp_path, write, number):
    values = branches() | {"n": np.array([3, number, 0, 1], np.float32)}
    path = write(tmp_path / "a.root", values)
    columns = Columns(Collection(POLAR, padding=Padding(count="n")))
    message = rf"entry 1, column 'n' \(padding.count\): .* got {number:g} for a length of 6"
    with pytest.raises(DataError, match=message):
        read(path, columns)
    with pytest.warns(UserWarning, match="dropped 1 bad sets: 1 count outside the array"):
        assert read(path, columns, bad="drop").counts.tolist() == [3, 0, 1]


def test_a_count_that_is_a_list_is_refused(tmp_path, write):
    columns = Columns(Collection(POLAR, padding=Padding(count="pid")))
    with pytest.raises(ColumnError, match=r"column 'pid' \(padding.count\): expected one number"):
        read(write(tmp_path / "a.root", branches()), columns)


def test_padded_tables_of_events_with_an_index(tmp_path, write):
    """Padding of the links would belong to jet 0 of each event."""
    padded = {
        "cand_pt": np.array([[3, 4, 0], [5, 0, 0]], np.float32),
        "cand_eta": np.array([[1, 2, 0], [1, 0, 0]], np.float32),
        "cand_jet": np.array([[0, 1, 0], [0, 0, 0]], np.int32),
        "jet_pt": ak.Array([[10.0, 11.0], [12.0]]),
    }
    momentum = {"pt": "cand_pt", "eta": "cand_eta", "phi": "0", "mass": "0.1"}
    columns = Columns(Collection(momentum, index=JetIndex("jet_pt", "cand_jet")))
    particles = read(write(tmp_path / "a.root", padded), columns)
    assert particles.counts.tolist() == [1, 1, 1]


@pytest.mark.parametrize("number", [1, 2, 4, 10])
def test_the_hardest_particles_of_each_set(tmp_path, write, number):
    values = branches()
    values["pt"] = np.where(FILLED, np.round(values["pt"]), 0)
    path = write(tmp_path / "a.root", values)
    part = Collection(POLAR, {"pid": "pid", "pt": "pt", "phi": "phi"}, hardest=number)
    particles = read(path, Columns(part))
    assert particles.counts.tolist() == np.minimum(COUNTS, number).tolist()
    for jet, pt, phi in zip(particles, values["pt"], values["phi"], strict=True):
        order = sorted(range(6), key=lambda i: -pt[i])[:number]
        expected = [[pt[i], phi[i]] for i in sorted(order) if pt[i] > 0]
        assert jet.features[:, 1:].tolist() == np.reshape(expected, (-1, 2)).tolist()
    cartesian = {"E": "100 + 0 * px", "px": "px", "py": "py", "pz": "pz"}
    by_size = read(path, Columns(Collection(cartesian, hardest=1))).p4
    everything = read(path, Columns(Collection(cartesian)))
    hardest = [jet.p4[jet.p4[:, 1:3].norm(dim=1).argmax()] for jet in everything if len(jet.p4)]
    assert torch.equal(by_size, torch.stack(hardest))


def test_a_bad_particle_is_found_among_the_hardest(tmp_path, write):
    values = branches()
    values["pt"][1, 5] = np.nan
    path = write(tmp_path / "a.root", values)
    with pytest.raises(DataError, match=r"entry 1, column 'pt'.*NaN momentum"):
        read(path, Columns(Collection(POLAR, hardest=2)))


def test_a_negative_pt_is_bad(tmp_path, write):
    values = {"pt": ak.Array([[1.0], [2.0, -3.0, 4.0]]), "deta": ak.Array([[1.0], [1.0, 2.0, 3.0]])}
    columns = Columns(Collection(POLAR | {"phi": "0"}))
    message = r"entry 1, column 'pt': expected zero or more, got -3.0 in particle 1 \(negative pt"
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "a.root", values), columns)


@pytest.mark.parametrize("step", [1, 2, 4])
def test_padding_does_not_depend_on_the_chunks(tmp_path, write, step):
    path = write(tmp_path / "a.root", branches(), clusters=[1, 2, 3])
    chunks = iterate(path, Columns(Collection(POLAR)), step=step)
    counts = [chunk.particles.counts.tolist() for chunk in chunks]
    assert list(itertools.chain(*counts)) == COUNTS.tolist()


@pytest.mark.parametrize("kind", ["ttree", "rntuple", "hdf5"])
@pytest.mark.parametrize(
    ("fills", "momentum"),
    [
        ((7, 7, 7), POLAR),
        ((-999, -9, -9), {"pt": "abs(pt)", "eta": "deta", "phi": "phi", "mass": "0.1"}),
    ],
    ids=["one number", "a number for each column"],
)
def test_other_padding_of_one_set_is_known_by_its_file(tmp_path, write, kind, fills, momentum):
    """Alone in its chunk, the last set could have been measured."""
    values = branches()
    for name, fill in zip(("pt", "deta", "phi"), fills, strict=True):
        values[name][~FILLED] = fill
    path = tmp_path / ("a.h5" if kind == "hdf5" else "a.root")
    (write_hdf5 if kind == "hdf5" else write)(
        path, values, **({} if kind == "hdf5" else {"kind": kind})
    )
    columns = Columns(Collection(momentum))
    for start in (0, 2, 3):
        message = rf"entry {start}, momentum \(pt, deta, phi\): .* got {fills[0]} in the last place"
        with pytest.raises(DataError, match=message):
            read(str(path), columns, entry_start=start, entry_stop=start + 1)
    assert read(str(path), columns, entry_start=1, entry_stop=2).counts.tolist() == [6]


def test_momenta_are_no_padding_beside_themselves(tmp_path, write):
    """Each set of the file is among those that tell what its padding looks like."""
    random = np.random.default_rng(1)
    values = {name: -random.uniform(1, 9, (3, 4)).astype(np.float32) for name in ("x", "y", "z")}
    momentum = {"E": "sqrt(x**2 + y**2 + z**2)", "px": "x", "py": "y", "pz": "z"}
    path = write(tmp_path / "a.root", values)
    assert read(path, Columns(Collection(momentum))).counts.tolist() == [4, 4, 4]


def test_the_end_of_a_file_tells_of_its_beginning(tmp_path, write):
    """Sets in order of their size have padding at the end only, and one of them before."""
    sizes = np.array([5] + [6] * 998 + [5])
    filled = np.arange(6) < sizes[:, None]
    random = np.random.default_rng(1)
    values = {
        name: np.where(filled, random.uniform(1, 3, filled.shape), 7).astype(np.float32)
        for name in ("pt", "deta", "phi")
    }
    path = write(tmp_path / "a.root", values, clusters=[1, 999])
    with pytest.raises(DataError, match=r"entry 0, momentum .* got 7 in the last place"):
        list(iterate(path, Columns(Collection(POLAR)), step=1, entry_stop=1))
