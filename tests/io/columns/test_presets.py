"""Presets on the real files: sums of constituents are the jets, and counts are the file's own."""

import awkward as ak
import numpy as np
import pytest
import torch
import uproot
import vector

from hepml.io import PRESETS, JetIndex, read
from hepml.ops import segment_sum

pytestmark = pytest.mark.slow

vector.register_awkward()

FILES = {
    "jetclass2": "jetclass2/JetClassII_example.root",
    "pfnano": "cms-pfnano/pfnano.root",
    "pfnano-ak4": "cms-pfnano/pfnano.root",
    "nanoaod-v15": "cms-nanoaod/nano_tt_v15.root",
    "nanoaod": "cms-nanoaod/nano_tt_v15.root",
    "deepjet": "deepjet-ttbar/ntuple_ttbar.root",
    "delphes": "delphes/delphes_eflow_uproot513.root",
    "delphes-pf": "delphes/events_delphes_example.root",
    "physlite": "atlas-physlite/PHYSLITE_example.root",
    "physlite-tracks": "atlas-physlite/PHYSLITE_example.root",
    "edm4hep": "fcc-edm4hep/test_FCC_Winter2023.root",
    "hepml": "toptag-like/val.root",
}
SIZES = {
    "jetclass2": (100, 4529),
    "pfnano": (24, 1076),
    "pfnano-ak4": (64, 1801),
    "nanoaod-v15": (64, 2374),
    "nanoaod": (200, 1952),
    "deepjet": (7199, 162003),
    "delphes": (10, 1724),
    "delphes-pf": (10, 1426),
    "physlite": (100, 1020),
    "physlite-tracks": (100, 1292),
    "edm4hep": (100, 5953),
    "hepml": (12242, 650215),
}
KINDS = ("is_charged_hadron", "is_neutral_hadron", "is_photon", "is_electron", "is_muon")


@pytest.fixture(scope="module")
def sets(data):
    """Each preset's file, read once."""
    found = {}

    def get(name):
        if name not in found:
            found[name] = read(data / FILES[name], name)
        return found[name]

    return get


def arrays(data, name, branches):
    with uproot.open(data / FILES[name]) as file:
        return file[PRESETS[name].tree or "tree"].arrays(branches)


def jets_of(particles):
    """The sums of the momenta of each set, as vectors."""
    total = segment_sum(particles.p4.double(), particles.offsets).numpy()
    return vector.array(dict(zip(("E", "px", "py", "pz"), total.T, strict=True)))


def feature(particles, name, preset):
    return particles.features[:, PRESETS[preset].feature_names.index(name)].numpy()


@pytest.mark.parametrize("name", FILES)
def test_every_preset_reads_its_real_file(sets, name):
    particles = sets(name)
    assert (len(particles), len(particles.p4)) == SIZES[name]
    assert particles.features.shape[1] == len(PRESETS[name].feature_names)
    energy, momentum = particles.p4[:, 0], particles.p4[:, 1:].norm(dim=1)
    assert bool((energy > 0).all())
    # A mass below zero is rounding, or what calibration leaves: none is far from its mass shell.
    assert bool((energy > momentum * (1 - 1e-3)).all())
    assert 0.1 < float(momentum.median()) < 200
    assert bool((particles.features.abs() <= 50).all())


@pytest.mark.parametrize("name", [n for n in FILES if set(KINDS) <= set(PRESETS[n].feature_names)])
def test_each_particle_is_of_one_kind_and_only_charged_ones_have_tracks(sets, name):
    particles = sets(name)
    kinds = np.stack([feature(particles, kind, name) for kind in KINDS], axis=1)
    assert set(np.unique(kinds)) <= {0, 1}
    assert (kinds.sum(axis=1) == 1).all()
    neutral = (kinds[:, 1] + kinds[:, 2]) == 1
    for column in ("charge", "tanh_d0", "tanh_dz", "d0_significance", "dz_significance"):
        if column in PRESETS[name].feature_names:
            assert not feature(particles, column, name)[neutral].any()


