"""Inputs in units of their own spread."""

import torch

from hepml.nn import Standardise, centre_and_scale


def test_centre_and_scale_of_a_normal_distribution() -> None:
    values = 3.0 + 2.0 * torch.randn(200_000, 1, generator=torch.Generator().manual_seed(0))
    centre, scale = centre_and_scale(values)
    assert abs(float(centre) - 3.0) < 0.02
    assert abs(float(scale) - 2.0 * 0.9945) < 0.02


def test_the_larger_distance_is_the_scale_and_tails_do_not_count() -> None:
    values = torch.arange(101.0)[:, None].expand(101, 2).clone()
    values[:, 1] = values[:, 0] ** 2
    centre, scale = centre_and_scale(values)
    assert centre.tolist() == [50.0, 2500.0]
    assert scale.tolist() == [34.0, 84.0**2 - 50.0**2]
    values[-1] = 1e30
    assert torch.equal(centre_and_scale(values)[1], scale)


def test_a_constant_and_an_empty_sample_have_the_scale_one() -> None:
    assert centre_and_scale(torch.full((5, 1), 7.0)) == (torch.tensor([7.0]), torch.tensor([1.0]))
    assert centre_and_scale(torch.empty(0, 1)) == (torch.tensor([0.0]), torch.tensor([1.0]))


def test_the_identity_until_it_is_filled_bit_for_bit() -> None:
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) * 1e3
    assert torch.equal(Standardise(3)(x), x)


def test_tables_of_different_rows_side_by_side_and_back() -> None:
    features, context = torch.rand(30, 2) * 5, torch.rand(4, 1) - 100
    layer = Standardise(3)
    layer.fill(features, context)
    assert torch.equal(layer.centre[:2], centre_and_scale(features)[0])
    assert torch.equal(layer.scale[2:], centre_and_scale(context)[1])
    x = torch.cat([features[:4], context], 1)
    torch.testing.assert_close(layer.inverse(layer(x)), x)


def test_a_state_without_it_is_the_identity() -> None:
    layer = torch.nn.Sequential(Standardise(2))
    layer[0].fill(torch.rand(9, 2))
    layer.load_state_dict({})
    assert layer[0].centre.tolist() == [0.0, 0.0]
    assert layer[0].scale.tolist() == [1.0, 1.0]
