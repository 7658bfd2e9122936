"""Symmetries of motion: of coordinates and momenta of sets of bodies, their energies and rates."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Inexact, Int64
from torch import Generator, Tensor

from hepml.data import PhaseSpace
from hepml.errors import InputError
from hepml.ops import segment_gather
from hepml.symmetry._exact import Exactly
from hepml.symmetry._nested import in_precision
from hepml.symmetry._symmetry import Symmetry, check_choice

Outputs = Literal["energies", "rates"]


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
    """A transformation of :class:`~hepml.data.PhaseSpace`.

    Parameters
    ----------
    outputs
        "energies" of sets, which stay, or "rates" of bodies: rows (dq/dt, dp/dt).
    """

    outputs: Outputs = "energies"

    def __post_init__(self) -> None:
        check_choice(f"outputs of {type(self).__name__}", self.outputs, Outputs)

    @abstractmethod
    def act(self, element: Tensor, inputs: PhaseSpace) -> PhaseSpace:
        """The transformed state."""

    def act_on_outputs(
        self, element: Tensor, outputs: Inexact[Tensor, "rows *components"]
    ) -> Inexact[Tensor, "rows *components"]:
        """Energies as they are; rates as :meth:`act_on_rates` says."""
        return outputs if self.outputs == "energies" else self.act_on_rates(element, outputs)

    def act_on_rates(
        self,
        element: Tensor,  # noqa: ARG002
        rates: Inexact[Tensor, "bodies components"],
    ) -> Inexact[Tensor, "bodies components"]:
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
    exact: ClassVar[bool] = True

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
        return inputs.with_state(p=element.to(inputs.p) * inputs.p)

    def act_on_rates(
        self, element: Tensor, rates: Inexact[Tensor, "bodies components"]
    ) -> Inexact[Tensor, "bodies components"]:
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
        return inputs.with_state(q=moved.to(q.dtype))

    def exactly(
        self,
        inputs: PhaseSpace,
        references: Mapping[str, Tensor],  # noqa: ARG002
        strength: float | None,
        dtype: torch.dtype,
        generator: Generator,
    ) -> Exactly:
        """A displacement on a grid that coordinates are rounded to, and its sums with them."""
        inputs = in_precision(in_precision(inputs, dtype), torch.float64)
        element = self.element(inputs, strength, generator)
        most = inputs.q.abs().amax() + element.abs().amax().to(inputs.q.device)
        # Of as many digits as the precision holds of the largest sum.
        exponent = int(torch.frexp(most).exponent)
        unit = torch.finfo(dtype).eps * 2.0**exponent
        inputs = inputs.with_state(q=(inputs.q / unit).round() * unit)
        element = (element / unit).round() * unit
        grid = f"2^{round(math.log2(unit))}"
        return Exactly(element, inputs, self.act(element, inputs), {}, grid)


@dataclass(frozen=True, kw_only=True)
class SpaceRotation(_OfMotion):
    """Coordinates and momenta turned about the origin: what conserves angular momentum."""

    name: ClassVar[str] = "space rotation"
    exact_elements_suffice: ClassVar[bool] = False

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

    def exactly(
        self,
        inputs: PhaseSpace,
        references: Mapping[str, Tensor],  # noqa: ARG002
        strength: float | None,  # noqa: ARG002
        dtype: torch.dtype,
        generator: Generator,
    ) -> Exactly:
        """Axes in another order with other signs: the turns of a square or a cube."""
        inputs = in_precision(in_precision(inputs, dtype), torch.float64)
        _require_states(inputs, self.name)
        one = torch.eye(inputs.q.shape[1], dtype=torch.float64)
        turn = one
        while torch.equal(turn, one) and len(one) > 1:
            order = torch.randperm(len(one), generator=generator)
            signs = 1.0 - 2.0 * torch.randint(0, 2, (len(one),), generator=generator).double()
            turn = signs[:, None] * one[order]
            turn = torch.cat([turn[:-1], turn[-1:] * torch.linalg.det(turn).sign()])
        return Exactly(turn, inputs, self.act(turn, inputs), {}, "")

    def act(self, element: Tensor, inputs: PhaseSpace) -> PhaseSpace:
        """The turned state."""
        return inputs.with_state(q=_turned(element, inputs.q), p=_turned(element, inputs.p))

    def act_on_rates(
        self, element: Tensor, rates: Inexact[Tensor, "bodies components"]
    ) -> Inexact[Tensor, "bodies components"]:
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
        return inputs.with_state(q=sign * inputs.q, p=sign * inputs.p)

    def act_on_rates(
        self, element: Tensor, rates: Inexact[Tensor, "bodies components"]
    ) -> Inexact[Tensor, "bodies components"]:
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
        return shuffled_within(inputs.set_index.cpu(), generator)

    def act(self, element: Int64[Tensor, " bodies"], inputs: PhaseSpace) -> PhaseSpace:
        """The bodies in the new order."""
        return inputs.with_items(element.to(inputs.device), inputs.offsets)

    def act_on_rates(
        self, element: Int64[Tensor, " bodies"], rates: Inexact[Tensor, "bodies components"]
    ) -> Inexact[Tensor, "bodies components"]:
        """The rates in the new order."""
        return rates[element.to(rates.device)]


def shuffled_within(
    set_index: Int64[Tensor, " items"], generator: Generator
) -> Int64[Tensor, " items"]:
    """The old place of each item in a random order of the items of each set among themselves."""
    keys = torch.rand(len(set_index), generator=generator, dtype=torch.float64)
    # The number of the set weighs more than any key.
    shuffled = (set_index + keys).argsort()
    return torch.empty_like(shuffled).scatter(0, set_index.argsort(stable=True), shuffled)


def _turned(matrix: Tensor, x: Inexact[Tensor, "rows space"]) -> Inexact[Tensor, "rows space"]:
    """The vectors after a rotation, rounded once."""
    wide = torch.complex128 if x.is_complex() else torch.float64
    return (x.to(wide) @ matrix.to(x.device, wide).T).to(x.dtype)
