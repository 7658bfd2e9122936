"""Tensors inside of a network, and what a symmetry may have made of them."""

import pytest
import torch
from support.symmetries import boost_along_z, rotation_about
from torch import Tensor

from hepml.lorentz import Irreps, representation
from hepml.symmetry import (
    BatchComposition,
    Lorentz,
    MotionReversal,
    Permutation,
    PhiRotation,
    SpaceRotation,
    Symmetry,
)
from hepml.symmetry._readings import best_fit


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


BOOST = boost_along_z(2.0)
TURN = rotation_about(1, 0.7)
ORDER = torch.tensor([2, 0, 1])
X = _random(5, 12)
PIXELS = _random(2, 3, 6, 8)
PAIRS = _random(2, 3, 3, 4)


@pytest.mark.parametrize(
    ("symmetry", "element", "before", "after", "reading"),
    [
        (Lorentz(), BOOST, X, X, "invariant"),
        (Lorentz(), BOOST, X, (X.view(5, 3, 4) @ BOOST.T).view(5, 12), "four-vectors"),
        (Lorentz(), TURN, X, (X.view(5, 4, 3) @ TURN[1:, 1:].T).view(5, 12), "vectors"),
        (Lorentz(), BOOST, X, X.flip(0), "rows in another order"),
        (SpaceRotation(), torch.eye(2).double().flip(0), X[:, :2], X[:, :2].flip(1), "vectors"),
        (MotionReversal(), -torch.ones(1).double(), X[:, :3], -X[:, :3], "the other sign"),
        (Permutation(axis=1), ORDER, PIXELS, PIXELS, "invariant"),
        # Padded, channels first, and pairs of the particles.
        (Permutation(axis=1), ORDER, PAIRS[0], PAIRS[0][ORDER], "rows in another order"),
        (
            Permutation(axis=1),
            ORDER,
            X[:, :6].view(5, 2, 3),
            X[:, :6].view(5, 2, 3)[..., ORDER],
            "rows in another order",
        ),
        (Permutation(axis=1), ORDER, PAIRS, PAIRS[:, ORDER][:, :, ORDER], "rows in another order"),
        (PhiRotation(), (0, 3), PIXELS, PIXELS.roll(3, -1), "pixels moved"),
    ],
)
def test_the_reading_is_found(
    symmetry: Symmetry, element: object, before: Tensor, after: Tensor, reading: str
) -> None:
    found = best_fit(symmetry, element, before, after, ())
    assert found.reading == reading
    assert found.violation < 1e-12
    # A change of a thousandth is seen, whatever the reading.
    worse = after.clone()
    worse.view(-1)[0] *= 1.001
    assert best_fit(symmetry, element, before, worse, ()).violation > 1e-6


def test_irreps_are_read_by_their_matrices():
    irreps = "2x(0,0) + 1x(1,0) + 1x(0,1)"
    x = _random(6, 8)
    moved = x @ representation(irreps, BOOST).T
    found = best_fit(Lorentz(), BOOST, x, moved, (Irreps("(0,0)"), Irreps(irreps), None))
    assert found.reading == str(Irreps(irreps))
    assert found.violation < 1e-12
    # A rotation of each row by itself leaves the norms.
    turned = torch.stack(
        [row @ representation(irreps, rotation_about(2, float(i))).T for i, row in enumerate(x)]
    )
    found = best_fit(Lorentz(), BOOST, x, turned, (Irreps(irreps),))
    assert found.reading == f"norms of {Irreps(irreps)}"
    assert found.violation < 1e-12


def test_sets_bring_their_rows_along():
    element = BatchComposition().element((X,), 2.0, torch.Generator().manual_seed(2))
    rows = torch.cat([X, torch.zeros(2, 12, dtype=torch.float64)])
    padded = torch.cat([rows[[3, 1]], rows[-1:]])
    found = best_fit(BatchComposition(), element, rows, padded, ())
    assert found == ("rows of the chosen sets", 0.0)
    padded[2, 3] = 0.1
    assert best_fit(BatchComposition(), element, rows, padded, ()).violation > 1e-2


def test_components_of_rounding_decide_nothing():
    """A sum that cancels is 0 to rounding: neither its order nor its size says anything."""
    x = torch.cat([X, 1e-17 * _random(5, 2)], 1)
    other = torch.cat([X, -1e-17 * _random(5, 2)], 1).flip(0)
    found = best_fit(Permutation(axis=1), ORDER, x, other, ())
    assert found.reading == "rows in another order"
    assert found.violation < 1e-9


def test_what_fits_nothing_is_infinitely_far():
    assert best_fit(Lorentz(), BOOST, X, X[:3], ()).violation == torch.inf
    nan = torch.full_like(X, torch.nan)
    assert best_fit(Lorentz(), BOOST, X, nan, ()).violation == torch.inf
