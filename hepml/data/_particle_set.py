"""The ragged batch of particles, the only batch type of the jet side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor

from hepml.data._declarations import bounds_of, per
from hepml.data._ragged import Ragged
from hepml.data._validation import (
    check_features,
    check_momenta,
    check_offsets,
    check_values,
    describe,
)
from hepml.errors import InputError

if TYPE_CHECKING:
    from typing import Self

    from hepml.data._padded import PaddedParticles
else:
    Self = Any


@dataclass(frozen=True, eq=False, init=False, repr=False)
class ParticleSet(Ragged):
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
        The class (int64) of each set.
    targets
        The numbers of each set that are to be predicted.
    weights
        The weight of each set.
    particle_labels, particle_targets
        Likewise of each particle.

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

    p4: Float[Tensor, "particles 4"] = per("particles")
    offsets: Int64[Tensor, " bounds"] = bounds_of("particles")
    features: Float[Tensor, "particles channels"] = per("particles", channels="features")
    context: Float[Tensor, "sets context"] | None = per("sets", optional=True)
    labels: Shaped[Tensor, " sets"] | None = per("sets", optional=True)
    targets: Float[Tensor, "sets targets"] | None = per("sets", optional=True)
    weights: Float[Tensor, " sets"] | None = per("sets", optional=True)
    particle_labels: Int64[Tensor, " particles"] | None = per("particles", optional=True)
    particle_targets: Float[Tensor, "particles targets"] | None = per("particles", optional=True)

    def __init__(
        self,
        p4: Tensor,
        offsets: Tensor,
        features: Tensor | None = None,
        *,
        context: Tensor | None = None,
        labels: Tensor | None = None,
        targets: Tensor | None = None,
        weights: Tensor | None = None,
        particle_labels: Tensor | None = None,
        particle_targets: Tensor | None = None,
    ) -> None:
        check_momenta(p4)
        check_offsets(offsets, p4)
        if features is None:
            features = p4.new_zeros((p4.shape[0], 0))
        check_features(features, p4)
        sets, particles = (offsets.shape[0] - 1, "set"), (p4.shape[0], "particle")
        check_values("context", context, 2, *sets, p4, p4.dtype)
        check_values("labels", labels, 1, *sets, p4)
        check_values("targets", targets, 2, *sets, p4, "floating point")
        check_values("weights", weights, 1, *sets, p4, "floating point")
        check_values("particle_labels", particle_labels, 1, *particles, p4, torch.int64)
        check_values("particle_targets", particle_targets, 2, *particles, p4, "floating point")
        self._fill(
            p4=p4,
            offsets=offsets,
            features=features,
            context=context,
            labels=labels,
            targets=targets,
            weights=weights,
            particle_labels=particle_labels,
            particle_targets=particle_targets,
        )

    def with_p4(self, p4: Float[Tensor, "particles 4"]) -> Self:
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
        return self._with(p4=p4)

    @classmethod
    def from_awkward(
        cls,
        momenta: Any,
        features: Sequence[str] = (),
        *,
        context: Any = None,
        labels: Any = None,
        targets: Any = None,
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
        context, labels, targets, weights
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
            momenta,
            features,
            context=context,
            labels=labels,
            targets=targets,
            weights=weights,
            dtype=dtype,
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

    def hardest(self, number: int) -> Self:
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
        targets: Tensor | None = None,
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
        context, labels, targets, weights
            As for the constructor.

        Raises
        ------
        InputError
            If shapes do not fit, or without a mask if what ends a set looks like other padding than
            zeros; also all that the constructor refuses.
        """
        from hepml.data._padded import particle_set_from_padded

        return particle_set_from_padded(
            p4,
            features,
            mask,
            context=context,
            labels=labels,
            targets=targets,
            weights=weights,
        )