def test_counts_of_classes(sets):
    def count(name):
        return torch.bincount(sets(name).labels).tolist()

    assert count("deepjet") == [2232, 899, 2276, 1792]
    assert PRESETS["deepjet"].class_names == ("b", "c", "uds", "g")
    assert count("pfnano") == [22, 2]
    assert count("nanoaod-v15") == [21, 10, 33]
    assert sum(count("hepml")) == 12242
    assert len(PRESETS["jetclass2"].class_names) == 188
    assert len(PRESETS["jetclass"].class_names) == 10


def test_candidates_of_nanoaod_v15_add_up_to_the_jet_before_its_calibration(sets, data):
    """Jets far forward have no candidates; momenta are kept in ten bits."""
    names = ("pt", "eta", "phi", "mass", "rawFactor", "nConstituents")
    own = arrays(data, "nanoaod-v15", [f"FatJet_{name}" for name in names])
    pt, eta, phi, mass, factor, constituents = (
        ak.to_numpy(ak.flatten(own[f"FatJet_{name}"])) for name in names
    )
    particles = sets("nanoaod-v15")
    counts = particles.counts.numpy()
    full = counts > 0
    np.testing.assert_array_equal(counts[full], constituents[full])
    np.testing.assert_array_less(3, np.abs(eta[~full]))
    jets = jets_of(particles)[full]
    np.testing.assert_allclose(jets.pt, (pt * (1 - factor))[full], rtol=3e-3)
    np.testing.assert_allclose(jets.mass, (mass * (1 - factor))[full], rtol=5e-3)
    np.testing.assert_allclose(jets.eta, eta[full], atol=2e-3)
    np.testing.assert_allclose(np.angle(np.exp(1j * (jets.phi - phi[full]))), 0, atol=2e-3)


def test_constituents_of_jetclass2_add_up_to_the_jet(sets, data):
    """Its particles have the Eta of Delphes, which is where a track ends: pt and phi tell."""
    jets = jets_of(sets("jetclass2"))
    own = arrays(data, "jetclass2", ["jet_pt", "jet_phi", "jet_energy", "jet_label"])
    np.testing.assert_allclose(jets.pt, own.jet_pt, rtol=1e-6)
    np.testing.assert_allclose(jets.phi, own.jet_phi, atol=1e-6)
    np.testing.assert_allclose(jets.E, own.jet_energy, rtol=0.05)
    np.testing.assert_array_equal(sets("jetclass2").labels, own.jet_label)


def test_candidates_of_ak8_jets_add_up_to_the_jet_before_its_calibration(sets, data):
    """Weighted by PUPPI, direction and mass over pt are the jet's; without, they are not."""
    own = arrays(data, "pfnano", [f"FatJet_{c}" for c in ("pt", "eta", "phi", "mass")])
    own = {
        name: ak.to_numpy(ak.flatten(own[f"FatJet_{name}"]))
        for name in ("pt", "eta", "phi", "mass")
    }

    def compare(particles):
        jets = jets_of(particles)
        return (
            np.abs(jets.eta - own["eta"]).max(),
            np.abs(vector.array({"rho": own["pt"], "phi": own["phi"]}).deltaphi(jets)).max(),
            np.abs(jets.M / own["mass"] / (jets.pt / own["pt"]) - 1).max(),
            (jets.pt / own["pt"]),
        )

    eta, phi, mass, scale = compare(sets("pfnano"))
    assert eta < 2e-4
    assert phi < 2e-4
    assert mass < 5e-3
    assert ((scale > 0.85) & (scale < 1)).all()
    part = PRESETS["pfnano"].collections[0]
    plain = {k: text.removesuffix(" * PFCands_puppiWeight") for k, text in part.momentum.items()}
    unweighted = PRESETS["pfnano"].replace(collections=[type(part)(plain, index=part.index)])
    assert compare(read(data / FILES["pfnano"], unweighted))[0] > 1e-2


