"""Threads that share the tiles of an operation."""

import functools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")

# Python holds a lock for the microseconds in which an operation starts: threads beyond this number
# would wait for it, and help more inside the operations.
_MOST = 8


def workers() -> int:
    """How many parts are worked on at the same time."""
    return min(torch.get_num_threads(), _MOST)


def in_parallel(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """What the work gives for each of at most :func:`workers` parts.

    Operations of torch on a tile are too short to be shared by threads: that each thread has tiles
    of its own is faster by measurement. Nothing is recorded for a derivative.
    """
    inference = torch.is_inference_mode_enabled()

    def quietly(part: Part) -> Result:
        with torch.inference_mode(inference), torch.no_grad():
            return work(part)

    if len(parts) < 2:
        return [quietly(part) for part in parts]
    return list(_pool(workers(), torch.get_num_threads()).map(quietly, parts))


@functools.lru_cache(1)
def _pool(size: int, threads: int) -> ThreadPoolExecutor:
    """Threads of which each has its share of torch's threads."""
    pool = ThreadPoolExecutor(size, "hepml-pairs")
    all_there = threading.Barrier(size)

    def start(_: int) -> None:
        torch.set_num_threads(threads // size)
        all_there.wait()

    list(pool.map(start, range(size)))
    # Torch takes the last number that any thread set as the default of threads to come.
    torch.set_num_threads(threads)
    return pool


# The threads do not survive a fork, as in the workers of a DataLoader.
os.register_at_fork(after_in_child=_pool.cache_clear)
