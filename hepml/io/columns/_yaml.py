"""YAML of strangers: plain values of a bounded size, or one clear error."""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from hepml.errors import FileError

# Columns of 188 classes have about a thousand values.
_VALUES = 100_000


def load_yaml(path: str) -> dict[Any, Any]:
    """The mapping that a YAML file holds.

    Raises
    ------
    FileNotFoundError
        If there is none.
    FileError
        If it cannot be read, is no mapping in YAML, repeats a key, or has anchors that explode.
    """
    try:
        loader = yaml.SafeLoader(Path(path).read_text(encoding="utf-8"))
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise _refused(path, "nothing" if node is None else f"a {type(node).__name__}")
        # Anchors that refer to anchors make values without end out of a few lines, and merging
        # does so while it loads: counted before anything is built.
        if _values(node, {}) > _VALUES:
            raise _refused(path, f"more than {_VALUES:,} values, with what its anchors repeat")
        values: dict[Any, Any] = loader.construct_document(node)
        return values
    except (FileError, FileNotFoundError):
        raise
    except RecursionError as error:
        raise _refused(path, "values that are nested too deeply, or hold themselves") from error
    except Exception as error:
        # Its constructors raise what Python does: ValueError of a date, KeyError, AttributeError.
        said = " ".join(str(error).split())
        raise _refused(path, f"{type(error).__name__}: {said}") from error


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node has, those of its anchors each time that they are named."""
    if id(node) not in known:
        # What it counts while it is being counted: a value that holds itself has no end.
        known[id(node)], total = _VALUES, 1
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            parts = [each for pair in node.value for each in pair]
        else:
            parts = node.value if isinstance(node, yaml.SequenceNode) else []
        known[id(node)] = total + sum(_values(part, known) for part in parts)
    return known[id(node)]


def _check_keys(node: yaml.MappingNode) -> None:
    """Refuse two values under one key, of which YAML would keep the last."""
    counts = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
    twice = next((key for key, count in counts.items() if count > 1 and key != "<<"), None)
    if twice is not None:
        raise yaml.YAMLError(f"the key {twice!r} twice, line {node.start_mark.line + 1}")


def _refused(path: str, got: str) -> FileError:
    """The error of a file that holds no plain values."""
    return FileError(
        f"columns {path}",
        expected="a YAML file with collections, label, classes, ...",
        got=got,
        fix="`hepml inspect --columns FILE` writes one to start from",
    )
