"""Shifts of images."""

import pytest
import torch
from torch import Generator

from hepml.symmetry import PhiRotation, Translation


def _generator(seed: int = 1) -> Generator:
    return torch.Generator().manual_seed(seed)


def _dot(eta: int, phi: int) -> torch.Tensor:
    image = torch.zeros(1, 2, 9, 12)
    image[0, :, eta, phi] = 1.0
    return image


@pytest.mark.parametrize("phi", [0, 5, 11])
def test_phi_is_periodic(phi):
    assert torch.equal(PhiRotation().act((0, 3), _dot(4, phi)), _dot(4, (phi + 3) % 12))


@pytest.mark.parametrize("shift", [(2, 0), (0, -3), (-1, 2)])
def test_content_is_shifted(shift):
    moved = Translation().act(shift, _dot(4, 5))
    assert torch.equal(moved, _dot(4 + shift[0], 5 + shift[1]))
    assert not Translation().act((9, 0), _dot(4, 5)).any()


@pytest.mark.parametrize("strength", [1.0, 4.0])
def test_one_axis_at_least_is_shifted_by_the_strength(strength):
    seen = {Translation().element(_dot(4, 5), strength, _generator(seed)) for seed in range(100)}
    assert all(max(abs(eta), abs(phi)) == strength for eta, phi in seen)
    assert {(strength, 0), (-strength, 0), (0, strength), (0, -strength)} <= seen


def test_angles_are_uniform_or_given():
    seen = {PhiRotation().element(_dot(4, 5), None, _generator(seed)) for seed in range(200)}
    assert seen == {(0, phi) for phi in range(1, 12)}
    assert PhiRotation().element(_dot(4, 5), 3.0, _generator()) == (0, 3)
    assert PhiRotation().describe((0, 3)) == "0 pixels in eta, 3 in phi"


def test_outputs_that_are_images_are_shifted_along():
    image = _dot(4, 5)
    for kind in (PhiRotation, Translation):
        assert kind().act_on_outputs((0, 2), image) is image
        assert torch.equal(kind(outputs="pixels").act_on_outputs((0, 2), image), _dot(4, 7))
        assert kind(outputs="pixels").blocks(108) == [slice(0, 108)]
        assert len(kind().blocks(108)) == 108
