"""Deep Sets: any function of a set is a function of a sum over its items."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from hepml.errors import InputError
from hepml.nn._first_layer import check_input
from hepml.ops import check_rows, segment_gather, segment_sum


class DeepSets(nn.Module):
    """A function of each set, ``f(sum_i w_i phi(x_i))``, blind to the order of its items.

    Parameters
    ----------
    phi
        Maps each item to its latent channels.
    f
        Maps the sum of each set to its outputs.

    Notes
    -----
    An empty set has the sum 0 and so the output ``f(0)``. With weights that are linear in energy
    this is the energy flow network, without weights the particle flow network.

    References
    ----------
    M. Zaheer et al., Deep Sets, NeurIPS 2017, arXiv:1703.06114, Theorem 2.
    P. T. Komiske, E. M. Metodiev, J. Thaler, JHEP 01 (2019) 121, arXiv:1810.05165, eqs. (1.1) and
    (1.2).
    """

    def __init__(self, phi: nn.Module, f: nn.Module) -> None:
        super().__init__()
        self.phi = phi
        self.f = f

    def forward(
        self,
        x: Float[Tensor, "items channels"],
        offsets: Int64[Tensor, " bounds"],
        weights: Float[Tensor, " items"] | None = None,
    ) -> Float[Tensor, "sets outputs"]:
        """The outputs of each set; its items are the rows between two successive offsets."""
        check_input("x", x, self.phi)
        latent = self.phi(x)
        if weights is not None:
            _check_weights(weights, latent)
            latent = weights[:, None] * latent
        of_set = segment_sum(latent, offsets)
        check_input("the sums of phi(x), which f takes", of_set, self.f)
        outputs: Tensor = self.f(of_set)
        return outputs


class DeepItems(nn.Module):
    """A function of each item that knows its set, ``f(phi(x_i), sum_j phi(x_j))``.

    Parameters
    ----------
    phi
        Maps each item to its latent channels.
    f
        Maps these and, after them, their sum over the set to the outputs of the item.

    Notes
    -----
    The order of the outputs is that of the items; it is the equivariant twin of :class:`DeepSets`.

    References
    ----------
    M. Zaheer et al., Deep Sets, NeurIPS 2017, arXiv:1703.06114, section 3.1.
    """

    def __init__(self, phi: nn.Module, f: nn.Module) -> None:
        super().__init__()
        self.phi = phi
        self.f = f

    def forward(
        self, x: Float[Tensor, "items channels"], offsets: Int64[Tensor, " bounds"]
    ) -> Float[Tensor, "items outputs"]:
        """The outputs of each item; those of a set are the rows between two successive offsets."""
        check_input("x", x, self.phi)
        latent = self.phi(x)
        of_set = segment_gather(segment_sum(latent, offsets), offsets, x.shape[0])
        both = torch.cat([latent, of_set], dim=1)
        check_input("phi(x) and its sums, which f takes", both, self.f)
        outputs: Tensor = self.f(both)
        return outputs


def _check_weights(weights: Tensor, latent: Tensor) -> None:
    """Refuse weights that are no number for each item, or would widen what f takes."""
    if not isinstance(weights, Tensor) or weights.shape != latent.shape[:1]:
        raise InputError(
            "weights",
            expected=f"shape ({latent.shape[0]},), a number for each item",
            got=str(tuple(weights.shape)) if isinstance(weights, Tensor) else "no tensor",
            fix="give one weight for each row of x",
        )
    check_rows("weights", weights, like=latent)
    wide = torch.promote_types(weights.dtype, latent.dtype)
    if wide != latent.dtype and not torch.is_autocast_enabled(latent.device.type):
        raise InputError(
            "weights",
            expected=f"{latent.dtype}, the type of phi(x)",
            got=str(weights.dtype),
            fix="convert them with .to(dtype)",
        )
