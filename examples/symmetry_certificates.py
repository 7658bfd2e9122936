"""Which symmetries the networks have, measured: all of hepml, lgatr and pelican-lite.

    python examples/symmetry_certificates.py [--jets N] [--gammas 2 10 100 10000]

Jets of data/ go through every network with weights of order one. A violation is the change of an
output that the symmetry forbids, in units of the spread of the outputs over the jets: the largest
over jets, elements of the symmetry and draws of weights. Beams of a network are boosted along.

Boosts by powers of 2 round nothing, on momenta of a grid: what they change is the arithmetic of a
network. Random boosts of the jets as they are show what the rounding of momenta adds.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from hepml.data import ParticleSet
from hepml.io import read
from hepml.models import MODELS, EnergyFlow, LorentzCG, LorentzNet, ParticleFlow
from hepml.symmetry import SymmetryReport, check

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))
import other_networks as others
from _measure import table
from _violations import BITS, draw

# What a network needs besides hepml, and how it is made; without beams, but for the second.
NETWORKS = {name: (None, model) for name, model in MODELS.items()} | {
    "LorentzNet, no beams": (None, lambda: LorentzNet(beams=False)),
    "LorentzCG, no beams": (None, lambda: LorentzCG(beams=False)),
    "L-GATr (lgatr)": ("lgatr", lambda: others.Lgatr(beams=False, blocks=2)),
    "L-GATr-slim (lgatr)": ("lgatr", lambda: others.LgatrSlim(beams=False, blocks=2)),
    "PELICAN (pelican-lite)": ("pelican", lambda: others.Pelican(beams=False, blocks=2)),
}
GROUPS = ("lorentz", "lorentz with beams", "beam rotation")


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data/val.root"))
    parser.add_argument("--jets", type=int, default=24)
    parser.add_argument("--gammas", type=float, nargs="+", default=[2.0, 10.0, 100.0, 1e4])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--output", type=Path, default=Path("runs/symmetry"))
    options = parser.parse_args(words)

    jets = read(options.data, max_sets=options.jets)
    jets = ParticleSet(jets.p4, jets.offsets)
    reports: dict[str, list[SymmetryReport]] = {}
    for name in tqdm(options.networks, unit="network", leave=False):
        package, build = NETWORKS[name]
        if package is not None and not others.installed(package):
            print(f"{name}: not measured, {package} is not installed")
            continue
        model = build()
        # The largest group of those it claims; the networks of others have no beams here.
        group = next(g for g in GROUPS if g in getattr(model, "claims", GROUPS))
        symmetries = {"permutation": None, "batch composition": None, group: None}
        symmetries |= {group: options.gammas} if "lorentz" in group else {}
        wide = package is None and "lorentz" in group
        bits = BITS if wide else ("float64", "float32")
        reports[name] = [
            check(
                *(model, jets, symmetry),
                strengths=gammas,
                dtypes=bits,
                weights="random",
                elements=elements,
            )
            for symmetry, gammas in symmetries.items()
            for elements in ((2, "exact") if symmetry == group else (2,))
        ]
    bits = [("", name) for name in BITS] + [("rounded ", name) for name in BITS]
    header = ["network", "permutation", "batch", "group"]
    header += [f"{gamma:g}, {kind}{name}" for kind, name in bits for gamma in options.gammas]
    text = table(header, [row(name, *each, options.gammas) for name, each in reports.items()])
    for symmetry in ("soft emission", "collinear splitting"):
        for model in (EnergyFlow(), ParticleFlow()):
            safety = check(model, jets, symmetry, dtypes="float64", weights="random")
            text += "\n" + str(safety).splitlines()[0]
    print(text)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "certificates.txt").write_text(text + "\n")
    found = {name: [report.to_dict() for report in each] for name, each in reports.items()}
    (options.output / "certificates.json").write_text(json.dumps(found, indent=2) + "\n")
    draw({name: each[2:] for name, each in reports.items()}, options.output / "certificates")
    print(f"\nwritten: {options.output}/certificates.txt, .json, .png, .pdf")


def row(
    name: str,
    permutation: SymmetryReport,
    batch: SymmetryReport,
    rounded: SymmetryReport,
    exact: SymmetryReport,
    gammas: Sequence[float],
) -> list[str]:
    """The violations of a network; a group without boosts has one figure for each precision."""
    figures = [f"{report.largest():.0e}" for report in (permutation, batch)]
    for report in (exact, rounded):
        for bits in BITS:
            near = [report.symmetry.exact_strength(gamma) for gamma in gammas]
            each = [report.largest(bits, at) for at in (near if report is exact else gammas)]
            if all(math.isnan(value) for value in each):
                each[0] = report.largest(bits)
            figures += ["" if math.isnan(value) else f"{value:.0e}" for value in each]
    return [name, *figures[:2], exact.symmetry.name, *figures[2:]]


if __name__ == "__main__":
    main()
