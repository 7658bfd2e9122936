"""``hepml networks``: the networks by chapter, with the symmetries that they claim."""

import textwrap
from itertools import zip_longest
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from hepml.models import NETWORKS
from hepml.tables import aligned

_TAKES = {"sets": "particles", "graphs": "graphs", "motion": "bodies"}
_HEADER = ("network", "chapter", "takes", "claims", "paper")
_CLAIMS = _HEADER.index("claims")
_WIDTH = 100


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
    # Claims have what the other columns leave of a line, and as many lines as they need.
    widths[_CLAIMS] = _WIDTH - sum(widths) + widths[_CLAIMS] - 2 * (len(widths) - 1)
    broken: list[tuple[str, ...]] = []
    for row in rows:
        cells = [textwrap.wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
        broken += zip_longest(*cells, fillvalue="")
    lines = aligned(broken)
    print("\n".join([lines[0], "-" * _WIDTH, *lines[1:]]))
    return 0


def _claims(network: type[Any]) -> tuple[str, ...]:
    """The symmetries that a network claims, of taggers as they are built by default."""
    claims = network.claims
    found: tuple[str, ...] = network().claims if isinstance(claims, property) else claims
    return found
