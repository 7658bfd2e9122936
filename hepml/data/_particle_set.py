"""The ragged batch of particles, the only batch type of the jet side."""

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, SupportsIndex, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor

from hepml.data._selection import chosen_range, chosen_set, chosen_sets
from hepml.data._validation import (
    check_features,
    check_momenta,
    check_offsets,
    check_per_set,
    describe,
)
from hepml.errors import InputError
from hepml.ops import segment_index

if TYPE_CHECKING:
    from hepml.data._padded import PaddedParticles

PER_PARTICLE = ("p4", "features")
PER_SET = ("context", "labels", "weights")


@dataclass(frozen=True, eq=False, init=False, repr=False)
class ParticleSet:
    """A batch of sets of particles, of any lengths, as flat tensors: no padding and no mask.

    The particles of set ``i`` are the rows ``offsets[i]:offsets[i + 1]``. The batch is checked
    once, here; slicing, concatenating and moving it checks nothing again.

    Parameters
    ----------
    p4
        Four-momenta (E, px, py, pz) in GeV, float32 or float64.
    offsets
        Bounds of the sets: starts at 0, never falls, ends at the number of particles.
    features
        Further numbers of each particle; none by default.
    context
        Numbers of each set.
    labels
        The class (int64) or target of each set.
    weights
        The weight of each set.

    Raises
    ------
    InputError
        If a shape, dtype or device does not fit, if the offsets are not bounds, or if a momentum or
        a feature is NaN or infinite.

    Notes
    -----
    Negative energies and space-like momenta are not refused: networks are tested with both. The
    readers in :mod:`hepml.io` refuse negative energies, with the file and the entry; momenta of
    light particles may be space-like by rounding, and pass.

    Examples
    --------
    >>> p4 = torch.tensor([[5., 0., 3., 4.], [2., 1., 0., 1.], [1., 0., 0., 1.]])
    >>> particles = ParticleSet(p4, torch.tensor([0, 2, 2, 3]))
    >>> len(particles), particles.counts.tolist()
    (3, [2, 0, 1])
    >>> particles[2].p4
    tensor([[1., 0., 0., 1.]])
    """

    p4: Float[Tensor, "particles 4"]
    offsets: Int64[Tensor, " bounds"]
    features: Float[Tensor, "particles channels"]
    context: Float[Tensor, "sets context"] | None
    labels: Shaped[Tensor, " sets"] | None
    weights: Float[Tensor, " sets"] | None

    def __init__(
        self,
        p4: Tensor,
        offsets: Tensor,
        features: Tensor | None = None,
        *,
        context: Tensor | None = None,
        labels: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> None:
        check_momenta(p4)
        check_offsets(offsets, p4)
        if features is None:
            features = p4.new_zeros((p4.shape[0], 0))
        check_features(features, p4)
        sets = offsets.shape[0] - 1
        for name, tensor, dimensions in (
            ("context", context, 2),
            ("labels", labels, 1),
            ("weights", weights, 1),
        ):
            check_per_set(name, tensor, dimensions, sets, p4)
        self._fill(p4, offsets, features, context, labels, weights)

    def _fill(self, *values: Tensor | None) -> None:
        """Set the fields of the frozen value, in their order."""
        for name, value in zip(self.__dataclass_fields__, values, strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def _trusted(cls, *values: Tensor | None) -> "ParticleSet":
        """A batch from tensors that came out of a checked one, without checking them again."""
        particles = cls.__new__(cls)
        particles._fill(*values)
        return particles

    def __len__(self) -> int:
        return int(self.offsets.shape[0]) - 1

    def __iter__(self) -> Iterator["ParticleSet"]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        optional = [name for name in PER_SET if getattr(self, name) is not None]
        return (
            f"ParticleSet({len(self)} sets, {self.p4.shape[0]} particles, "
            f"{self.features.shape[1]} features"
            + (f", with {', '.join(optional)}" if optional else "")
            + f", {str(self.dtype).removeprefix('torch.')}, {self.device})"
        )

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.p4.device

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type of the momenta."""
        return self.p4.dtype

    @property
    def counts(self) -> Int64[Tensor, " sets"]:
        """The number of particles in each set."""
        return self.offsets.diff()

    @property
    def set_index(self) -> Int64[Tensor, " particles"]:
        """The set that each particle belongs to."""
        return segment_index(self.offsets, self.p4.shape[0])

    def __getitem__(
        self,
        index: SupportsIndex | slice | Sequence[int] | Shaped[np.ndarray, " chosen"] | Tensor,
    ) -> "ParticleSet":
        """Choose sets: one, a slice, a list or tensor of numbers, or a mask, in the order given.

        A slice of step one shares the memory of the particles; everything else copies.
        """
        number = isinstance(index, int | np.integer) and not isinstance(index, bool)
        if number or (isinstance(index, Tensor) and index.dim() == 0 and _is_integer(index)):
            # RangeError is an IndexError: iteration and DataLoader samplers rely on it.
            start = chosen_set(operator.index(cast(SupportsIndex, index)), len(self))
            return self._slice(start, start + 1)
        if isinstance(index, slice):
            chosen = chosen_range(index, len(self))
            if chosen.step == 1:
                return self._slice(chosen.start, max(chosen.start, chosen.stop))
            index = np.array(chosen, np.int64)
        return self._take(chosen_sets(index, len(self), self.device))

    def __getitems__(self, indices: Sequence[int]) -> "ParticleSet":
        """The hook through which ``DataLoader`` asks for a whole batch at once."""
        return self[list(indices)]

    def _slice(self, start: int, stop: int) -> "ParticleSet":
        """The sets from start up to stop, sharing the particles' memory."""
        offsets = self.offsets[start : stop + 1]
        first, last = int(offsets[0]), int(offsets[-1])
        return self._trusted(
            self.p4[first:last],
            offsets - first,
            self.features[first:last],
            *(_map(getattr(self, name), lambda t: t[start:stop]) for name in PER_SET),
        )

    def _take(self, index: Tensor) -> "ParticleSet":
        """The sets of the given numbers from 0."""
        counts = self.counts[index]
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        size = int(offsets[-1])
        shift = self.offsets[:-1][index] - offsets[:-1]
        rows = torch.arange(size, device=self.device) + torch.repeat_interleave(
            shift, counts, output_size=size
        )
        return self._trusted(
            self.p4[rows],
            offsets,
            self.features[rows],
            *(_map(getattr(self, name), lambda t: t[index]) for name in PER_SET),
        )

    def to(
        self,
        device: torch.device | torch.dtype | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        non_blocking: bool = False,
    ) -> "ParticleSet":
        """Move to a device, change the floating-point type; offsets and labels stay integers."""
        if isinstance(device, torch.dtype):
            device, dtype = None, device

        def move(tensor: Tensor) -> Tensor:
            new_dtype = dtype if tensor.is_floating_point() else None
            return tensor.to(device=device, dtype=new_dtype, non_blocking=non_blocking)

        return self._apply(move)

    def pin_memory(self) -> "ParticleSet":
        """Copy to page-locked memory, from which a GPU reads asynchronously."""
        return self._apply(torch.Tensor.pin_memory)

    def detach(self) -> "ParticleSet":
        """The same batch outside the graph of gradients."""
        return self._apply(torch.Tensor.detach)

    def _apply(self, function: Any) -> "ParticleSet":
        """Apply a function to every tensor."""
        return self._trusted(
            *(_map(getattr(self, name), function) for name in self.__dataclass_fields__)
        )

    def with_p4(self, p4: Float[Tensor, "particles 4"]) -> "ParticleSet":
        """The same batch with other momenta, as after a Lorentz transformation.

        Raises
        ------
        InputError
            If the shape, dtype or device differs from that of the present momenta.
        """

        def kind(values: Tensor) -> tuple[Any, ...]:
            return values.shape, values.dtype, values.device, values.layout

        if not isinstance(p4, Tensor) or p4.is_nested or kind(p4) != kind(self.p4):
            raise InputError(
                "p4",
                expected=describe(self.p4),
                got=describe(p4),
                fix="give one momentum for each particle; change dtype and device with .to()",
            )
        return self._trusted(
            p4, self.offsets, self.features, self.context, self.labels, self.weights
        )

    @classmethod
    def from_awkward(
        cls,
        momenta: Any,
        features: Sequence[str] = (),
        *,
        context: Any = None,
        labels: Any = None,
        weights: Any = None,
        dtype: torch.dtype | None = None,
    ) -> "ParticleSet":
        """Read a jagged awkward array of momenta: ``sets * var * {px, py, pz, E, ...}``.

        Parameters
        ----------
        momenta
            Records in any coordinates that vector knows (px, py, pz, E; pt, eta, phi, mass; ...).
        features
            Names of the fields that become features, in this order.
        context, labels, weights
            Arrays with one row for each set. Labels that are whole numbers become int64.
        dtype
            The floating-point type; by default that of the momenta.

        Raises
        ------
        InputError
            If the array is not jagged once, has missing values, or lacks a field; also all that the
            constructor refuses.

        Notes
        -----
        Nothing is copied where energy, px, py, pz lie interleaved in memory, as in an array that
        :meth:`to_awkward` made; offsets are shared where they are int64 and start at 0. Memory that
        must not be written to is copied.

        Of several sets of coordinates the cartesian is taken.

        Fixed arrays (``sets * 128 * {...}``) lose the padding at their ends, as those of files do:
        the places in which all coordinates but the mass are zero, and zero from there on. What
        looks like other padding, -999 or NaN, is refused. Jagged arrays keep every particle.
        """
        from hepml.data._awkward import particle_set_from_awkward

        return particle_set_from_awkward(
            momenta, features, context=context, labels=labels, weights=weights, dtype=dtype
        )

    def to_awkward(self, features: Sequence[str] | None = None) -> Any:
        """The momenta as a jagged awkward array of vector's ``Momentum4D``, sharing memory.

        Parameters
        ----------
        features
            Names for the features, which become fields of the records; without names they are
            fields ``feature_0``, ``feature_1``, ...

        Raises
        ------
        InputError
            If there is not one name for each feature, or if a name is one of the momentum's.

        Examples
        --------
        >>> p4 = torch.tensor([[5., 0., 3., 4.], [2., 1., 0., 1.]])
        >>> jets = ParticleSet(p4, torch.tensor([0, 1, 2])).to_awkward()
        >>> jets.pt.tolist(), jets.mass.tolist()
        ([[3.0], [1.0]], [[0.0], [1.414...]])
        """
        from hepml.data._awkward import awkward_from_particle_set

        return awkward_from_particle_set(self, features)

    def hardest(self, number: int) -> "ParticleSet":
        """The same sets with at most so many particles each: those with the largest pt.

        They stay in their order; of particles with equal pt the first are taken.

        Raises
        ------
        InputError
            If the number is less than one.
        """
        from hepml.data._padded import hardest_of_particle_set

        return hardest_of_particle_set(self, number)

    def to_padded(self, length: int | None = None) -> "PaddedParticles":
        """Tensors of one length for each set, and a mask, for networks that need them.

        Parameters
        ----------
        length
            The number of places; by default that of the longest set, so that nothing is lost. Of
            sets with more particles the hardest are taken, as by :meth:`hardest`.

        Returns
        -------
        :
            ``p4`` (sets, length, 4), ``features`` (sets, length, channels) and ``mask`` (sets,
            length), true for particles, which come first; the other places are zero.

        Raises
        ------
        InputError
            If the length is less than one.

        Examples
        --------
        >>> p4 = torch.tensor([[5., 0., 3., 4.], [2., 1., 0., 1.], [1., 0., 0., 1.]])
        >>> padded = ParticleSet(p4, torch.tensor([0, 2, 3])).to_padded()
        >>> padded.p4.shape, padded.mask.tolist()
        (torch.Size([2, 2, 4]), [[True, True], [True, False]])
        >>> ParticleSet.from_padded(*padded).counts.tolist()
        [2, 1]
        """
        from hepml.data._padded import padded_from_particle_set

        return padded_from_particle_set(self, length)

    @classmethod
    def from_padded(
        cls,
        p4: Float[Tensor, "sets length 4"],
        features: Float[Tensor, "sets length channels"] | None = None,
        mask: Bool[Tensor, "sets length"] | None = None,
        *,
        context: Tensor | None = None,
        labels: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> "ParticleSet":
        """The particles of padded tensors; what stands in the other places does not matter.

        Parameters
        ----------
        p4, features
            Momenta and features, padded to one length.
        mask
            True for the places that hold particles, which may be any; by default all but those at
            the end of a set in which the momentum is zero.
        context, labels, weights
            As for the constructor.

        Raises
        ------
        InputError
            If shapes do not fit, or without a mask if what ends a set looks like other padding than
            zeros; also all that the constructor refuses.
        """
        from hepml.data._padded import particle_set_from_padded

        return particle_set_from_padded(
            p4, features, mask, context=context, labels=labels, weights=weights
        )


def _is_integer(index: Tensor) -> bool:
    """Whether a tensor holds whole numbers."""
    return not (index.is_floating_point() or index.is_complex() or index.dtype == torch.bool)


def _map(tensor: Tensor | None, function: Any) -> Tensor | None:
    """The function of the tensor, or None of None."""
    return None if tensor is None else cast(Tensor, function(tensor))
