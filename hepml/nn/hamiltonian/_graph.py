"""Energies of sets of bodies: a sum over bodies and pairs."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from hepml.errors import InputError
from hepml.nn.hamiltonian._gradient import Activation, SmoothNetwork
from hepml.ops import Edges, all_pairs, check_rows, checked_edges, segment_sum

# Two bodies at one place have a finite potential and no force. In units of length squared.
_SOFTENING = 1e-12


class GraphHamiltonian(nn.Module):
    """``H = sum_i T(p_i) + 1/2 sum_{i != j} V(q_i - q_j)`` over the bodies of each set.

    Only relative positions enter, so that total momentum is conserved; T(p) = T(-p), and of V only
    the even part is seen, as each pair enters in both directions.

    Parameters
    ----------
    space
        The number of coordinates of a body.
    widths
        Channels of the hidden layers, of T and of V.
    activation
        "tanh", "softplus" or "silu".

    Notes
    -----
    T is a quadratic form and a network on top: ``T(p) = a p^2 + (t(p) + t(-p)) / 2``. A set without
    bodies has the energy 0.

    Examples
    --------
    >>> h = GraphHamiltonian(2)
    >>> offsets = torch.tensor([0, 3, 3, 5])
    >>> h(torch.randn(5, 2), torch.randn(5, 2), offsets).shape
    torch.Size([3])
    """

    claims: ClassVar[tuple[str, ...]] = (
        "motion reversal",
        "space translation",
        "space inversion",
        "body permutation",
    )

    def __init__(
        self, space: int, widths: Sequence[int] = (64, 64), activation: Activation = "softplus"
    ) -> None:
        super().__init__()
        self.space = space
        self.a = nn.Parameter(torch.tensor(0.5))
        self.t = SmoothNetwork(self._kinetic_channels(space), widths, activation)
        self.v = SmoothNetwork(self._potential_channels(space), widths, activation)

    def _kinetic_channels(self, space: int) -> int:
        return space

    def _potential_channels(self, space: int) -> int:
        return space

    def of_body(self, p: Float[Tensor, "bodies space"]) -> Float[Tensor, " bodies"]:
        """What the network adds to the kinetic energy of each body."""
        return self.t.even(p)

    def body_gradient(self, p: Float[Tensor, "bodies space"]) -> Float[Tensor, "bodies space"]:
        """The derivative of :meth:`of_body`."""
        return self.t.even_gradient(p)

    def of_pair(self, separation: Float[Tensor, "edges space"]) -> Float[Tensor, " edges"]:
        """The potential energy of each pair."""
        energy: Tensor = self.v(separation)
        return energy[:, 0]

    def pair_gradient(
        self, separation: Float[Tensor, "edges space"]
    ) -> Float[Tensor, "edges space"]:
        """The derivative of :meth:`of_pair`."""
        return self.v.gradient(separation)

    def kinetic(
        self,
        p: Float[Tensor, "bodies space"],
        offsets: Int64[Tensor, " bounds"],
        edges: Edges | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "bounds-1"]:
        """The kinetic energy of each set."""
        _require_space("p", p, self.space, self.a)
        energy = self.a * p.square().sum(dim=1) + self.of_body(p)
        return segment_sum(energy, offsets)

    def potential(
        self,
        q: Float[Tensor, "bodies space"],
        offsets: Int64[Tensor, " bounds"],
        edges: Edges | None = None,
    ) -> Float[Tensor, "bounds-1"]:
        """The potential energy of each set."""
        _require_space("q", q, self.space, self.a)
        edges = checked_edges(edges, q.shape[0]) if edges else all_pairs(offsets, q.shape[0])
        energy = segment_sum(self.of_pair(_separation(q, edges)) / 2, edges.offsets)
        return segment_sum(energy, offsets)

    def kinetic_gradient(
        self,
        p: Float[Tensor, "bodies space"],
        offsets: Int64[Tensor, " bounds"],  # noqa: ARG002
        edges: Edges | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "bodies space"]:
        """``dT/dp`` in closed form."""
        _require_space("p", p, self.space, self.a)
        return 2 * self.a * p + self.body_gradient(p)

    def potential_gradient(
        self,
        q: Float[Tensor, "bodies space"],
        offsets: Int64[Tensor, " bounds"],
        edges: Edges | None = None,
    ) -> Float[Tensor, "bodies space"]:
        """``dV/dq`` in closed form: what each pair does to one body it undoes at the other."""
        _require_space("q", q, self.space, self.a)
        edges = checked_edges(edges, q.shape[0]) if edges else all_pairs(offsets, q.shape[0])
        half = self.pair_gradient(_separation(q, edges)) / 2
        return segment_sum(half, edges.offsets).index_add(0, edges.senders, half, alpha=-1)

    def gradient(
        self,
        q: Float[Tensor, "bodies space"],
        p: Float[Tensor, "bodies space"],
        offsets: Int64[Tensor, " bounds"],
        edges: Edges | None = None,
    ) -> tuple[Float[Tensor, "bodies space"], Float[Tensor, "bodies space"]]:
        """``(dH/dq, dH/dp)`` in closed form."""
        return self.potential_gradient(q, offsets, edges), self.kinetic_gradient(p, offsets)

    def forward(
        self,
        q: Float[Tensor, "bodies space"],
        p: Float[Tensor, "bodies space"],
        offsets: Int64[Tensor, " bounds"],
        edges: Edges | None = None,
    ) -> Float[Tensor, "bounds-1"]:
        """The energy of each set.

        Parameters
        ----------
        q, p
            Coordinates and momenta of the bodies, set after set.
        offsets
            Bounds of the sets.
        edges
            :func:`all_pairs` of these sets, where they are at hand: to make them waits for a GPU.
        """
        return self.kinetic(p, offsets) + self.potential(q, offsets, edges)


def _separation(q: Tensor, edges: Edges) -> Float[Tensor, "edges space"]:
    """From the sender to the receiver of each pair."""
    return q.index_select(0, edges.receivers) - q.index_select(0, edges.senders)


def _require_space(name: str, x: Tensor, space: int, weight: Tensor) -> None:
    """Refuse bodies in another space than the network's: distances would hide it."""
    check_rows(name, x, weight=weight, axes=2)
    if x.shape[1] != space:
        raise InputError(
            name,
            expected=f"shape (bodies, {space}), for which the network was made",
            got=str(tuple(x.shape)),
            fix="use a network made for these systems",
        )


