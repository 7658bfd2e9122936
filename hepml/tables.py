"""The one layout of tables in text."""

from collections.abc import Container, Sequence


def aligned(rows: Sequence[Sequence[str]], *, right: Container[int] = ()) -> list[str]:
    r"""The lines of a table whose columns are as wide as what they hold, two spaces apart.

    Parameters
    ----------
    rows
        The cells, of as many columns in every row.
    right
        The numbers of the columns whose cells stand to the right.

    Examples
    --------
    >>> print(*aligned([["name", "AUC"], ["ParticleFlow", "0.98"]], right=[1]), sep="\n")
    name           AUC
    ParticleFlow  0.98
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
