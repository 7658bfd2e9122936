"""A part of the sets of files, drawn evenly over them."""

from collections.abc import Generator
from contextlib import closing
from functools import partial

from hepml.errors import InputError
from hepml.io.chunks._chunk import Bad, Chunk, read_chunk
from hepml.io.columns._columns import Columns
from hepml.io.formats._files import Files, locate
from hepml.io.formats._identity import Identity
from hepml.io.streams._open_files import OpenFiles
from hepml.io.streams._picks import evenly
from hepml.io.streams._prefetch import ahead
from hepml.io.streams._read import STEP, check_options, resolve
from hepml.io.streams._spans import Span, drawn, spans_of


class EvenSample:
    """So many sets, drawn evenly over the files and the places in each file, in their order.

    A sample of files that are sorted by class has all classes in proportion; that of the same
    files is always the same.

    Parameters
    ----------
    files, columns, bad
        As in :func:`hepml.io.read`.
    sets
        How many sets are drawn; all, if there are no more. Bad ones count.
    step
        About how many entries are read at a time.

    Raises
    ------
    FileError, ColumnError, DataError, InputError
        As in :func:`hepml.io.read`; every file is opened at construction.
    """

    def __init__(
        self,
        files: Files,
        columns: Columns | str | None = None,
        *,
        sets: int,
        bad: Bad = "error",
        step: int = STEP,
    ) -> None:
        if sets < 1:
            raise InputError("sets", expected="one or more", got=str(sets), fix="draw some")
        check_options(step, bad)
        self._locations = locate(files)
        self.columns, self._bad = resolve(columns, self._locations[0]), bad
        self._seen: dict[int, Identity] = {}
        spans, _ = spans_of(self._locations, self.columns, step, step, self._seen)
        self.among = sum(span.sets for span in spans)
        """How many sets there are to draw from."""
        self._spans = drawn(spans, sets)

    @property
    def entries(self) -> int:
        """How many entries are read."""
        return sum(span.stop - span.start for span in self._spans)

    def chunks(self) -> Generator[Chunk, None, None]:
        """The sets, as many at a time as are read together."""
        with (
            OpenFiles(self._locations, self.columns, keep=1, seen=self._seen) as files,
            closing(ahead(partial(self._read, files, span) for span in self._spans)) as chunks,
        ):
            yield from chunks

    def _read(self, files: OpenFiles, span: Span) -> Chunk:
        """The sets that are drawn from a span."""
        with files.use(span.file) as bound:
            return read_chunk(bound, span.start, span.stop, self._bad, evenly(span.sets))[0]
