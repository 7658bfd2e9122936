"""The optimiser of a run is a value that is checked when it is made."""

import pytest
import torch
from torch import nn

from hepml.errors import InputError
from hepml.training.engine._optimiser import Optimiser, one_cycle


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate: expected a positive number, got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a positive number, got nan"),
        ({"weight_decay": -0.1}, "weight_decay: expected at least 0, got -0.1"),
        ({"warmup": 1.0}, "warmup: expected at least 0 and below 1, got 1.0"),
        ({"method": "sgd"}, "method: expected one of adam, adamw, got 'sgd'"),
        ({"schedule": "plateau"}, "schedule: expected one of one-cycle, constant"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        Optimiser(**wrong)


@pytest.mark.parametrize(("method", "kind"), [("adam", "Adam"), ("adamw", "AdamW")])
def test_the_method_and_its_groups(method, kind):
    a, b = (nn.Parameter(torch.ones(1)) for _ in range(2))
    groups = [{"params": [a]}, {"params": [b], "weight_decay": 0.0}]
    made = Optimiser(0.1, 0.5, method=method).configured(groups, steps=10)
    assert type(made["optimizer"]).__name__ == kind
    assert [group["weight_decay"] for group in made["optimizer"].param_groups] == [0.5, 0.0]
    assert made["lr_scheduler"]["interval"] == "step"


def test_a_constant_rate_has_no_schedule():
    made = Optimiser(0.1, schedule="constant").configured([nn.Parameter(torch.ones(1))], steps=10)
    assert set(made) == {"optimizer"}
    assert made["optimizer"].param_groups[0]["lr"] == 0.1


def test_one_cycle_begins_at_a_25th_and_ends_at_nothing():
    rates = [one_cycle(step, steps=101, warmup=0.3) for step in range(101)]
    assert rates[0] == pytest.approx(1 / 25)
    assert max(rates) == pytest.approx(1, abs=1e-3)
    assert rates[-1] == pytest.approx(1 / 25e4)