def test_candidates_of_ak4_jets_point_where_the_jet_does(sets, data):
    own = arrays(data, "pfnano-ak4", ["Jet_pt", "Jet_eta", "Jet_phi"])
    jets = jets_of(sets("pfnano-ak4"))
    assert np.abs(jets.eta - ak.to_numpy(ak.flatten(own.Jet_eta))).max() < 1e-3
    assert np.abs(np.sin(jets.phi - ak.to_numpy(ak.flatten(own.Jet_phi)))).max() < 1e-3


def test_jets_of_pfnano_are_those_of_a_loop_over_events(sets, data):
    index = PRESETS["pfnano"].collections[0].index
    assert index == JetIndex("FatJet_pt", "FatJetPFCands_jetIdx", "FatJetPFCands_pFCandsIdx")
    branches = ["PFCands_charge", "PFCands_puppiWeight", "FatJet_pt", index.jet, index.particle]
    events = ak.to_list(arrays(data, "pfnano", branches))
    expected = []
    for event in events:
        for jet in range(len(event["FatJet_pt"])):
            rows = [
                row
                for row, of in zip(event[index.particle], event[index.jet], strict=True)
                if of == jet and event["PFCands_puppiWeight"][row] > 0
            ]
            expected.append([event["PFCands_charge"][row] for row in rows])
    particles = sets("pfnano")
    assert particles.counts.tolist() == [len(charges) for charges in expected]
    np.testing.assert_array_equal(
        feature(particles, "charge", "pfnano"), [q for charges in expected for q in charges]
    )


def test_candidates_of_deepjet_point_where_the_jet_does(sets, data):
    """With the opposite sign of etarel they miss it by a hundred times more."""
    particles = sets("deepjet")
    jet_eta = ak.to_numpy(arrays(data, "deepjet", ["jet_eta"]).jet_eta)
    jets = jets_of(particles)
    assert np.abs(jets.eta - jet_eta).max() < 3e-4
    assert np.abs(jets.phi).max() < 3e-4
    part = PRESETS["deepjet"].collections
    wrong = [
        type(p)(dict(p.momentum) | {"eta": p.momentum["eta"].replace("+", "-", 1)}) for p in part
    ]
    planted = read(data / FILES["deepjet"], PRESETS["deepjet"].replace(collections=wrong))
    assert np.std(jets_of(planted).eta - jet_eta) > 100 * np.std(jets.eta - jet_eta)


def test_collections_of_deepjet_are_told_apart(sets, data):
    particles = sets("deepjet")
    own = arrays(data, "deepjet", ["Cpfcan_pt", "Npfcan_pt", "Npfcan_isGamma"])
    charged = feature(particles, "is_charged", "deepjet")
    per_jet = segment_sum(torch.from_numpy(charged), particles.offsets)
    np.testing.assert_array_equal(per_jet, ak.num(own.Cpfcan_pt))
    np.testing.assert_array_equal(particles.counts, ak.num(own.Cpfcan_pt) + ak.num(own.Npfcan_pt))
    pt = particles.p4[:, 1:3].norm(dim=1).numpy()
    np.testing.assert_allclose(pt[charged == 1], ak.flatten(own.Cpfcan_pt), rtol=1e-6)
    np.testing.assert_allclose(pt[charged == 0], ak.flatten(own.Npfcan_pt), rtol=1e-6)
    photon = feature(particles, "is_photon", "deepjet")
    np.testing.assert_array_equal(photon[charged == 0], ak.flatten(own.Npfcan_isGamma))
    assert not photon[charged == 1].any()


