"""What becomes of batches before they are delivered: a function that goes with the stream."""

import pickle
from typing import Any

from hepml.errors import InputError


def check_prepare(prepare: object) -> None:
    """Refuse what is no function."""
    if prepare is not None and not callable(prepare):
        raise InputError(
            "prepare",
            expected="a function from a batch to what is delivered in its place",
            got=f"{prepare!r:.200}",
            fix="pass the function itself",
        )


def check_picklable(prepare: Any) -> None:
    """Refuse a function that no other process can be given."""
    try:
        pickle.dumps(prepare)
    except Exception as error:
        raise InputError(
            "prepare",
            expected="what can be pickled, as workers that are spawned get a copy",
            got=f"{prepare!r:.200} ({error})",
            fix="define the function in a module, not in another function or as a lambda",
        ) from error
