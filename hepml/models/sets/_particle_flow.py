"""The particle flow network."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.models._inputs import checked_per, particle_scalars, weight_dtype
from hepml.nn import MLP, DeepItems, DeepSets, JetKinematics, Standardise


class ParticleFlow(nn.Module):
    """Particle flow network (PFN), a Deep Set: ``F(sum_i Phi(p_i))``.

    Parameters
    ----------
    outputs
        Number of classes, or of other outputs.
    features
        Number of features of each particle, read beside the kinematics that come from its momentum.
    context
        Number of channels of the context of each set, which every particle of the set reads beside
        its features: that of an empty set is not seen.
    particle_widths
        Channels after each layer of Phi, which sees one particle.
    set_widths
        Channels after each hidden layer of F, which sees one set.
    per
        What has a row of outputs: each "set"; or each "particle", for which F sees
        ``Phi(p_i)`` beside the sum.

    Notes
    -----
    An empty set has the output F(0).

    References
    ----------
    P. T. Komiske, E. M. Metodiev, J. Thaler, JHEP 01 (2019) 121, arXiv:1810.05165, eq. (1.1); the
    widths are those of its section 3.3.
    M. Zaheer et al., Deep Sets, NeurIPS 2017, arXiv:1703.06114.

    Examples
    --------
    >>> p4 = torch.tensor([[5., 3., 4., 0.], [5., 4., 3., 0.], [1., 0., 0., 1.]])
    >>> ParticleFlow(outputs=2)(ParticleSet(p4, torch.tensor([0, 2, 3]))).shape
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
        per: Literal["set", "particle"] = "set",
    ) -> None:
        super().__init__()
        self.features, self.context = features, context
        self.standardise = Standardise(features + context)
        self.kinematics = JetKinematics()
        phi = MLP(self.kinematics.channels + features + context, particle_widths)
        kind, seen = (DeepSets, 1) if checked_per(per) == "set" else (DeepItems, 2)
        f = MLP(seen * particle_widths[-1], [*set_widths, outputs])
        self.deep_sets = kind(nn.Sequential(phi, nn.ReLU()), f)

    @property
    def claims(self) -> tuple[str, ...]:
        """The symmetries it claims, by their names in :data:`hepml.symmetry.SYMMETRIES`."""
        return ("permutation", "batch composition", "beam rotation")

    def forward(self, particles: ParticleSet) -> Float[Tensor, "rows outputs"]:
        """The logits of each set, or of each particle."""
        scalars = particle_scalars(particles, self.standardise, self.features, self.context)
        kinematics = self.kinematics(particles.p4, particles.offsets)
        inputs = torch.cat([kinematics, scalars], dim=1).to(weight_dtype(self))
        logits: Tensor = self.deep_sets(inputs, particles.offsets)
        return logits
