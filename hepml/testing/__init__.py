"""For the test suites of users: assertions, hypothesis strategies, and a plugin of pytest.

Nothing is imported before it is used, neither torch nor hypothesis: pytest loads this package with
:mod:`hepml.testing.plugin` in every run.
"""

from typing import TYPE_CHECKING

from hepml.lazy import attach

if TYPE_CHECKING:
    from hepml.testing._assertions import assert_differentiable, assert_symmetric
    from hepml.testing._strategies import RandomGraph, graphs, jets, particle_sets

_MODULES = {
    "RandomGraph": "_strategies",
    "assert_differentiable": "_assertions",
    "assert_symmetric": "_assertions",
    "graphs": "_strategies",
    "jets": "_strategies",
    "particle_sets": "_strategies",
}

__all__ = [
    "RandomGraph",
    "assert_differentiable",
    "assert_symmetric",
    "graphs",
    "jets",
    "particle_sets",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, _MODULES)
