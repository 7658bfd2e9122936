"""Sets and particles without a target, left out by name."""

from typing import Literal

from hepml.data import Per, Ragged, rows_of
from hepml.io import Columns, EvenSample, Files

MissingTarget = Literal["error", "drop"]


def with_missing_targets(columns: Columns, missing: MissingTarget) -> Columns:
    """The columns of what has a target.

    Parameters
    ----------
    columns
        Columns with targets of sets, or of particles, nodes or edges.
    missing
        "drop": sets whose target is NaN do not pass the cut; particles, nodes and edges keep the
        NaN, by which they are left out of loss and figures, since networks still read them.
        "error": such sets, and sets of such particles, are bad.
    """
    if missing == "error":
        return columns.replace(partial_targets=False) if columns.partial_targets else columns
    known = [f"~isnan({text})" for text in columns.targets.values()]
    if known:
        cuts = [*([] if columns.cut is None else [columns.cut]), *known]
        columns = columns.replace(cut=" & ".join(f"({cut})" for cut in cuts))
    if columns.particle_target_names or columns.edge_target_names:
        columns = columns.replace(partial_targets=True)
    return columns


def count_without_target(columns: Columns, learned: Columns, files: Files) -> int:
    """How many sets of the files have no target, of those that pass the cut of the columns."""
    if learned.cut == columns.cut:
        return 0
    every, kept = (EvenSample(files, each, sets=1).among for each in (columns, learned))
    return every - kept


def share_without(sample: Ragged, per: Per) -> float:
    """The share of the rows of a sample of which a target is NaN."""
    targets = rows_of(sample, per).targets
    if targets is None or not len(targets):
        return 0.0
    return float(targets.isnan().any(1).float().mean())
