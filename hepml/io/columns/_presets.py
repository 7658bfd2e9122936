"""The columns of file layouts that are in use.

Features that mean the same have the same name and unit in every layout, so that a network trained
on one file reads another: ``charge``, ``is_charged_hadron``, ``is_neutral_hadron``, ``is_photon``,
``is_electron``, ``is_muon``, and the impact parameters as the Particle Transformer takes them (Qu,
Li, Qian, arXiv:2202.03772): the hyperbolic tangent of the value in mm, the error in mm up to 1.
Beside them where a layout has errors: their significances, value over error, up to 50.
"""

from hepml.io.columns._collection import Collection
from hepml.io.columns._columns import Columns
from hepml.io.columns._impact import significance
from hepml.io.columns._jetclass2 import JETCLASS2_CLASSES
from hepml.io.columns._nanoaod import AK4, AK8, NANOAOD, Candidates

# GeV
_ELECTRON, _MUON, _PION = "0.000511", "0.10566", "0.13957"

_PART = {"E": "part_energy", "px": "part_px", "py": "part_py", "pz": "part_pz"}
_PART_IMPACT = {
    "tanh_d0": "tanh(part_d0val)",
    "d0_error": "clip(part_d0err, 0, 1)",
    "tanh_dz": "tanh(part_dzval)",
    "dz_error": "clip(part_dzerr, 0, 1)",
    "d0_significance": significance("part_d0val", "part_d0err"),
    "dz_significance": significance("part_dzval", "part_dzerr"),
}


def _kinds(pid: str) -> dict[str, str]:
    """One-hot kinds of reconstructed particles from PDG numbers."""
    return {
        "is_charged_hadron": f"abs({pid}) == 211",
        "is_neutral_hadron": f"{pid} == 130",
        "is_photon": f"{pid} == 22",
        "is_electron": f"abs({pid}) == 11",
        "is_muon": f"abs({pid}) == 13",
    }


# What `hepml generate top-tagging` writes.
_HEPML = Columns(
    Collection(_PART, {"charge": "part_charge"} | _kinds("part_pid") | _PART_IMPACT),
    label="label",
    classes=("qcd", "top"),
)

# JetClass (arXiv:2202.03772): 100 million jets in ten classes.
_JETCLASS = Columns(
    Collection(
        _PART,
        {
            "charge": "part_charge",
            "is_charged_hadron": "part_isChargedHadron",
            "is_neutral_hadron": "part_isNeutralHadron",
            "is_photon": "part_isPhoton",
            "is_electron": "part_isElectron",
            "is_muon": "part_isMuon",
        }
        | _PART_IMPACT,
    ),
    classes={
        name: f"label_{name}"
        for name in ("QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl")
    },
)
_JETCLASS2 = _JETCLASS.replace(label="jet_label", classes=JETCLASS2_CLASSES)

# CMS DeepNTuples, as DeepJet is trained on. The candidates are relative to the jet: etarel has the
# sign of the jet's eta, and without the jet's phi the sets lie at phi = 0. Charged candidates have
# CMS' pion mass unless identified, neutral ones none; impact parameters are in cm.
_DEEPJET_ETA = "jet_eta + where(jet_eta < 0, -1, 1) * {}pfcan_etarel"
_DEEPJET = Columns(
    [
        Collection(
            {
                "pt": "Cpfcan_pt",
                "eta": _DEEPJET_ETA.format("C"),
                "phi": "Cpfcan_phirel",
                "mass": f"where(Cpfcan_isMu == 1, {_MUON}, "
                f"where(Cpfcan_isEl == 1, {_ELECTRON}, {_PION}))",
            },
            {
                "is_charged_hadron": "(Cpfcan_isMu == 0) & (Cpfcan_isEl == 0)",
                "is_electron": "Cpfcan_isEl",
                "is_muon": "Cpfcan_isMu",
                "tanh_d0": "tanh(10 * Cpfcan_dxy)",
                "tanh_dz": "tanh(10 * Cpfcan_dz)",
                "puppi_weight": "Cpfcan_puppiw",
                "vertex_association": "Cpfcan_VTX_ass / 7",
                "log_chi2": "log1p(Cpfcan_chi2)",
            },
            kind="is_charged",
        ),
        Collection(
            {
                "pt": "Npfcan_pt",
                "eta": _DEEPJET_ETA.format("N"),
                "phi": "Npfcan_phirel",
                "mass": "0",
            },
            {
                "is_neutral_hadron": "Npfcan_isGamma == 0",
                "is_photon": "Npfcan_isGamma",
                "hadron_fraction": "Npfcan_HadFrac",
            },
        ),
    ],
    tree="deepntuplizer/tree",
    classes={"b": "isB", "c": "isC", "uds": "isUDS", "g": "isG"},
)

