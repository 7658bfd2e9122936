"""Linear transformations of everything in the inputs that is a four-vector, or of irreps."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Float64, Inexact
from torch import Generator, Tensor, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.lorentz import Irreps, representation
from hepml.symmetry._exact import (
    Dyadic,
    Exactly,
    describe_grid,
    doublings_of,
    dyadic_matrix,
    exact_product,
    exact_reference,
    lorentz_factor,
    on_grid,
)
from hepml.symmetry._nested import in_precision
from hepml.symmetry._symmetry import Symmetry

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

    def dyadic(self, strength: float | None, generator: Generator, *, even: bool) -> Dyadic:  # noqa: ARG002
        """A random element that rounds nothing; one of those that spinors bear, if even."""
        raise InputError(
            f"elements of the symmetry {self.name!r}",
            expected="one that has elements which round nothing",
            got="'exact'",
            fix="ask for a number of random elements, or write its method `dyadic`",
        )

    @property
    def has_exact_elements(self) -> bool:
        """Whether the class draws some."""
        return self.exact or type(self).dyadic is not Transformations.dyadic

    def exact_strength(self, strength: float | None) -> float | None:
        """The Lorentz factor of the nearest boost by a power of 2."""
        if not self.strength_name:
            return strength
        gamma = 3.0 if strength is None else strength
        return lorentz_factor(doublings_of(gamma, even=self._has_spinors()))

    def exactly(
        self,
        inputs: Any,
        references: Mapping[str, Tensor],
        strength: float | None,
        dtype: torch.dtype,
        generator: Generator,
    ) -> Exactly:
        """An element that rounds nothing, and inputs on a grid, in a frame in which it does not.

        Notes
        -----
        The boost is split: the inputs are taken in the frame that half of it leads back to, the
        images in that to which the other half leads. So both have digits enough, and neither is
        further from the rest frame of the inputs than the other. The method :meth:`dyadic` draws
        the element. Without a boost, numbers only change places and signs, and need no grid.
        """
        dyadic = self.dyadic(strength, generator, even=self._has_spinors())
        start, whole = dyadic.backwards, dyadic.matrix
        digits = dyadic.digits(dtype)

        def prepare(irreps: str | None, tensor: Tensor) -> Tensor:
            if dyadic.doublings:
                tensor = on_grid(tensor, digits, momenta=irreps is None)
            return exact_product(_exact_action(irreps, start), tensor, dtype)

        def transform(irreps: str | None, tensor: Tensor) -> Tensor:
            return exact_product(_exact_action(irreps, whole), tensor, dtype)

        def reference(vectors: Tensor) -> Tensor:
            moved = exact_reference(vectors, digits, self.reference_mass)
            moved = exact_product(start, moved, dtype)
            exact_product(whole, moved, dtype)
            return moved[..., 4 - vectors.shape[-1] :]

        inputs = self._each(prepare, in_precision(in_precision(inputs, dtype), torch.float64))
        return Exactly(
            whole,
            inputs,
            self._each(transform, inputs),
            {name: reference(vectors) for name, vectors in references.items()},
            describe_grid(digits) if dyadic.doublings else "",
        )

    def _has_spinors(self) -> bool:
        """Whether inputs are spinors, whose matrices have roots of those of vectors."""
        given = (self.inputs,) if isinstance(self.inputs, str) else self.inputs or ()
        return any(term.irrep.is_spinor for name in given for term in Irreps(name))

    def act(self, element: Matrix, inputs: Any) -> Any:
        """The inputs with every four-vector, or every tensor, transformed."""

        def transform(irreps: str | None, tensor: Tensor) -> Tensor:
            if irreps is None:
                return _times(element, tensor)
            return self._by_irreps(irreps, element, tensor)

        return self._each(transform, inputs)

    def _each(self, function: Callable[[str | None, Tensor], Tensor], inputs: Any) -> Any:
        """The inputs with a function of every four-vector, or of the irreps of every tensor."""
        if self.inputs is not None:
            if isinstance(inputs, Tensor):
                return function(str(self.inputs), inputs)
            each = zip(self.inputs, inputs, strict=True)
            return tuple(function(irreps, tensor) for irreps, tensor in each)
        if isinstance(inputs, ParticleSet):
            return inputs.with_p4(function(None, inputs.p4))
        if isinstance(inputs, Tensor):
            if inputs.shape[-1] != 4:
                raise InputError(
                    "inputs",
                    expected="four-vectors (E, px, py, pz) along the last axis",
                    got=f"shape {tuple(inputs.shape)}",
                    fix='pass scalars beside them in a mapping, {"p4": ..., "scalars": ...}',
                )
            return function(None, inputs)
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
                key: self._each(function, value) if key in vectors else value
                for key, value in inputs.items()
            }
        if isinstance(inputs, tuple | list):
            return type(inputs)(self._each(function, value) for value in inputs)
        raise InputError(
            f"inputs of the symmetry {self.name!r}",
            expected="a ParticleSet, a tensor (..., 4), or a tuple, list or mapping of these",
            got=type(inputs).__name__,
            fix="convert them, or write a Symmetry that acts on this type",
        )

    def act_on_outputs(
        self, element: Matrix, outputs: Inexact[Tensor, "rows *components"]
    ) -> Inexact[Tensor, "rows *components"]:
        """The outputs, multiplied with the matrices of their irreps."""
        if self.outputs is None:
            return outputs
        return self._by_irreps(self.outputs, element, outputs.flatten(1)).reshape(outputs.shape)

    def _by_irreps(
        self, name: str, element: Matrix, tensors: Inexact[Tensor, "*batch components"]
    ) -> Inexact[Tensor, "*batch components"]:
        """The tensors, multiplied with the matrices of their irreps."""
        irreps = Irreps(name)
        if tensors.shape[-1] != irreps.dim:
            raise InputError(
                f"inputs or outputs of the symmetry {self.name!r}",
                expected=f"{irreps.dim} components for {irreps}",
                got=f"{tensors.shape[-1]}",
                fix="give the irreps of all components",
            )
        return _times(_action(irreps, element), tensors)

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


def _exact_action(irreps: str | None, element: Matrix) -> Inexact[Tensor, "dim dim"]:
    """The matrix of an element that rounds nothing, on columns of irreps or on a four-vector."""
    if irreps is None:
        return element
    given = Irreps(irreps)
    return _action(given, element) if _vectorial(given) else dyadic_matrix(given, element)


def _vectorial(irreps: Irreps) -> bool:
    """Whether there are but scalars and vectors."""
    return {str(term.irrep) for term in irreps} <= _SCALAR_AND_VECTOR


def _action(irreps: Irreps, element: Matrix) -> Inexact[Tensor, "dim dim"]:
    """The matrix on columns of irreps."""
    if not _vectorial(irreps):
        return representation(irreps, element)
    # By the matrix itself, which may reverse space or time.
    action = torch.eye(irreps.dim, dtype=element.dtype)
    start = 0
    for width in _widths(irreps):
        if width == 4:
            action[start : start + 4, start : start + 4] = element
        start += width
    return action


def _times(
    matrix: Inexact[Tensor, "dim dim"], vectors: Inexact[Tensor, "*batch dim"]
) -> Inexact[Tensor, "*batch dim"]:
    """The matrix times each vector, in float64 or complex128, and rounded once."""
    if matrix.is_complex() and not vectors.is_complex():
        raise InputError(
            "inputs or outputs",
            expected="complex numbers, for irreps that are not real",
            got=str(vectors.dtype),
            fix="take complex tensors, or the real irreps, as in (1,0) + (0,1)",
        )
    wide = torch.complex128 if vectors.is_complex() else torch.float64
    product: Tensor = vectors.to(wide) @ matrix.to(vectors.device, wide).mT
    return product.to(vectors.dtype)


def _widths(irreps: Irreps) -> list[int]:
    """The number of components of each copy of each irrep."""
    return [width for term in irreps for width in [Irreps([(1, term.irrep)]).dim] * term.mul]
