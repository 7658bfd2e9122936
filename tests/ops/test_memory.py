import pytest
import torch

from hepml import ops
from hepml.errors import InputError
from hepml.ops import _memory, check_memory

CPU = torch.device("cpu")


def test_what_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr(_memory, "_available", lambda: 3 * 10**9)
    message = (
        r"ten pairs: expected what fits into the memory that is free, 3.0 GB, got a need of "
        r"4.0 GB. Fix: take fewer."
    )
    with pytest.raises(InputError, match=message):
        check_memory("ten pairs", 4 * 10**9, CPU, "take fewer")
    check_memory("ten pairs", 2 * 10**9, CPU, "take fewer")
    check_memory("ten pairs", 4 * 10**9, torch.device("meta"), "take fewer")


def test_the_system_is_asked():
    found = _memory._available()
    assert found > 10**7
    with pytest.raises(InputError, match=r"a need of 1000000000\.0 GB"):
        check_memory("all of it", 10**18, CPU, "take fewer")


def test_a_limit_of_a_container_counts(monkeypatch, tmp_path):
    files = {"memory.max": "4096000", "memory.current": "1024000", "memory.stat": "anon 3\n"}
    for name, text in files.items():
        tmp_path.joinpath(name).write_text(text)
    with tmp_path.joinpath("memory.stat").open("a") as file:
        file.write("inactive_file 24000\n")
    monkeypatch.setattr(_memory, "_CGROUP", tmp_path)
    assert _memory._available() in (4096000 - 1024000 + 24000, 2**63 - 1)


def test_pairs_and_rows_beyond_memory():
    with pytest.raises(InputError, match="all 35999994000000 pairs of 6000000 items"):
        ops.all_pairs(torch.tensor([0, 6_000_000]), 6_000_000)
    offsets = torch.tensor([0, 10**13])
    with pytest.raises(InputError, match="items of 10000000000000: expected what fits"):
        ops.segment_gather(torch.ones(1), offsets, 10**13)
    with pytest.raises(InputError, match="size of 10000000000000: expected what fits"):
        ops.scatter_sum(torch.ones(1), torch.tensor([0]), 10**13)
