"""What every test run shares."""

from collections.abc import Iterator

import jaxtyping
import pytest
from hypothesis import settings

# The first call of an operation loads its library: a deadline would blame the example for it.
settings.register_profile("hepml", deadline=None)
settings.load_profile("hepml")


@pytest.fixture
def unchecked_types() -> Iterator[None]:
    """Shapes in signatures are not checked: for the compiler, which cannot trace the checks, and
    for the errors that a user sees who runs without them."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)