# Delphes names jets' constituents by pointers between objects: a set is the event. Its D0 has the
# sign opposite to that of ATLAS. Tracks that were lost remain with a transverse momentum of zero.
_DELPHES = Columns(
    [
        Collection(
            {
                "pt": "EFlowTrack.PT",
                "eta": "EFlowTrack.Eta",
                "phi": "EFlowTrack.Phi",
                "mass": f"where(abs(EFlowTrack.PID) == 13, {_MUON}, "
                f"where(abs(EFlowTrack.PID) == 11, {_ELECTRON}, {_PION}))",
            },
            {
                "charge": "EFlowTrack.Charge",
                "is_charged_hadron": "(abs(EFlowTrack.PID) != 11) & (abs(EFlowTrack.PID) != 13)",
                "is_electron": "abs(EFlowTrack.PID) == 11",
                "is_muon": "abs(EFlowTrack.PID) == 13",
                "tanh_d0": "tanh(EFlowTrack.D0)",
                "d0_error": "clip(EFlowTrack.ErrorD0, 0, 1)",
                "tanh_dz": "tanh(EFlowTrack.DZ)",
                "dz_error": "clip(EFlowTrack.ErrorDZ, 0, 1)",
                "d0_significance": significance("EFlowTrack.D0", "EFlowTrack.ErrorD0"),
                "dz_significance": significance("EFlowTrack.DZ", "EFlowTrack.ErrorDZ"),
            },
            cut="EFlowTrack.PT > 0",
        ),
        *(
            Collection(
                {"pt": f"{name}.ET", "eta": f"{name}.Eta", "phi": f"{name}.Phi", "mass": "0"},
                kind=kind,
            )
            for name, kind in (
                ("EFlowPhoton", "is_photon"),
                ("EFlowNeutralHadron", "is_neutral_hadron"),
            )
        ),
    ],
    tree="Delphes",
)

# Of a charged candidate, Eta is where its track ends; its momentum has the angle of CtgTheta.
_PF = "ParticleFlowCandidate"
_DELPHES_PF = Columns(
    Collection(
        {
            "pt": f"{_PF}.PT",
            "eta": f"where({_PF}.Charge != 0, arcsinh({_PF}.CtgTheta), {_PF}.Eta)",
            "phi": f"{_PF}.Phi",
            "mass": f"{_PF}.Mass",
        },
        {
            "charge": f"{_PF}.Charge",
            "is_charged_hadron": f"({_PF}.Charge != 0) & (abs({_PF}.PID) != 11) "
            f"& (abs({_PF}.PID) != 13)",
            "is_neutral_hadron": f"({_PF}.Charge == 0) & ({_PF}.PID != 22)",
            "is_photon": f"{_PF}.PID == 22",
            "is_electron": f"abs({_PF}.PID) == 11",
            "is_muon": f"abs({_PF}.PID) == 13",
            "tanh_d0": f"tanh({_PF}.D0)",
            "d0_error": f"clip({_PF}.ErrorD0, 0, 1)",
            "tanh_dz": f"tanh({_PF}.DZ)",
            "dz_error": f"clip({_PF}.ErrorDZ, 0, 1)",
            "d0_significance": significance(f"{_PF}.D0", f"{_PF}.ErrorD0"),
            "dz_significance": significance(f"{_PF}.DZ", f"{_PF}.ErrorDZ"),
        },
        cut=f"{_PF}.PT > 0",
    ),
    tree="Delphes",
)


