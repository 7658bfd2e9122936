"""Elements of the Lorentz group acting on momenta."""

import torch
from jaxtyping import Float
from torch import Tensor

from hepml.errors import InputError
from hepml.lorentz._metric import root


def boost(
    p4: Float[Tensor, "*batch 4"], velocity: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*batch 4"]:
    """Momenta as seen after a boost: a particle at rest gets the given velocity.

    ``E' = gamma (E + v·p)``, ``p' = p + (gamma² / (gamma + 1) v·p + gamma E) v``.

    Parameters
    ----------
    p4
        Four-momenta in GeV.
    velocity
        Three-velocities in units of c; leading axes broadcast against those of the momenta.

    Raises
    ------
    InputError
        If a velocity is not below 1.

    Examples
    --------
    >>> boost(torch.tensor([1., 0., 0., 0.]), torch.tensor([0., 0., 0.6]))
    tensor([1.2500, 0.0000, 0.0000, 0.7500])
    """
    speed = root(velocity.square().sum(-1, keepdim=True))
    if not bool((speed < 1).all()):
        raise InputError(
            "velocity",
            expected="speeds below 1, the speed of light",
            got=f"up to {float(speed.max()):.9g}",
            fix="divide by c, or boost to the rest frame of a massive momentum only",
        )
    # Not 1 - v²: the difference from 1 is exact, so gamma keeps its digits.
    gamma = ((1 - speed) * (1 + speed)).rsqrt()
    energy, momentum = p4[..., :1], p4[..., 1:]
    along = (velocity * momentum).sum(-1, keepdim=True)
    return torch.cat(
        [
            gamma * (energy + along),
            momentum + (gamma.square() / (gamma + 1) * along + gamma * energy) * velocity,
        ],
        dim=-1,
    )
