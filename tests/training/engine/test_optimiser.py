"""The optimiser of a run is a value that is checked when it is made."""

import pytest
import torch
from torch import nn

from hepml.errors import InputError
from hepml.training.engine._optimiser import Optimiser, cosine, one_cycle


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate: expected a positive number, got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a positive number, got nan"),
        ({"weight_decay": -0.1}, "weight_decay: expected at least 0, got -0.1"),
        ({"warmup": 1.0}, "warmup: expected at least 0 and below 1, got 1.0"),
        ({"method": "lion"}, "method: expected one of adamw, adam, sgd, radam-lookahead, got"),
        ({"schedule": "step"}, "schedule: expected one of one-cycle, cosine, constant, plateau"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        Optimiser(**wrong)


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("adam", "Adam"),
        ("adamw", "AdamW"),
        ("sgd", "SGD"),
        ("radam-lookahead", "LookaheadRAdam"),
    ],
)
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


def test_a_cosine_rises_along_a_line_and_falls_to_nothing():
    rates = [cosine(step, steps=100, warmup=0.2) for step in range(100)]
    assert rates[:3] == pytest.approx([1 / 21, 2 / 21, 3 / 21])
    assert rates[20] == 1.0
    assert rates[60] == pytest.approx(0.5)
    assert 0 < rates[-1] < 1e-3
    assert cosine(0, steps=10, warmup=0.0) == 1.0


@pytest.mark.parametrize("rising", [False, True])
def test_a_plateau_lowers_the_rate_of_figures_that_are_not_better(rising):
    made = Optimiser(0.1, schedule="plateau").configured(
        [nn.Parameter(torch.ones(1))], steps=10, decides="val_auc", rising=rising
    )
    assert made["lr_scheduler"]["monitor"] == "val_auc"
    rates = []
    for figure in (0.5, 0.6, 0.7, 0.8, 0.9):
        made["lr_scheduler"]["scheduler"].step(figure)
        rates.append(made["optimizer"].param_groups[0]["lr"])
    assert rates == pytest.approx([0.1] * 4 + [0.1 if rising else 0.03])
