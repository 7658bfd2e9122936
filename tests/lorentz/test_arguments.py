"""What is no momentum, coordinate or matrix is one clear error, whatever else it is."""

import math

import numpy as np
import pytest
import torch

from hepml import lorentz
from hepml.errors import InputError

P4 = torch.tensor([[9.0, 1, 2, 3]]).repeat(5, 1)
THREE, ONE = P4[:, 1:] / 9, P4[:, 0]
GOOD = {
    "minkowski_dot": (P4, P4),
    "mass_squared": (P4,),
    "mass": (P4,),
    "pair_mass": (P4, P4),
    "pt": (P4,),
    "eta": (P4,),
    "phi": (P4,),
    "rapidity": (P4,),
    "delta_eta": (P4, P4),
    "delta_phi": (P4, P4),
    "delta_rapidity": (P4, P4),
    "delta_r": (P4, P4),
    "boost": (P4, THREE),
    "rotation": (P4, THREE),
    "rest_frame": (P4, P4),
    "p4_from_momentum_mass": (THREE, ONE),
    "p4_from_pt_eta_phi_mass": (ONE, ONE, ONE, ONE),
    "p4_from_pt_eta_phi_energy": (ONE, ONE, ONE, ONE),
    "p4_from_pt_rapidity_phi_mass": (ONE, ONE, ONE, ONE),
    "lorentz_from_sl2c": (torch.eye(2, dtype=torch.complex128),),
    "sl2c_from_lorentz": (torch.eye(4),),
}
WRONG = {
    "None": None,
    "number": 1.5,
    "list": [[9.0, 1.0, 2.0, 3.0]],
    "numpy": np.ones((5, 4)),
    "text": "x",
    "sparse": P4.to_sparse(),
    "nested": torch.nested.nested_tensor([P4], layout=torch.jagged),
    "bools": P4 > 0,
    "seven": torch.ones(7, 7),
}


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.parametrize("name", GOOD)
def test_wrong_tensors_are_one_clear_error(name):
    function, good = getattr(lorentz, name), GOOD[name]
    function(*good)
    for place in range(len(good)):
        for wrong in WRONG.values():
            with pytest.raises(InputError, match=r": expected .*, got .* Fix: "):
                function(*good[:place], wrong, *good[place + 1 :])
    if len(good) > 1:
        with pytest.raises(InputError, match=r"expected shapes that broadcast, on one device"):
            function(good[0][:2], *good[1:])


def test_one_momentum_is_turned_by_several_angles():
    found = lorentz.rotation(P4[:1], THREE)
    assert found.shape == (5, 4)
    torch.testing.assert_close(found, lorentz.rotation(P4, THREE))
    half = lorentz.rotation(P4.half(), THREE)
    torch.testing.assert_close(half, found)


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("rapidity", [-1.0, math.nan, math.inf, 2**70, "1", None])
def test_rapidities_whose_matrices_float64_does_not_hold(rapidity):
    with pytest.raises(InputError, match="max_rapidity: expected from 0 to 350, got"):
        lorentz.random_lorentz(rapidity)
