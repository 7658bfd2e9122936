"""What a system of Hamiltonian mechanics is, and its trajectories from SciPy."""

import math
import platform
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import hepml
from hepml.data import Trajectories
from hepml.errors import DataError, InputError, MissingDependencyError
from hepml.solvers import hamilton_equations

RTOL = 1e-12
# So many are integrated together: the steps that they share are the shortest that one needs.
_TOGETHER = 64


@dataclass(frozen=True)
class System(ABC):
    """A system with a known H(q, p): constants as fields, initial states as a distribution.

    Attributes
    ----------
    name
        As on the command line.
    bodies, space
        The shape of q and of p.
    conserves
        Which of "energy", "momentum", "angular momentum" do not change.
    span, times
        How long a trajectory is by default, and at how many equidistant times it is observed, the
        first and the last included.
    noise
        The standard deviation of the noise of an observation by default.
    trajectories, test_fraction
        How many there are by default, and which part of them, the last, is for testing.
    """

    name: ClassVar[str]
    bodies: ClassVar[int]
    space: ClassVar[int]
    conserves: ClassVar[tuple[str, ...]]
    span: ClassVar[float]
    times: ClassVar[int]
    noise: ClassVar[float]
    trajectories: ClassVar[int]
    test_fraction: ClassVar[float]

    @abstractmethod
    def energy(
        self, q: Float[Tensor, "*systems bodies space"], p: Float[Tensor, "*systems bodies space"]
    ) -> Float[Tensor, "*systems"]:
        """H(q, p)."""

    @abstractmethod
    def draw(
        self, random: np.random.Generator, trajectories: int
    ) -> Float[np.ndarray, "2 trajectories bodies space"]:
        """Random coordinates and momenta to start from."""

    def rates(
        self, q: Float[Tensor, "*systems bodies space"], p: Float[Tensor, "*systems bodies space"]
    ) -> tuple[Float[Tensor, "*systems bodies space"], Float[Tensor, "*systems bodies space"]]:
        """``(dq/dt, dp/dt)``."""
        return hamilton_equations(self.energy, q, p)


def simulate(
    system: System,
    *,
    trajectories: int | None = None,
    span: float | None = None,
    times: int | None = None,
    noise: float | None = None,
    seed: int = 0,
) -> Trajectories:
    """Draw initial states, follow them with SciPy, observe them with noise.

    Parameters
    ----------
    system
        One of :data:`SYSTEMS`, with its constants.
    trajectories, span, times, noise
        By default the system's own.
    seed
        Decides initial states and noise.

    Raises
    ------
    InputError
        If a number makes no sense.
    MissingDependencyError
        If SciPy is not installed.
    DataError
        If SciPy gives up, for example where two bodies collide.

    Notes
    -----
    ``scipy.integrate.solve_ivp`` with DOP853 in float64. The error that it controls is the root of
    the mean square over all that is integrated together: the tolerances are divided by the root of
    the number of trajectories, so that no trajectory is less exact than alone with 1e-12.
    """
    trajectories = system.trajectories if trajectories is None else trajectories
    span = system.span if span is None else span
    times = system.times if times is None else times
    noise = system.noise if noise is None else noise
    if trajectories < 1 or times < 2 or not (0 < span < math.inf) or not (0 <= noise < math.inf):
        raise InputError(
            "trajectories, times, span, noise",
            expected="at least 1, at least 2, positive, not negative",
            got=f"{trajectories}, {times}, {span}, {noise}",
            fix="leave them out for those of the system",
        )
    random = np.random.default_rng(seed)
    start = system.draw(random, trajectories)
    t = np.linspace(0, span, times)
    q, p = (torch.from_numpy(x) for x in follow(system, start, t))
    with torch.no_grad():
        rate_q, rate_p = system.rates(q, p)
    seen_q, seen_p = (x + noise * torch.from_numpy(random.normal(size=x.shape)) for x in (q, p))
    about = {
        "system": system.name,
        "constants": asdict(system),
        "noise": noise,
        "seed": seed,
        "rtol": RTOL,
        "test_fraction": system.test_fraction,
        "versions": _versions(),
    }
    return Trajectories(torch.from_numpy(t), q, p, rate_q, rate_p, seen_q, seen_p, about)


def follow(
    system: System,
    start: Float[np.ndarray, "2 trajectories bodies space"],
    t: Float[np.ndarray, " times"],
) -> Float[np.ndarray, "2 trajectories times bodies space"]:
    """The true states at these times, of which the first is that of the start."""
    parts = [
        _follow_together(system, start[:, first : first + _TOGETHER], t)
        for first in range(0, start.shape[1], _TOGETHER)
    ]
    return np.concatenate(parts, axis=1)


def _follow_together(system: System, start: np.ndarray, t: np.ndarray) -> np.ndarray:
    """One call of SciPy."""
    try:
        from scipy.integrate import solve_ivp
    except ImportError as error:
        raise MissingDependencyError(
            "trajectories",
            expected="the package scipy",
            got="an environment without it",
            fix="pip install scipy",
        ) from error
    shape = start.shape

    @torch.no_grad()
    def rates(_: float, flat: np.ndarray) -> np.ndarray:
        q, p = torch.from_numpy(flat.reshape(shape))
        return torch.stack(system.rates(q, p)).reshape(-1).numpy()

    tolerance = RTOL / math.sqrt(shape[1])
    solution: Any = solve_ivp(
        rates,
        (t[0], t[-1]),
        start.reshape(-1),
        method="DOP853",
        t_eval=t,
        rtol=tolerance,
        atol=tolerance,
    )
    if not solution.success:
        raise DataError(
            f"system {system.name}",
            expected=f"trajectories up to t = {t[-1]:g}",
            got=f"{solution.message} (t = {solution.t[-1] if len(solution.t) else t[0]:g})",
            fix="use another seed or a shorter span",
        )
    states: np.ndarray = np.moveaxis(solution.y.reshape(*shape, len(t)), -1, 2)
    return states


def _versions() -> dict[str, str]:
    """What made the data."""
    import scipy

    return {
        "hepml": hepml.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "torch": str(torch.__version__),
    }
