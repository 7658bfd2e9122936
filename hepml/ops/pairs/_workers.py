"""Threads that share the tiles of an operation."""

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from hepml.ops.pairs._tiles import Tile, Tiling

State = TypeVar("State")

# Python holds a lock for the microseconds in which an operation starts: threads beyond this number
# would wait for it, and help more inside the operations.
_MOST = 8


def in_parallel(
    work: Callable[[Tile, State], None], tiling: Tiling, state: Callable[[], State]
) -> list[State]:
    """Do the work for all tiles, on as many threads as torch has, each with a state of its own.

    Gives the states. Which thread gets which tile is always the same, so that sums are always taken
    in the same order. Nothing is recorded for a derivative.

    Operations of torch on a tile are too short to be shared by threads: they would wait for each
    other after each, and for long where other processes share the cores.
    """
    # A GPU has its own queue of work, one for each thread: others would not wait for it.
    threads = min(torch.get_num_threads(), _MOST) if tiling.device.type == "cpu" else 1
    inference = torch.is_inference_mode_enabled()

    def work_on(part: list[tuple[int, int]]) -> State:
        with torch.inference_mode(inference), torch.no_grad():
            own = state()
            for first, last in part:
                work(tiling.tile(first, last), own)
            return own

    parts = [tiling.ranges[k::threads] for k in range(min(threads, len(tiling.ranges)))]
    if len(parts) < 2:
        return [work_on(tiling.ranges)]
    return list(_pool(threads, torch.get_num_threads()).map(work_on, parts))


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
