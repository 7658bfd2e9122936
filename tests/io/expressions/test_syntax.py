"""Names and arguments in the texts of expressions."""

import numpy as np
import pytest

from hepml.errors import InputError
from hepml.io.expressions._expressions import evaluate
from hepml.io.expressions._functions import FUNCTIONS
from hepml.io.expressions._syntax import parse

MICRO, MU = "\N{MICRO SIGN}_pt", "\N{GREEK SMALL LETTER MU}_pt"


@pytest.mark.parametrize("stored", [MICRO, MU])
@pytest.mark.parametrize("written", [MICRO, MU])
@pytest.mark.parametrize("form", ["{}", "{} * 1", "get('{}')"])
def test_a_name_is_found_in_any_spelling(stored, written, form):
    """Python's parser turns the micro sign into a mu."""
    expression = parse(form.format(written), {stored, "jet_pt"})
    assert expression.names == (stored,)


def test_of_two_spellings_the_one_written_is_taken():
    known = {MICRO: np.array([1.0]), MU: np.array([2.0])}
    for name, value in known.items():
        assert evaluate(parse(f"{name} * 10", known), known.__getitem__) == 10 * value
        assert parse(f"get('{name}') + 1", known).names == (name,)
    with pytest.raises(InputError, match="one column that Python would spell"):
        parse(f"{MICRO} - {MU}", known)


def test_dotted_names_of_any_spelling():
    assert parse(f"jet.{MU} / 2", {f"jet.{MICRO}"}).names == (f"jet.{MICRO}",)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_takes_its_number_of_arguments_and_no_other(name):
    number = FUNCTIONS[name].arguments
    assert parse(f"{name}({', '.join(['x'] * number)})", {"x"}).names == ("x",)
    for wrong in {0, 1, 2, 3, 4} - {number}:
        with pytest.raises(InputError, match=rf"of {number} argument.*got {wrong} in '{name}\("):
            parse(f"{name}({', '.join(['x'] * wrong)})", {"x"})


@pytest.mark.parametrize("text", ["hypot(x, y, z)", "logical_and(x, y, z)", "log(x, z)"])
def test_no_argument_is_an_output_of_numpy(text):
    with pytest.raises(InputError, match="correct the number of arguments"):
        parse(text, {"x", "y", "z"})


def test_functions_of_constants_are_constants_of_python():
    columns = {"x": np.array([1.0, 2.0], np.float32)}
    for text in ("log(2) * x", "x ** minimum(2, 3)", "maximum(x, 2)", "hypot(x, 3)"):
        assert evaluate(parse(text, columns), columns.__getitem__).dtype == np.float32
