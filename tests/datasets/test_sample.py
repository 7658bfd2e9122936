"""The sample in ``data/``: what its README says of it, and whether its physics is sane."""

import hashlib
import json
import re
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

DATA = Path(__file__).parents[2] / "data"
README = (DATA / "README.md").read_text()
FILES = {"train": 12_000, "val": 4_000, "test": 4_000}


@pytest.fixture(scope="module")
def jets():
    """All jets of the three files."""
    return ak.concatenate([uproot.open(DATA / f"{name}.root")["tree"].arrays() for name in FILES])


def test_the_files_are_those_of_the_readme():
    expected = dict(re.findall(r"^([0-9a-f]{64})  (\w+\.root)$", README, re.MULTILINE))
    found = {
        hashlib.sha256((DATA / f"{name}.root").read_bytes()).hexdigest(): f"{name}.root"
        for name in FILES
    }
    assert found == expected
    assert sum((DATA / f"{name}.root").stat().st_size for name in FILES) < 30e6


@pytest.mark.parametrize(("name", "size"), FILES.items())
def test_each_file_has_its_size_its_balance_and_its_recipe(name, size):
    with uproot.open(DATA / f"{name}.root") as file:
        labels = file["tree"]["label"].array(library="np")
        recipe = json.loads(file["recipe"])
    assert len(labels) == recipe["jets_in_file"] == size
    assert np.bincount(labels).tolist() == [size // 2, size // 2]
    # Mixed throughout: signal in every part of the file, five standard deviations allowed.
    parts = labels.reshape(-1, 500).mean(1)
    assert abs(parts - 0.5).max() < 5 * 0.5 / np.sqrt(500)
    request = recipe["request"]
    parts = " ".join(map(str, request["split"]))
    command = (
        f"hepml generate {recipe['recipe']} data --jets {request['jets']} --split {parts} "
        f"--seed {request['seed']}"
    )
    assert command in README
    for package in ("pythia8mc", "fastjet", "numpy"):
        assert f"{package} {recipe['versions'][package]}" in README


def test_the_readme_describes_every_branch(jets):
    described = set(re.findall(r"`(\w+)`", README))
    assert {field for field in jets.fields if not field.startswith("aux_")} <= described


def test_no_jet_is_there_twice(jets):
    momenta = np.stack([jets.jet_pt, jets.jet_eta, jets.jet_phi], axis=1)
    assert len(np.unique(momenta, axis=0)) == len(jets)


def test_every_jet_is_in_the_window(jets):
    assert ak.all((jets.jet_pt > 550) & (jets.jet_pt < 650))
    assert ak.max(abs(jets.jet_eta)) <= 2
    assert ak.max(abs(jets.jet_phi)) <= np.float32(np.pi)
    counts = ak.num(jets.part_px)
    assert ak.all(counts == jets.jet_nparticles)
    assert ak.min(counts) >= 1
    assert ak.max(counts) <= 200


def test_the_constituents_sum_to_the_jet(jets):
    whole = jets[ak.num(jets.part_px) < 200]
    total = {
        name: ak.to_numpy(ak.sum(ak.values_astype(whole[f"part_{name}"], np.float64), axis=1))
        for name in ("px", "py", "pz", "energy")
    }
    pt = np.hypot(total["px"], total["py"])
    momentum = np.hypot(pt, total["pz"])
    energy = ak.to_numpy(whole.jet_energy)
    rounding = 1e-6  # a few units of float32 in the last place
    np.testing.assert_allclose(total["energy"], energy, rtol=rounding)
    np.testing.assert_allclose(pt, whole.jet_pt, rtol=rounding)
    np.testing.assert_allclose(
        np.arcsinh(total["pz"] / pt), whole.jet_eta, rtol=rounding, atol=rounding
    )
    turned = np.arctan2(total["py"], total["px"]) - ak.to_numpy(whole.jet_phi)
    assert abs((turned + np.pi) % (2 * np.pi) - np.pi).max() < rounding
    # The mass is a difference of large numbers: its square keeps their absolute error.
    off = np.abs(total["energy"] ** 2 - momentum**2 - ak.to_numpy(whole.jet_mass) ** 2)
    assert (off / energy**2).max() < 2 * rounding


def test_no_momentum_is_space_like_beyond_rounding(jets):
    components = [
        ak.to_numpy(ak.flatten(jets[f"part_{name}"])).astype(np.float64)
        for name in ("energy", "px", "py", "pz")
    ]
    energy, *momentum = components
    assert energy.min() > 0
    size = np.sqrt(sum(component**2 for component in momentum))
    assert (energy / size).min() > 1 - 2e-7


def test_the_constituents_are_sorted_by_pt(jets):
    pt = ak.to_numpy(ak.flatten(np.hypot(jets.part_px, jets.part_py)))
    counts = ak.to_numpy(ak.num(jets.part_px))
    first = np.cumsum(counts) - counts
    rises = np.flatnonzero(np.diff(pt) > 1e-6 * pt[1:]) + 1
    assert np.isin(rises, first).all()


def test_kinds_and_charges_belong_together(jets):
    pid = ak.to_numpy(ak.flatten(jets.part_pid)).astype(int)
    charge = ak.to_numpy(ak.flatten(jets.part_charge)).astype(int)
    assert set(pid) == {-211, -13, -11, 11, 13, 22, 130, 211}
    expected = np.where(abs(pid) == 211, np.sign(pid), -np.sign(pid))
    np.testing.assert_array_equal(charge, np.where(np.isin(pid, (22, 130)), 0, expected))
    neutral = charge == 0
    for name in ("d0val", "d0err", "dzval", "dzerr"):
        values = ak.to_numpy(ak.flatten(jets[f"part_{name}"]))
        assert not values[neutral].any()
        assert values[~neutral].all() if name.endswith("err") else True


def test_top_jets_have_the_mass_of_the_top(jets):
    mass = ak.to_numpy(jets.jet_mass)
    signal = ak.to_numpy(jets.label) == 1
    counts, edges = np.histogram(mass[signal], np.arange(100, 260, 4))
    peak = edges[counts.argmax()] + 2
    assert peak == pytest.approx(173, abs=6)
    near = abs(mass - 173) < 30
    assert near[signal].mean() > 0.7
    assert near[~signal].mean() < 0.2


def test_top_jets_have_more_constituents_and_displaced_tracks(jets):
    signal = ak.to_numpy(jets.label) == 1
    counts = ak.to_numpy(jets.jet_nparticles)
    assert counts[signal].mean() > counts[~signal].mean() + 8
    tracks = jets.part_charge != 0
    significance = abs(jets.part_d0val[tracks]) / jets.part_d0err[tracks]
    displaced = ak.to_numpy(ak.sum(significance > 4, axis=1))
    assert displaced[signal].mean() > 1.5 * displaced[~signal].mean()


def test_the_truth_of_a_top_jet_is_its_top(jets):
    signal = ak.to_numpy(jets.label) == 1
    assert set(jets.aux_top_pid[signal]) == {-6, 6}
    assert not ak.any(jets.aux_top_pid[~signal])
    top, w_boson, b_quark = (
        np.stack(
            [
                ak.to_numpy(jets[f"aux_{name}_{part}"]).astype(np.float64)
                for part in ("energy", "px", "py", "pz")
            ]
        )[:, signal]
        for name in ("top", "w", "b")
    )
    metric = np.array([1, -1, -1, -1])
    assert np.median(np.sqrt(metric @ top**2)) == pytest.approx(173, abs=2)
    assert np.median(np.sqrt(metric @ w_boson**2)) == pytest.approx(80.4, abs=1)
    # The top's decay conserves momentum; its shower takes a part of it before the quarks appear.
    lost = np.abs(top - w_boson - b_quark).max(0)
    assert np.median(lost) < 15
    eta, phi = np.arcsinh(top[3] / np.hypot(top[1], top[2])), np.arctan2(top[2], top[1])
    turned = (phi - ak.to_numpy(jets.jet_phi)[signal] + np.pi) % (2 * np.pi) - np.pi
    assert np.hypot(eta - ak.to_numpy(jets.jet_eta)[signal], turned).max() < 0.8 + 1e-5
