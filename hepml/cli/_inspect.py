"""``hepml inspect``: what is in a file, and how hepml would read it."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jsonargparse import ArgumentParser, Namespace

from hepml.cli._inspect_graphs import columns_of, layouts_in, lines_of
from hepml.cli._inspect_text import (
    _cut,
    brief_yaml,
    column_rows,
    counted,
    folded_columns,
    indented,
    size_of,
    yaml_text,
)
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
                    shown[yaml_text(columns.to_dict())] = str(location)
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
    return yaml_text(layout.columns.to_dict())


def _show(location: Location, *, show_all: bool) -> None:
    """Print everything about one file."""
    width = min(shutil.get_terminal_size((100, 40)).columns, 140)
    kind, trees, recipe = contents_of(location)
    print(f"{location}: {kind}{size_of(location.path)}")
    if not trees:
        print(f"  no {'dataset' if kind == 'HDF5' else 'TTree or RNTuple'}")
    for tree in trees:
        title = f"\n{tree.kind} {tree.name}: {counted(tree.entries, 'entry', 'entries')}"
        if isinstance(tree.columns, str):
            print(f"{title} of {tree.columns}")
            continue
        print(f"{title}, {counted(len(tree.columns), 'column')}")
        lines = column_rows(tree.columns) if show_all else folded_columns(tree.columns)
        print("\n".join(lines if show_all else [_cut(line, width) for line in lines]))
    if recipe:
        print("\nmade with the recipe")
        if isinstance(recipe, str):
            print(indented(recipe) if show_all else _cut(f"  {' '.join(recipe.split())}", width))
        else:
            print(indented(yaml_text(recipe)) if show_all else brief_yaml(recipe, width))
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
    print(indented(yaml_text(layout.columns.to_dict())))


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
        print(f"  left out as bad: {counted(number, 'set')} ({reason})")
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
