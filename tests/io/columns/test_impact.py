"""Impact parameters as features."""

import awkward as ak
import numpy as np

from hepml.io import Collection, Columns, read_array
from hepml.io.columns._impact import significance


def test_significances_are_bounded_and_zero_without_an_error():
    values, errors = [1.0, -3.0, 1e9, 5.0, -1.0, 0.0], [2.0, 1.0, 1e-3, 0.0, -1.0, 0.0]
    fields = {"v": ak.Array([values]), "e": ak.Array([errors]), "pt": ak.Array([[1.0] * 6])}
    columns = Columns(
        Collection({"pt": "pt", "eta": "0", "phi": "0", "mass": "0"}, {"s": significance("v", "e")})
    )
    found = read_array(ak.zip(fields, depth_limit=1), columns)
    particles = getattr(found, "particles", found)
    np.testing.assert_array_equal(particles.features[:, 0], [0.5, -3.0, 50.0, 0.0, 0.0, 0.0])
