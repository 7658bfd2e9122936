"""A shuffling stream of batches over many files, shared out among workers and ranks."""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from hepml.data import Ragged, concatenate, rows_of
from hepml.errors import InputError
from hepml.io.chunks._chunk import Bad, Chunk, read_chunk
from hepml.io.chunks._set_values import SetValues
from hepml.io.columns._columns import Columns
from hepml.io.formats._files import Files, locate
from hepml.io.formats._identity import Identity
from hepml.io.streams._mixing import SPANS, Mixing, mixing, pool_of, read_slab, room_for, slabs_of
from hepml.io.streams._open_files import OpenFiles
from hepml.io.streams._picks import evenly
from hepml.io.streams._prefetch import ahead
from hepml.io.streams._prepare import check_picklable, check_prepare
from hepml.io.streams._read import STEP, check_options, resolve, warn_of_dropped
from hepml.io.streams._reweighting import Reweighting, observers_of
from hepml.io.streams._shuffle import between
from hepml.io.streams._spans import (
    Part,
    batch_bounds,
    classes_among,
    drawn,
    mean_weight,
    parts_between,
    parts_dealt,
    parts_in_order,
    pools_of,
    spans_of,
    values_of,
)

# Megabytes of sets that are shuffled together, unless told.
SHUFFLE_MEMORY = 2000

# Files that stay open between their chunks.
OPEN = 32

# Ranges of fewer entries take longer to be found than to be read.
_SMALLEST = 256

# The row of a set that is left to another epoch: no number of a reason to drop it for good.
_NOT_DRAWN = np.iinfo(np.int64).min

# The sets at the places from one up to another; and how many places there are.
Take = Callable[[int, int], Ragged]
Delivered = Generator[tuple[Take, int], None, None]


class NoSets(InputError):
    """Files hold no sets that could be read."""


