"""The columns of file layouts that are in use."""

from hepml.io._columns import Collection, Columns

_CARTESIAN = {"E": "part_energy", "px": "part_px", "py": "part_py", "pz": "part_pz"}

# Impact parameters as in the Particle Transformer's configuration for JetClass (Qu, Li, Qian,
# arXiv:2202.03772, Table 2): tanh of the values in mm, errors limited to 1 mm.
_IMPACT = {
    "tanh_d0": "tanh(part_d0val)",
    "d0_error": "clip(part_d0err, 0, 1)",
    "tanh_dz": "tanh(part_dzval)",
    "dz_error": "clip(part_dzerr, 0, 1)",
}

_HEPML = Columns(
    Collection(
        _CARTESIAN,
        features={
            "charge": "part_charge",
            "is_charged_hadron": "abs(part_pid) == 211",
            "is_neutral_hadron": "part_pid == 130",
            "is_photon": "part_pid == 22",
            "is_electron": "abs(part_pid) == 11",
            "is_muon": "abs(part_pid) == 13",
        }
        | _IMPACT,
    ),
    label="label",
    classes=("qcd", "top"),
)

PRESETS: dict[str, Columns] = {"hepml": _HEPML}
