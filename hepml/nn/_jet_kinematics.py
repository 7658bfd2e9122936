"""Where a particle flies, and how hard, relative to the set it belongs to."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from hepml.lorentz import delta_eta, delta_phi, delta_r, pt
from hepml.ops import check_rows, segment_gather, segment_sum

# GeV. Far below any detector's threshold; keeps the logarithm and its derivative finite.
_FLOOR = 1e-6


class JetKinematics(nn.Module):
    """Seven numbers of each particle relative to the total momentum of its set, of order one.

    ===== ============================
    0     0.7 (ln(pt / GeV) - 1.7)
    1     0.7 (ln(E / GeV) - 2.0)
    2     0.7 (ln(pt / pt(set)) + 4.7)
    3     0.7 (ln(E / E(set)) + 4.7)
    4     4 (delta R - 0.2)
    5     delta eta
    6     delta phi, in (-pi, pi]
    ===== ============================

    Notes
    -----
    The inputs, shifts and scales of the networks trained on JetClass, clipped to [-5, 5] as there.
    They are constants, so that no output depends on the other sets of a batch. They are invariant
    under rotations about the beam, not under boosts. Finite, with finite derivatives, for every
    momentum: along the beam, without energy, in a set without momentum.

    References
    ----------
    H. Qu, C. Li, S. Qian, Particle Transformer for Jet Tagging, ICML 2022, arXiv:2202.03772,
    table 2; the constants are those of ``data/JetClass/JetClass_kin.yaml`` in its authors' code.

    Examples
    --------
    >>> p4 = torch.tensor([[5., 3., 4., 0.], [5., 4., 3., 0.]])
    >>> JetKinematics()(p4, torch.tensor([0, 2])).shape
    torch.Size([2, 7])
    """

    channels = 7

    def forward(
        self, p4: Float[Tensor, "particles 4"], offsets: Int64[Tensor, " bounds"]
    ) -> Float[Tensor, "particles 7"]:
        """The seven numbers of each particle."""
        check_rows("p4", p4, 4, axes=2)
        axis = segment_gather(segment_sum(p4, offsets), offsets, p4.shape[0])
        log_pt, log_pt_axis = _log(pt(p4)), _log(pt(axis))
        log_energy, log_energy_axis = _log(p4[:, 0]), _log(axis[:, 0])
        columns = [
            0.7 * (log_pt - 1.7),
            0.7 * (log_energy - 2.0),
            0.7 * (log_pt - log_pt_axis + 4.7),
            0.7 * (log_energy - log_energy_axis + 4.7),
            4.0 * (delta_r(p4, axis) - 0.2),
            delta_eta(p4, axis),
            delta_phi(p4, axis),
        ]
        return torch.stack(columns, dim=1).clamp(-5.0, 5.0)


def _log(value: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """The logarithm of a quantity in GeV, not below that of the floor."""
    return value.clamp(min=_FLOOR).log()
