"""A shuffling stream of batches over many files, shared out among workers and ranks."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from hepml.data import ParticleSet, concatenate
from hepml.errors import InputError
from hepml.io._ahead import ahead
from hepml.io._chunks import Bad, Chunk, read_chunk
from hepml.io._columns import Columns
from hepml.io._files import Files, locate
from hepml.io._open_files import OpenFiles
from hepml.io._pool import Pool
from hepml.io._read import (
    STEP,
    check_options,
    resolve,
    warn_of_dropped,
)
from hepml.io._spans import Span, batch_bounds, pieces_between, shuffled, spans_of

# Files that stay open between their chunks.
OPEN = 8

# The sets at the places from one up to another.
Take = Callable[[int, int], ParticleSet]
# The numbers of spans, and which of their sets; and what is read of these spans.
Pieces = list[tuple[int, int, int]]
Chunks = Generator[tuple[Chunk, Any], None, None]


class ParticleStream(IterableDataset[ParticleSet]):
    """Batches of sets from many files, holding no more than a few chunks at a time.

    Parameters
    ----------
    files, columns, bad
        As in :func:`hepml.io.read`.
    batch_size
        The number of sets in a batch.
    shuffle
        Whether to shuffle: the order of all chunks, then the sets among `buffer` chunks.
    seed
        The order is a function of the seed, the epoch and the numbers of workers and ranks alone.
    drop_last
        Whether to leave out the last batch of a rank if it is not full.
    max_sets
        Use only the first sets of the files, so many; they are shuffled like the others.
    step
        About how many entries a chunk holds.
    buffer
        How many chunks are shuffled together and held in memory.

    Raises
    ------
    FileError, ColumnError, DataError, InputError
        As in :func:`hepml.io.read`; every file is opened at construction.

    Notes
    -----
    Use it as ``DataLoader(stream, batch_size=None, num_workers=...)``: the stream makes the batches
    itself. Each set comes exactly once in an epoch, whatever the numbers of workers and of
    ranks. All ranks have equally many batches, as the synchronisation of gradients needs: the sets
    are shared out evenly, nothing is dropped or repeated, and where a rank has one set fewer its
    last batch is smaller, or takes one set from the batch before it. With `drop_last`, or a
    `batch_size` of one, each rank drops what does not fill a batch. Sets that are dropped as bad
    make their batch smaller; a batch of which nothing remains is left out. At the end of an epoch
    each worker warns of the bad sets among its own; `max_sets` counts bad sets, too.

    With a cut, or with several jets in an entry, the columns that decide how many sets there are
    are read once at construction.
    """

    def __init__(
        self,
        files: Files,
        columns: Columns | str | None = None,
        *,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        bad: Bad = "error",
        drop_last: bool = False,
        max_sets: int | None = None,
        step: int = STEP,
        buffer: int = 4,
    ) -> None:
        for name, value in (("batch_size", batch_size), ("max_sets", max_sets), ("buffer", buffer)):
            if value is not None and value < 1:
                raise InputError(name, expected="one or more", got=str(value), fix="choose one")
        check_options(step, bad)
        self._locations = locate(files)
        self.columns = resolve(columns, self._locations[0])
        self.batch_size, self.shuffle, self.seed, self.bad = batch_size, shuffle, seed, bad
        self.drop_last, self.buffer = drop_last, buffer
        self._spans, self._file_labels = spans_of(self._locations, self.columns, step, max_sets)
        self.sets = sum(span.sets for span in self._spans)
        self._world: tuple[int, int] | None = None
        # Shared memory: workers that persist from epoch to epoch must see the new number.
        self._epoch = torch.zeros(1, dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]
        self.dropped: dict[str, int] = {}
        if self.sets < self.world[1]:
            raise InputError(
                "files",
                expected=f"a set for each of the {self.world[1]} ranks or more",
                got=f"{self.sets} sets",
                fix="use fewer processes or more data",
            )

    @property
    def file_labels(self) -> set[int]:
        """The classes of the files that sets are taken from, where files decide the class."""
        labels = (self._file_labels[span.file] for span in self._spans)
        return {label for label in labels if label is not None}

    @property
    def world(self) -> tuple[int, int]:
        """The rank of this process and the number of ranks."""
        if self._world is not None:
            return self._world
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.distributed.get_rank(), torch.distributed.get_world_size()
        return 0, 1

    def __getstate__(self) -> dict[str, Any]:
        # A spawned worker has no process group of its own to ask.
        return self.__dict__ | {"_world": self.world}

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch; without shuffling all are alike."""
        self._epoch[0] = epoch

    def __len__(self) -> int:
        """The number of batches of this rank, over all of its workers."""
        return len(self._bounds()) - 1

    def _bounds(self) -> list[int]:
        """The bounds of this rank's batches in the epoch's order of all sets."""
        return batch_bounds(self.sets, self.batch_size, *self.world, drop_last=self.drop_last)

    def __iter__(self) -> Iterator[ParticleSet]:
        yield from self.batches()
        warn_of_dropped(self.dropped)

    def batches(self) -> Iterator[ParticleSet]:
        """The batches of this worker; `dropped` then says what was dropped, without a warning."""
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        bounds = self._bounds()
        batches = len(bounds) - 1
        first, last = (batches * w // workers for w in (number, number + 1))
        self.dropped = {}
        if first < last:
            yield from self._batches(bounds[first : last + 1])

    def _batches(self, bounds: list[int]) -> Iterator[ParticleSet]:
        """The batches between bounds in the epoch's order of all sets."""
        sizes = [stop - start for start, stop in pairwise(bounds)]
        held: list[ParticleSet] = []
        for take, places in self._pools(bounds[0], bounds[-1]):
            place = 0
            while place < places:
                stop = min(place + sizes[0], places)
                held.append(take(place, stop))
                sizes[0] -= stop - place
                place = stop
                if sizes[0] == 0:
                    batch = concatenate([sets for sets in held if len(sets)] or held[:1])
                    held, sizes = [], sizes[1:]
                    if len(batch):
                        yield batch
            # What it takes from is not to be held while the next chunks are read.
            del take

    def _pools(self, first: int, last: int) -> Iterator[tuple[Take, int]]:
        """The sets between two places of the epoch's order, a few chunks at a time.

        A set that was dropped as bad keeps its place, so that everybody knows in advance which
        batches belong to whom.
        """
        epoch = int(self._epoch[0])
        pieces = list(pieces_between(self._spans, self._order(epoch), first, last))
        with (
            OpenFiles(self._locations, self.columns, keep=OPEN) as files,
            closing(
                ahead(partial(self._read, files, self._spans[number]) for number, _, _ in pieces)
            ) as chunks,
        ):
            if self.shuffle:
                yield from self._mixed(pieces, chunks, epoch, first)
            else:
                yield from self._in_order(pieces, chunks)

    def _read(self, files: OpenFiles, span: Span) -> tuple[Chunk, Any]:
        """The chunk of a span, and where in it each of the span's sets is."""
        with files.use(span.file) as bound:
            return read_chunk(bound, span.start, span.stop, self.bad, span.sets)

    def _in_order(self, pieces: Pieces, chunks: Chunks) -> Iterator[tuple[Take, int]]:
        """The sets of the pieces one after the other."""
        for (_, start, stop), (chunk, row_of) in zip(pieces, chunks, strict=True):
            row_of = row_of[start:stop]
            self._count_dropped(chunk, row_of)
            yield partial(_slice, chunk.particles, row_of), stop - start

    def _mixed(
        self, pieces: Pieces, chunks: Chunks, epoch: int, first: int
    ) -> Iterator[tuple[Take, int]]:
        """The sets of the pieces, shuffled among a few chunks at a time."""
        # Workers and ranks start at different places, so that each has numbers of its own.
        random = np.random.default_rng([self.seed, epoch, len(self._spans), first])
        for i in range(0, len(pieces), self.buffer):
            held, orders, sets = [], [], 0
            for number, start, stop in pieces[i : i + self.buffer]:
                chunk, row_of = next(chunks)
                row_of = np.random.default_rng([self.seed, epoch, number]).permutation(row_of)
                row_of = row_of[start:stop]
                self._count_dropped(chunk, row_of)
                orders.append(np.where(row_of < 0, -1, row_of + sets))
                sets += len(chunk.particles)
                held.append(chunk.particles)
            order = random.permutation(np.concatenate(orders))
            pool = Pool(held, order)
            del held, chunk
            yield pool.take, len(order)
            del pool

    def _count_dropped(self, chunk: Chunk, row_of: Any) -> None:
        """Add up what was dropped at the places that are this worker's."""
        for number, reason in enumerate(chunk.bad):
            if count := int(np.sum(row_of == -1 - number)):
                self.dropped[reason] = self.dropped.get(reason, 0) + count

    def _order(self, epoch: int) -> Any:
        """The order of the chunks in an epoch."""
        if not self.shuffle:
            return np.arange(len(self._spans))
        labels = [self._file_labels[span.file] for span in self._spans]
        return shuffled(labels, np.random.default_rng([self.seed, epoch]))


def _slice(chunk: ParticleSet, row_of: Any, start: int, stop: int) -> ParticleSet:
    """The sets of a chunk at some places of its own order, without a copy."""
    rows = row_of[start:stop]
    rows = rows[rows >= 0]
    return chunk[int(rows[0]) : int(rows[-1]) + 1] if len(rows) else chunk[:0]
