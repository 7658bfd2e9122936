"""Rows of columns: what an expression is given of each."""

import numpy as np
import pytest

from hepml.io.chunks._rows import Rows
from hepml.io.formats._table import Column


def test_columns_are_read_only_while_expressions_run():
    columns = {"x": Column(np.array([1.0, 2.0])), "y": Column(np.array([3.0, 4.0]))}
    things = Rows(columns, 2, {"x": "set", "y": "entry"}, {"set": None, "entry": lambda: [0, 0]})
    for name in columns:
        with pytest.raises(ValueError, match="read-only"):
            things.operand(name)[0] = 9
    columns["x"].values[0] = 5
    assert things.operand("x").tolist() == [5, 2]


def test_rows_are_kept_and_kept_again():
    columns = {"x": Column(np.arange(8.0).reshape(2, 4)), "y": Column(np.array([3.0, 4.0]))}
    entry = np.repeat([0, 1], 4)
    things = Rows(
        columns, 8, {"x": "particle", "y": "entry"}, {"particle": None, "entry": lambda: entry}
    )
    things.keep(np.array([True, False, True, True, False, True, True, True]))
    assert things.operand("x").tolist() == [0, 2, 3, 5, 6, 7]
    things.keep(np.array([True, True, False, False, False, True]))
    assert things.operand("x").tolist() == [0, 2, 7]
    assert things.operand("y").tolist() == [3, 3, 4]
    assert things.size == 3