def _physlite(name: str, mass: str, kind: str, features: dict[str, str]) -> Collection:
    """One kind of object of an ATLAS PHYSLITE event."""
    momentum = {k: f"Analysis{name}AuxDyn.{k}" for k in ("pt", "eta", "phi")}
    return Collection(momentum | {"mass": mass}, features, kind=kind)


# ATLAS PHYSLITE, in MeV: a set is the event's calibrated jets and leptons.
_PHYSLITE = Columns(
    [
        _physlite("Jets", "AnalysisJetsAuxDyn.m", "is_jet", {}),
        _physlite(
            "Electrons",
            "AnalysisElectronsAuxDyn.m",
            "is_electron",
            {"charge": "AnalysisElectronsAuxDyn.charge"},
        ),
        _physlite("Muons", "105.66", "is_muon", {"charge": "AnalysisMuonsAuxDyn.charge"}),
    ],
    unit="MeV",
    tree="CollectionTree",
)

# The same file's inner-detector tracks; d0 and z0 in mm.
_TRACK = "InDetTrackParticlesAuxDyn"
_PHYSLITE_TRACKS = Columns(
    Collection(
        {
            "pt": f"abs(sin({_TRACK}.theta) / {_TRACK}.qOverP)",
            "eta": f"-log(tan({_TRACK}.theta / 2))",
            "phi": f"{_TRACK}.phi",
            "mass": "139.57",
        },
        {
            "charge": f"sign({_TRACK}.qOverP)",
            "tanh_d0": f"tanh({_TRACK}.d0)",
            "tanh_z0": f"tanh({_TRACK}.z0)",
        },
    ),
    unit="MeV",
    tree="CollectionTree",
)

# EDM4hep, as FCC, ILC and muon-collider studies write it: a set is the event.
_RECO = "ReconstructedParticles"
_EDM4HEP = Columns(
    Collection(
        {"E": f"{_RECO}.energy"} | {f"p{axis}": f"{_RECO}.momentum.{axis}" for axis in "xyz"},
        {"charge": f"{_RECO}.charge"},
    ),
    tree="events",
)

# The public top-tagging reference set (Kasieczka, Plehn, Thompson, Russell, zenodo 2603256).
_TOP_TAGGING_H5 = Columns(
    Collection({"E": "E", "px": "PX", "py": "PY", "pz": "PZ"}),
    label="is_signal_new",
    classes=("qcd", "top"),
)

# The candidates of jets in CMS files; those of other productions are recognised by their structure.
_TRACKS = frozenset({"charge", "puppiWeight", "d0", "d0Err", "dz", "dzErr"})
_PFNANO_AK8, _PFNANO_AK4 = (
    Candidates(jet, "PFCands", f"{jet}PFCands", f"{jet}PFCands_pFCandsIdx", _TRACKS).columns()
    for jet in (AK8, AK4)
)
_V15 = Candidates(AK8, "PFCand", "FatJetPFCand", "FatJetPFCand_pfCandIdx", frozenset()).columns()

PRESETS: dict[str, Columns] = {
    "hepml": _HEPML,
    "jetclass": _JETCLASS,
    "jetclass2": _JETCLASS2,
    "pfnano": _PFNANO_AK8,
    "pfnano-ak4": _PFNANO_AK4,
    "nanoaod-v15": _V15,
    "nanoaod": NANOAOD,
    "deepjet": _DEEPJET,
    "delphes": _DELPHES,
    "delphes-pf": _DELPHES_PF,
    "physlite": _PHYSLITE,
    "physlite-tracks": _PHYSLITE_TRACKS,
    "edm4hep": _EDM4HEP,
    "top-tagging-h5": _TOP_TAGGING_H5,
}
