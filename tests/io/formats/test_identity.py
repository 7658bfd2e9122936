"""The identity of a file, and the error of another one."""

import os

import pytest

from hepml.errors import FileError
from hepml.io.formats._identity import Identity, check_unchanged, state_of


def test_an_identity_tells_what_a_person_can_compare():
    assert str(Identity(7, None, None, "a-b")) == "7 entries, a-b"
    assert str(Identity(7, 120, 10**18)).startswith("7 entries in 120 bytes of 2001-09-0")


@pytest.mark.parametrize("other", [(8, 120, 5, "u"), (7, 1, 5, "u"), (7, 120, 6, "u"), (7, 120, 5)])
def test_any_difference_is_an_error(other):
    first = Identity(7, 120, 5, "u")
    check_unchanged("file", first, Identity(7, 120, 5, "u"))
    with pytest.raises(FileError, match=r"^file: expected the file that was opened first, 7 entr"):
        check_unchanged("file", first, Identity(*other))


def test_the_state_of_an_open_file(tmp_path):
    (tmp_path / "a").write_bytes(b"123")
    os.utime(tmp_path / "a", ns=(0, 5000))
    with open(tmp_path / "a") as file:
        assert state_of(file.fileno()) == (3, 5000)
    assert state_of(None) == (None, None)
