"""Networks for the energy of a system of coordinates q and momenta p."""

from collections.abc import Sequence
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, cat, nn

from hepml.errors import InputError
from hepml.nn.hamiltonian._gradient import Activation, SmoothNetwork
from hepml.ops import check_rows


def _require_dimension(q: Tensor, p: Tensor, dimension: int, weight: Tensor) -> None:
    """Refuse systems of another dimension or precision than the network's."""
    check_rows("q", q, weight=weight, axes=2)
    check_rows("p", p, weight=weight, axes=2)
    if q.shape != p.shape or q.shape[-1] != dimension:
        raise InputError(
            "q and p",
            expected=f"both of shape (systems, {dimension}), for which the network was made",
            got=f"{tuple(q.shape)} and {tuple(p.shape)}",
            fix="use a network made for these systems",
        )


class MLPFlow(nn.Module):
    """Rates ``(dq/dt, dp/dt)`` without H, which conserve nothing: what others are compared with.

    Parameters
    ----------
    dimension
        The number of coordinates.
    widths
        Channels of the hidden layers.
    activation
        "tanh", "softplus" or "silu".

    References
    ----------
    The baseline of S. Greydanus, M. Dzamba, J. Yosinski, NeurIPS 2019, arXiv:1906.01563.
    """

    claims: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, dimension: int, widths: Sequence[int] = (200, 200), activation: Activation = "tanh"
    ) -> None:
        super().__init__()
        self.dimension = dimension
        self.rates = SmoothNetwork(2 * dimension, widths, activation, 2 * dimension)

    def forward(
        self, q: Float[Tensor, "systems dimension"], p: Float[Tensor, "systems dimension"]
    ) -> tuple[Float[Tensor, "systems dimension"], Float[Tensor, "systems dimension"]]:
        """The rates of coordinates and momenta."""
        _require_dimension(q, p, self.dimension, self.rates.weight)
        rate_q, rate_p = self.rates(cat([q, p], dim=1)).chunk(2, dim=1)
        return rate_q, rate_p


class MLPHamiltonian(nn.Module):
    """H(q, p), any function: the Hamiltonian neural network as it was published.

    Parameters
    ----------
    dimension
        The number of coordinates.
    widths
        Channels of the hidden layers.
    activation
        "tanh", "softplus" or "silu".

    Notes
    -----
    The published network has a second output, which its authors do not use for these systems.
    It claims no symmetry of motion.

    References
    ----------
    S. Greydanus, M. Dzamba, J. Yosinski, NeurIPS 2019, arXiv:1906.01563.

    Examples
    --------
    >>> import torch
    >>> MLPHamiltonian(4)(torch.zeros(10, 4), torch.zeros(10, 4)).shape
    torch.Size([10])
    """

    claims: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, dimension: int, widths: Sequence[int] = (200, 200), activation: Activation = "tanh"
    ) -> None:
        super().__init__()
        self.dimension = dimension
        self.energy = SmoothNetwork(2 * dimension, widths, activation)

    def forward(
        self, q: Float[Tensor, "systems dimension"], p: Float[Tensor, "systems dimension"]
    ) -> Float[Tensor, " systems"]:
        """The energy of each system."""
        _require_dimension(q, p, self.dimension, self.energy.weight)
        energy: Tensor = self.energy(cat([q, p], dim=1))
        return energy[:, 0]

    def gradient(
        self, q: Float[Tensor, "systems dimension"], p: Float[Tensor, "systems dimension"]
    ) -> tuple[Float[Tensor, "systems dimension"], Float[Tensor, "systems dimension"]]:
        """``(dH/dq, dH/dp)`` in closed form."""
        _require_dimension(q, p, self.dimension, self.energy.weight)
        along_q, along_p = self.energy.gradient(cat([q, p], dim=1)).chunk(2, dim=1)
        return along_q, along_p


class SeparableHamiltonian(nn.Module):
    """H = T(p) + V(q), with T(p) = T(-p): motion that can be run backwards.

    Parameters
    ----------
    dimension
        The number of coordinates.
    widths
        Channels of the hidden layers, of each of the two networks.
    activation
        "tanh", "softplus" or "silu".

    Examples
    --------
    >>> import torch
    >>> h = SeparableHamiltonian(2)
    >>> q, p = torch.randn(5, 2), torch.randn(5, 2)
    >>> torch.equal(h(q, p), h(q, -p))
    True
    """

    claims: ClassVar[tuple[str, ...]] = ("motion reversal",)

    def __init__(
        self, dimension: int, widths: Sequence[int] = (64, 64), activation: Activation = "tanh"
    ) -> None:
        super().__init__()
        self.dimension = dimension
        self.t = SmoothNetwork(dimension, widths, activation)
        self.v = SmoothNetwork(dimension, widths, activation)

    def kinetic(self, p: Float[Tensor, "systems dimension"]) -> Float[Tensor, " systems"]:
        """``T = (t(p) + t(-p)) / 2``."""
        check_rows("p", p, self.dimension, weight=self.t.weight, axes=2)
        return self.t.even(p)

    def potential(self, q: Float[Tensor, "systems dimension"]) -> Float[Tensor, " systems"]:
        """``V = v(q)``."""
        check_rows("q", q, self.dimension, weight=self.v.weight, axes=2)
        energy: Tensor = self.v(q)
        return energy[:, 0]

    def forward(
        self, q: Float[Tensor, "systems dimension"], p: Float[Tensor, "systems dimension"]
    ) -> Float[Tensor, " systems"]:
        """The energy of each system."""
        _require_dimension(q, p, self.dimension, self.t.weight)
        return self.kinetic(p) + self.potential(q)

    def kinetic_gradient(
        self, p: Float[Tensor, "systems dimension"]
    ) -> Float[Tensor, "systems dimension"]:
        """``dT/dp`` in closed form."""
        check_rows("p", p, self.dimension, weight=self.t.weight, axes=2)
        return self.t.even_gradient(p)

    def potential_gradient(
        self, q: Float[Tensor, "systems dimension"]
    ) -> Float[Tensor, "systems dimension"]:
        """``dV/dq`` in closed form."""
        check_rows("q", q, self.dimension, weight=self.v.weight, axes=2)
        return self.v.gradient(q)

    def gradient(
        self, q: Float[Tensor, "systems dimension"], p: Float[Tensor, "systems dimension"]
    ) -> tuple[Float[Tensor, "systems dimension"], Float[Tensor, "systems dimension"]]:
        """``(dH/dq, dH/dp)`` in closed form."""
        _require_dimension(q, p, self.dimension, self.t.weight)
        return self.potential_gradient(q), self.kinetic_gradient(p)


class EvenHamiltonian(SeparableHamiltonian):
    """H = T(p) + V(q), both even: the mirror image of a motion is a motion.

    For systems about a known centre, the origin of the coordinates.

    Parameters
    ----------
    dimension, widths, activation
        As of :class:`SeparableHamiltonian`.
    """

    claims: ClassVar[tuple[str, ...]] = (*SeparableHamiltonian.claims, "space inversion")

    def potential(self, q: Float[Tensor, "systems dimension"]) -> Float[Tensor, " systems"]:
        """``V = (v(q) + v(-q)) / 2``."""
        check_rows("q", q, self.dimension, weight=self.v.weight, axes=2)
        return self.v.even(q)

    def potential_gradient(
        self, q: Float[Tensor, "systems dimension"]
    ) -> Float[Tensor, "systems dimension"]:
        """``dV/dq`` in closed form."""
        check_rows("q", q, self.dimension, weight=self.v.weight, axes=2)
        return self.v.even_gradient(q)
