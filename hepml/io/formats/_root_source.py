"""The bytes of a local ROOT file, read so that a file cut short is an error and not a crash."""

import os
from queue import Queue
from typing import Any

from uproot.source.chunk import Chunk, Source
from uproot.source.futures import TrivialFuture

from hepml.io.formats._root_checksums import SIZE, intact


class PlainSource(Source):  # type: ignore[misc]
    """A local file for uproot, without threads, which a fork would not copy.

    Not mapped into memory: where a mapped file is cut short while it is read, the system ends the
    process with SIGBUS.

    Parameters
    ----------
    file_path
        The file.
    options
        uproot's, of which none matter here.
    """

    def __init__(self, file_path: str, **options: Any) -> None:
        del options
        self._file_path = file_path
        self._num_requests = self._num_requested_chunks = self._num_requested_bytes = 0
        self.pages: dict[int, int] = {}
        """Where pages begin that have a checksum behind them, and how many bytes they have."""
        self._descriptor: int | None = os.open(file_path, os.O_RDONLY | os.O_CLOEXEC)

    def chunk(self, start: int, stop: int) -> Chunk:
        """The bytes from start up to stop."""
        self._num_requests += 1
        self._num_requested_chunks += 1
        self._num_requested_bytes += stop - start
        if self.pages.get(start) == stop - start:
            content = self._bytes(start, stop + SIZE)
            if not intact(content):
                raise OSError(f"the checksum of the page at byte {start} does not match")
            content = content[:-SIZE]
        else:
            content = self._bytes(start, stop)
        return Chunk(self, start, stop, TrivialFuture(content))

    def chunks(self, ranges: list[tuple[int, int]], notifications: "Queue[Chunk]") -> list[Chunk]:
        """The bytes of some ranges, which are announced as they come."""
        found = [self.chunk(start, stop) for start, stop in ranges]
        for chunk in found:
            notifications.put(chunk)
        return found

    def _bytes(self, start: int, stop: int) -> bytes:
        """The bytes of a range, or fewer where the file ends."""
        pieces = []
        # One call gives 2 GB at most.
        while start < stop and (piece := os.pread(self.descriptor, stop - start, start)):
            pieces.append(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @property
    def descriptor(self) -> int:
        """The system's number of the open file."""
        if self._descriptor is None:
            raise OSError(f"file {self._file_path!r} is closed")
        return self._descriptor

    @property
    def num_bytes(self) -> int:
        """The size of the file."""
        return os.fstat(self.descriptor).st_size

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._descriptor is None

    def __enter__(self) -> "PlainSource":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        # As an array that is mapped into memory: a file that nobody closed goes with its reader.
        if getattr(self, "_descriptor", None) is not None:
            self.__exit__()
