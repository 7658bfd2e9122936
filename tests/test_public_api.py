"""What is exported is documented, found by its one import path, and under the contract."""

import importlib
import inspect
from types import ModuleType

import pytest
from cases import CASES
from torch import nn

import hepml.models
import hepml.nn

PACKAGES = [
    "data",
    "deploy",
    "evaluation",
    "io",
    "lorentz",
    "models",
    "nn",
    "ops",
    "symmetry",
    "testing",
    "training",
]


def _exported(package: ModuleType) -> dict[str, object]:
    return {name: getattr(package, name) for name in package.__all__}


@pytest.mark.parametrize("package", [hepml.nn, hepml.models], ids=["nn", "models"])
def test_every_layer_and_model_has_a_row_in_the_contract(package: ModuleType) -> None:
    networks = {
        value
        for value in _exported(package).values()
        if inspect.isclass(value) and issubclass(value, nn.Module)
    }
    # What makes motion of a layer has that layer's row.
    networks -= {hepml.models.Dynamics}
    without = {network.__name__ for network in networks - {case.kind for case in CASES}}
    assert not without, f"add rows to tests/cases.py for {sorted(without)}"


def test_rows_have_names_of_their_own() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def test_every_model_can_be_named_on_the_command_line() -> None:
    exported = {
        name
        for name, value in _exported(hepml.models).items()
        if inspect.isclass(value) and issubclass(value, nn.Module)
    }
    # What makes motion of a network is none itself.
    assert set(hepml.models.MODELS) == exported - {"Dynamics"}
    assert set(hepml.models.DYNAMICS) <= set(hepml.nn.__all__)
    assert all(name == model.__name__ for name, model in hepml.models.MODELS.items())


def test_models_are_built_from_keywords_with_defaults() -> None:
    for model in hepml.models.MODELS.values():
        parameters = list(inspect.signature(model).parameters.values())
        assert [parameter.name for parameter in parameters[:2]] == ["outputs", "features"]
        for parameter in parameters:
            assert parameter.kind is parameter.KEYWORD_ONLY, (model, parameter)
            assert parameter.default is not parameter.empty, (model, parameter)


@pytest.mark.parametrize("name", ["deploy", "evaluation", "testing", "training"])
def test_dir_shows_names_that_are_imported_when_they_are_needed(name: str) -> None:
    package = importlib.import_module(f"hepml.{name}")
    assert {*package.__all__} <= {*dir(package)}


@pytest.mark.parametrize("name", PACKAGES)
def test_exports_exist_and_are_documented(name: str) -> None:
    package = importlib.import_module(f"hepml.{name}")
    assert len(set(package.__all__)) == len(package.__all__)
    for export, value in _exported(package).items():
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, f"hepml.{name}.{export} has no docstring"
            assert value.__module__.startswith(f"hepml.{name}."), export


def _public() -> dict[str, object]:
    """Every exported class and function by its full name."""
    modules = {
        name: importlib.import_module(f"hepml.{name}")
        for name in [*PACKAGES, "solvers", "datasets"]
    }
    return {
        f"hepml.{package}.{name}": value
        for package, module in modules.items()
        for name, value in _exported(module).items()
        if inspect.isclass(value) or inspect.isfunction(value)
    }


def test_a_first_sentence_says_what_a_name_is() -> None:
    """A reader who sees this line alone, in a list or a completion, must know it."""
    bare = []
    for name, value in _public().items():
        first = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
        if len(first.split()) < 4 or first.startswith("Of ") or first.startswith("See "):
            bare.append(f"{name}: {first}")
    assert not bare


def test_docstrings_are_short() -> None:
    lengths = {n: len((inspect.getdoc(v) or "").splitlines()) for n, v in _public().items()}
    longest = max(lengths, key=lambda name: lengths[name])
    assert lengths[longest] <= 90, longest
    assert sum(length > 40 for length in lengths.values()) < 0.1 * len(lengths)
