"""Files of tensors and plain values, read without executing anything, in bounded time and memory.

``torch.load(weights_only=True)`` executes nothing, but a file of a few kB can name one list a
billion times, or a tuple as a key whose hash takes as long as all its copies, or expand one number
to a tensor of any size. What is read here is no larger than the file by more than a factor.
"""

import pickletools
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

# All that torch.save needs for tensors and plain values.
_GLOBALS = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch \w+Storage"
    r"|torch\.storage (Untyped|Typed)Storage"
)
# How much larger than the file its content may be: several names may share a value.
_SHARING = 10
_DEPTH = 60
_TUPLE = 1000


def load_plain(path: Path) -> Any:
    """What a file of ``torch.save`` holds, on the CPU.

    Dictionaries come as ``dict``, whatever they were.

    Raises
    ------
    Exception
        Of any kind, if the file is damaged, or holds or does anything else.
    """
    with zipfile.ZipFile(path) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("compressed records")
        # torch writes checksums and does not look at them: a weight with another bit is a weight.
        if damaged := archive.testzip():
            raise ValueError(f"{damaged} differs from its checksum")
    reader = torch._C.PyTorchFileReader(str(path))
    program = reader.get_record("data.pkl")
    _check_program(program)
    content = torch.load(path, map_location="cpu", weights_only=True)
    return _Copy(values=_SHARING * len(program), bytes=_SHARING * path.stat().st_size).of(content)


def _check_program(program: bytes) -> None:
    """Refuse a pickle that names other things, or makes tuples larger than it says."""
    # The number of values in each value on the stack, where it is a tuple; None is a mark.
    stack: list[int | None] = []
    memo: dict[Any, int | None] = {}
    for operation, argument, _ in pickletools.genops(program):
        name = operation.name
        if name == "GLOBAL" and not _GLOBALS.fullmatch(str(argument)):
            raise ValueError(f"it asks for {argument}")
        if name.endswith("PUT"):
            memo[argument] = stack[-1]
            continue
        if name.endswith("GET"):
            stack.append(memo[argument])
            continue
        if name == "MARK":
            stack.append(None)
            continue
        before = list(operation.stack_before)
        taken: list[int | None] = []
        if pickletools.markobject in before:
            while (top := stack.pop()) is not None:
                taken.append(top)
            before = before[: before.index(pickletools.markobject)]
        taken += [stack.pop() for _ in before]
        size = 1 + sum(each or 0 for each in taken) if name.startswith("TUPLE") else 1
        if size > _TUPLE:
            raise ValueError("a tuple of too many values")
        stack += [size] * len(operation.stack_after)


@dataclass
class _Copy:
    """Copies of plain values, as long as they are not too many.

    Parameters
    ----------
    values, bytes
        How many values, and bytes of tensors, may still come.
    """

    values: int
    bytes: int

    def of(self, value: Any, depth: int = 0) -> Any:
        """A copy of a value."""
        self.values -= 1 + (len(value) // 64 if isinstance(value, str) else 0)
        if self.values < 0 or depth > _DEPTH:
            raise ValueError("values within values, more than the file is large")
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if kind in (list, tuple):
            return kind([self.of(each, depth + 1) for each in value])
        if kind in (dict, OrderedDict):
            return self._items(dict.items(value), depth)
        if kind in (Tensor, nn.Parameter) and value.layout == torch.strided:
            self.bytes -= value.nbytes
            if self.bytes < 0:
                raise ValueError("tensors larger than the file")
            return value
        raise ValueError(f"a value of type {kind.__name__}")

    def _items(self, items: Iterable[tuple[Any, Any]], depth: int) -> dict[Any, Any]:
        """A copy of a dictionary."""
        copy = {}
        for key, value in items:
            if type(key) not in (str, int):
                raise ValueError(f"a key of type {type(key).__name__}")
            copy[self.of(key, depth + 1)] = self.of(value, depth + 1)
        return copy
