"""The plugin of pytest: the fixture ``assert_symmetric`` and its options.

Loaded by itself where hepml is installed, or with ``-p hepml.testing.plugin``::

    def test_my_network(assert_symmetric, jets):
        assert_symmetric(MyNetwork(), jets, "lorentz")

``pytest --symmetry-seed 1 --symmetry-seed 2 --symmetry-trials 10 --symmetry-precision float32``
runs it with other elements and weights, with more of them, and in another precision.

A suite that lets jaxtyping check hepml itself (``--jaxtyping-packages=hepml,...``) has to load this
after jaxtyping: ``-p no:hepml`` leaves it out.
"""

from collections.abc import Callable
from typing import Any

import pytest

_PRECISIONS = ("float64", "wide", "float32", "tf32", "bfloat16")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the fixture."""
    group = parser.getgroup("hepml", "symmetries measured by hepml")
    group.addoption(
        "--symmetry-seed",
        type=int,
        action="append",
        metavar="N",
        help="of elements and random weights, default 0; give it several times for several runs",
    )
    group.addoption(
        "--symmetry-trials",
        type=int,
        default=2,
        metavar="N",
        help="elements of a symmetry, and draws of random weights",
    )
    group.addoption(
        "--symmetry-precision",
        action="append",
        choices=_PRECISIONS,
        help="default float64; give it several times for several precisions",
    )


@pytest.fixture
def assert_symmetric(pytestconfig: pytest.Config) -> Callable[..., None]:
    """:func:`hepml.testing.assert_symmetric` with the seeds, trials and precisions of the run."""
    from hepml.testing import assert_symmetric as function

    seeds = pytestconfig.getoption("symmetry_seed") or [0]
    trials = pytestconfig.getoption("symmetry_trials")
    precisions = pytestconfig.getoption("symmetry_precision") or ["float64"]

    def assert_for_all_seeds(model: Any, inputs: Any, symmetry: Any, **options: Any) -> None:
        chosen = {"elements": trials, "draws": trials, "dtypes": precisions} | options
        for seed in seeds:
            function(model, inputs, symmetry, **({"seed": seed} | chosen))

    return assert_for_all_seeds
