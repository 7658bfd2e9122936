"""Differentiable numerics: Hamilton's equations, and the solvers that step along them."""

from hepml.solvers._adaptive import Adaptive
from hepml.solvers._conserved import angular_momentum, total_momentum
from hepml.solvers._hamilton import hamilton_equations
from hepml.solvers._implicit import ImplicitMidpoint
from hepml.solvers._rollout import Rollout, rollout
from hepml.solvers._runge_kutta import RK4
from hepml.solvers._solver import Flow, SeparableFlow, Solver
from hepml.solvers._splitting import Leapfrog, Yoshida4, Yoshida6

# The names by which the command line calls them.
SOLVERS: dict[str, type[Solver]] = {
    "leapfrog": Leapfrog,
    "yoshida4": Yoshida4,
    "yoshida6": Yoshida6,
    "implicit-midpoint": ImplicitMidpoint,
    "rk4": RK4,
    "adaptive": Adaptive,
}

__all__ = [
    "RK4",
    "SOLVERS",
    "Adaptive",
    "Flow",
    "ImplicitMidpoint",
    "Leapfrog",
    "Rollout",
    "SeparableFlow",
    "Solver",
    "Yoshida4",
    "Yoshida6",
    "angular_momentum",
    "hamilton_equations",
    "rollout",
    "total_momentum",
]
