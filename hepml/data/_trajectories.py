"""Trajectories in phase space."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hepml.data._selection import chosen_range, chosen_sets
from hepml.data._validation import describe, is_dense
from hepml.errors import InputError


@dataclass(frozen=True)
class Trajectories:
    """Systems of bodies, each followed over the same times.

    Parameters
    ----------
    t
        The times: two or more, rising in equal steps.
    q, p
        Coordinates and canonical momenta, without noise.
    rate_q, rate_p
        Their derivatives in time.
    observed_q, observed_p
        Coordinates and momenta with the noise of a measurement: what a network may learn from.
    about
        What made them: the system, its constants, the seed, versions. Plain values.

    Raises
    ------
    InputError
        If shapes differ, if a number is not finite, or if times are not equidistant.
    """

    t: Float[Tensor, " times"]
    q: Float[Tensor, "trajectories times bodies space"]
    p: Float[Tensor, "trajectories times bodies space"]
    rate_q: Float[Tensor, "trajectories times bodies space"]
    rate_p: Float[Tensor, "trajectories times bodies space"]
    observed_q: Float[Tensor, "trajectories times bodies space"]
    observed_p: Float[Tensor, "trajectories times bodies space"]
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, dimensions in (("t", 1), *((name, 4) for name in STATES)):
            x = getattr(self, name)
            if not is_dense(x, dimensions) or not x.is_floating_point():
                raise InputError(
                    name,
                    expected=f"a tensor of {dimensions} axes in floating point",
                    got=describe(x),
                    fix="give times as (times,), states as (trajectories, times, bodies, space)",
                )
        steps = self.t.diff()
        if not (
            len(steps)
            and bool(((steps / steps.mean() - 1).abs() < 1e-3).all())
            and float(steps.mean()) > 0
        ):
            raise InputError(
                "t",
                expected="two or more times that rise in equal steps",
                got=f"{len(self.t)} times, {self.t[:4].tolist()} first",
                fix="observe, or interpolate, at equidistant times",
            )
        for name in STATES:
            x = getattr(self, name)
            if x.shape != self.q.shape or x.dim() != 4 or x.shape[1] != len(self.t):
                raise InputError(
                    name,
                    expected=f"shape (trajectories, {len(self.t)} times, bodies, space), that of q",
                    got=f"{tuple(x.shape)}, with q of shape {tuple(self.q.shape)}",
                    fix="give a momentum, a rate and an observation for each coordinate",
                )
            if not bool(x.isfinite().all()):
                bad = (~x.isfinite()).flatten(1).any(dim=1).nonzero().flatten()
                raise InputError(
                    name,
                    expected="finite numbers",
                    got=f"NaN or infinity in {len(bad)} of {len(x)} trajectories, "
                    f"first in trajectory {int(bad[0])}",
                    fix="drop these trajectories",
                )

    def __len__(self) -> int:
        return self.q.shape[0]

    def __getitem__(self, chosen: slice | Int64[Tensor, " chosen"]) -> "Trajectories":
        """Some of the trajectories: a slice, or a list or tensor of numbers, or a mask.

        Raises
        ------
        InputError
            If it is none of these.
        RangeError
            If there is no trajectory of a number.
        """
        if isinstance(chosen, slice):
            each = chosen_range(chosen, len(self))
            if each.step > 0:
                chosen = slice(each.start, max(each.start, each.stop), each.step)
            else:
                chosen = torch.tensor(list(each), dtype=torch.int64, device=self.q.device)
        else:
            chosen = chosen_sets(chosen, len(self), self.q.device)
        return replace(self, **{name: getattr(self, name)[chosen] for name in STATES})

    def split(self) -> tuple["Trajectories", "Trajectories"]:
        """Those to learn from, and the last, to test with: the part that ``about`` names, or 20 %.

        Raises
        ------
        InputError
            If there are too few for both.
        """
        fraction = float(self.about.get("test_fraction", 0.2))
        learning = len(self) - round(len(self) * fraction)
        if not 0 < learning < len(self):
            raise InputError(
                "trajectories",
                expected="enough to learn from some and test with others",
                got=f"{len(self)}, of which {fraction:g} are for testing",
                fix="make more",
            )
        return self[:learning], self[learning:]

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "Trajectories":
        """The trajectories on another device or in another precision."""
        parts = {name: getattr(self, name).to(device, dtype) for name in ("t", *STATES)}
        return replace(self, **parts)


STATES = ("q", "p", "rate_q", "rate_p", "observed_q", "observed_p")
