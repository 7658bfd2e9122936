"""The systems by name."""

from hepml.datasets._dynamics_charges import InteractingCharges, Quadrupole, UniformField
from hepml.datasets._dynamics_system import System
from hepml.datasets._dynamics_textbook import MassSpring, Pendulum, ThreeBody, TwoBody

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
