"""``hepml inspect``: what is in a file, and how hepml would read it."""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import yaml
from jsonargparse import ArgumentParser, Namespace

from hepml.cli._inspect_graphs import columns_of, layouts_in, lines_of
from hepml.cli.motion._inspect import is_motion, lines_of_motion
from hepml.errors import ColumnError, HepmlError, InputError
from hepml.io import Columns, Layout, Location, Tree, contents_of, iterate, locate, recognise

SAMPLE = 20_000  # about as many entries give the multiplicities and the counts of the classes
# What a set is in each layout: nobody should take events for jets.
SETS = {
    **dict.fromkeys(("hepml", "jetclass", "jetclass2", "top-tagging-h5"), "a jet's constituents"),
    "deepjet": "a jet's charged and neutral candidates, at phi relative to the jet",
    "pfnano": "an AK8 jet's candidates; pfnano-ak4 reads AK4 jets",
    "pfnano-ak4": "an AK4 jet's candidates",
    "nanoaod-v15": "an AK8 jet's candidates, none for jets far forward; nanoaod reads the jets and "
    "leptons of an event",
    "nanoaod": "the jets and leptons of an event; no candidates of jets were found in the file",
    "delphes": "the particle flow of a whole event; Delphes' pointers to the constituents of its "
    "jets are not followed",
    "delphes-pf": "the particle-flow candidates of a whole event; Delphes' pointers to the "
    "constituents of its jets are not followed",
    "physlite": "the calibrated jets and leptons of an event; links to the constituents of jets "
    "are not followed",
    "physlite-tracks": "the inner-detector tracks of an event",
    "edm4hep": "the reconstructed particles of an event",
}
FOLD = 40  # a tree with more columns than this is shown by the prefixes of their names


def make_parser() -> ArgumentParser:
    """The options of ``hepml inspect``."""
    parser = ArgumentParser(description="Show what is in files and how hepml would read them.")
    parser.add_argument("files", nargs="+", help="ROOT or HDF5 files, patterns, or file:tree")
    parser.add_argument("--all", action="store_true", help="list every column, folding none")
    parser.add_argument(
        "--columns",
        action="store_true",
        help="print nothing but the columns, as YAML for `hepml train --columns`",
    )
    parser.add_argument(
        "--graph",
        metavar="NAME",
        help="print nothing but the columns of these graphs, of which a line is shown without",
    )
    return parser


def run(config: Namespace) -> int:
    """Show each file; a file that cannot be shown costs one line and the exit status 1."""
    status = 0
    shown: dict[str, str] = {}
    for name in config.files:
        for location in _located(name):
            try:
                if isinstance(location, HepmlError):
                    raise location
                if config.graph is not None:
                    trees = _readable(contents_of(location).trees)
                    columns = columns_of(location, trees, config.graph)
                    shown[_yaml(columns.to_dict())] = str(location)
                elif config.columns:
                    shown[_recognised_yaml(location)] = str(location)
                else:
                    _show(location, show_all=config.all)
            except HepmlError as error:
                sys.stdout.flush()
                print(f"error: {error}", file=sys.stderr)
                status = 1
    if len(shown) > 1:
        raise InputError(
            "--columns",
            expected="files that are read with the same columns",
            got=f"different ones for {' and '.join(shown.values())}",
            fix="name files of one layout",
        )
    print(*shown, sep="", end="")
    return status


def _located(name: str) -> Iterable[Location | HepmlError]:
    """The files that a name stands for, or the error in place of them."""
    try:
        return locate(name)
    except HepmlError as error:
        return [error]


def _recognised_yaml(location: Location) -> str:
    """The columns of a file as YAML."""
    layout = recognise(str(location))
    if layout is None:
        raise InputError(
            f"file {str(location)!r}",
            expected="a layout that hepml knows",
            got="another",
            fix="list its branches with `hepml inspect` and write the columns by hand",
        )
    return _yaml(layout.columns.to_dict())


def _show(location: Location, *, show_all: bool) -> None:
    """Print everything about one file."""
    width = min(shutil.get_terminal_size((100, 40)).columns, 140)
    kind, trees, recipe = contents_of(location)
    print(f"{location}: {kind}{_size(location.path)}")
    if not trees:
        print(f"  no {'dataset' if kind == 'HDF5' else 'TTree or RNTuple'}")
    for tree in trees:
        title = f"\n{tree.kind} {tree.name}: {_number(tree.entries, 'entry', 'entries')}"
        if isinstance(tree.columns, str):
            print(f"{title} of {tree.columns}")
            continue
        print(f"{title}, {_number(len(tree.columns), 'column')}")
        lines = _rows(tree.columns) if show_all else _folded(tree.columns)
        print("\n".join(lines if show_all else [_cut(line, width) for line in lines]))
    if recipe:
        print("\nmade with the recipe")
        if isinstance(recipe, str):
            print(_indented(recipe) if show_all else _cut(f"  {' '.join(recipe.split())}", width))
        else:
            print(_indented(_yaml(recipe)) if show_all else _brief(recipe, width))
    print()
    if is_motion(trees):
        print(*lines_of_motion(location), sep="\n")
        print()
        return
    layout = _layout(location)
    _show_reading(location, layout, {tree.name: tree.entries for tree in trees})
    for line in lines_of(layouts_in(location, _readable(trees), layout), show_all=show_all):
        print(line)
    print()


