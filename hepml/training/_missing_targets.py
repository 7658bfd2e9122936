"""Sets without a target, left out by name."""

from collections.abc import Sequence

from hepml.io import Columns, EvenSample


def with_targets_only(columns: Columns) -> Columns:
    """The columns of sets whose targets are no NaN; those without one do not pass the cut."""
    known = [f"~isnan({text})" for text in columns.targets.values()]
    cuts = [*([] if columns.cut is None else [columns.cut]), *known]
    return columns.replace(cut=" & ".join(f"({cut})" for cut in cuts)) if known else columns


def len_without(columns: Columns, learned: Columns, files: Sequence[str]) -> int:
    """How many sets of the files have no target, of those that pass the cut of the columns."""
    if learned is columns:
        return 0
    every, kept = (EvenSample(list(files), each, sets=1).among for each in (columns, learned))
    return every - kept
