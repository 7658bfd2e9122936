"""What is computed from NaN is NaN, and whole numbers are numbers: everywhere in hepml.lorentz."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from hepml import lorentz
from hepml.errors import InputError

P4 = torch.tensor([10.0, 3.0, 4.0, 5.0], dtype=torch.float64)
Q4 = torch.tensor([20.0, -1.0, 2.0, -7.0], dtype=torch.float64)
# For each function of momenta, the components of the first that it depends on.
OF_MOMENTA: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, ...]]] = {
    "pt": (lorentz.pt, (1, 2)),
    "eta": (lorentz.eta, (1, 2, 3)),
    "phi": (lorentz.phi, (1, 2)),
    "rapidity": (lorentz.rapidity, (0, 3)),
    "mass": (lorentz.mass, (0, 1, 2, 3)),
    "mass_squared": (lorentz.mass_squared, (0, 1, 2, 3)),
    "minkowski_dot": (lambda p: lorentz.minkowski_dot(p, Q4.to(p.dtype)), (0, 1, 2, 3)),
    "pair_mass": (lambda p: lorentz.pair_mass(Q4.to(p.dtype), p), (0, 1, 2, 3)),
    "delta_eta": (lambda p: lorentz.delta_eta(p, Q4.to(p.dtype)), (1, 2, 3)),
    "delta_rapidity": (lambda p: lorentz.delta_rapidity(Q4.to(p.dtype), p), (0, 3)),
    "delta_phi": (lambda p: lorentz.delta_phi(p, Q4.to(p.dtype)), (1, 2)),
    "delta_r": (lambda p: lorentz.delta_r(Q4.to(p.dtype), p), (1, 2, 3)),
    "delta_r along the beam": (
        lambda p: lorentz.delta_r(torch.tensor([9.0, 0.0, 0.0, 9.0]).to(p.dtype), p),
        (1, 2, 3),
    ),
    "boost": (
        lambda p: lorentz.boost(p, torch.tensor([0.1, 0.2, 0.3]).to(p.dtype)).sum(),
        (0, 1, 2, 3),
    ),
    "rotation": (
        lambda p: lorentz.rotation(p, torch.tensor([0.1, 0.2, 0.3]).to(p.dtype)).sum(),
        (0, 1, 2, 3),
    ),
    "rotated by": (lambda p: lorentz.rotation(P4.to(p.dtype), p[1:]).sum(), (1, 2, 3)),
    "rest_frame": (lambda p: lorentz.rest_frame(p, Q4.to(p.dtype)).sum(), (0, 1, 2, 3)),
    "rest_frame of": (lambda p: lorentz.rest_frame(Q4.to(p.dtype), p).sum(), (0, 1, 2, 3)),
}
CONVERSIONS = {
    "p4_from_pt_eta_phi_mass": (20.0, 0.2, 0.4, 3.0),
    "p4_from_pt_eta_phi_energy": (20.0, 0.2, 0.4, 30.0),
    "p4_from_pt_rapidity_phi_mass": (20.0, 0.2, 0.4, 3.0),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", OF_MOMENTA)
def test_of_a_momentum_with_a_component_that_is_nan(name: str, dtype: torch.dtype) -> None:
    function, components = OF_MOMENTA[name]
    assert not function(P4.to(dtype)).isnan()
    for component in components:
        for momentum in (P4, torch.zeros(4), torch.tensor([5.0, 0.0, 0.0, 5.0])):
            p4 = momentum.to(dtype).clone()
            p4[component] = math.nan
            assert function(p4).isnan(), (component, momentum)


@pytest.mark.parametrize("name", CONVERSIONS)
def test_of_a_coordinate_that_is_nan(name: str) -> None:
    good = [torch.tensor(value) for value in CONVERSIONS[name]]
    function = getattr(lorentz, name)
    assert function(*good).isfinite().all()
    for place, argument in enumerate(("pt", "eta", "phi", "mass")):
        values = list(good)
        values[place] = torch.tensor(math.nan)
        energy, px, py, pz = function(*values)
        # The azimuth says nothing about E and pz, nor mass and energy about the others.
        if argument == "phi":
            assert px.isnan()
            assert py.isnan()
        elif argument == "mass":
            assert energy.isnan()
        else:
            assert pz.isnan()
    assert lorentz.p4_from_momentum_mass(torch.ones(3), torch.tensor(math.nan))[0].isnan()
    assert lorentz.p4_from_momentum_mass(torch.tensor([1.0, math.nan, 1.0]), torch.ones(()))[
        0
    ].isnan()


@pytest.mark.parametrize("name", [name for name in OF_MOMENTA if name in lorentz.__all__])
def test_whole_numbers_are_momenta_like_others(name: str) -> None:
    function = getattr(lorentz, name)
    whole = {
        "boost": (torch.tensor([10, 3, 4, 5]), torch.tensor([0, 0, 0])),
        "rotation": (torch.tensor([10, 3, 4, 5]), torch.tensor([1, 2, 3])),
    }.get(name, (torch.tensor([10, 3, 4, 5]), torch.tensor([20, -1, 2, -7])))
    if name in {"pt", "eta", "phi", "rapidity", "mass", "mass_squared"}:
        whole = whole[:1]
    result = function(*whole)
    assert result.dtype == torch.float64
    assert torch.equal(result, function(*(values.double() for values in whole)))


def test_integers_are_not_truncated() -> None:
    assert lorentz.mass(torch.tensor([4, 1, 0, 0])).item() == pytest.approx(15**0.5)
    assert lorentz.pt(torch.tensor([4, 1, 1, 0])).item() == pytest.approx(2**0.5)
    at_rest = torch.tensor([1, 0, 0, 0])
    boosted = lorentz.boost(at_rest, torch.tensor([0.0, 0.0, 0.6]))
    torch.testing.assert_close(boosted, torch.tensor([1.25, 0.0, 0.0, 0.75]).double())
    # In MeV: float32 would round them first.
    large = torch.tensor([2**25 + 1, 0, 0, 2**25 - 1])
    assert lorentz.mass(large).item() == pytest.approx(2**13.5, rel=1e-15)
    of_integers = lorentz.p4_from_pt_eta_phi_mass(*torch.tensor([4, 1, 2, 3]))
    of_floats = lorentz.p4_from_pt_eta_phi_mass(*torch.tensor([4.0, 1.0, 2.0, 3.0]).double())
    assert torch.equal(of_integers, of_floats)
    torch.testing.assert_close(
        lorentz.p4_from_momentum_mass(torch.tensor([1, 1, 1]), torch.tensor(1)),
        torch.tensor([2.0, 1.0, 1.0, 1.0]).double(),
    )


@pytest.mark.usefixtures("unchecked_types")
def test_other_vectors_are_refused() -> None:
    three = torch.ones(3)
    for function in (lorentz.pt, lorentz.eta, lorentz.phi, lorentz.mass, lorentz.rapidity):
        with pytest.raises(InputError, match=r"p4: expected four-momenta .*, got shape \(3,\)"):
            function(three)
    for function in (lorentz.minkowski_dot, lorentz.pair_mass, lorentz.delta_phi):
        with pytest.raises(InputError, match=r"q: expected four-momenta"):
            function(P4, three)
    with pytest.raises(InputError, match="q: expected four-momenta"):
        lorentz.delta_r(P4, three)
    with pytest.raises(InputError, match="velocity: expected three-vectors"):
        lorentz.boost(P4, P4)
    with pytest.raises(InputError, match="reference: expected four-momenta"):
        lorentz.rest_frame(P4, three)
    with pytest.raises(InputError, match=r"p4: expected real numbers, got torch\.complex64"):
        lorentz.mass(torch.ones(4, dtype=torch.complex64))
    with pytest.raises(InputError, match=r"pt: expected real numbers, got torch\.bool"):
        lorentz.p4_from_pt_eta_phi_mass(*torch.ones(4, dtype=torch.bool))
