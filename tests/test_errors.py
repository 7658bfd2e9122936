"""The errors, and their way from one process to another."""

import pickle

import pytest

from hepml import errors
from hepml.errors import HepmlError, InputError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, HepmlError)
]
PARTS = {"expected": "int64", "got": "int32", "fix": "convert."}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("parts", "message"),
    [(PARTS, "offsets: expected int64, got int32. Fix: convert."), ({}, "offsets")],
)
def test_an_error_is_the_same_after_a_pickle(kind, parts, message):
    error = kind("offsets", **parts)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) == message
    assert vars(again) == vars(error)


@pytest.mark.parametrize("kind", KINDS)
def test_torch_makes_an_error_of_a_worker_again(kind):
    from torch._utils import ExceptionWrapper

    try:
        try:
            raise kind("first", **PARTS)
        except HepmlError as error:
            raise kind("second", **PARTS) from error
    except HepmlError:
        wrapped = ExceptionWrapper(where="in DataLoader worker process 0")
    with pytest.raises(kind) as caught:
        wrapped.reraise()
    assert str(caught.value) == "second: expected int64, got int32. Fix: convert."


def test_half_a_message_is_none():
    with pytest.raises(TypeError, match="all of them or none"):
        InputError("offsets", expected="int64")


@pytest.mark.parametrize(
    ("fix", "end"),
    [("did you mean p4?", "p4?"), ("stop!", "stop!"), ("wait...", "wait."), ("move it", "it.")],
)
def test_a_fix_ends_with_one_mark(fix, end):
    assert str(InputError("x", expected="a", got="b", fix=fix)).endswith(end)
