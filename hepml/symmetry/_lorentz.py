"""Lorentz transformations of everything in the inputs that is a four-vector."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.lorentz import Irreps, random_lorentz, representation
from hepml.symmetry._symmetry import Symmetry

_GAMMAS = (1.01, 2.0, 10.0, 100.0, 1000.0)
_SCALAR_AND_VECTOR = {"(0,0)", "(1/2,1/2)"}

Matrix = Float64[Tensor, "4 4"]


@dataclass(frozen=True, kw_only=True)
class Transformations(Symmetry):
    """A set of Lorentz transformations, of which a random one multiplies all four-vectors.

    Parameters
    ----------
    outputs
        The irreps of the Lorentz group that the components of an output are, as in
        ``"8x(0,0) + 1x(1/2,1/2)"``; without it, outputs are invariant. Of a network that updates
        vectors, take the update, not the updated vectors, for the output: the error is measured in
        units of the output.
    inputs
        The irreps that the components along the last axis of an input tensor are, for layers on
        tensors; of several tensors, a tuple of irreps. Without it, inputs hold four-vectors.
    references
        Vectors other than the particles', such as beams, that transform along: the names of buffers
        or parameters of the model, or of entries where the inputs are a mapping. References that
        are not named stay, and the claim is one about the transformations that keep them.
    reference_mass
        The mass in GeV of references that are stored as three-momenta (px, py, pz).

    Notes
    -----
    It acts on the momenta of a :class:`~hepml.data.ParticleSet`, on a tensor (..., 4), on each item
    of a list or tuple, and on the entry ``"p4"`` and the references of a mapping. Features, masks
    and everything else stay.
    """

    outputs: str | None = None
    inputs: str | tuple[str, ...] | None = None
    references: tuple[str, ...] = ()
    reference_mass: float = 1.0

    kind: ClassVar[str]

    @property
    def name(self) -> str:
        """The kind of transformations, and the references that transform along."""
        return f"{self.kind} with {', '.join(self.references)}" if self.references else self.kind

    @abstractmethod
    def matrix(self, strength: float | None, generator: Generator) -> Matrix:
        """A random matrix, acting on columns (E, px, py, pz)."""

    def element(self, inputs: Any, strength: float | None, generator: Generator) -> Matrix:  # noqa: ARG002
        """A random matrix of this strength."""
        return self.matrix(strength, generator)

    def act(self, element: Matrix, inputs: Any) -> Any:
        """The inputs with every four-vector, or every tensor, transformed."""
        if self.inputs is not None:
            if isinstance(inputs, Tensor):
                return self._by_irreps(str(self.inputs), element, inputs)
            each = zip(self.inputs, inputs, strict=True)
            return tuple(self._by_irreps(irreps, element, tensor) for irreps, tensor in each)
        if isinstance(inputs, ParticleSet):
            return inputs.with_p4(_times(element, inputs.p4))
        if isinstance(inputs, Tensor):
            if inputs.shape[-1] != 4:
                raise InputError(
                    "inputs",
                    expected="four-vectors (E, px, py, pz) along the last axis",
                    got=f"shape {tuple(inputs.shape)}",
                    fix='pass scalars beside them in a mapping, {"p4": ..., "scalars": ...}',
                )
            return _times(element, inputs)
        if isinstance(inputs, Mapping):
            vectors = {"p4", *self.references} & inputs.keys()
            if not vectors:
                raise InputError(
                    "inputs",
                    expected='an entry "p4" with the four-vectors',
                    got=f"entries {', '.join(map(str, inputs))}",
                    fix="name the four-vectors p4",
                )
            return {
                key: self.act(element, value) if key in vectors else value
                for key, value in inputs.items()
            }
        if isinstance(inputs, tuple | list):
            return type(inputs)(self.act(element, value) for value in inputs)
        raise InputError(
            f"inputs of the symmetry {self.name!r}",
            expected="a ParticleSet, a tensor (..., 4), or a tuple, list or mapping of these",
            got=type(inputs).__name__,
            fix="convert them, or write a Symmetry that acts on this type",
        )

    def act_on_outputs(
        self, element: Matrix, outputs: Float[Tensor, "rows *components"]
    ) -> Float[Tensor, "rows *components"]:
        """The outputs, multiplied with the matrices of their irreps."""
        if self.outputs is None:
            return outputs
        return self._by_irreps(self.outputs, element, outputs.flatten(1)).reshape(outputs.shape)

    def _by_irreps(
        self, name: str, element: Matrix, tensors: Float[Tensor, "*batch components"]
    ) -> Float[Tensor, "*batch components"]:
        """The tensors, multiplied with the matrices of their irreps."""
        irreps = Irreps(name)
        if tensors.shape[-1] != irreps.dim:
            raise InputError(
                f"inputs or outputs of the symmetry {self.name!r}",
                expected=f"{irreps.dim} components for {irreps}",
                got=f"{tensors.shape[-1]}",
                fix="give the irreps of all components",
            )
        if {str(term.irrep) for term in irreps} <= _SCALAR_AND_VECTOR:
            # By the matrix itself, which may reverse space or time.
            action = torch.eye(irreps.dim, dtype=element.dtype)
            start = 0
            for width in _widths(irreps):
                if width == 4:
                    action[start : start + 4, start : start + 4] = element
                start += width
        else:
            action = representation(irreps, element)
        return _times(action, tensors)

    def blocks(self, components: int) -> Sequence[slice]:
        """The copies of irreps among the outputs."""
        if self.outputs is None:
            return super().blocks(components)
        stops = torch.tensor(_widths(Irreps(self.outputs))).cumsum(0).tolist()
        return [slice(a, b) for a, b in zip([0, *stops], stops, strict=False)]

    def act_on_references(self, element: Matrix, model: nn.Module) -> dict[str, Tensor]:
        """The references among the buffers and parameters of the model, transformed."""
        held = dict(model.named_buffers()) | dict(model.named_parameters())
        return {
            name: self._transformed(element, held[name]) for name in self.references if name in held
        }

    def _transformed(
        self, element: Matrix, vectors: Float[Tensor, "*batch components"]
    ) -> Float[Tensor, "*batch components"]:
        """Reference vectors, which may be three-momenta, after the transformation."""
        if vectors.shape[-1] == 4:
            return _times(element, vectors)
        wide = vectors.double()
        energy = (self.reference_mass**2 + wide.square().sum(-1, keepdim=True)).sqrt()
        four_momenta = torch.cat([energy, wide], -1)
        return _times(element, four_momenta)[..., 1:].to(vectors.dtype)

    def describe(self, element: Matrix) -> str:
        """The matrix."""
        rows = (", ".join(f"{x:.6g}" for x in row) for row in element.tolist())
        return f"[{'; '.join(rows)}]"


@dataclass(frozen=True, kw_only=True)
class Lorentz(Transformations):
    """The proper orthochronous Lorentz group SO(1,3)+: a rotation, a boost, and a rotation.

    The strength is the Lorentz factor of the boost.
    """

    kind: ClassVar[str] = "lorentz"
    strengths: ClassVar[tuple[float | None, ...]] = _GAMMAS
    strength_name: ClassVar[str] = "gamma"

    def matrix(self, strength: float | None, generator: Generator) -> Matrix:
        """A boost with the given Lorentz factor (by default 3) between two random rotations."""
        left, right = random_lorentz(0.0, (2,), generator=generator)
        boost = _boost_along_z(3.0 if strength is None else strength)
        product: Matrix = left @ boost @ right
        return product


@dataclass(frozen=True, kw_only=True)
class Rotation(Transformations):
    """Rotations about any axis, uniform over the group."""

    kind: ClassVar[str] = "rotation"

    def matrix(self, strength: float | None, generator: Generator) -> Matrix:  # noqa: ARG002
        """A random rotation."""
        return random_lorentz(0.0, generator=generator)


@dataclass(frozen=True, kw_only=True)
class BeamRotation(Transformations):
    """Rotations about the beam, by a uniform angle."""

    kind: ClassVar[str] = "beam rotation"

    def matrix(self, strength: float | None, generator: Generator) -> Matrix:  # noqa: ARG002
        """A random rotation about the z axis."""
        angle = 2 * math.pi * float(torch.rand((), generator=generator, dtype=torch.float64))
        matrix = torch.eye(4, dtype=torch.float64)
        matrix[1, 1] = matrix[2, 2] = math.cos(angle)
        matrix[2, 1], matrix[1, 2] = math.sin(angle), -math.sin(angle)
        return matrix


@dataclass(frozen=True, kw_only=True)
class BeamBoost(Transformations):
    """Boosts along the beam, forwards or backwards. The strength is the Lorentz factor."""

    kind: ClassVar[str] = "beam boost"
    strengths: ClassVar[tuple[float | None, ...]] = _GAMMAS
    strength_name: ClassVar[str] = "gamma"

    def matrix(self, strength: float | None, generator: Generator) -> Matrix:
        """A boost along z with the given Lorentz factor, by default 3."""
        matrix = _boost_along_z(3.0 if strength is None else strength)
        backwards = bool(torch.rand((), generator=generator) < 0.5)
        return matrix.inverse() if backwards else matrix


@dataclass(frozen=True, kw_only=True)
class Parity(Transformations):
    """Reflection of space, ``(E, p) -> (E, -p)``."""

    kind: ClassVar[str] = "parity"
    exact: ClassVar[bool] = True

    def matrix(self, strength: float | None, generator: Generator) -> Matrix:  # noqa: ARG002
        """The metric."""
        return torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))


@dataclass(frozen=True, kw_only=True)
class TimeReversal(Transformations):
    """The element of O(1,3) that reverses time, ``(E, p) -> (-E, p)``.

    Notes
    -----
    With parity and SO(1,3)+ it makes up the full group O(1,3). The energies of its images are
    negative. The time reversal of motion, ``(E, p) -> (E, -p)``, is :class:`Parity` for momenta.
    """

    kind: ClassVar[str] = "time reversal"
    exact: ClassVar[bool] = True

    def matrix(self, strength: float | None, generator: Generator) -> Matrix:  # noqa: ARG002
        """Minus the metric."""
        return torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0], dtype=torch.float64))


def _boost_along_z(gamma: float) -> Matrix:
    """The boost along z with a Lorentz factor."""
    if not gamma >= 1:
        raise InputError(
            "strength", expected="a Lorentz factor of 1 or more", got=str(gamma), fix="raise it"
        )
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[0, 0] = matrix[3, 3] = gamma
    matrix[0, 3] = matrix[3, 0] = math.sqrt((gamma - 1) * (gamma + 1))
    return matrix


def _times(
    matrix: Float64[Tensor, "dim dim"], vectors: Float[Tensor, "*batch dim"]
) -> Float[Tensor, "*batch dim"]:
    """The matrix times each vector, in float64 and rounded once."""
    wide: Tensor = vectors.double() @ matrix.to(vectors.device, torch.float64).mT
    return wide.to(vectors.dtype)


def _widths(irreps: Irreps) -> list[int]:
    """The number of components of each copy of each irrep."""
    return [width for term in irreps for width in [Irreps([(1, term.irrep)]).dim] * term.mul]
