"""Sums of products in float64 whose rounding errors are added in the end.

The errors are those of Dekker's products and Knuth's sums: a result that is left over when large
terms cancel has twice the digits that it would have. They are constants for derivatives: in exact
arithmetic they are 0.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

# 2^27 + 1 cuts 53 binary digits in two halves.
_SPLITTER = 134217729.0


def minkowski_product(
    p: Float64[Tensor, "*#batch 4"], q: Float64[Tensor, "*#batch 4"]
) -> Float64[Tensor, "*#batch 1"]:
    """``E E' - px px' - py py' - pz pz'``."""
    q = torch.cat([q[..., :1], -q[..., 1:]], -1)
    terms = p * q
    errors = _error_of_product(p.detach(), q.detach(), terms.detach())
    total, error = terms[..., :1], errors.sum(-1, keepdim=True)
    for k in range(1, 4):
        term = terms[..., k : k + 1]
        before, total = total, total + term
        error = error + _error_of_sum(before.detach(), term.detach(), total.detach())
    return total + _finite(error)


def minus_product(
    p: Float64[Tensor, "*#batch n"],
    t: Float64[Tensor, "*#batch 1"],
    q: Float64[Tensor, "*#batch n"],
) -> Float64[Tensor, "*#batch n"]:
    """``p - t q``."""
    product = t * q
    difference = p - product
    error = _error_of_sum(p.detach(), -product.detach(), difference.detach())
    error = error - _error_of_product(t.detach(), q.detach(), product.detach())
    return difference + _finite(error)


def _error_of_product(a: Tensor, b: Tensor, product: Tensor) -> Tensor:
    """``a b - product``, exactly (T. J. Dekker, Numer. Math. 18 (1971) 224)."""
    (high_a, low_a), (high_b, low_b) = _halves(a), _halves(b)
    return ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b


def _halves(a: Tensor) -> tuple[Tensor, Tensor]:
    """Two numbers of half the digits whose sum it is."""
    wide = _SPLITTER * a
    high = wide - (wide - a)
    return high, a - high


def _error_of_sum(a: Tensor, b: Tensor, total: Tensor) -> Tensor:
    """``a + b - total``, exactly (D. E. Knuth, The Art of Computer Programming 2, 4.2.2)."""
    part = total - a
    return (a - (total - part)) + (b - part)


def _finite(error: Tensor) -> Tensor:
    """The error; 0 where numbers are so large that halving them overflows."""
    return error.nan_to_num(0.0, 0.0, 0.0)
