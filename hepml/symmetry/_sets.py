"""Symmetries of sets: the order of the particles, and of the sets in a batch."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.symmetry._symmetry import Symmetry
from hepml.symmetry._tree import first_tensor, map_tensors


@dataclass(frozen=True, kw_only=True)
class Permutation(Symmetry):
    """Another order of the particles within each set.

    Parameters
    ----------
    outputs
        Whether an output belongs to a set, and stays, or to a particle, and is permuted along.

    Notes
    -----
    It acts on a :class:`~hepml.data.ParticleSet`; and on the second axis of tensors (sets,
    particles, ...) without padding, in any tuple, list or mapping.

    References
    ----------
    M. Zaheer et al., Deep Sets, NeurIPS 2017, arXiv:1703.06114.
    """

    outputs: Literal["sets", "particles"] = "sets"

    name: ClassVar[str] = "permutation"
    exact: ClassVar[bool] = True

    def element(
        self,
        inputs: Any,
        strength: float | None,  # noqa: ARG002
        generator: Generator,
    ) -> Int64[Tensor, " particles"]:
        """The old place of each particle; of a ParticleSet, among those of all sets."""
        if not isinstance(inputs, ParticleSet):
            return torch.randperm(first_tensor(inputs).shape[1], generator=generator)
        keys = torch.rand(inputs.p4.shape[0], generator=generator, dtype=torch.float64)
        # Sorted within each set: the number of the set weighs more than any key.
        return (inputs.set_index.cpu() + keys).argsort()

    def act(self, element: Int64[Tensor, " particles"], inputs: Any) -> Any:
        """The inputs in the new order."""
        if not isinstance(inputs, ParticleSet):
            return map_tensors(lambda t: t[:, element.to(t.device)] if t.dim() > 1 else t, inputs)
        order = element.to(inputs.device)
        return _rebuilt(inputs, inputs.p4[order], inputs.features[order], inputs.offsets)

    def act_on_outputs(
        self, element: Int64[Tensor, " particles"], outputs: Float[Tensor, "rows *components"]
    ) -> Float[Tensor, "rows *components"]:
        """The outputs of particles in the new order; those of sets as they are."""
        if self.outputs == "sets":
            return outputs
        order = element.to(outputs.device)
        return outputs[order] if outputs.shape[0] == order.shape[0] else outputs[:, order]


class Selection(NamedTuple):
    """Sets in the order chosen, and the particles that they bring along."""

    sets: Int64[Tensor, " chosen"]
    particles: Int64[Tensor, " rows"] | None


@dataclass(frozen=True, kw_only=True)
class BatchComposition(Symmetry):
    """A set among others has the outputs of the set alone: ``f(x[chosen]) = f(x)[chosen]``.

    The strength is the number of sets in the new batch; 1 is a set alone.

    Parameters
    ----------
    outputs
        Whether an output belongs to a set or to a particle.

    Notes
    -----
    It acts on a :class:`~hepml.data.ParticleSet`, and on the first axis of tensors in any tuple,
    list or mapping. Give a network that takes padded tensors a ParticleSet, through a function that
    pads it: padding to the longest set of the batch is what the network must not see.
    """

    outputs: Literal["sets", "particles"] = "sets"

    name: ClassVar[str] = "batch composition"
    exact: ClassVar[bool] = True
    strengths: ClassVar[tuple[float | None, ...]] = (1.0, 2.0, 8.0)
    strength_name: ClassVar[str] = "sets in the batch"

    def element(self, inputs: Any, strength: float | None, generator: Generator) -> Selection:
        """A random choice of sets, each at most once, in random order."""
        particles = isinstance(inputs, ParticleSet)
        sets = len(inputs) if particles else first_tensor(inputs).shape[0]
        drawn = int(torch.randint(1, sets + 1, (), generator=generator))
        size = min(sets, drawn if strength is None else int(strength))
        chosen = torch.randperm(sets, generator=generator)[:size]
        if not particles:
            return Selection(chosen, None)
        starts, counts = inputs.offsets[:-1].cpu(), inputs.counts.cpu()
        rows = [torch.arange(int(counts[i])) + starts[i] for i in chosen]
        return Selection(chosen, torch.cat(rows))

    def act(self, element: Selection, inputs: Any) -> Any:
        """The batch of the chosen sets."""
        if isinstance(inputs, ParticleSet):
            return inputs[element.sets]
        return map_tensors(lambda t: t[element.sets.to(t.device)], inputs)

    def act_on_outputs(
        self, element: Selection, outputs: Float[Tensor, "rows *components"]
    ) -> Float[Tensor, "chosen *components"]:
        """The outputs of the chosen sets, or of their particles."""
        rows = element.sets if self.outputs == "sets" else element.particles
        if rows is None:
            raise InputError(
                "inputs of the symmetry 'batch composition'",
                expected="a ParticleSet, where outputs belong to particles",
                got="tensors",
                fix='use BatchComposition(outputs="sets")',
            )
        return outputs[rows.to(outputs.device)]

    def describe(self, element: Selection) -> str:
        """The numbers of the chosen sets."""
        return f"sets {element.sets.tolist()}"


def _rebuilt(
    particles: ParticleSet,
    p4: Float[Tensor, "new 4"],
    features: Float[Tensor, "new channels"],
    offsets: Int64[Tensor, " bounds"],
) -> ParticleSet:
    """Sets of other particles with the context, labels and weights of these."""
    return ParticleSet(
        p4,
        offsets,
        features,
        context=particles.context,
        labels=particles.labels,
        weights=particles.weights,
    )
