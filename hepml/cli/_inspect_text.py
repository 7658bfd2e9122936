"""The lines in which ``hepml inspect`` shows columns."""

import os
import re
import textwrap
from collections.abc import Mapping
from typing import Any

import yaml

FOLD = 40  # a tree with more columns than this is shown by the prefixes of their names


def column_rows(columns: Mapping[str, str]) -> list[str]:
    """One line for each column."""
    width = max(map(len, columns), default=0) + 2
    return [f"  {name:{width}}{kind}" for name, kind in columns.items()]


def folded_columns(columns: Mapping[str, str]) -> list[str]:
    """One line for each column or, if they are many, for each prefix of their names."""
    if len(columns) <= FOLD:
        return column_rows(columns)
    groups: dict[str, list[str]] = {}
    for name in columns:
        if not name.startswith("_"):  # RNTuples repeat their columns under such names
            groups.setdefault(_prefix(name), []).append(name)
    lines = {}
    for prefix, members in groups.items():
        if len(members) > 1:
            shown = [name for name in members if name != prefix]
            shared = _shared(shown)
            names = ", ".join(name.removeprefix(shared) for name in shown)
            lines[f"{shared}* ({len(shown)})"] = f"{_kinds(columns, shown)}: {names}"
    alone = [members[0] for members in groups.values() if len(members) == 1]
    hidden = len(lines) - FOLD
    lines = dict(list(lines.items())[:FOLD])
    if alone:
        lines[f"others ({len(alone)})"] = f"{_kinds(columns, alone)}: {', '.join(alone)}"
    more = f"{hidden} more prefixes; " if hidden > 0 else ""
    return [*column_rows(lines), f"  ({more}--all lists every column with its type)"]


def _prefix(name: str) -> str:
    """``Jet`` of ``Jet_pt``, ``Jet.PT`` and ``Jet/Jet.PT``."""
    return re.split(r"[_./#]", name, maxsplit=1)[0]


def _shared(names: list[str]) -> str:
    """What the names begin with, up to a separator: ``Jet/Jet.`` of ``Jet/Jet.PT``."""
    # The first and last of a sorted list differ earliest.
    low, high = min(names), max(names)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    match = re.match(r".*[_./#]", low[:same])
    return match[0] if match else _prefix(low)


def _kinds(columns: Mapping[str, str], names: list[str]) -> str:
    """The most frequent type, and whether there are others."""
    kinds = [columns[name] for name in names]
    common = max(set(kinds), key=kinds.count)
    return common + (", ..." if len(set(kinds)) > 1 else "")


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number of things."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def _cut(line: str, width: int) -> str:
    """The line, shortened to a width."""
    return line if len(line) <= width else f"{line[: width - 3].rstrip(', ')}..."


def size_of(path: str) -> str:
    """The size of a local file."""
    if not os.path.isfile(path):
        return ""
    size = os.path.getsize(path)
    return f", {size / 1e6:.1f} MB" if size >= 1e5 else f", {size / 1e3:.1f} kB"


class _Dumper(yaml.SafeDumper):
    """Writes a list of scalars on one line."""

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> Any:
        scalars = not any(isinstance(item, list | dict) for item in sequence)
        return super().represent_sequence(tag, sequence, flow_style or scalars)


def yaml_text(plain: Any) -> str:
    """Plain values as YAML in their order."""
    return str(yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=90))


def brief_yaml(recipe: Mapping[str, Any], width: int) -> str:
    """One line for each key, as far as it fits."""
    texts = {
        name: yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
        for name, value in recipe.items()
    }
    lines = [_cut(f"  {name}: {text.splitlines()[0]}", width) for name, text in texts.items()]
    return "\n".join([*lines, "  (--all shows all of it)"])


def indented(text: str) -> str:
    """The text two places further to the right; YAML stays valid."""
    return textwrap.indent(text.rstrip("\n"), "  ")
