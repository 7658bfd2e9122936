"""What every test run shares."""

import signal
from collections.abc import Iterator
from threading import current_thread, main_thread

import jaxtyping
import pytest
from hypothesis import settings

# The first call of an operation loads its library: a deadline would blame the example for it.
settings.register_profile("hepml", deadline=None)
settings.load_profile("hepml")

# A shell has its background jobs ignore Ctrl-C, and nohup the end of the terminal; what the tests
# start would, too.
if current_thread() is main_thread():
    for number, default in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)


@pytest.fixture
def unchecked_types() -> Iterator[None]:
    """Shapes in signatures are not checked: for the compiler, which cannot trace the checks, and
    for the errors that a user sees who runs without them."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)