class CentralHamiltonian(GraphHamiltonian):
    """``H = sum_i T(|p_i|) + 1/2 sum_{i != j} V(|q_i - q_j|)``: central forces.

    Only distances enter, so that total angular momentum is conserved, too.

    Parameters
    ----------
    space, widths, activation
        As of :class:`GraphHamiltonian`.

    Notes
    -----
    The networks see ``|p|^2`` and ``log |q_i - q_j|``: forces of nature are powers of the distance,
    and to a network of log r one power is as near as another.
    """

    claims: ClassVar[tuple[str, ...]] = (*GraphHamiltonian.claims, "space rotation")

    def _kinetic_channels(self, space: int) -> int:  # noqa: ARG002
        return 1

    def _potential_channels(self, space: int) -> int:  # noqa: ARG002
        return 1

    def of_body(self, p: Float[Tensor, "bodies space"]) -> Float[Tensor, " bodies"]:
        """What the network adds to the kinetic energy of each body."""
        energy: Tensor = self.t(_square(p))
        return energy[:, 0]

    def body_gradient(self, p: Float[Tensor, "bodies space"]) -> Float[Tensor, "bodies space"]:
        """The derivative of :meth:`of_body`."""
        return 2 * p * self.t.gradient(_square(p))

    def of_pair(self, separation: Float[Tensor, "edges space"]) -> Float[Tensor, " edges"]:
        """The potential energy of each pair."""
        r2 = _square(separation) + _SOFTENING
        energy: Tensor = self.v(r2.log() / 2)
        return energy[:, 0]

    def pair_gradient(
        self, separation: Float[Tensor, "edges space"]
    ) -> Float[Tensor, "edges space"]:
        """The derivative of :meth:`of_pair`."""
        r2 = _square(separation) + _SOFTENING
        return separation * (self.v.gradient(r2.log() / 2) / r2)


def _square(x: Float[Tensor, "rows space"]) -> Float[Tensor, "rows 1"]:
    """The square of the length of each vector."""
    return x.square().sum(dim=1, keepdim=True)
