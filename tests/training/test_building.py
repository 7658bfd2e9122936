"""Networks are no larger than the weights that they are built for."""

import threading

import pytest
import torch
from torch import nn

from hepml.training._building import TooLarge, no_larger_than

WEIGHTS = {"a": torch.zeros(30, 20), "b": torch.zeros(30)}


def test_a_network_that_fits_is_built_as_ever():
    with no_larger_than(WEIGHTS):
        torch.manual_seed(0)
        bounded = nn.Sequential(nn.Linear(20, 30), nn.ReLU())
    torch.manual_seed(0)
    free = nn.Sequential(nn.Linear(20, 30), nn.ReLU())
    assert torch.equal(bounded[0].weight, free[0].weight)


def test_more_weights_than_there_are_stop_the_building_early():
    made = []

    def build():
        with no_larger_than(WEIGHTS):
            for _ in range(10**9):
                made.append(nn.Linear(3, 3))

    with pytest.raises(TooLarge, match="more than the 2 weights of 630 numbers"):
        build()
    assert len(made) == 2


def test_a_large_tensor_is_refused_before_it_takes_memory():
    for build in (
        lambda: nn.Linear(10**9, 10**9),
        lambda: torch.arange(10**12),
        lambda: torch.randn(10**6, 10**6, generator=torch.Generator(), requires_grad=True),
        lambda: torch.full((10**6, 10**6), 1.0),
    ):
        with pytest.raises(TooLarge, match=r"a tensor of [0-9,]{10,} bytes"), no_larger_than({}):
            build()


def test_modules_without_weights_are_counted():
    with pytest.raises(TooLarge, match="more modules"), no_larger_than(WEIGHTS):
        nn.Sequential(*(nn.ReLU() for _ in range(2000)))


def test_other_threads_and_later_networks_are_free():
    made = []
    with no_larger_than({}):
        thread = threading.Thread(target=lambda: made.append(nn.Linear(3, 3)))
        thread.start()
        thread.join()
    assert len(made) == 1
    nn.Linear(3, 3)
