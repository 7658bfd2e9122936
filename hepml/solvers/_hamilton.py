"""Hamilton's equations, by automatic differentiation."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from hepml.ops import is_transformed


def hamilton_equations(
    hamiltonian: Callable[..., Tensor],
    q: Float[Tensor, "*state"],
    p: Float[Tensor, "*state"],
) -> tuple[Float[Tensor, "*state"], Float[Tensor, "*state"]]:
    """The rates ``dq/dt = dH/dp`` and ``dp/dt = -dH/dq``.

    Parameters
    ----------
    hamiltonian
        Maps (q, p) to the energies of any number of independent systems.
    q, p
        Coordinates and canonical momenta.

    Notes
    -----
    Exact, and differentiable as often as H is, where gradients are recorded; under
    ``torch.no_grad`` and in inference mode the rates come without a graph. The derivatives are
    those of the sum of the energies, which are the derivatives of each as long as no system enters
    the energy of another.

    Examples
    --------
    A mass of 2 on a spring of strength 3:

    >>> q, p = torch.tensor([[1.0]]), torch.tensor([[4.0]])
    >>> with torch.no_grad():
    ...     hamilton_equations(lambda q, p: p**2 / 4 + 3 * q**2 / 2, q, p)
    (tensor([[2.]]), tensor([[-3.]]))
    """
    if torch.compiler.is_compiling() or is_transformed(q):
        # What the compiler can trace and transformations see; without them, autograd is faster.
        total = lambda q, p: hamiltonian(q, p).sum()  # noqa: E731
        rate_p, rate_q = torch.func.grad(total, (0, 1))(q, p)
        return rate_q, -rate_p
    if torch.is_inference_mode_enabled():
        with torch.inference_mode(False), torch.no_grad():
            return hamilton_equations(hamiltonian, q, p)
    recording = torch.is_grad_enabled()
    with torch.enable_grad():
        q, p = _variable(q), _variable(p)
        energy = hamiltonian(q, p).sum()
        rate_p, rate_q = torch.autograd.grad(
            energy, (q, p), create_graph=recording, materialize_grads=True
        )
    return rate_q, -rate_p


def _variable(x: Tensor) -> Tensor:
    """The tensor itself if it is part of a graph, else one that a graph can begin with."""
    # A tensor that was made in inference mode can be part of no graph; its copy can.
    x = x.clone() if x.is_inference() else x
    return x if x.requires_grad else x.detach().requires_grad_()
