"""The data of a run: shuffled batches to learn from, ordered ones to validate with."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, cast

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, IterableDataset

from hepml.data import ParticleSet
from hepml.errors import DataError, InputError
from hepml.io import SHUFFLE_MEMORY, BatchStream, Columns, NoSets, reweighting, warn_of_dropped
from hepml.training._hold_out import hold_out, validates


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
    validation_columns
        The same columns with the cut of the sets to validate with, if it is another one.
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
        :class:`~hepml.io.BatchStream`.

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
        validation_columns: Columns | None = None,
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
        with _said("learn from"):
            self.train_stream = BatchStream(
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
        self.validation_stream: BatchStream | None = None
        if validation is not None:
            with _said("validate with"):
                self.validation_stream = BatchStream(
                    validation,
                    validation_columns or columns,
                    batch_size=batch_size,
                    bad=bad,
                    max_sets=max_validation_sets,
                )

    def train_dataloader(self) -> "EpochLoader":
        """The batches of an epoch, in the order that belongs to it."""
        return self._loader(self.train_stream, "learn from")

    def val_dataloader(self) -> "EpochLoader | list[Any]":
        """The validation batches, always in the same order."""
        if self.validation_stream is None:
            return []
        return self._loader(self.validation_stream, "validate with")

    def _loader(self, stream: Any, purpose: str) -> "EpochLoader":
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
            loader, lambda: 0 if self.trainer is None else self.trainer.current_epoch, purpose
        )


@contextmanager
def _said(purpose: str) -> Iterator[None]:
    """Say what the sets are for, where there are none."""
    try:
        yield
    except NoSets as error:
        raise InputError(
            f"files to {purpose}", expected=error.expected, got=error.got, fix=error.fix
        ) from error


class _Telling(IterableDataset[ParticleSet | dict[str, int]]):
    """The batches of a stream and, last of all, what it dropped: each worker knows its own part."""

    def __init__(self, stream: Any) -> None:
        self.stream: BatchStream = stream

    def __iter__(self) -> Iterator[ParticleSet | dict[str, int]]:
        yield from self.stream.batches()
        yield self.stream.dropped


class EpochLoader:
    """A loader that tells its stream the epoch when the first batch is asked for.

    Parameters
    ----------
    loader
        Over the batches of a :class:`~hepml.io.BatchStream`, and what was dropped.
    epoch
        Says which epoch it is.
    purpose
        What the sets are for, in a warning.

    Notes
    -----
    At the end of an epoch one warning says what all workers together have dropped, at the end of
    the first one another which classes had no sets.
    """

    def __init__(
        self, loader: DataLoader[Any], epoch: Callable[[], int], purpose: str = "learn from"
    ) -> None:
        self._loader, self._epoch, self._purpose = loader, epoch, purpose
        self._looked = False

    def __len__(self) -> int:
        return len(cast(_Telling, self._loader.dataset).stream)

    def __iter__(self) -> Iterator[ParticleSet]:
        # A generator function: Lightning calls iter() before a resumed trainer knows its epoch.
        cast(_Telling, self._loader.dataset).stream.set_epoch(self._epoch())
        dropped: Counter[str] = Counter()
        # One batch ahead: Lightning asks for nothing after the last batch.
        last: ParticleSet | None = None
        names = cast(_Telling, self._loader.dataset).stream.columns.class_names
        sets = torch.zeros(len(names), dtype=torch.int64)
        for item in self._loader:
            if isinstance(item, dict):
                dropped.update(item)
                continue
            if item.labels is not None and not self._looked:
                sets += torch.bincount(item.labels, minlength=len(names))
            if last is not None:
                yield last
            last = item
        warn_of_dropped(dropped)
        self._warn_of_absent([name for name, n in zip(names, sets.tolist(), strict=True) if not n])
        if last is not None:
            yield last

    def _warn_of_absent(self, names: list[str]) -> None:
        """Say once which classes have no sets."""
        if names and not self._looked:
            warnings.warn(
                f"no sets to {self._purpose} of {'class' if len(names) == 1 else 'the classes'} "
                f"{', '.join(names[:6])}{', ...' if len(names) > 6 else ''}",
                UserWarning,
                stacklevel=2,
            )
        self._looked = True


def open_data(options: Mapping[str, Any], columns: Columns) -> ParticleData:
    """The files of a run, all of which are opened here, seen to go with its options.

    Raises
    ------
    InputError
        If the options exclude each other, or no sets are left.
    DataError
        If there is one class alone to validate with.
    """
    devices = options["devices"]
    if devices > 1 and options["bad"] == "drop":
        raise InputError(
            "bad",
            expected="'error' with several devices, which must have equally many batches",
            got=f"'drop' with {devices} devices",
            fix="use one device, or files without bad jets",
        )
    # What is carried along for scores is not learned from.
    learned, validated = hold_out(columns.replace(observers={}), options)
    data = ParticleData(
        options["files"],
        (options["validation"] or options["files"]) if validates(options) else None,
        columns=learned,
        validation_columns=validated,
        batch_size=options["batch_size"],
        max_sets=options["max_sets"],
        max_validation_sets=options["max_validation_sets"],
        bad=options["bad"],
        workers=options["workers"],
        seed=options["seed"],
        shuffle_memory=options["shuffle_memory"],
    )
    validation = data.validation_stream
    # Else a whole epoch is learned before it is found.
    if columns.class_names and validation is not None and not validation.holds_classes(2):
        cut = validated.cut
        raise DataError(
            "validation",
            expected="jets of at least two classes",
            got="jets of one class" + ("" if cut is None else f" that pass the cut {cut!r}"),
            fix="validate with files or with a cut that hold all classes",
        )
    stream = data.train_stream
    if options["reweight"]:
        stream.reweight = reweighting(
            stream.set_values(options["reweight"]),
            options["reweight"],
            columns.class_names,
            to=options["reweight_to"],
            by=options["reweight_by"],
            bins=[_bins(each) for each in options["reweight_bins"]],
        )
    elif options["reweight_bins"] or options["reweight_to"] != "flat":
        raise InputError(
            "reweight",
            expected="the expressions whose spectrum is to change",
            got="none, but reweight_bins or reweight_to",
            fix="name one or two, such as jet_pt",
        )
    # A batch is no larger than what there is: else there would be none.
    stream.batch_size = max(min(stream.batch_size, stream.sets // devices), 1)
    return data


def _bins(word: str) -> int | list[float]:
    """A number of bins, or their edges."""
    try:
        return [float(each) for each in word.split(",")] if "," in word else int(word)
    except ValueError:
        raise InputError(
            "reweight_bins",
            expected="a number of bins, or edges joined by commas",
            got=repr(word),
            fix="such as 20, or 500,550,600,650",
        ) from None
