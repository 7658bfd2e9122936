"""Plain values: dictionaries, lists, text and numbers, and nothing else."""

from dataclasses import dataclass, field

import pytest

from hepml.errors import InputError
from hepml.io import PRESETS
from hepml.io.columns._plain import known_keys, numbers_as_text, plain_of


@dataclass(frozen=True)
class Pair:
    left: str
    right: tuple[str, ...] = ()
    more: dict[str, "Pair"] = field(default_factory=dict)


def test_dataclasses_become_dictionaries_without_what_is_empty():
    value = Pair("a", ("b", "c"), {"d": Pair("e")})
    assert plain_of(value) == {"left": "a", "right": ["b", "c"], "more": {"d": {"left": "e"}}}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_become_nothing_but_plain_values(name):
    def is_plain(value):
        if type(value) is dict:
            return all(type(key) is str for key in value) and all(map(is_plain, value.values()))
        if type(value) is list:
            return all(map(is_plain, value))
        return type(value) in (str, int, float)

    assert is_plain(plain_of(PRESETS[name]))


def test_numbers_become_text_and_truth_values_do_not():
    value = {"a": 1, "b": [0.5, "c"], "d": {"e": True, "f": None}}
    assert numbers_as_text(value) == {"a": "1", "b": ["0.5", "c"], "d": {"e": True, "f": None}}


def test_unknown_keys_are_refused():
    assert known_keys(Pair, {"left": "a"}) == {"left": "a"}
    for value in ({"left": "a", "up": "b"}, "left", ["left"]):
        with pytest.raises(
            InputError, match="Pair: expected a mapping with keys among left, right"
        ):
            known_keys(Pair, value)
