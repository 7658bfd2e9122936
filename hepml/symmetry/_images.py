"""Symmetries of pixel images: tensors (images, channels, eta, phi)."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Inexact
from torch import Generator, Tensor

from hepml.errors import InputError
from hepml.symmetry._symmetry import Symmetry, check_choice

Shift = tuple[int, int]
Outputs = Literal["images", "pixels"]


@dataclass(frozen=True, kw_only=True)
class _Shifts(Symmetry):
    """Shifts by whole pixels along the last two axes, eta and phi.

    Parameters
    ----------
    outputs
        Whether an output belongs to an image, and stays, or is again an image of as many pixels,
        and is shifted along.
    """

    outputs: Outputs = "images"

    strength_name: ClassVar[str] = "pixels"

    def __post_init__(self) -> None:
        check_choice(f"outputs of {type(self).__name__}", self.outputs, Outputs)

    @abstractmethod
    def act(
        self, element: Shift, inputs: Inexact[Tensor, "*images eta phi"]
    ) -> Inexact[Tensor, "*images eta phi"]:
        """The shifted images."""

    def act_on_outputs(
        self, element: Shift, outputs: Inexact[Tensor, "rows *components"]
    ) -> Inexact[Tensor, "rows *components"]:
        """Outputs of images as they are; images shifted."""
        return outputs if self.outputs == "images" else self.act(element, outputs)

    def blocks(self, components: int) -> Sequence[slice]:
        """All pixels together, if the outputs are images."""
        return [slice(0, components)] if self.outputs == "pixels" else super().blocks(components)

    def describe(self, element: Shift) -> str:
        """The shift in words."""
        return f"{element[0]} pixels in eta, {element[1]} in phi"


def _require_images(inputs: object, name: str) -> None:
    """Refuse what has no pixels."""
    if not isinstance(inputs, Tensor) or inputs.dim() < 2:
        raise InputError(
            f"inputs of the symmetry {name!r}",
            expected="images, a tensor (images, channels, eta, phi)",
            got=type(inputs).__name__,
            fix="pass images; for particles, ask for 'beam rotation' or 'beam boost'",
        )


@dataclass(frozen=True, kw_only=True)
class PhiRotation(_Shifts):
    """Rotations about the beam, for images that go once around it: phi is periodic.

    The strength is the number of pixels; without, the angle is uniform.
    """

    name: ClassVar[str] = "phi rotation"
    exact: ClassVar[bool] = True

    def element(
        self,
        inputs: Inexact[Tensor, "*images eta phi"],
        strength: float | None,
        generator: Generator,
    ) -> Shift:
        """A number of pixels."""
        _require_images(inputs, self.name)
        drawn = int(torch.randint(1, inputs.shape[-1], (), generator=generator))
        return 0, drawn if strength is None else int(strength)

    def act(
        self, element: Shift, inputs: Inexact[Tensor, "*images eta phi"]
    ) -> Inexact[Tensor, "*images eta phi"]:
        """The images, turned; what leaves at one end comes in at the other."""
        return inputs.roll(element[1], dims=-1)


@dataclass(frozen=True, kw_only=True)
class Translation(_Shifts):
    """Shifts of the content of an image by up to so many pixels along each axis, zeros coming in.

    The strength is the largest shift, by default 2. Leave a margin of zeros of this width around
    the content: what is shifted out is lost.

    References
    ----------
    Y. LeCun et al., Proc. IEEE 86 (1998) 2278.
    """

    name: ClassVar[str] = "translation"
    exact: ClassVar[bool] = True
    strengths: ClassVar[tuple[float | None, ...]] = (1.0, 2.0, 4.0)

    def element(
        self,
        inputs: Inexact[Tensor, "*images eta phi"],
        strength: float | None,
        generator: Generator,
    ) -> Shift:
        """A shift of this size along one axis at least."""
        _require_images(inputs, self.name)
        size = 2 if strength is None else int(strength)
        along, across = size, int(torch.randint(-size, size + 1, (), generator=generator))
        flips = torch.randint(0, 2, (2,), generator=generator).tolist()
        along = -along if flips[0] else along
        return (along, across) if flips[1] else (across, along)

    def act(
        self, element: Shift, inputs: Inexact[Tensor, "*images eta phi"]
    ) -> Inexact[Tensor, "*images eta phi"]:
        """The shifted images."""
        eta, phi = element
        # Negative padding cuts: what comes in on one side goes out on the other.
        return torch.nn.functional.pad(inputs, (phi, -phi, eta, -eta))
