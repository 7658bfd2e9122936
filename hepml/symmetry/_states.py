"""Symmetries of motion: of coordinates and momenta of sets of bodies, their energies and rates."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor

from hepml.errors import InputError
from hepml.ops import segment_gather, segment_index
from hepml.symmetry._symmetry import Symmetry

Outputs = Literal["energies", "rates"]


class PhaseSpace(NamedTuple):
    """Coordinates and momenta of sets of bodies.

    Apply a network of energies as ``network(*state)``, and a flow as ``torch.cat(flow(*state), 1)``
    to check its rates.
    """

    q: Float[Tensor, "bodies space"]
    p: Float[Tensor, "bodies space"]
    offsets: Int64[Tensor, " bounds"]


def _require_states(inputs: object, name: str) -> None:
    """Refuse what has no coordinates and momenta."""
    if not isinstance(inputs, PhaseSpace):
        raise InputError(
            f"inputs of the symmetry {name!r}",
            expected="PhaseSpace(q, p, offsets), coordinates and momenta of sets of bodies",
            got=type(inputs).__name__,
            fix="pass them; for particles, ask for 'rotation', 'time reversal' or 'permutation'",
        )


@dataclass(frozen=True, kw_only=True)
class _OfMotion(Symmetry):
    """A transformation of :class:`PhaseSpace`.

    Parameters
    ----------
    outputs
        "energies" of sets, which stay, or "rates" of bodies: rows (dq/dt, dp/dt).
    """

    outputs: Outputs = "energies"

    @abstractmethod
    def act(self, element: Tensor, inputs: PhaseSpace) -> PhaseSpace:
        """The transformed state."""

    def act_on_outputs(
        self, element: Tensor, outputs: Float[Tensor, "rows *components"]
    ) -> Float[Tensor, "rows *components"]:
        """Energies as they are; rates as :meth:`act_on_rates` says."""
        return outputs if self.outputs == "energies" else self.act_on_rates(element, outputs)

    def act_on_rates(
        self,
        element: Tensor,  # noqa: ARG002
        rates: Float[Tensor, "bodies components"],
    ) -> Float[Tensor, "bodies components"]:
        """What the rates must become: by default they stay."""
        return rates

    def blocks(self, components: int) -> Sequence[slice]:
        """Vectors as a whole, if the outputs are rates."""
        if self.outputs == "energies":
            return super().blocks(components)
        return [slice(0, components // 2), slice(components // 2, components)]


@dataclass(frozen=True, kw_only=True)
class MotionReversal(_OfMotion):
    """Time reversal: momenta turn around; so do velocities, and forces stay.

    A magnetic field breaks it, unless it is turned around, too.
    """

    name: ClassVar[str] = "motion reversal"

    def element(
        self,
        inputs: PhaseSpace,
        strength: float | None,  # noqa: ARG002
        generator: Generator,  # noqa: ARG002
    ) -> Tensor:
        """There is but one: the sign of the momenta."""
        _require_states(inputs, self.name)
        return -inputs.p.new_ones(1)

    def act(self, element: Tensor, inputs: PhaseSpace) -> PhaseSpace:
        """The state with its momenta turned around."""
        return inputs._replace(p=element.to(inputs.p) * inputs.p)

    def act_on_rates(
        self, element: Tensor, rates: Float[Tensor, "bodies components"]
    ) -> Float[Tensor, "bodies components"]:
        """Velocities turned around."""
        velocity, force = rates.chunk(2, dim=1)
        return torch.cat([element.to(rates) * velocity, force], dim=1)


@dataclass(frozen=True, kw_only=True)
class SpaceTranslation(_OfMotion):
    """Each set of bodies elsewhere: what conserves total momentum.

    The strength is the typical distance, in the units of q.
    """

    name: ClassVar[str] = "space translation"
    strengths: ClassVar[tuple[float | None, ...]] = (1.0, 10.0)
    strength_name: ClassVar[str] = "distance"

    def element(self, inputs: PhaseSpace, strength: float | None, generator: Generator) -> Tensor:
        """A displacement of each set."""
        _require_states(inputs, self.name)
        shape = (len(inputs.offsets) - 1, inputs.q.shape[1])
        drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
        return drawn * (1.0 if strength is None else strength)

    def act(self, element: Tensor, inputs: PhaseSpace) -> PhaseSpace:
        """The displaced state."""
        q, offsets = inputs.q, inputs.offsets
        moved = q.double() + segment_gather(element.to(q.device), offsets, q.shape[0])
        return inputs._replace(q=moved.to(q.dtype))


@dataclass(frozen=True, kw_only=True)
class SpaceRotation(_OfMotion):
    """Coordinates and momenta turned about the origin: what conserves angular momentum."""

    name: ClassVar[str] = "space rotation"

    def element(
        self,
        inputs: PhaseSpace,
        strength: float | None,  # noqa: ARG002
        generator: Generator,
    ) -> Tensor:
        """A rotation matrix, uniform among all."""
        _require_states(inputs, self.name)
        space = inputs.q.shape[1]
        drawn = torch.randn(space, space, generator=generator, dtype=torch.float64)
        q, r = torch.linalg.qr(drawn)
        matrix = q * r.diagonal().sign()
        # Of determinant one.
        return torch.cat([matrix[:, :-1], matrix[:, -1:] * matrix.det().sign()], dim=1)

    def act(self, element: Tensor, inputs: PhaseSpace) -> PhaseSpace:
        """The turned state."""
        return inputs._replace(q=_turned(element, inputs.q), p=_turned(element, inputs.p))

    def act_on_rates(
        self, element: Tensor, rates: Float[Tensor, "bodies components"]
    ) -> Float[Tensor, "bodies components"]:
        """Velocities and forces turned."""
        return torch.cat([_turned(element, each) for each in rates.chunk(2, dim=1)], dim=1)


@dataclass(frozen=True, kw_only=True)
class SpaceInversion(_OfMotion):
    """Parity: coordinates and momenta change their sign, and with them velocities and forces."""

    name: ClassVar[str] = "space inversion"
    exact: ClassVar[bool] = True

    def element(
        self,
        inputs: PhaseSpace,
        strength: float | None,  # noqa: ARG002
        generator: Generator,  # noqa: ARG002
    ) -> Tensor:
        """There is but one: the sign."""
        _require_states(inputs, self.name)
        return -inputs.q.new_ones(1)

    def act(self, element: Tensor, inputs: PhaseSpace) -> PhaseSpace:
        """The mirror image."""
        sign = element.to(inputs.q)
        return inputs._replace(q=sign * inputs.q, p=sign * inputs.p)

    def act_on_rates(
        self, element: Tensor, rates: Float[Tensor, "bodies components"]
    ) -> Float[Tensor, "bodies components"]:
        """Velocities and forces with the other sign."""
        return element.to(rates) * rates


@dataclass(frozen=True, kw_only=True)
class BodyPermutation(_OfMotion):
    """Another order of the bodies within each set."""

    name: ClassVar[str] = "body permutation"
    exact: ClassVar[bool] = True

    def element(
        self,
        inputs: PhaseSpace,
        strength: float | None,  # noqa: ARG002
        generator: Generator,
    ) -> Int64[Tensor, " bodies"]:
        """The old place of each body."""
        _require_states(inputs, self.name)
        bodies = inputs.q.shape[0]
        keys = torch.rand(bodies, generator=generator, dtype=torch.float64)
        # Sorted within each set: the number of the set weighs more than any key.
        return (segment_index(inputs.offsets, bodies).cpu() + keys).argsort()

    def act(self, element: Int64[Tensor, " bodies"], inputs: PhaseSpace) -> PhaseSpace:
        """The bodies in the new order."""
        order = element.to(inputs.q.device)
        return inputs._replace(q=inputs.q[order], p=inputs.p[order])

    def act_on_rates(
        self, element: Int64[Tensor, " bodies"], rates: Float[Tensor, "bodies components"]
    ) -> Float[Tensor, "bodies components"]:
        """The rates in the new order."""
        return rates[element.to(rates.device)]


def _turned(matrix: Tensor, x: Float[Tensor, "rows space"]) -> Float[Tensor, "rows space"]:
    """The vectors after a rotation, rounded once."""
    return (x.double() @ matrix.to(x.device).T).to(x.dtype)
