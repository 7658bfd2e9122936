"""What every model checks of the batch that it is given."""

from jaxtyping import Float
from torch import Tensor

from hepml.data import ParticleSet
from hepml.errors import InputError


def checked_features(particles: ParticleSet, channels: int) -> Float[Tensor, "particles channels"]:
    """The features of the particles, if they are as many as the model was built for."""
    found = particles.features.shape[1]
    if found != channels:
        raise InputError(
            "features of the particles",
            expected=f"{channels}, for which the model was built",
            got=str(found),
            fix=f"read the columns that the model was trained with, or build it with "
            f"features={found}",
        )
    return particles.features