def test_events_of_delphes_keep_all_energy(sets, data):
    """The sum over an event of tracks and towers, collection by collection, from uproot."""
    branches = ["EFlowTrack.PT", "EFlowTrack.Eta", "EFlowPhoton.E", "EFlowNeutralHadron.E"]
    own = arrays(data, "delphes", branches)
    kept = own["EFlowTrack.PT"] > 0
    track = own["EFlowTrack.PT"][kept] * np.cosh(own["EFlowTrack.Eta"][kept])
    towers = ak.sum(own["EFlowPhoton.E"], axis=1) + ak.sum(own["EFlowNeutralHadron.E"], axis=1)
    energy = jets_of(sets("delphes")).E
    np.testing.assert_allclose(energy, ak.sum(track, axis=1) + towers, rtol=2e-3)
    flow = arrays(data, "delphes-pf", ["ParticleFlowCandidate.E", "ParticleFlowCandidate.PT"])
    hard = flow["ParticleFlowCandidate.PT"] > 0
    expected = ak.sum(flow["ParticleFlowCandidate.E"][hard], axis=1)
    np.testing.assert_allclose(jets_of(sets("delphes-pf")).E, expected, rtol=1e-5)


def test_objects_of_nanoaod_and_physlite_in_gev(sets, data):
    nano = sets("nanoaod")
    own = arrays(
        data, "nanoaod", [f"{n}_{c}" for n in ("Jet", "Electron", "Muon") for c in ("pt",)]
    )
    pt = nano.p4[:, 1:3].norm(dim=1).numpy()
    for name in ("Jet", "Electron", "Muon"):
        mine = feature(nano, f"is_{name.lower()}", "nanoaod") == 1
        np.testing.assert_allclose(pt[mine], ak.flatten(own[f"{name}_pt"]), rtol=1e-6)
    lite = sets("physlite")
    own = arrays(data, "physlite", [f"AnalysisJetsAuxDyn.{c}" for c in ("pt", "eta", "phi", "m")])
    mine = feature(lite, "is_jet", "physlite") == 1
    jets = ak.zip(
        {
            k: own[f"AnalysisJetsAuxDyn.{c}"]
            for k, c in zip(("pt", "eta", "phi", "mass"), ("pt", "eta", "phi", "m"), strict=True)
        },
        with_name="Momentum4D",
    )
    np.testing.assert_allclose(lite.p4[mine, 0], ak.flatten(jets.E) / 1000, rtol=1e-6)
    np.testing.assert_allclose(lite.p4[mine, 3], ak.flatten(jets.pz) / 1000, rtol=2e-6, atol=1e-6)


def test_tracks_of_physlite_have_the_momentum_of_their_curvature(sets, data):
    track = "InDetTrackParticlesAuxDyn"
    own = arrays(data, "physlite-tracks", [f"{track}.qOverP", f"{track}.theta", f"{track}.phi"])
    q_over_p, theta, phi = (
        ak.to_numpy(ak.flatten(own[f"{track}.{c}"])) for c in ("qOverP", "theta", "phi")
    )
    p4 = sets("physlite-tracks").p4.double().numpy()
    momentum = np.abs(1e-3 / q_over_p)
    np.testing.assert_allclose(np.linalg.norm(p4[:, 1:], axis=1), momentum, rtol=1e-5)
    np.testing.assert_allclose(p4[:, 3] / momentum, np.cos(theta), atol=1e-5)
    np.testing.assert_allclose(np.arctan2(p4[:, 2], p4[:, 1]), phi, atol=1e-6)
    mass = np.sqrt(np.maximum(p4[:, 0] ** 2 - momentum**2, 0))
    assert abs(np.median(mass[momentum < 1]) - 0.13957) < 1e-3


def test_edm4hep_is_read_as_it_is(sets, data):
    own = arrays(
        data, "edm4hep", ["ReconstructedParticles.energy", "ReconstructedParticles.momentum.y"]
    )
    particles = sets("edm4hep")
    np.testing.assert_array_equal(
        particles.p4[:, 0], ak.flatten(own["ReconstructedParticles.energy"])
    )
    np.testing.assert_array_equal(
        particles.p4[:, 2], ak.flatten(own["ReconstructedParticles.momentum.y"])
    )
