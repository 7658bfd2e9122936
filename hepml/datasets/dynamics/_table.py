"""The systems by name."""

from hepml.datasets.dynamics._charges import InteractingCharges, Quadrupole, UniformField
from hepml.datasets.dynamics._system import System
from hepml.datasets.dynamics._textbook import MassSpring, Pendulum, ThreeBody, TwoBody

# The names by which the command line and files call them.
SYSTEMS: dict[str, type[System]] = {
    kind.name: kind
    for kind in (
        MassSpring,
        Pendulum,
        TwoBody,
        ThreeBody,
        UniformField,
        Quadrupole,
        InteractingCharges,
    )
}