class BatchStream(IterableDataset[Any]):
    """Batches of sets from many files, in the order of the files or mixed.

    Parameters
    ----------
    files, columns, bad
        As in :func:`hepml.io.read`.
    batch_size
        The number of sets in a batch.
    shuffle
        Whether to shuffle: then each batch is a fair sample of all files, whatever their order.
    seed
        The order is a function of the seed, the epoch, `shuffle_memory` and the numbers of workers
        and ranks alone.
    drop_last
        Whether to leave out the last batch of a rank if it is not full.
    max_sets
        Use only so many sets, drawn evenly over the files and the places in each file.
    step
        About how many entries are read at a time.
    shuffle_memory
        How many megabytes of sets are held in memory to be shuffled, by all workers of a rank
        together.
    prepare
        A function of a batch whose result is delivered in its place, of any type: clustering, lists
        of neighbours, windows. It runs where the batch is read, in the workers of a ``DataLoader``;
        for those that are spawned it has to be picklable.
    reweight
        How much each set counts, by its class and its place in a spectrum, see
        :class:`~hepml.io.Reweighting`: weights are multiplied, or sets are drawn; then batches have
        `batch_size` sets on average.

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

    Sets that fit into `shuffle_memory` are shuffled completely. Of more, half of the memory holds
    a pool that is delivered in random order while the other half is filled with the next one. Each
    pool has parts from all classes, where files decide the class, from all files and from all
    places in each file, in proportion; the composition of a batch then is that of a random draw
    from the pool, and that of the pool is that of all files to within one part of each class, of
    about 32 or more. Files are read in whole clusters, as they were written: where these are so
    large that fewer would fit, a pool takes a part of the sets of each and reads more clusters;
    :meth:`reads` says how often each is read.

    `prepare` comes last, after sets are shuffled, cut into batches and counted: all sets of a batch
    reach it together, what it leaves out makes no other batch larger, and memory and pools know
    only what is read. An epoch is repeatable if its result is a function of the batch alone.

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
        shuffle_memory: int | float = SHUFFLE_MEMORY,
        prepare: Callable[[Any], Any] | None = None,
        reweight: Reweighting | None = None,
    ) -> None:
        check_prepare(prepare)
        for name, value in (("batch_size", batch_size), ("max_sets", max_sets)):
            if value is not None and value < 1:
                raise InputError(name, expected="one or more", got=str(value), fix="choose one")
        if not shuffle_memory > 0:
            raise InputError(
                "shuffle_memory",
                expected="more than 0 megabytes",
                got=str(shuffle_memory),
                fix=f"{SHUFFLE_MEMORY} is the default",
            )
        check_options(step, bad)
        self._locations = locate(files)
        self.columns = resolve(columns, self._locations[0])
        self.batch_size, self.shuffle, self.seed, self.bad = batch_size, shuffle, seed, bad
        self.drop_last, self.shuffle_memory = drop_last, shuffle_memory
        self.prepare, self.reweight = prepare, reweight
        self._room: int | None = None
        small = step
        if shuffle:
            self._room = room_for(self._locations, self.columns, 1e6 * shuffle_memory)
        if self._room is not None:
            small = min(step, max(self._room // (2 * SPANS), _SMALLEST))
        # A file stays as it was found here, or is an error.
        self._seen: dict[int, Identity] = {}
        spans, self._file_labels = spans_of(self._locations, self.columns, small, step, self._seen)
        self._spans = spans if max_sets is None else drawn(spans, max_sets)
        self.sets = sum(span.sets for span in self._spans)
        self._world: tuple[int, int] | None = None
        # Shared memory: workers that persist from epoch to epoch must see the new number.
        self._epoch = torch.zeros(1, dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]
        self._dropped: Counter[str] = Counter()
        if not self.sets:
            raise NoSets(
                "files",
                expected=f"sets that pass the cut {self.columns.cut!r}"
                if self.columns.cut is not None
                else "sets",
                got="none",
                fix="use more data" if self.columns.cut is None else "choose another cut",
            )
        if self.sets < self.world[1]:
            raise InputError(
                "files",
                expected=f"a set for each of the {self.world[1]} ranks or more",
                got=f"{self.sets} sets",
                fix="use fewer processes or more data",
            )

    def mixing(self, workers: int = 1, ranks: int | None = None) -> Mixing:
        """In how many pools each of so many workers of a rank mixes its share of the sets."""
        if not self.shuffle:
            return Mixing(1, 1)
        room = None if self._room is None else self._room // workers
        readers = workers * (ranks or self.world[1])
        return mixing(self.sets, len(self._spans), readers, room)

    def reads(self, workers: int = 1, ranks: int | None = None) -> float:
        """How often an entry is read in an epoch, on average over the entries."""
        ranks = ranks or self.world[1]
        entries = [span.stop - span.start for span in self._spans]
        order, read = self._order(0, workers, ranks), 0
        for rank in range(ranks):
            for worker in range(workers):
                for pool in self._pools(order, (rank, ranks), (worker, workers)):
                    read += sum(entries[number] for number in {part.span for part in pool})
        return read / sum(entries)

    @property
    def _read_columns(self) -> Columns:
        """The columns, and the numbers by which sets are weighted."""
        return self._observing(() if self.reweight is None else self.reweight.expressions)

    def _observing(self, expressions: Sequence[str]) -> Columns:
        """The columns, and some numbers of each set."""
        if not expressions:
            return self.columns
        return self.columns.replace(
            observers={**self.columns.observers, **observers_of(expressions)}
        )

    def set_values(self, expressions: Sequence[str] | None = None) -> SetValues:
        """Class and weight of all sets, and what expressions give, for which they are read.

        Parameters
        ----------
        expressions
            Those of `reweight` by default.
        """
        if expressions is None:
            expressions = () if self.reweight is None else self.reweight.expressions
        columns = self.columns.replace(observers=observers_of(expressions))
        return values_of(self._locations, columns, self._spans)

    @property
    def mean_weight(self) -> float:
        """The mean of the weights of all sets, for which their columns are read; 1 without any.

        With `reweight`, that of the weights with which they are delivered.
        """
        return self._mean_weight if self.reweight is None else self.reweight.mean_weight

    @cached_property
    def _mean_weight(self) -> float:
        """That of the weights in the files."""
        return mean_weight(self._locations, self.columns, self._spans)

    @property
    def acceptance(self) -> float:
        """The part of all sets that is taken in an epoch, on average: 1 unless sets are drawn."""
        return 1.0 if self.reweight is None else self.reweight.acceptance

    def class_totals(self) -> Tensor:
        """The sum of the weights of all sets of each class, for which their columns are read.

        Of classes of particles, nodes or edges, with the weight of its set for each: then all is
        read.
        """
        names = self.columns.class_names
        if names:
            values = self.set_values()
            known = (values.labels >= 0) & np.isfinite(values.weights)
            labels, weights = values.labels[known], values.weights[known]
            if self.reweight is not None and self.reweight.by == "loss":
                weights = weights * self.reweight.of(labels, values.observers[known])
            return torch.from_numpy(np.bincount(labels, weights, minlength=len(names)))
        levels = self.columns.levels
        per = next(each for each in levels[1:] if self.columns.class_names_of(each))
        totals = torch.zeros(len(self.columns.class_names_of(per)), dtype=torch.float64)
        with OpenFiles(self._locations, self._read_columns, keep=1, seen=self._seen) as files:
            for number in range(len(self._spans)):
                rows = rows_of(self._read(files, number)[0].particles, per)
                classes: Any = rows.labels
                ones = torch.ones(len(classes), dtype=torch.float64)
                totals.index_add_(
                    0, classes, ones if rows.weights is None else rows.weights.double()
                )
        return totals

    def holds_classes(self, number: int) -> bool:
        """Whether the sets are of so many classes or more; labels are read until they are found."""
        return len(classes_among(self._locations, self.columns, self._spans, number)) >= number

    @property
    def dropped(self) -> dict[str, int]:
        """How many sets were dropped as bad in the last epoch, by reason."""
        return dict(self._dropped)

    @property
    def world(self) -> tuple[int, int]:
        """The rank of this process and the number of ranks."""
        if self._world is not None:
            return self._world
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.distributed.get_rank(), torch.distributed.get_world_size()
        return 0, 1

    def __getstate__(self) -> dict[str, Any]:
        check_picklable(self.prepare)
        # A spawned worker has no process group of its own to ask.
        return self.__dict__ | {"_world": self.world}

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch; without shuffling all are alike."""
        self._epoch[0] = epoch

    def __len__(self) -> int:
        """The number of batches of this rank, over all of its workers."""
        return len(self._bounds(self.world, (0, 1))) - 1

    def _bounds(self, world: tuple[int, int], worker: tuple[int, int]) -> list[int]:
        """The bounds of the batches of a worker of a rank in the epoch's order of all sets."""
        # Of the sets of a batch some may not be drawn.
        size = max(round(self.batch_size / self.acceptance), 1)
        bounds = batch_bounds(self.sets, size, *world, drop_last=self.drop_last)
        number, workers = worker
        first, last = ((len(bounds) - 1) * w // workers for w in (number, number + 1))
        return bounds[first : last + 1]

    def __iter__(self) -> Iterator[Any]:
        yield from self.batches()
        warn_of_dropped(self.dropped)

    def batches(self) -> Iterator[Any]:
        """The batches of this worker; `dropped` then says what was dropped, without a warning."""
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        epoch, own = int(self._epoch[0]), (number, workers)
        sizes = np.diff(self._bounds(self.world, own)).tolist()
        pools = self._pools(self._order(epoch, workers, self.world[1]), self.world, own)
        self._dropped.clear()
        held: list[Ragged] = []
        with (
            OpenFiles(self._locations, self._read_columns, keep=OPEN, seen=self._seen) as files,
            closing(self._delivered(files, pools, epoch)) as delivered,
        ):
            for take, places in delivered:
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
                            yield batch if self.prepare is None else self.prepare(batch)
                # What it takes from is not to be held while the next chunks are read.
                del take

    def _pools(
        self, order: list[Part], world: tuple[int, int], worker: tuple[int, int]
    ) -> list[list[Part]]:
        """What a worker of a rank delivers of the epoch's order, in pools."""
        bounds = self._bounds(world, worker)
        (rank, ranks), (number, workers) = world, worker
        pools = self.mixing(workers, ranks).pools
        first = (rank * workers + number) * pools
        return pools_of(parts_between(order, bounds[0], bounds[-1]), first, first + pools)

    def _delivered(self, files: OpenFiles, pools: list[list[Part]], epoch: int) -> Delivered:
        """The sets of the pools, as much as is held at a time.

        A set that was dropped as bad keeps its place, so that everybody knows in advance which
        batches belong to whom.
        """
        if self.shuffle:
            return self._mixed(files, pools, epoch)
        return self._in_order(files, [part for pool in pools for part in pool])

    def _read(self, files: OpenFiles, number: int) -> tuple[Chunk, Any]:
        """The chunk of a span, and where in it each of the span's sets is."""
        span = self._spans[number]
        with files.use(span.file) as bound:
            chunk, row_of = read_chunk(bound, span.start, span.stop, self.bad, evenly(span.sets))
        if self.reweight is None:
            return chunk, row_of
        sets = chunk.particles
        factors = self.reweight.of_chunk(sets.labels, chunk.observers, chunk.rows)
        if self.reweight.by == "loss":
            ones = torch.ones(len(sets)) if sets.weights is None else sets.weights
            weights = ones * torch.from_numpy(factors).to(ones.dtype)
            return replace(chunk, particles=sets._with(weights=weights)), row_of
        # Drawn by numbers of their own: the order of the sets does not depend on them.
        random = np.random.default_rng([self.seed, int(self._epoch[0]), number, 1])
        taken = random.random(len(factors)) < self.reweight.probabilities(factors)
        row_of[(row_of >= 0) & ~taken[row_of]] = _NOT_DRAWN
        return chunk, row_of

    def _in_order(self, files: OpenFiles, parts: list[Part]) -> Delivered:
        """The sets of the parts one after the other."""
        with closing(ahead(partial(self._read, files, part.span) for part in parts)) as chunks:
            for part, (chunk, row_of) in zip(parts, chunks, strict=True):
                row_of = row_of[part.start : part.stop]
                for number, reason in enumerate(chunk.bad):
                    self._dropped[reason] += int(np.sum(row_of == -1 - number))
                yield partial(between, chunk.particles, row_of), part.stop - part.start
                del chunk

    def _mixed(self, files: OpenFiles, pools: list[list[Part]], epoch: int) -> Delivered:
        """The sets of the pools, each of them shuffled."""

        def own_order(number: int, sets: int) -> Any:
            return np.random.default_rng([self.seed, epoch, number]).permutation(sets)

        slabs = [slabs_of(pool) for pool in pools]
        read = partial(read_slab, partial(self._read, files), own_order)
        tasks = (partial(read, spans) for pool in slabs for spans in pool)
        # While one pool is delivered, the next one is read.
        with closing(ahead(tasks, max(map(len, slabs), default=0))) as results:
            for pool, spans in zip(pools, slabs, strict=True):
                held = [next(results) for _ in spans]
                for slab in held:
                    self._dropped.update(slab.dropped)
                # Each pool has numbers of its own.
                words = [self.seed, epoch, len(self._spans), pool[0].pool]
                mixed, places = pool_of(held, np.random.default_rng(words))
                del held, slab
                yield mixed.take, places
                del mixed

    def _order(self, epoch: int, workers: int, ranks: int) -> list[Part]:
        """The order of the sets in an epoch."""
        if not self.shuffle:
            return parts_in_order(self._spans)
        plan = self.mixing(workers, ranks)
        pools = plan.pools * workers * ranks
        random = np.random.default_rng([self.seed, epoch])
        return parts_dealt(self._spans, self._file_labels, plan.parts, pools, random)
