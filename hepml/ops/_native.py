"""Kernels in C for the CPU, compiled on the machine that runs them, once, when first needed.

The sources lie beside this file. The library goes into ``$XDG_CACHE_HOME/hepml``, or
``~/.cache/hepml``, under a name that holds a digest of sources, compiler and processor. Its threads
are those of torch: the OpenMP library that torch has loaded runs both.
"""

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_FOLDER = Path(__file__).parent
_SOURCES = ("_native_pairs.c", "_native_moments.c", "_native_segments.c")
_HEADER = "_native.h"
# -march=native is that of the machine; a NaN stays a NaN: nothing here is -ffast-math.
_OPTIONS = (
    *("-std=gnu11", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math"),
    *("-fopenmp", "-fPIC", "-w"),
)
_SECONDS = 120
_NUMBER, _ADDRESS = ctypes.c_int64, ctypes.c_void_p
_FUNCTIONS = {
    "hepml_pair_messages": [_ADDRESS],
    "hepml_pair_moments": [_ADDRESS],
    "hepml_segment_reduce": [*[_NUMBER] * 4, *[_ADDRESS] * 6],
    "hepml_segment_map": [*[_NUMBER] * 4, *[_ADDRESS] * 6],
    "hepml_bounds_hold": [_ADDRESS, _NUMBER, _NUMBER],
}


def why_not(values: Tensor, *_: Any) -> list[str]:
    """Why the native kernels cannot take these values; empty if they can."""
    if values.dtype != torch.float32:
        return [f"it is for float32, not {values.dtype}"]
    return why_not_here(values)


def why_not_here(values: Tensor, *_: Any) -> list[str]:
    """Why the library cannot run where these values are, whatever they are."""
    if values.device.type != "cpu":
        return [f"it is for the CPU, not {values.device.type}"]
    failure = _built()[1]
    return [failure] if failure else []


def library() -> ctypes.CDLL:
    """The library; only where :func:`why_not` has no reason."""
    library = _built()[0]
    assert library is not None
    return library


def bounds_hold(offsets: Tensor, items: int) -> bool:
    """Whether they go from 0 to the number of items and never fall; False without a library."""
    library = _built()[0]
    if library is None or offsets.device.type != "cpu" or not offsets.is_contiguous():
        return False
    function = library.hepml_bounds_hold
    return bool(function(offsets.data_ptr(), offsets.shape[0], items))


def pointer(tensor: Tensor | None) -> int | None:
    """The address of a contiguous tensor's numbers."""
    return None if tensor is None else tensor.data_ptr()


@functools.cache
def _built() -> tuple[ctypes.CDLL | None, str | None]:
    """The library, or why there is none."""
    compiler = shlex.split(os.environ.get("CC", "")) or ["cc"]
    if shutil.which(compiler[0]) is None:
        return None, f"there is no C compiler {compiler[0]!r} (install gcc, or set CC)"
    try:
        path = _cache() / f"native-{_digest(compiler)}.so"
        if not path.exists():
            _compile(compiler, path)
        library = ctypes.CDLL(str(path))
        for name, arguments in _FUNCTIONS.items():
            getattr(library, name).argtypes = arguments
        return library, None
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()[:1]
        return None, f"{compiler[0]} fails ({said[0] if said else error.returncode})"
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"it cannot be compiled and loaded ({error})"


def _cache() -> Path:
    """The folder of the library, of this user alone."""
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "hepml"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    return folder


def _digest(compiler: list[str]) -> str:
    """What the library depends on."""
    version = _output([*compiler, "--version"])
    machine = _output([*compiler, "-march=native", "-dM", "-E", "-x", "c", os.devnull])
    digest = hashlib.sha256("\n".join([*_OPTIONS, *compiler, version, machine]).encode())
    for name in (_HEADER, *_SOURCES):
        digest.update((_FOLDER / name).read_bytes())
    return f"{platform.machine()}-{digest.hexdigest()[:16]}"


def _compile(compiler: list[str], path: Path) -> None:
    """Compile into a temporary folder beside the path, then rename: others may do the same."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        objects = []
        for name in _SOURCES:
            objects.append(str(Path(folder, name).with_suffix(".o")))
            _output([*compiler, *_OPTIONS, "-c", str(_FOLDER / name), "-o", objects[-1]])
        # Without -fopenmp: the OpenMP library is the one that torch has loaded.
        built = Path(folder, path.name)
        _output([*compiler, "-shared", *objects, "-o", str(built), "-lm"])
        built.replace(path)


def _output(command: list[str]) -> str:
    """What a command prints."""
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=_SECONDS
    ).stdout
