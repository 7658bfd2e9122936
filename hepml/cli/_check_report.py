"""What ``hepml check`` prints, draws and writes."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jsonargparse import Namespace

from hepml import __version__
from hepml.cli._subject import Subject
from hepml.figures import save_figure
from hepml.outputs import whole_folder
from hepml.symmetry import (
    SymmetryReport,
)
from hepml.tables import aligned

# The name of a certificate.
CERTIFICATE = "symmetries.json"


class Certified(NamedTuple):
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


def certificate_table(reports: Sequence[Certified], precisions: Sequence[str]) -> str:
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
                *certificate_figures(report, precisions, strength),
                *certificate_figures(
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


def certificate_figures(
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


def write_certificate(
    folder: Path,
    config: Namespace,
    subject: Subject,
    reports: Sequence[Certified],
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
    with whole_folder(folder, CERTIFICATE) as part:
        paths = [part / CERTIFICATE]
        paths[0].write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
        for report in (report for pair in reports for report in pair if report is not None):
            if report.symmetry.strength_name:
                name = report.symmetry.name.replace(" ", "_").replace(",", "")
                name += "_exact" if report.elements == "exact" else ""
                paths += save_figure(report.plot(), part / name)
    return [folder / path.name for path in paths]
