"""``python -m hepml.ops``."""

import torch

from hepml.ops import __main__ as listing
from hepml.ops.segments import _torch_scatter
from hepml.ops.segments._priority import KERNELS, OPERATIONS


def test_every_kernel_of_every_operation_has_a_line(monkeypatch):
    monkeypatch.delenv("HEPML_KERNEL", raising=False)
    lines = listing.report("cpu")
    assert len(lines) == sum(1 + len(kernels) for kernels in KERNELS.values())
    assert [
        line.split()[0] for line in lines if line.endswith(" on cpu") and line[0] != " "
    ] == list(OPERATIONS)
    chosen = next(line for line in lines if line.startswith("*"))
    assert chosen == "* native        can: One pass in C"
    doubles = listing.report("cpu", torch.float64)
    assert next(line for line in doubles if line.startswith("*")) == chosen
    halves = listing.report("cpu", torch.bfloat16)
    chosen = next(line for line in halves if line.startswith("*"))
    assert chosen.startswith("* torch ")
    assert "can: embedding_bag in float32, else segment_reduce where it is narrow" in chosen
    assert "  native        cannot: it is for float32 and float64, not torch.bfloat16" in halves
    assert "  triton        cannot: it needs a CUDA device, and the values are on cpu" in lines


def test_it_says_why_not(monkeypatch):
    monkeypatch.setattr(_torch_scatter, "import_failure", lambda *_: "the package is on holiday")
    assert "  torch_scatter cannot: the package is on holiday" in listing.report("cpu")


def test_it_shows_what_is_forced(monkeypatch):
    monkeypatch.setenv("HEPML_KERNEL", "reference")
    lines = listing.report("cpu", torch.float64)
    assert {line.split()[1] for line in lines if line.startswith("*")} == {"reference"}


def test_an_unknown_kernel_is_reported_and_the_rest_still_listed(monkeypatch):
    monkeypatch.setenv("HEPML_KERNEL", "tritn")
    lines = listing.report("cpu")
    assert lines[1].startswith("  HEPML_KERNEL for segment_sum: expected names among triton, ")
    assert not any(line.startswith("*") for line in lines)


def test_the_command_prints_it(monkeypatch, capsys):
    monkeypatch.delenv("HEPML_KERNEL", raising=False)
    listing.main()
    printed = capsys.readouterr().out
    assert printed.startswith("The first kernel that can run is taken (*); HEPML_KERNEL=name ")
    assert "scatter_min on cpu" in printed


def test_the_command_names_what_is_forced(monkeypatch, capsys):
    monkeypatch.setenv("HEPML_KERNEL", "reference")
    listing.main()
    assert capsys.readouterr().out.startswith("HEPML_KERNEL is 'reference': ")
