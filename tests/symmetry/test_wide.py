"""Networks in float32 that are given momenta in float64."""

import pytest

from hepml.models import MODELS
from hepml.symmetry import check, random_jets

pytestmark = pytest.mark.slow

INVARIANT = ("LorentzCG", "LorentzNet", "RestFrame")


@pytest.mark.parametrize("name", INVARIANT)
def test_a_boost_by_10_costs_no_more_than_the_rounding_of_the_network(name):
    # Jets of light particles: in float32, a boost by 10 leaves nothing of their masses.
    jets = random_jets(6)
    model = MODELS[name](beams=False)
    options = {"strengths": [10.0], "weights": "random", "elements": 1, "draws": 1}
    report = check(model, jets, "lorentz", dtypes=["float64", "wide"], **options)
    assert report.verdict == "holds"
    assert 1e-8 < report.largest("wide") < 1e-3
