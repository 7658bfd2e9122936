"""What Noether's theorem conserves."""

import torch
from jaxtyping import Float
from torch import Tensor


def total_momentum(p: Float[Tensor, "*systems bodies space"]) -> Float[Tensor, "*systems space"]:
    """``P = sum_i p_i``, conserved where H does not change under translations."""
    return p.sum(dim=-2)


def angular_momentum(
    q: Float[Tensor, "*systems bodies space"], p: Float[Tensor, "*systems bodies space"]
) -> Float[Tensor, "*systems planes"]:
    """``L = sum_i q_i x p_i``, conserved where H does not change under rotations.

    Notes
    -----
    A component for each plane: (xy) in two dimensions, (xy), (xz), (yz) in three, none on a line.

    Examples
    --------
    >>> angular_momentum(torch.tensor([[1., 0.], [0., 2.]]), torch.tensor([[0., 3.], [1., 0.]]))
    tensor([1.])
    """
    space = q.shape[-1]
    planes = [(i, j) for i in range(space) for j in range(i + 1, space)]
    parts = [q[..., i] * p[..., j] - q[..., j] * p[..., i] for i, j in planes]
    return torch.stack(parts, -1).sum(-2) if parts else q.new_zeros((*q.shape[:-2], 0))
