"""What a file may not do: execute, take for ever, or grow."""

import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch
from torch import nn

from hepml.training.engine._safe_load import load_plain


def nested(levels, kind, start):
    """Each level names the one below twice: 2^levels values."""
    for _ in range(levels):
        start = kind([start, start])
    return start


def deep(levels, kind):
    value = kind([])
    for _ in range(levels):
        value = kind([value])
    return value


LIST, DICT = [], {}
LIST.append(LIST)
DICT["a"] = DICT


@pytest.fixture
def saved(tmp_path):
    """Write a value, and give the path."""

    def save(value):
        torch.save(value, tmp_path / "x.ckpt")
        return tmp_path / "x.ckpt"

    return save


def test_plain_values_and_tensors_come_back(saved):
    shared = [1, "a"]
    value = {
        "numbers": [1, -(2**40), 2.5, float("inf"), True, None],
        "tuple": (1, (2,)),
        "shared": [shared, shared],
        "ordered": OrderedDict(a=torch.arange(4).reshape(2, 2), b=nn.Parameter(torch.ones(1))),
        3: "key",
    }
    found = load_plain(saved(value))
    tensors, expected = found.pop("ordered"), value.pop("ordered")
    assert found == value
    assert type(tensors) is dict
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    "value",
    [
        nested(60, list, []),
        nested(60, lambda pair: dict(enumerate(pair)), {}),
        nested(20, tuple, ()),
        {"x" * 100_000: [["y" * 100_000] * 1000] * 1000},
        LIST,
        DICT,
        deep(100, list),
        deep(100, tuple),
        torch.ones(1).expand(10**9),
        [torch.ones(100_000)] * 100,
        {1, 2},
        b"bytes",
        torch.float32,
        {(1, 2): 3},
        {None: 1},
        torch.ones(2).to_sparse(),
        torch.Size([1]),
    ],
    ids=[
        *("lists", "dictionaries", "tuples", "strings", "list in itself", "dictionary in itself"),
        *("deep lists", "deep tuples", "expanded", "repeated", "set", "bytes", "dtype"),
        *("tuple key", "key None", "sparse", "size"),
    ],
)
def test_what_is_larger_than_the_file_or_of_another_kind_is_refused(saved, value):
    with pytest.raises((ValueError, pickle.UnpicklingError)):
        load_plain(saved(value))


PROTOCOL = b"\x80\x02"
PROGRAMS = {
    # Tuples of tuples as a key: its hash takes 2^60 steps, or more stack than there is.
    "hash": PROTOCOL + b"}K\x01\x85q\x00" + b"h\x00\x86q\x00" * 60 + b"K\x01s.",
    "deep hash": PROTOCOL + b"}K\x01" + b"\x85" * 300_000 + b"K\x01s.",
    "storage": PROTOCOL + b"ctorch\nByteStorage\nJ\xff\xff\xff\x7f\x85R.",
    "bytearray": PROTOCOL + b"cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
    "method": PROTOCOL + b"ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00itemsK\x01sb.",
    "empty stack": PROTOCOL + b"0.",
    "no mark": PROTOCOL + b"t.",
    "unknown": PROTOCOL + b"h\x05.",
    "end": PROTOCOL,
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_programs_that_torch_would_follow(saved, name, compression):
    path = saved({"a": torch.ones(3)})
    with zipfile.ZipFile(path) as archive:
        records = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for each, content in records.items():
            archive.writestr(each, PROGRAMS[name] if each.endswith("data.pkl") else content)
    if name == "method" and compression == zipfile.ZIP_STORED:
        # An attribute in the place of a method is not looked at.
        assert load_plain(path) == {}
        return
    with pytest.raises(Exception):  # noqa: B017, PT011
        load_plain(path)


def test_a_file_of_the_format_before_is_refused(tmp_path):
    torch.save({"a": 1}, tmp_path / "x.ckpt", _use_new_zipfile_serialization=False)
    with pytest.raises(zipfile.BadZipFile):
        load_plain(tmp_path / "x.ckpt")


def test_a_bit_that_has_changed_is_noticed(tmp_path):
    weights = torch.arange(1000, dtype=torch.float32)
    torch.save({"weights": weights}, tmp_path / "net.ckpt")
    content = bytearray((tmp_path / "net.ckpt").read_bytes())
    place = content.index(weights[500:510].numpy().tobytes())
    content[place] ^= 1
    (tmp_path / "net.ckpt").write_bytes(content)
    # As torch reads it, one weight is another number.
    assert torch.load(tmp_path / "net.ckpt")["weights"][500] != 500
    with pytest.raises(ValueError, match="data/0 differs from its checksum"):
        load_plain(tmp_path / "net.ckpt")
