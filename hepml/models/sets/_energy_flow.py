"""The energy flow network."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.lorentz import delta_phi, delta_rapidity, pt
from hepml.models._inputs import particle_scalars, weight_dtype
from hepml.nn import MLP, DeepSets, Standardise
from hepml.ops import segment_gather, segment_sum


class EnergyFlow(nn.Module):
    """Energy flow network (EFN): ``F(sum_i z_i Phi(y_i, phi_i))``, infrared and collinear safe.

    z_i is the fraction of the set's transverse momentum, ``pt_i / sum_j pt_j``; y_i and phi_i are
    the rapidity and azimuth relative to the total momentum of the set.

    Parameters
    ----------
    outputs
        Number of classes, or of other outputs.
    features
        Must be 0: safety allows no input beside the direction and the energy fraction.
    context
        Number of channels of the context of each set, which Phi reads beside the direction: it must
        be infrared and collinear safe itself, as the momentum of the jet is, for the output to be.
        That of an empty set is not seen.
    particle_widths
        Channels after each layer of Phi, which sees one direction.
    set_widths
        Channels after each hidden layer of F, which sees one set.

    Raises
    ------
    InputError
        If there are features.

    Notes
    -----
    Splitting a particle into collinear ones changes nothing; emitting a particle changes the output
    by an amount that falls linearly with its energy. The axis is safe, too: it is the sum of the
    momenta. Angles are clipped to [-5, 5]. All of it is invariant under rotations about the beam
    and boosts along it. An empty set has the output F(0).

    References
    ----------
    P. T. Komiske, E. M. Metodiev, J. Thaler, JHEP 01 (2019) 121, arXiv:1810.05165, eq. (1.2).

    Examples
    --------
    >>> p4 = torch.tensor([[5., 3., 4., 0.], [5., 4., 3., 0.], [1., 0., 0., 1.]])
    >>> EnergyFlow(outputs=2)(ParticleSet(p4, torch.tensor([0, 2, 3]))).shape
    torch.Size([2, 2])
    """

    def __init__(
        self,
        *,
        outputs: int = 2,
        features: int = 0,
        context: int = 0,
        particle_widths: Sequence[int] = (100, 100, 256),
        set_widths: Sequence[int] = (100, 100, 100),
    ) -> None:
        super().__init__()
        if features:
            raise InputError(
                "features of EnergyFlow",
                expected="0, since charge, type or impact parameter are not infrared and collinear "
                "safe",
                got=str(features),
                fix="read the momenta alone, columns.with_features([]), or choose ParticleFlow",
            )
        self.context = context
        self.standardise = Standardise(context)
        phi = MLP(2 + context, particle_widths)
        f = MLP(particle_widths[-1], [*set_widths, outputs])
        self.deep_sets = DeepSets(nn.Sequential(phi, nn.ReLU()), f)

    @property
    def claims(self) -> tuple[str, ...]:
        """The symmetries it claims, by their names in :data:`hepml.symmetry.SYMMETRIES`."""
        return (
            *("permutation", "batch composition", "beam rotation", "beam boost"),
            *("soft emission", "collinear splitting"),
        )

    def forward(self, particles: ParticleSet) -> Float[Tensor, "sets outputs"]:
        """The logits of each set."""
        context = particle_scalars(particles, self.standardise, 0, self.context)
        p4, offsets = particles.p4, particles.offsets
        axis = segment_gather(segment_sum(p4, offsets), offsets, p4.shape[0])
        angles = torch.stack([delta_rapidity(p4, axis), delta_phi(p4, axis)], dim=1)
        total = segment_gather(segment_sum(pt(p4), offsets), offsets, p4.shape[0])
        # A set without transverse momentum has no fractions of it.
        z = pt(p4) / torch.where(total > 0, total, 1.0)
        inputs, dtype = torch.cat([angles.clamp(-5.0, 5.0), context], dim=1), weight_dtype(self)
        logits: Tensor = self.deep_sets(inputs.to(dtype), offsets, z.to(dtype))
        return logits
