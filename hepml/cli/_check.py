"""``hepml check``: the certificate of a trained tagger."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import NonNegativeInt, PositiveInt
from tqdm.auto import tqdm

from hepml import __version__
from hepml.cli._network import add_network_option, named_networks
from hepml.data import ParticleSet
from hepml.deploy import Tagger
from hepml.errors import InputError
from hepml.io import read
from hepml.outputs import require_free_folder, whole_folder
from hepml.symmetry import Symmetry, SymmetryReport, check, find_symmetry, random_jets
from hepml.symmetry._precision import find_precisions
from hepml.training import save_figure

_CERTIFICATE = "symmetries.json"


def make_parser() -> ArgumentParser:
    """The options of ``hepml check``."""
    parser = ArgumentParser(
        usage="hepml check CHECKPOINT [FILE ...] [options]",
        description="Measure the symmetries of a tagger, with its own weights and with weights of "
        "order one, in several precisions: a line for each on standard output; all violations as "
        "JSON and plots in a folder. A violation is the change of an output that the symmetry "
        "forbids, relative to what exchanging particles or jets does to it. Exit status 1 if a "
        "symmetry that the model claims is broken.",
    )
    parser.add_argument("checkpoint", type=str, help="a name ending in .ckpt, or folder of a run")
    parser.add_argument(
        "files", nargs="*", type=str, help="files with jets; without, random ones are made"
    )
    parser.add_argument(
        "--symmetry",
        nargs="+",
        type=str,
        default=[],
        metavar="NAME",
        help="which to measure, as in lorentz beam-boost; default: those that the model claims",
    )
    parser.add_argument(
        "--gamma",
        nargs="+",
        type=float,
        default=[],
        help="Lorentz factors of boosts; default 1.01 2 10 100 1000",
    )
    parser.add_argument(
        "--precision",
        nargs="+",
        type=str,
        default=["float64", "float32"],
        help="among float64, wide (float32 with inputs in float64), float32, bfloat16 and, on a "
        "GPU, tf32",
    )
    parser.add_argument("--max-jets", type=PositiveInt, default=16, help="measure on the first")
    parser.add_argument(
        "--elements", type=PositiveInt, default=2, help="random elements at each strength"
    )
    parser.add_argument("--draws", type=PositiveInt, default=1, help="draws of random weights")
    parser.add_argument("--seed", type=NonNegativeInt, default=0, help="of everything random")
    parser.add_argument("-o", "--output", type=str, default="symmetries", help="folder to write to")
    parser.add_argument("--overwrite", action="store_true", help="replace the certificate in it")
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu, cuda, cuda:1, ...")
    add_network_option(parser)
    return parser


def run(config: Namespace) -> int:
    """Print a line for each symmetry, and write the certificate."""
    folder = Path(config.output)
    require_free_folder(folder, _CERTIFICATE, "a certificate", overwrite=config.overwrite)
    asked = [find_symmetry(name) for name in config.symmetry]
    networks = named_networks(config.network)
    tagger = Tagger.load(config.checkpoint, model=networks, device=config.device)
    claims: Sequence[str] = getattr(tagger.model, "claims", ())
    symmetries = asked or [find_symmetry(name) for name in claims]
    if not symmetries:
        raise InputError(
            f"checkpoint {config.checkpoint}",
            expected="a model with the property `claims`, or names of symmetries",
            got=f"{tagger.name}, which claims nothing",
            fix="name them: --symmetry permutation",
        )
    jets, source = _jets(config, tagger)
    if len(jets) < 2:
        raise InputError(
            "jets",
            expected="two or more: a violation is relative to how much the outputs differ",
            got=str(len(jets)),
            fix="raise --max-jets, or give files with more jets",
        )
    config.precision = [each.name for each in find_precisions(config.precision, tagger.device)]
    reports = _measure(config, tagger, symmetries, jets)
    # What a model that claims nothing has, nobody promised.
    reports = [replace(report, claimed=report.symmetry.name in claims) for report in reports]
    print(f"{tagger.name} on {len(jets)} {source}")
    print(_table(reports, config.precision))
    paths = _write(folder, config, tagger, f"{len(jets)} {source}", reports)
    print(f"wrote {', '.join(str(path) for path in paths)}")
    return int(any(report.claimed and report.verdict == "broken" for report in reports))


def _jets(config: Namespace, tagger: Tagger) -> tuple[ParticleSet, str]:
    """The jets to measure with, and where they come from."""
    if not config.files:
        jets = random_jets(
            config.max_jets,
            features=len(tagger.feature_names),
            context=len(tagger.context_names),
            seed=config.seed,
        )
        return jets.to(tagger.device), "random jets (600 GeV, some 30 pions and photons each)"
    if tagger.columns is None:
        raise InputError(
            f"checkpoint {config.checkpoint}",
            expected="columns, which say how to read files",
            got="none",
            fix="leave out the files: random jets are made",
        )
    jets = read(config.files, tagger.columns.without_labels(), max_sets=config.max_jets)
    return jets.to(tagger.device), f"jets of {', '.join(config.files)}"


def _measure(
    config: Namespace, tagger: Tagger, symmetries: Sequence[Symmetry], jets: ParticleSet
) -> list[SymmetryReport]:
    """The reports, with a progress bar on standard error."""
    strengths = [
        tuple(config.gamma) if config.gamma and each.strength_name == "gamma" else each.strengths
        for each in symmetries
    ]
    steps = len(config.precision) * config.elements * (1 + config.draws)
    reports = []
    total = steps * sum(map(len, strengths))
    with tqdm(total=total, disable=None, leave=False, dynamic_ncols=True) as bar:
        for symmetry, values in zip(symmetries, strengths, strict=True):
            bar.set_description(symmetry.name)
            report = check(
                tagger.model,
                jets,
                symmetry,
                strengths=values,
                dtypes=config.precision,
                elements=config.elements,
                draws=config.draws,
                seed=config.seed,
                on_step=bar.update,
            )
            reports.append(report)
    return reports


def _table(reports: Sequence[SymmetryReport], precisions: Sequence[str]) -> str:
    """One line for each symmetry: claimed, measured, verdict."""
    rows = [["symmetry", "claimed", *precisions, "at", "verdict"]]
    for report in reports:
        strength = _typical_strength(report)
        at = "" if strength is None else f"{report.symmetry.strength_name} {strength:g}"
        verdict: str = report.verdict
        if report.symmetry.vanishing and math.isfinite(report.exponent):
            verdict += f", falls as its power {report.exponent:.2g}"
        rows.append(
            [
                report.symmetry.name,
                "yes" if report.claimed else "no",
                *(_figure(report, name, strength) for name in precisions),
                at,
                verdict if report.claimed else f"not claimed: {verdict}",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    if any("*" in line for line in lines):
        lines.append("* rounding the transformed jets to this precision alone may do as much")
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _figure(report: SymmetryReport, precision: str, strength: float | None) -> str:
    """The largest violation, with a star where no verdict can be built on it."""
    points = [
        point
        for point in report.measurements
        if (point.precision, point.strength) == (precision, strength)
    ]
    star = "*" if any(point.verdict == "undecided" for point in points) else ""
    return f"{max(point.largest for point in points):.1e}{star}"


def _typical_strength(report: SymmetryReport) -> float | None:
    """The strength that stands for all in one line: of a limit the smallest, else the middle."""
    strengths = [point.strength for point in next(iter(report.curves().values()))]
    known = sorted(strength for strength in strengths if strength is not None)
    if not known:
        return None
    return known[0] if report.symmetry.vanishing else known[len(known) // 2]


def _write(
    folder: Path,
    config: Namespace,
    tagger: Tagger,
    jets: str,
    reports: Sequence[SymmetryReport],
) -> list[Path]:
    """The certificate as JSON, and a figure of each symmetry that has strengths."""
    content: dict[str, Any] = {
        "hepml": __version__,
        "checkpoint": config.checkpoint,
        "model": tagger.name,
        "jets": jets,
        "symmetries": {report.symmetry.name: report.to_dict() for report in reports},
    }
    with whole_folder(folder, _CERTIFICATE) as part:
        paths = [part / _CERTIFICATE]
        paths[0].write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
        for report in reports:
            if report.symmetry.strength_name:
                name = report.symmetry.name.replace(" ", "_").replace(",", "")
                paths += save_figure(report.plot(), part / name)
    return [folder / path.name for path in paths]
