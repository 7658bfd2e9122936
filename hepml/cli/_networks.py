"""``hepml networks``: the networks by chapter, with the symmetries that they claim."""

from typing import Any

from jsonargparse import ArgumentParser, Namespace

from hepml.models import NETWORKS

_TAKES = {"sets": "sets of particles", "motion": "bodies in motion"}
_HEADER = ("network", "chapter", "takes", "claims", "paper")


def make_parser() -> ArgumentParser:
    """The options of ``hepml networks``, of which there are none."""
    return ArgumentParser(
        description="The networks by chapter: what they take, which symmetries they claim as they "
        "are built by default (hepml check measures those of a trained one), and their papers."
    )


def run(config: Namespace) -> int:  # noqa: ARG001
    """Print the table."""
    rows = [list(_HEADER)]
    for name, entry in NETWORKS.items():
        claims = ", ".join(_claims(entry.network))
        rows.append([name, entry.chapter, _TAKES[entry.takes], claims or "none", entry.paper])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    print("\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]]))
    return 0


def _claims(network: type[Any]) -> tuple[str, ...]:
    """The symmetries that a network claims, of taggers as they are built by default."""
    claims = network.claims
    found: tuple[str, ...] = network().claims if isinstance(claims, property) else claims
    return found