def _readable(trees: Sequence[Tree]) -> list[str]:
    """The names of what can be read: no single datasets of HDF5."""
    return [tree.name for tree in trees if tree.kind != "dataset"]


def _layout(location: Location) -> Layout | None:
    """The layout of a file, if it is known."""
    try:
        return recognise(str(location))
    except ColumnError:  # no tree, or none that can be read: shown already
        return None


def _show_reading(location: Location, layout: Layout | None, entries: Mapping[str, int]) -> None:
    """Print the layout, and what a sample of it gives."""
    if layout is None:
        print("layout: none that hepml knows. To read it, write down which columns hold what")
        print("(hepml.io.Columns) and give that to `hepml train --columns FILE.yaml`.")
        return
    print(f"layout: {layout.name}")
    lines = textwrap.wrap(f"a set: {SETS[layout.name]}", 96, subsequent_indent="  ")
    print(*(f"  {line}" for line in lines), sep="\n")
    _show_sample(location, layout.columns, entries)
    print("columns (as YAML with `hepml inspect --columns`, to be changed and given to")
    print("`hepml train --columns FILE.yaml`):")
    print(_indented(_yaml(layout.columns.to_dict())))


def _show_sample(location: Location, columns: Columns, entries: Mapping[str, int]) -> None:
    """Print the numbers of sets, of particles in them and of sets of each class."""
    counts, labels = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    dropped: dict[str, int] = {}
    for chunk in iterate(str(location), columns, step=SAMPLE, bad="drop"):
        counts.append(chunk.particles.counts.numpy())
        if chunk.particles.labels is not None:
            labels.append(chunk.particles.labels.numpy())
        for reason, number in chunk.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + number
        if chunk.stop >= SAMPLE:
            break
    total = entries.get(chunk.tree, chunk.stop)
    of = f"{total} entries" if chunk.stop == total else f"the first {chunk.stop} of {total} entries"
    particles = np.concatenate(counts)
    print(f"  {len(particles)} sets in {of} of {chunk.tree}")
    if len(particles):
        low, mean, high = particles.min(), particles.mean(), particles.max()
        print(f"  particles in a set: {low} to {high}, mean {mean:.1f}")
    for reason, number in dropped.items():
        print(f"  left out as bad: {_number(number, 'set')} ({reason})")
    if columns.class_names:
        print(f"  classes: {_classes(columns.class_names, np.concatenate(labels))}")
    else:
        print("  no label: to learn from these, add label, classes or class_files to the columns")


def _classes(names: Sequence[str], labels: Any) -> str:
    """How many sets each class has; of many classes, the most frequent."""
    sizes = np.bincount(labels, minlength=len(names))
    order = np.arange(len(names)) if len(names) <= 12 else np.argsort(-sizes, kind="stable")[:8]
    text = ", ".join(f"{names[i]} {sizes[i]}" for i in order)
    return text if len(order) == len(names) else f"{text}, ... ({len(names)} classes)"


def _rows(columns: Mapping[str, str]) -> list[str]:
    """One line for each column."""
    width = max(map(len, columns), default=0) + 2
    return [f"  {name:{width}}{kind}" for name, kind in columns.items()]


def _folded(columns: Mapping[str, str]) -> list[str]:
    """One line for each column or, if they are many, for each prefix of their names."""
    if len(columns) <= FOLD:
        return _rows(columns)
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
    return [*_rows(lines), f"  ({more}--all lists every column with its type)"]


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


def _number(count: int, one: str, many: str | None = None) -> str:
    """A number of things."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def _cut(line: str, width: int) -> str:
    """The line, shortened to a width."""
    return line if len(line) <= width else f"{line[: width - 3].rstrip(', ')}..."


def _size(path: str) -> str:
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


def _yaml(plain: Any) -> str:
    """Plain values as YAML in their order."""
    return str(yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=90))


def _brief(recipe: Mapping[str, Any], width: int) -> str:
    """One line for each key, as far as it fits."""
    texts = {
        name: yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
        for name, value in recipe.items()
    }
    lines = [_cut(f"  {name}: {text.splitlines()[0]}", width) for name, text in texts.items()]
    return "\n".join([*lines, "  (--all shows all of it)"])


def _indented(text: str) -> str:
    """The text two places further to the right; YAML stays valid."""
    return textwrap.indent(text.rstrip("\n"), "  ")
