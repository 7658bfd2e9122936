"""Kernels in C for the CPU, compiled on the machine that runs them, once, when first needed.

The sources lie beside this file. The library goes into ``$XDG_CACHE_HOME/hepml``, or
``~/.cache/hepml``, under a name that holds a digest of sources, compiler, options and processor.
The variables CC and CFLAGS are heeded. Its threads are those of torch: the OpenMP library that
torch has loaded runs both.
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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hepml.ops._transforms import is_transformed, is_wrapped

_SOURCES = ("_native_pairs.c", "_native_moments.c", "_native_segments.c")
# A source for each object of the library, and what it is compiled with beside the options.
_OBJECTS = (*((source,) for source in _SOURCES), ("_native_segments.c", "-DHEPML_DOUBLE"))
# Read with this module: another version may be installed while this one runs, and whoever calls
# the library must be of its version.
_TEXTS = {name: Path(__file__).with_name(name).read_text() for name in ("_native.h", *_SOURCES)}
# -march=native is that of the machine; a NaN stays a NaN: nothing here is -ffast-math.
_OPTIONS = (
    *("-std=gnu11", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math"),
    *("-fopenmp", "-fPIC", "-Wno-psabi"),
)
_SECONDS = 120
_NUMBER, _ADDRESS = ctypes.c_int64, ctypes.c_void_p
_FUNCTIONS = {
    "hepml_pair_messages": [_ADDRESS],
    "hepml_pair_moments": [_ADDRESS],
    "hepml_segment_reduce_float": [*[_NUMBER] * 4, *[_ADDRESS] * 5],
    "hepml_segment_reduce_double": [*[_NUMBER] * 4, *[_ADDRESS] * 5],
    "hepml_segment_map_float": [*[_NUMBER] * 4, *[_ADDRESS] * 6],
    "hepml_segment_map_double": [*[_NUMBER] * 4, *[_ADDRESS] * 6],
    "hepml_bounds_hold": [_ADDRESS, _NUMBER, _NUMBER],
}


def why_not(values: Tensor, *_: Any) -> list[str]:
    """Why the native kernels cannot take these values; empty if they can."""
    if values.dtype not in (torch.float32, torch.float64):
        return [f"it is for float32 and float64, not {values.dtype}"]
    return why_not_here(values)


def why_not_here(values: Tensor, *_: Any) -> list[str]:
    """Why the library cannot run where these values are, whatever they are."""
    if values.device.type != "cpu":
        return [f"it is for the CPU, not {values.device.type}"]
    if is_transformed(values):
        return ["it has neither forward-mode derivatives nor those of torch.func"]
    failure = _built()[1]
    return [failure] if failure else []


def library() -> ctypes.CDLL:
    """The library; only where :func:`why_not` has no reason."""
    library = _built()[0]
    assert library is not None
    return library


def bounds_hold(offsets: Tensor, items: int) -> bool:
    """Whether they go from 0 to the number of items and never fall; False without a library."""
    # Not made for this alone.
    library = _built()[0] if _built.cache_info().currsize else None
    if library is None or offsets.device.type != "cpu" or offsets.dtype != torch.int64:
        return False
    if is_wrapped(offsets):
        return False
    bounds = offsets.contiguous()
    return bool(library.hepml_bounds_hold(bounds.data_ptr(), bounds.shape[0], items))


def plain(tensor: Tensor) -> Tensor:
    """The numbers as they lie in memory."""
    return tensor.contiguous().resolve_neg()


def address(tensor: Tensor | None) -> int | None:
    """Where the numbers of a plain tensor lie."""
    return None if tensor is None else tensor.data_ptr()


@functools.cache
def _built() -> tuple[ctypes.CDLL | None, str | None]:
    """The library, or why there is none."""
    try:
        compiler = shlex.split(os.environ.get("CC", "")) or ["cc"]
        options = [*_OPTIONS, *shlex.split(os.environ.get("CFLAGS", ""))]
        if shutil.which(compiler[0]) is None:
            return None, f"there is no C compiler {compiler[0]!r} (install gcc, or set CC)"
        folder, stem = _cache(), f"native-{_digest(compiler, options)}"
        library = ctypes.CDLL(
            str(_found(folder, stem) or _compiled(compiler, options, folder, stem))
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()[:1]
        return None, f"{error.cmd[0]} fails ({said[0] if said else error.returncode})"
    except (OSError, RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
        return None, f"it cannot be compiled and loaded ({error})"
    for name, arguments in _FUNCTIONS.items():
        getattr(library, name).argtypes = arguments
    return library, None


def _cache() -> Path:
    """The folder of the library, of this user alone."""
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "hepml"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = folder.stat()
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
        raise PermissionError(f"others than this user can write to {folder}")
    return folder


def _digest(compiler: list[str], options: list[str]) -> str:
    """What the library depends on."""
    version = _output([*compiler, "--version"])
    machine = _output([*compiler, *options, "-dM", "-E", "-x", "c", os.devnull])
    digest = hashlib.sha256(repr([_OBJECTS, options, compiler, version, machine]).encode())
    for text in _TEXTS.values():
        digest.update(text.encode())
    return f"{platform.machine()}-{digest.hexdigest()[:16]}"


def _found(folder: Path, stem: str) -> Path | None:
    """A library that was made before; its name ends with its size: it was not cut off."""
    for path in folder.glob(f"{stem}-*.so"):
        if path.stem.endswith(f"-{path.stat().st_size}"):
            return path
    return None


def _compiled(compiler: list[str], options: list[str], folder: Path, stem: str) -> Path:
    """Compile into a temporary folder beside the others, then rename: others may do the same."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch, ThreadPoolExecutor() as pool:
        for name, text in _TEXTS.items():
            Path(scratch, name).write_text(text)
        objects = [str(Path(scratch, f"{number}.o")) for number in range(len(_OBJECTS))]
        commands = [
            [*compiler, *options, *defines, "-c", str(Path(scratch, source)), "-o", built]
            for (source, *defines), built in zip(_OBJECTS, objects, strict=True)
        ]
        list(pool.map(_output, commands))
        # Without -fopenmp: the OpenMP library is the one that torch has loaded.
        built = Path(scratch, f"{stem}.so")
        _output([*compiler, "-shared", *objects, "-o", str(built), "-lm"])
        with built.open("rb") as file:
            os.fsync(file.fileno())
        return built.replace(folder / f"{stem}-{built.stat().st_size}.so")


def _output(command: list[str]) -> str:
    """What a command prints."""
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=_SECONDS
    ).stdout
