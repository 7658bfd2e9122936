"""The picture of violations of Lorentz invariance against the boost."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import mplhep

from hepml.symmetry import SymmetryReport

# float64, float32, and float32 with momenta in float64, if the network takes them
BITS = ("float64", "wide", "float32")
# Petroff's ten colours (arXiv:2107.02270), which colour-blind readers tell apart.
COLOURS = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6")
COLOURS += ("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")


def draw(reports: dict[str, Sequence[SymmetryReport]], stem: Path) -> None:
    """Violation against gamma, a line for each network that has the group."""
    look = {**mplhep.style.ROOT, "mathtext.fontset": "stixsans", "font.size": 16}
    boosted = {name: pair for name, pair in reports.items() if curve(pair[1], "float64")[0]}
    with plt.rc_context(look):
        figure, axes = plt.subplots(1, 3, figsize=(20, 7.5), layout="constrained", sharey=True)
        for panel, bits in zip(axes, BITS, strict=True):
            for i, (name, (rounded, exact)) in enumerate(boosted.items()):
                colour = COLOURS[i % len(COLOURS)]
                marker = "osD^v<>ph*"[i % 10]
                panel.loglog(*curve(exact, bits), "-", marker=marker, color=colour, label=name)
                panel.loglog(*curve(rounded, bits), ":", color=colour)
            panel.set_xlabel(r"Lorentz factor $\gamma$", loc="right")
            panel.set_title("float32, momenta in float64" if bits == "wide" else bits)
        axes[0].set_ylabel("largest violation / spread of outputs", loc="top")
        axes[0].legend(fontsize=12)
        styles = [
            axes[1].plot([], [], f"k{style}", label=label)[0]
            for style, label in (
                ("-", "boosts that round nothing"),
                (":", "with the rounding of momenta"),
            )
        ]
        axes[1].legend(handles=styles, fontsize=12)
        for suffix in ("png", "pdf"):
            figure.savefig(f"{stem}.{suffix}", dpi=100)
    plt.close(figure)


def curve(report: SymmetryReport, bits: str) -> tuple[list[float], list[float]]:
    """Lorentz factors and violations; those of zero have no place on the axis."""
    points = report.curves().get(("random", bits), [])
    seen = [point for point in points if point.strength is not None and point.largest > 0]
    return [point.strength for point in seen], [point.largest for point in seen]
