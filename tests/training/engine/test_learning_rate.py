"""The search for a learning rate: where the loss falls fastest."""

import numpy as np
import pytest

from hepml.errors import DataError, InputError
from hepml.training.engine._learning_rate import LearningRateCurve
from hepml.training.engine._options import RunOptions

RATES = np.logspace(-6, 0, 100).tolist()


def test_the_rate_is_where_the_loss_falls_fastest():
    falls = -np.tanh(2 * (np.log10(RATES) + 3))
    rises = 20 * np.clip(np.log10(RATES) + 1, 0, None)
    curve = LearningRateCurve(RATES, (falls + rises).tolist())
    assert curve.suggestion == pytest.approx(1e-3, rel=0.15)


def test_a_loss_that_falls_nowhere_suggests_nothing():
    with pytest.raises(DataError, match="a loss that falls somewhere"):
        _ = LearningRateCurve(RATES, np.linspace(1, 2, 100).tolist()).suggestion


def test_several_devices_would_find_several_rates():
    with pytest.raises(InputError, match="a number, with several devices, got find"):
        RunOptions(find_learning_rate=True, devices=2)
