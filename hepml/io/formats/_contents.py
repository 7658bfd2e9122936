"""What is in a file: trees, RNTuples, tables and datasets, and the types of their columns."""

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from hepml.io.formats._files import Location
from hepml.io.formats._hdf5 import Hdf5Table, open_hdf5, tables
from hepml.io.formats._hdf5_file import open_file, reading
from hepml.io.formats._hdf5_graphs import GraphTable, graph_groups
from hepml.io.formats._open import READERS
from hepml.io.formats._root import RootTable
from hepml.io.formats._root_file import choose, open_directory, tree_names


class Tree(NamedTuple):
    """A tree, RNTuple, table or dataset, and the type of each column or, without any, its own."""

    name: str
    kind: str
    entries: int
    columns: Mapping[str, str] | str


class Contents(NamedTuple):
    """What a file holds: "ROOT" or "HDF5", its trees, and the recipe that it says it was made with.

    The recipe is a mapping or a text; None without.
    """

    format: str
    trees: list[Tree]
    recipe: Any


def contents_of(location: Location) -> Contents:
    """The trees, tables and datasets of a file.

    Parameters
    ----------
    location
        The file; of one that names a tree, that tree alone.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    reader = READERS.get(PurePosixPath(location.path).suffix.lower())
    if reader is open_hdf5:
        return Contents("HDF5", *_of_hdf5(location))
    return Contents("ROOT", *_of_root(location))


def _of_root(location: Location) -> tuple[list[Tree], Any]:
    """The trees of a ROOT file, and the recipe that it was made with."""
    with open_directory(location.path) as directory:
        kinds = tree_names(directory)
        found = []
        for name in kinds if location.tree is None else [choose(directory, location, None)]:
            table = RootTable(directory, location.path, name)
            kind = kinds[name.partition(";")[0]].rpartition(":")[2]
            types = {column: _plain_type(text) for column, text in table.types().items()}
            found.append(Tree(name, kind, table.entries, types))
        # `hepml generate` stores its recipe as JSON.
        is_text = directory.classnames(cycle=False).get("recipe") == "TObjString"
        return found, _recipe(str(directory["recipe"])) if is_text else None


def _recipe(text: str) -> Mapping[str, Any] | str:
    """The recipe that a text holds, or the text itself: other programs write recipes, too."""
    try:
        plain = json.loads(text)
    except ValueError:
        return text
    return plain if isinstance(plain, dict) else text


def _of_hdf5(location: Location) -> tuple[list[Tree], Any]:
    """The tables of pandas in an HDF5 file, and all other datasets."""
    with reading(location.path), open_file(location.path) as file:
        keys = tables(file)
        found = []
        for key in keys:
            table = Hdf5Table(file, location.path, key)
            found.append(Tree(key, "pandas table", table.entries, table.types()))
        groups, prefixes = graph_groups(file), tuple(f"{key}/" for key in keys)
        for key in groups:
            graphs = GraphTable(file, location.path, key)
            found.append(Tree(key, "graphs", graphs.entries, graphs.types()))

        def visit(name: str, node: Any) -> None:
            inside = (name.rpartition("/")[0] or "/") in groups or name.startswith(prefixes)
            if hasattr(node, "dtype") and not inside:
                found.append(Tree(name, *_dataset(node)))

        file.visititems(visit)
    return [tree for tree in found if location.tree in (None, tree.name)], None


def _plain_type(text: str) -> str:
    """``float[]`` for ``std::vector<float>`` and ``ROOT::VecOps::RVec<float>``."""
    text = re.sub(r"\b(std|ROOT|VecOps)::", "", text)
    text = re.sub(r"RNTupleCardinality<(.+)>", r"\1", text)
    while match := re.fullmatch(r"(?:vector|RVec)<(.+)>(.*)", text):
        text = f"{match[1]}[]{match[2]}"
    return text


def _dataset(dataset: Any) -> tuple[str, int, dict[str, str] | str]:
    """Kind, length and columns of a dataset: its fields, or its own type."""
    shape = dataset.shape or ()

    def kind(dtype: np.dtype[Any]) -> str:
        return dtype.base.name + "".join(f"[{size}]" for size in (*shape[1:], *dtype.shape))

    fields = dataset.dtype.fields
    columns = (
        kind(dataset.dtype)
        if fields is None
        else {name: kind(dtype) for name, (dtype, *_) in fields.items()}
    )
    return "dataset", shape[0] if shape else 1, columns
