"""Whether nested values of a checkpoint are the same, bit for bit."""

import torch


def assert_equal(here, there, name):
    assert type(here) is type(there), name
    if isinstance(here, torch.Tensor):
        assert torch.equal(here, there), name
    elif isinstance(here, dict):
        assert here.keys() == there.keys(), name
        for key in here:
            assert_equal(here[key], there[key], f"{name}.{key}")
    elif isinstance(here, list | tuple):
        assert len(here) == len(there), name
        for i, pair in enumerate(zip(here, there, strict=True)):
            assert_equal(*pair, f"{name}.{i}")
    else:
        assert here == there, name
