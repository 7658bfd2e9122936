"""Inputs in units of their own spread."""

from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.errors import InputError
from hepml.ops import check_rows


class Standardise(nn.Module):
    """Each channel in units of its spread around its centre, ``(x - centre) / scale``.

    Parameters
    ----------
    channels
        The number of channels.

    Notes
    -----
    The identity until :meth:`fill` is called. Centre and scale are no weights but a part of the
    state: checkpoints and exported networks hold them. A state without them, as that of earlier
    networks, is that of the identity.

    Examples
    --------
    >>> standardise = Standardise(1)
    >>> standardise.fill(torch.tensor([[1.], [2.], [3.], [4.], [5.]]))
    >>> standardise(torch.tensor([[3.], [5.]])).flatten().tolist()
    [0.0, 1.470...]
    """

    centre: Float[Tensor, " channels"]
    scale: Float[Tensor, " channels"]

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))

    def forward(self, x: Float[Tensor, "rows channels"]) -> Float[Tensor, "rows channels"]:
        """The channels of each row, standardised."""
        self._check(x)
        if self.centre.shape[0] == 0:
            return x
        return (x - self.centre) / self.scale

    def inverse(self, x: Float[Tensor, "rows channels"]) -> Float[Tensor, "rows channels"]:
        """The channels from what :meth:`forward` gives."""
        self._check(x)
        return x * self.scale + self.centre

    def fill(self, *tables: Float[Tensor, "_ _"]) -> None:
        """Take centre and scale from a sample, see :func:`centre_and_scale`.

        Parameters
        ----------
        tables
            The channels, in one table or in several that have other rows each.

        Raises
        ------
        InputError
            If the tables do not have as many channels as the layer, all together.
        """
        found = [centre_and_scale(table) for table in tables]
        channels = sum(table.shape[1] for table in tables)
        if channels != self.centre.shape[0]:
            raise InputError(
                "tables",
                expected=f"{self.centre.shape[0]} channels in all",
                got=str(channels),
                fix="give a column for each channel of the layer",
            )
        self.centre.copy_(torch.cat([centre for centre, _ in found]))
        self.scale.copy_(torch.cat([scale for _, scale in found]))

    def _check(self, x: Tensor) -> None:
        """Refuse other channels: a single one would become all of them."""
        check_rows("x", x, self.centre.shape[0], axes=2)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *rest: Any, **more: Any
    ) -> None:
        """Load the state; the identity, where there is none."""
        state_dict.setdefault(f"{prefix}centre", torch.zeros_like(self.centre))
        state_dict.setdefault(f"{prefix}scale", torch.ones_like(self.scale))
        super()._load_from_state_dict(state_dict, prefix, *rest, **more)


def centre_and_scale(
    values: Float[Tensor, "rows channels"],
) -> tuple[Float[Tensor, " channels"], Float[Tensor, " channels"]]:
    """The median of each channel, and the larger distance from it to the 16 % and 84 % quantiles.

    Of a normal distribution these are its mean and 0.994 of its standard deviation; tails do not
    count. A channel that is the same in two thirds of the rows or more has the scale 1, and so has
    all of an empty sample, with the centre 0.

    Parameters
    ----------
    values
        A sample of the channels.

    Notes
    -----
    The automatic standardisation of weaver-core (``weaver/utils/data/preprocess.py``), without its
    clipping to [-5, 5].
    """
    check_rows("values", values, axes=2)
    if values.shape[0] == 0:
        return values.new_zeros(values.shape[1]), values.new_ones(values.shape[1])
    low, centre, high = np.percentile(values.detach().cpu().double().numpy(), [16, 50, 84], axis=0)
    scale = np.maximum(high - centre, centre - low)
    found = (torch.from_numpy(x).to(values) for x in (centre, np.where(scale > 0, scale, 1.0)))
    return cast(tuple[Tensor, Tensor], tuple(found))
