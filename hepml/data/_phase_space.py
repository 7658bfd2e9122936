"""The ragged batch of bodies: coordinates and momenta of systems."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jaxtyping import Inexact, Int64
from torch import Tensor

from hepml.data._declarations import bounds_of, per
from hepml.data._ragged import Ragged
from hepml.data._validation import check_finite, check_offsets, describe, is_dense
from hepml.errors import InputError

if TYPE_CHECKING:
    from typing import Self
else:
    Self = Any


@dataclass(frozen=True, eq=False, init=False, repr=False)
class PhaseSpace(Ragged):
    """Coordinates and canonical momenta of systems of bodies, of any number in each system.

    Parameters
    ----------
    q, p
        Coordinates and momenta of each body, in one to three dimensions; complex numbers as well.
    offsets
        Bounds of the bodies of each system: starts at 0, never falls, ends at their number.

    Raises
    ------
    InputError
        If shapes, dtypes or devices differ, if offsets are not bounds, or if a number is NaN or
        infinite.

    Notes
    -----
    Apply a network of energies as ``network(state.q, state.p, state.offsets)``, and a flow as
    ``torch.cat(flow(state.q, state.p, state.offsets), 1)`` to check its rates.

    Examples
    --------
    >>> import torch
    >>> state = PhaseSpace(torch.rand(5, 2), torch.rand(5, 2), torch.tensor([0, 3, 5]))
    >>> state
    PhaseSpace(2 systems, 5 bodies, float32, cpu)
    >>> state[1].q.shape
    torch.Size([2, 2])
    """

    q: Inexact[Tensor, "bodies space"] = per("bodies")
    p: Inexact[Tensor, "bodies space"] = per("bodies")
    offsets: Int64[Tensor, " bounds"] = bounds_of("bodies", per="systems")

    def __init__(self, q: Tensor, p: Tensor, offsets: Tensor) -> None:
        for name, x in (("q", q), ("p", p)):
            if (
                not is_dense(x, 2)
                or not (x.is_floating_point() or x.is_complex())
                or (x.shape, x.dtype, x.device) != (q.shape, q.dtype, q.device)
            ):
                like = f", like q: {describe(q)}" if name == "p" else ""
                raise InputError(
                    name,
                    expected=f"numbers of shape (bodies, space){like}",
                    got=describe(x),
                    fix="give a row of coordinates and one of momenta for each body",
                )
            check_finite(name, x)
        check_offsets(offsets, q, "bodies")
        self._fill(q=q, p=p, offsets=offsets)

    def with_state(self, *, q: Tensor | None = None, p: Tensor | None = None) -> Self:
        """The same systems with other coordinates or momenta, as after a transformation.

        Parameters
        ----------
        q, p
            Of the shape of the present ones; None leaves them.

        Raises
        ------
        InputError
            If a shape differs.
        """
        for name, x in (("q", q), ("p", p)):
            if x is not None and x.shape != self.q.shape:
                raise InputError(
                    name,
                    expected=f"shape {tuple(self.q.shape)}",
                    got=describe(x),
                    fix="give a row for each body",
                )
        return self._with(q=self.q if q is None else q, p=self.p if p is None else p)
