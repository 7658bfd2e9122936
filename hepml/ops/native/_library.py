"""Kernels in C for the CPU, compiled on the machine that runs them, once, when first needed.

The sources lie beside this file. The library goes into ``$XDG_CACHE_HOME/hepml``, or
``~/.cache/hepml``, under a name that holds a digest of sources, compiler, options and processor,
and one of its own content: what is damaged is made again. One process makes it, others wait.
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
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hepml.ops._transforms import is_transformed, is_wrapped
from hepml.outputs import cleaned_up, locked

_SOURCES = ("pairs.c", "moments.c", "segments.c", "edges.c")
# A source for each object of the library, and what it is compiled with beside the options.
_OBJECTS = (
    *((source,) for source in _SOURCES if source != "edges.c"),
    ("segments.c", "-DHEPML_DOUBLE"),
    # Distances are rounded as the definition rounds them: ties depend on the last digit.
    ("edges.c", "-ffp-contract=off"),
)
# Read with this module: another version may be installed while this one runs, and whoever calls
# the library must be of its version.
_TEXTS = {name: Path(__file__).with_name(name).read_text() for name in ("native.h", *_SOURCES)}
# -march=native is that of the machine; a NaN stays a NaN: nothing here is -ffast-math.
_OPTIONS = (
    *("-std=gnu11", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math"),
    *("-fopenmp", "-fPIC", "-Wno-psabi"),
)
# How long to compile or to wait for another process that does, on a machine that is busy.
_SECONDS = 600.0
_MAKING = "making-"
_NUMBER, _ADDRESS = ctypes.c_int64, ctypes.c_void_p
_FUNCTIONS = {
    "hepml_pair_messages": [_ADDRESS],
    "hepml_pair_moments": [_ADDRESS],
    "hepml_segment_reduce_float": [*[_NUMBER] * 4, *[_ADDRESS] * 5],
    "hepml_segment_reduce_double": [*[_NUMBER] * 4, *[_ADDRESS] * 5],
    "hepml_segment_map_float": [*[_NUMBER] * 4, *[_ADDRESS] * 6],
    "hepml_segment_map_double": [*[_NUMBER] * 4, *[_ADDRESS] * 6],
    "hepml_nodes_of": [_NUMBER],
    "hepml_edges_build": [*[_NUMBER] * 3, *[_ADDRESS] * 9],
    "hepml_edges_nearest": [*[_NUMBER] * 4, ctypes.c_double, *[_ADDRESS] * 12],
    "hepml_edges_within": [*[_NUMBER] * 4, *[ctypes.c_double] * 2, *[_ADDRESS] * 12],
    "hepml_bounds_hold": [_ADDRESS, _NUMBER, _NUMBER],
    "hepml_index_holds": [_ADDRESS, _NUMBER, _NUMBER],
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
    library = _built_for(offsets)
    if library is None:
        return False
    bounds = offsets.contiguous()
    return bool(library.hepml_bounds_hold(bounds.data_ptr(), bounds.shape[0], items))


def index_holds(index: Tensor, size: int) -> bool:
    """Whether all places are from 0 to below the size; False without a library."""
    library = _built_for(index)
    if library is None:
        return False
    places = index.contiguous()
    return bool(library.hepml_index_holds(places.data_ptr(), places.shape[0], size))


def _built_for(numbers: Tensor) -> ctypes.CDLL | None:
    """The library, if it can look at these whole numbers; it is not made for this alone."""
    if numbers.device.type != "cpu" or numbers.dtype != torch.int64 or is_wrapped(numbers):
        return None
    return _built()[0] if _built.cache_info().currsize else None


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
        library = _found(folder, stem) or _made(compiler, options, folder, stem)
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()[:1]
        return None, f"{error.cmd[0]} fails ({said[0] if said else error.returncode})"
    except (OSError, RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
        return None, f"it cannot be compiled and loaded ({error})"
    for name, arguments in _FUNCTIONS.items():
        getattr(library, name).argtypes = arguments
    library.hepml_nodes_of.restype = _NUMBER
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
    (version,) = _output([*compiler, "--version"])
    (machine,) = _output([*compiler, *options, "-dM", "-E", "-x", "c", os.devnull])
    inputs = repr([_OBJECTS, options, compiler, version, machine, *_TEXTS.values()])
    return f"{platform.machine()}-{_short_digest(inputs.encode())}"


def _short_digest(content: bytes) -> str:
    """Enough of a digest to tell what is meant to be the same from what is not."""
    return hashlib.sha256(content).hexdigest()[:16]


def _found(folder: Path, stem: str) -> ctypes.CDLL | None:
    """A library that was made before, is what it was then, and can be loaded."""
    for path in folder.glob(f"{stem}-*.so"):
        # Loading a damaged one can end the process.
        if path.stem.endswith(f"-{_short_digest(path.read_bytes())}"):
            with suppress(OSError):
                return ctypes.CDLL(str(path))
    return None


def _made(compiler: list[str], options: list[str], folder: Path, stem: str) -> ctypes.CDLL:
    """Compile and load, unless another process has compiled meanwhile."""
    with locked(folder / ".lock", what=f"the library in {folder}", wait=_SECONDS), cleaned_up():
        # What a killed process left: nobody else is making a library now.
        for leftover in folder.glob(f"{_MAKING}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        found = _found(folder, stem)
        if found is not None:
            return found
        for damaged in folder.glob(f"{stem}-*.so"):
            damaged.unlink()
        with tempfile.TemporaryDirectory(dir=folder, prefix=_MAKING) as scratch:
            built = _compiled(compiler, options, Path(scratch))
            name = f"{stem}-{_short_digest(built.read_bytes())}.so"
            return ctypes.CDLL(str(built.replace(folder / name)))


def _compiled(compiler: list[str], options: list[str], scratch: Path) -> Path:
    """Compile in a folder."""
    for name, text in _TEXTS.items():
        (scratch / name).write_text(text)
    objects = [str(scratch / f"{number}.o") for number in range(len(_OBJECTS))]
    _output(
        *(
            [*compiler, *options, *defines, "-c", str(scratch / source), "-o", built]
            for (source, *defines), built in zip(_OBJECTS, objects, strict=True)
        )
    )
    # Without -fopenmp: the OpenMP library is the one that torch has loaded.
    built = scratch / "library.so"
    _output([*compiler, "-shared", *objects, "-o", str(built), "-lm"])
    with built.open("rb") as file:
        os.fsync(file.fileno())
    return built


def _output(*commands: list[str]) -> list[str]:
    """What commands print that run side by side; all are stopped if one fails."""
    with ExitStack() as stack:
        runs = [stack.enter_context(_started(command)) for command in commands]
        for run in runs:
            stack.callback(run.kill)
        printed = []
        for command, run in zip(commands, runs, strict=True):
            out, error = run.communicate(timeout=_SECONDS)
            if run.returncode:
                raise subprocess.CalledProcessError(run.returncode, command, out, error)
            printed.append(out)
        return printed


def _started(command: list[str]) -> subprocess.Popen[str]:
    """A process whose output is kept."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
