"""For the test suites of users: assertions, hypothesis strategies, and a plugin of pytest.

Nothing is imported before it is used, neither torch nor hypothesis: pytest loads this package with
:mod:`hepml.testing.plugin` in every run.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hepml.testing._assertions import assert_differentiable, assert_symmetric
    from hepml.testing._strategies import RandomGraph, graphs, jets, particle_sets

__all__ = [
    "RandomGraph",
    "assert_differentiable",
    "assert_symmetric",
    "graphs",
    "jets",
    "particle_sets",
]

_MODULES = {
    "assert_differentiable": "hepml.testing._assertions",
    "assert_symmetric": "hepml.testing._assertions",
    "RandomGraph": "hepml.testing._strategies",
    "graphs": "hepml.testing._strategies",
    "jets": "hepml.testing._strategies",
    "particle_sets": "hepml.testing._strategies",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """The public names, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
