"""``hepml check``: the certificate of a trained tagger."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import NonNegativeInt, PositiveInt
from tqdm.auto import tqdm

from hepml import __version__
from hepml.cli._kinds import is_of_motion
from hepml.cli._network import add_network_option, named_networks
from hepml.cli._subject import Subject
from hepml.cli.motion._check import motion
from hepml.data import ParticleSet
from hepml.deploy import Tagger
from hepml.errors import InputError
from hepml.figures import save_figure
from hepml.io import read
from hepml.outputs import require_free_folder, whole_folder
from hepml.symmetry import (
    Symmetry,
    SymmetryReport,
    check,
    find_precisions,
    find_symmetry,
    random_jets,
    trace,
)
from hepml.tables import aligned

_CERTIFICATE = "symmetries.json"
# Random elements beside those that round nothing.
_RANDOM = 2


def make_parser() -> ArgumentParser:
    """The options of ``hepml check``."""
    parser = ArgumentParser(
        usage="hepml check CHECKPOINT [FILE ...] [options]",
        description="Measure the symmetries of a network, with its own weights and with weights of "
        "order one, in several precisions: a line for each on standard output; all violations as "
        "JSON and plots in a folder. By default with elements that round nothing, which show the "
        "arithmetic of the network, and beside it what rounding boosted momenta does. A violation "
        "is the change of an output that the symmetry forbids, relative to what exchanging "
        "particles or jets does to it. Of a broken claim, the first layer that breaks it is named, "
        "and the exit status is 1.",
    )
    parser.add_argument("checkpoint", type=str, help="a name ending in .ckpt, or folder of a run")
    parser.add_argument(
        "files", nargs="*", type=str, help="files with jets, or trajectories; without, random jets"
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
        help="Lorentz factors of boosts; default 1.01 2 10 100 1000; of elements that round "
        "nothing the nearest (2^k + 2^-k)/2, by default up to 8192",
    )
    parser.add_argument(
        "--precision",
        nargs="+",
        type=str,
        default=["float64", "float32"],
        help="among float64, wide (float32 with inputs in float64), float32, bfloat16 and, on a "
        "GPU, tf32",
    )
    parser.add_argument(
        "--max-sets", "--max-jets", type=PositiveInt, default=16, help="measure on the first"
    )
    parser.add_argument(
        "--elements",
        type=Union[Literal["exact"], PositiveInt],  # noqa: UP007
        default="exact",
        help="how many random elements at each strength; or exact: such as round nothing, where "
        "the symmetry has them, and two random ones beside",
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
    subject = motion(config) if is_of_motion(config.checkpoint) else _jets(config)
    claims: Sequence[str] = getattr(subject.model, "claims", ())
    symmetries = asked or [find_symmetry(name) for name in claims]
    if not symmetries:
        raise InputError(
            f"checkpoint {config.checkpoint}",
            expected="a model with the property `claims`, or names of symmetries",
            got=f"{subject.name}, which claims nothing",
            fix=f"name them: --symmetry {subject.example}",
        )
    if len(subject.inputs) < 2:
        raise InputError(
            subject.noun,
            expected="two or more: a violation is relative to how much the outputs differ",
            got=str(len(subject.inputs)),
            fix=f"raise --max-sets, or give files with more {subject.noun}",
        )
    config.precision = [each.name for each in find_precisions(config.precision, subject.device)]
    reports = [
        _Certified(
            replace(random, claimed=random.symmetry.name in claims),
            exact and replace(exact, claimed=exact.symmetry.name in claims),
        )
        for random, exact in _measure(config, subject, symmetries)
    ]
    print(f"{subject.name} on {subject.described}")
    print(_table(reports, config.precision))
    for certified in reports:
        symmetry = certified.random.symmetry
        if certified.random.claimed and certified.verdict == "broken" and not symmetry.vanishing:
            found = trace(
                subject.model, subject.inputs, symmetry, apply=subject.apply, seed=config.seed
            )
            print(f"{symmetry.name}: {found.where}")
    paths = _write(folder, config, subject, reports)
    print(f"wrote {', '.join(str(path) for path in paths)}")
    return int(any(each.random.claimed and each.verdict == "broken" for each in reports))


class _Certified(NamedTuple):
    """What was measured of a symmetry: with random elements, and with such as round nothing."""

    random: SymmetryReport
    exact: SymmetryReport | None

    @property
    def shown(self) -> SymmetryReport:
        """The one that shows the network alone."""
        return self.exact or self.random

    @property
    def verdict(self) -> str:
        """The graver of both: the elements of one may see what those of the other do not."""
        found = {report.verdict for report in self if report is not None}
        order = ("broken", "imprecise", "holds", "undecided", "blind")
        return next(verdict for verdict in order if verdict in found)


def _jets(config: Namespace) -> Subject:
    """A tagger, and the jets to measure with."""
    networks = named_networks(config.network)
    tagger = Tagger.load(config.checkpoint, model=networks, device=config.device)
    jets, source = _found_jets(config, tagger)
    return Subject(tagger.name, tagger.model, jets, "jets", source, tagger.device)


def _found_jets(config: Namespace, tagger: Tagger) -> tuple[ParticleSet, str]:
    """The jets to measure with, and where they come from."""
    if not config.files:
        jets = random_jets(
            config.max_sets,
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
    jets = read(config.files, tagger.columns.without_labels(), max_sets=config.max_sets)
    return jets.to(tagger.device), f"jets of {', '.join(config.files)}"


def _measure(
    config: Namespace, subject: Subject, symmetries: Sequence[Symmetry]
) -> list[_Certified]:
    """The reports, with a progress bar on standard error."""
    found = []
    with tqdm(total=len(symmetries), disable=None, leave=False, dynamic_ncols=True) as bar:
        for symmetry in symmetries:
            bar.set_description(symmetry.name)
            gamma = config.gamma if symmetry.strength_name == "gamma" else []
            measure = partial(
                check,
                *(subject.model, subject.inputs, symmetry),
                apply=subject.apply,
                strengths=tuple(gamma) or None,
                dtypes=config.precision,
                draws=config.draws,
                seed=config.seed,
            )
            both = config.elements == "exact" and symmetry.has_exact_elements and not symmetry.exact
            number = _RANDOM if config.elements == "exact" else config.elements
            exact = measure(elements="exact") if both else None
            found.append(_Certified(measure(elements=number), exact))
            bar.update()
    return found


def _table(reports: Sequence[_Certified], precisions: Sequence[str]) -> str:
    """One line for each symmetry: claimed, measured, verdict."""
    rounded = [f"{name}, rounded" for name in precisions]
    rows = [["symmetry", "claimed", *precisions, "at", *rounded, "at", "verdict"]]
    for certified in reports:
        report, beside = certified.shown, certified.random if certified.exact else None
        strength = _typical_strength(report)
        verdict = certified.verdict
        if report.symmetry.vanishing and math.isfinite(report.exponent):
            verdict += f", falls as its power {report.exponent:.2g}"
        rows.append(
            [
                report.symmetry.name,
                "yes" if report.claimed else "no",
                *_figures(report, precisions, strength),
                *_figures(
                    beside, precisions, None if strength is None else _near(beside, strength)
                ),
                verdict if report.claimed else f"not claimed: {verdict}",
            ]
        )
    # Columns in which nobody has anything are left out.
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    lines = aligned([*zip(*columns, strict=True)])
    if any(certified.exact for certified in reports):
        lines.append("rounded: random elements, whose images are rounded; else none is")
    if any("*" in line for line in lines):
        lines.append("* rounding the transformed jets to this precision alone may do as much")
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _figures(
    report: SymmetryReport | None, precisions: Sequence[str], strength: float | None
) -> list[str]:
    """The largest violations and where; with a star where no verdict can be built on them."""
    if report is None:
        return [""] * (len(precisions) + 1)
    figures = []
    for precision in precisions:
        points = [
            point
            for point in report.measurements
            if (point.precision, point.strength) == (precision, strength)
        ]
        star = "*" if any(point.verdict == "undecided" for point in points) else ""
        # Not measured where the network calculates in another precision anyway.
        figures.append(f"{max(p.largest for p in points):.1e}{star}" if points else "")
    at = "" if strength is None else f"{report.symmetry.strength_name} {strength:g}"
    return [*figures, at]


def _typical_strength(report: SymmetryReport) -> float | None:
    """The strength that stands for all in one line: of a limit the smallest, else the middle."""
    known = _strengths(report)
    if not known:
        return None
    return known[0] if report.symmetry.vanishing else known[len(known) // 2]


def _near(report: SymmetryReport | None, strength: float) -> float | None:
    """The strength of a report that is next to this one."""
    known = [] if report is None else _strengths(report)
    return min(known, key=lambda each: abs(math.log(each / strength)), default=None)


def _strengths(report: SymmetryReport) -> list[float]:
    """The strengths at which was measured."""
    return sorted({point.strength for point in report.measurements if point.strength is not None})


def _write(
    folder: Path,
    config: Namespace,
    subject: Subject,
    reports: Sequence[_Certified],
) -> list[Path]:
    """The certificate as JSON, and a figure of each symmetry that has strengths."""
    content: dict[str, Any] = {
        "hepml": __version__,
        "checkpoint": config.checkpoint,
        "model": subject.name,
        subject.noun: subject.described,
        "symmetries": {each.random.symmetry.name: each.random.to_dict() for each in reports},
        "exact": {each.exact.symmetry.name: each.exact.to_dict() for each in reports if each.exact},
    }
    with whole_folder(folder, _CERTIFICATE) as part:
        paths = [part / _CERTIFICATE]
        paths[0].write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
        for report in (report for pair in reports for report in pair if report is not None):
            if report.symmetry.strength_name:
                name = report.symmetry.name.replace(" ", "_").replace(",", "")
                name += "_exact" if report.elements == "exact" else ""
                paths += save_figure(report.plot(), part / name)
    return [folder / path.name for path in paths]
