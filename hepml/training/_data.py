"""The data of a run: shuffled batches to learn from, ordered ones to validate with."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal, cast

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, IterableDataset

from hepml.data import ParticleSet
from hepml.io import Columns, ParticleStream
from hepml.io._read import warn_of_dropped
from hepml.io._stream import SHUFFLE_MEMORY


class ParticleData(LightningDataModule):
    """Batches from files, for :class:`lightning.pytorch.Trainer`.

    Parameters
    ----------
    files
        The files to learn from: names, patterns, ``file.root:tree``.
    validation
        The files to validate with; None if there are none.
    columns
        Which branches hold what.
    batch_size
        The number of sets in a batch, on each device.
    max_sets, max_validation_sets
        Learn from, validate with so many sets only, drawn evenly over the files and the places in
        each file.
    bad
        What to do with sets that cannot be: "error" or "drop".
    workers
        The number of processes that read; 0 reads in the process that learns.
    seed
        The order of the data is a function of this, of the epoch, of `shuffle_memory` and of the
        number of readers.
    shuffle_memory
        How many megabytes of sets are shuffled together on each device; see
        :class:`~hepml.io.ParticleStream`.

    Notes
    -----
    The last batch of an epoch is left out if it is not full: the order differs from epoch to epoch,
    and so do the sets left out.
    """

    def __init__(
        self,
        files: Any,
        validation: Any = None,
        *,
        columns: Columns,
        batch_size: int = 128,
        max_sets: int | None = None,
        max_validation_sets: int | None = None,
        bad: Literal["error", "drop"] = "error",
        workers: int = 0,
        seed: int = 0,
        shuffle_memory: int | float = SHUFFLE_MEMORY,
    ) -> None:
        super().__init__()
        self.workers = workers
        self.train_stream = ParticleStream(
            files,
            columns,
            batch_size=batch_size,
            shuffle=True,
            seed=seed,
            bad=bad,
            drop_last=True,
            max_sets=max_sets,
            shuffle_memory=shuffle_memory,
        )
        self.validation_stream = (
            None
            if validation is None
            else ParticleStream(
                validation,
                columns,
                batch_size=batch_size,
                bad=bad,
                max_sets=max_validation_sets,
            )
        )

    def train_dataloader(self) -> "EpochLoader":
        """The batches of an epoch, in the order that belongs to it."""
        return self._loader(self.train_stream)

    def val_dataloader(self) -> "EpochLoader | list[Any]":
        """The validation batches, always in the same order."""
        return [] if self.validation_stream is None else self._loader(self.validation_stream)

    def _loader(self, stream: Any) -> "EpochLoader":
        """What reads a stream, with workers if there are any."""
        # A generator of its own: else the workers' seeds are drawn from the global one, and what a
        # model draws (dropout) depends on how often an iteration was begun.
        loader = DataLoader(
            _Telling(stream),
            batch_size=None,
            num_workers=self.workers,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator().manual_seed(0),
        )
        return EpochLoader(
            loader, lambda: 0 if self.trainer is None else self.trainer.current_epoch
        )


class _Telling(IterableDataset[ParticleSet | dict[str, int]]):
    """The batches of a stream and, last of all, what it dropped: each worker knows its own part."""

    def __init__(self, stream: Any) -> None:
        self.stream: ParticleStream = stream

    def __iter__(self) -> Iterator[ParticleSet | dict[str, int]]:
        yield from self.stream.batches()
        yield self.stream.dropped


class EpochLoader:
    """A loader that tells its stream the epoch when the first batch is asked for.

    Parameters
    ----------
    loader
        Over the batches of a :class:`~hepml.io.ParticleStream`, and what was dropped.
    epoch
        Says which epoch it is.

    Notes
    -----
    At the end of an epoch one warning says what all workers together have dropped.
    """

    def __init__(self, loader: DataLoader[Any], epoch: Callable[[], int]) -> None:
        self._loader, self._epoch = loader, epoch

    def __len__(self) -> int:
        return len(cast(_Telling, self._loader.dataset).stream)

    def __iter__(self) -> Iterator[ParticleSet]:
        # A generator function: Lightning calls iter() before a resumed trainer knows its epoch.
        cast(_Telling, self._loader.dataset).stream.set_epoch(self._epoch())
        dropped: Counter[str] = Counter()
        # One batch ahead: Lightning asks for nothing after the last batch.
        last: ParticleSet | None = None
        for item in self._loader:
            if isinstance(item, dict):
                dropped.update(item)
                continue
            if last is not None:
                yield last
            last = item
        warn_of_dropped(dropped)
        if last is not None:
            yield last
