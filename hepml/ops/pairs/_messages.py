"""Messages between all pairs of each set, without keeping the pairs."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from hepml.errors import InputError
from hepml.ops._arguments import described, is_real
from hepml.ops._bounds import check_offsets
from hepml.ops.pairs import _operators
from hepml.ops.segments._reference import widened

Layer = tuple[Tensor, Tensor | None]


def pair_messages(
    a: Float[Tensor, "items width"],
    b: Float[Tensor, "items width"],
    offsets: Int64[Tensor, " bounds"],
    p4: Float[Tensor, "items 4"] | None = None,
    *,
    invariants: Float[Tensor, "width 2"] | None = None,
    layers: Sequence[Layer] = (),
    gate: Layer | None = None,
    step: Sequence[Layer] = (),
) -> tuple[Float[Tensor, "items channels"], Float[Tensor, "items 4"]]:
    """What each item receives from all others of its set, and the step that they make it take.

    ``m_ij = phi(ReLU(a_i + b_j + W (psi(|p_i - p_j|²), psi(<p_i, p_j>))))``

    ``received_i = sum_j g(m_ij) m_ij``, ``moved_i = sum_j c(g(m_ij) m_ij) (p_i - p_j)``

    with ``psi(x) = sign(x) ln(|x| + 1)``. With ``a = W_a h`` and ``b = W_b h`` the argument of the
    first ReLU is a linear layer on ``(h_i, h_j, invariants)``, of which the part of the items is
    worked out once for each item and not for each pair. The memory that it takes, in the backward
    pass, too, is that of the items.

    Parameters
    ----------
    a, b
        What receivers and senders contribute to the first layer, its bias included.
    offsets
        Bounds of the sets, from 0 to the number of items, never falling.
    p4
        Four-momenta in GeV; needed for invariants and steps.
    invariants
        W, the weights of both invariants; None: the messages do not depend on them.
    layers
        Weight (outputs, inputs) and bias of each layer of phi, with a ReLU after each. A bias may
        be None, here and below.
    gate
        Weight (1, channels) and bias of the gate ``g(m) = sigmoid(weight · m + bias)``; None: 1.
    step
        Weight and bias of each layer of c, with a ReLU between each two; the last has one output.

    Returns
    -------
    received
        0 for an item that is alone. In the widest dtype of a, b and the weights, float32 at least;
        moved in that of p4.
    moved
        0 for an item that is alone, and without `step`.

    Raises
    ------
    InputError
        If the shapes do not fit, or if momenta are needed and not given.

    Notes
    -----
    This is the layer of LorentzNet; EdgeConv with its sum over the complete graph, with
    ``a = (W_1 - W_2) h`` and ``b = W_2 h``; and a sum over functions of ``<p_i, p_j>`` alone, as
    PELICAN starts with, where ``a`` is a bias and ``b`` is 0.

    Products of momenta are taken in float64 whatever the precision, as in
    :func:`hepml.lorentz.minkowski_dot`. Second derivatives are those of the reference, which does
    keep all pairs.

    References
    ----------
    S. Gong et al., arXiv:2201.08187, eqs. (3.1) to (3.3). Y. Wang et al., arXiv:1801.07829.
    A. Bogatskiy et al., arXiv:2211.00454.

    Examples
    --------
    >>> a, b = torch.tensor([[1.], [2.], [3.]]), torch.tensor([[10.], [20.], [30.]])
    >>> pair_messages(a, b, torch.tensor([0, 2, 3]))[0]
    tensor([[21.],
            [12.],
            [ 0.]])
    """
    _check(a, b, offsets, p4, invariants, layers, gate, step)
    given = p4 if p4 is not None else a.new_zeros(a.shape[0], 4)
    weight = invariants if invariants is not None else a.new_zeros(a.shape[1], 0)
    flat = [_flat(each) for each in (layers, () if gate is None else (gate,), step)]
    # Autocast gives the items in half precision beside weights in float32.
    dtype = widened(a).dtype
    for tensor in (b, weight, *(tensor for each in flat for tensor in each)):
        dtype = torch.promote_types(dtype, tensor.dtype)
    cast = [[tensor.to(dtype) for tensor in each] for each in flat]
    received, moved = _operators.pair_messages(
        a.to(dtype), b.to(dtype), offsets, given, weight.to(dtype), *cast
    )
    return received, moved


def pair_moments(
    p4: Float[Tensor, "items 4"], offsets: Int64[Tensor, " bounds"]
) -> tuple[Float64[Tensor, "items 2"], Float64[Tensor, "2 2"]]:
    """Sums of the invariants ``s_ij = (psi(|p_i - p_j|²), psi(<p_i, p_j>))`` of all pairs.

    Parameters
    ----------
    p4
        Four-momenta in GeV.
    offsets
        Bounds of the sets, from 0 to the number of items, never falling.

    Returns
    -------
    sums
        ``sum_j s_ij`` of each item, over all others of its set.
    squares
        ``sum_ij s_ij s_ijᵀ`` over all pairs of all sets.

    Notes
    -----
    With these, mean and variance of anything linear in (a_i, b_j, s_ij) over all pairs follow from
    sums over items, as batch normalisation needs them. The sums are float64.

    Examples
    --------
    >>> p4 = torch.tensor([[1., 0., 0., 0.], [2., 0., 0., 0.]])
    >>> pair_moments(p4, torch.tensor([0, 2]))[0]
    tensor([[0.6931, 1.0986],
            [0.6931, 1.0986]], dtype=torch.float64)
    """
    if not is_real(p4) or p4.dim() != 2 or p4.shape[1] != 4:
        raise InputError(
            "p4",
            expected="floating point of shape (items, 4)",
            got=described(p4),
            fix="pass (E, px, py, pz) of each item",
        )
    check_offsets(offsets, p4)
    return _operators.pair_moments(p4, offsets)


def _flat(layers: Sequence[Layer]) -> list[Tensor]:
    """Weights and biases in turn; a bias of 0 where there is none."""
    return [
        tensor
        for weight, bias in layers
        for tensor in (weight, weight.new_zeros(weight.shape[0]) if bias is None else bias)
    ]


def _check(
    a: Tensor,
    b: Tensor,
    offsets: Tensor,
    p4: Tensor | None,
    invariants: Tensor | None,
    layers: Sequence[Layer],
    gate: Layer | None,
    step: Sequence[Layer],
) -> None:
    """Refuse what does not fit together."""
    lists = (("layers", layers), ("gate", () if gate is None else (gate,)), ("step", step))
    for name, each in lists:
        _check_layers(name, each)
    for name, tensor in (("a", a), ("b", b), ("p4", p4), ("invariants", invariants)):
        if not is_real(tensor) and not (name in ("p4", "invariants") and tensor is None):
            raise InputError(
                name,
                expected="floating point, a row for each item",
                got=described(tensor),
                fix="convert integers with .float()",
            )
    if a.dim() != 2 or b.shape != a.shape:
        raise InputError(
            "a and b",
            expected="the same shape (items, width)",
            got=f"{tuple(a.shape)} and {tuple(b.shape)}",
            fix="give one row of each for each item",
        )
    if p4 is None and (invariants is not None or step):
        raise InputError(
            "p4", expected="momenta, for the invariants and the step", got="None", fix="pass p4"
        )
    if p4 is not None and p4.shape != (a.shape[0], 4):
        raise InputError(
            "p4",
            expected=f"shape ({a.shape[0]}, 4), a momentum for each item",
            got=str(tuple(p4.shape)),
            fix="pass the momenta of the items",
        )
    check_offsets(offsets, a)
    for name, given in (("b", [b]), ("p4", [p4]), ("invariants", [invariants])):
        _check_device(name, given, a)
    for name, each in lists:
        _check_device(name, [tensor for layer in each for tensor in layer], a)
    width = a.shape[1]
    if invariants is not None and invariants.shape != (width, 2):
        raise _misfit("invariants", (width, 2), invariants)
    for name, each in lists[:2]:
        for weight, bias in each:
            _check_layer(name, weight, bias, width)
            width = weight.shape[0] if name == "layers" else width
    if gate is not None and gate[0].shape[0] != 1:
        raise _misfit("gate", (1, width), gate[0])
    for weight, bias in step:
        _check_layer("step", weight, bias, width)
        width = weight.shape[0]
    if step and width != 1:
        raise _misfit("step", (1, step[-1][0].shape[1]), step[-1][0])


def _check_layers(name: str, layers: Sequence[Layer]) -> None:
    """Refuse what are not weights and biases of layers."""
    pairs = isinstance(layers, Sequence) and all(
        isinstance(layer, tuple | list)
        and len(layer) == 2
        and is_real(layer[0])
        and (layer[1] is None or is_real(layer[1]))
        for layer in layers
    )
    if not pairs:
        raise InputError(
            name,
            expected="a weight and a bias (or None) of each layer, in floating point",
            got=described(layers),
            fix="pass [(layer.weight, layer.bias), ...]",
        )


def _check_device(name: str, tensors: Sequence[Tensor | None], items: Tensor) -> None:
    """Refuse what is not where the items are."""
    for tensor in tensors:
        if tensor is not None and tensor.device != items.device:
            raise InputError(
                name,
                expected=f"device {items.device}, where the items are",
                got=str(tensor.device),
                fix="move one of them",
            )


def _check_layer(name: str, weight: Tensor, bias: Tensor | None, width: int) -> None:
    """Refuse a layer that does not take so many inputs, or whose bias is of another length."""
    if weight.dim() != 2 or weight.shape[1] != width:
        raise _misfit(name, ("outputs", width), weight)
    if bias is not None and bias.shape != weight.shape[:1]:
        raise _misfit(f"{name}, bias", (weight.shape[0],), bias)


def _misfit(name: str, expected: tuple[object, ...], got: Tensor) -> InputError:
    """The error about a tensor of another shape."""
    return InputError(
        name,
        expected=f"shape ({', '.join(map(str, expected))})",
        got=str(tuple(got.shape)),
        fix="pass the weight and the bias of linear layers that follow one another",
    )
