"""What the assertions say, and when."""

import re

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis.errors import FailedHealthCheck, Unsatisfiable
from support.planted_bugs import Flow, Masses, PaddedPool, Updates
from support.symmetries import jets
from torch import Tensor, nn

from hepml.errors import InputError
from hepml.symmetry import Lorentz, Permutation, check
from hepml.testing import assert_differentiable, assert_symmetric, particle_sets
from hepml.testing import jets as drawn_jets

BATCH = jets([3, 7, 1, 5], torch.Generator().manual_seed(1))


def test_a_symmetric_model_passes_and_gives_the_report():
    report = assert_symmetric(Masses(False), BATCH, "lorentz", strengths=[2.0])
    assert report.verdict == "holds"
    assert {point.weights for point in report.measurements} == {"given", "random"}


def test_the_message_names_symmetry_element_jet_outputs_and_error():
    with pytest.raises(AssertionError) as caught:
        assert_symmetric(Masses(True), BATCH, "lorentz", strengths=[2.0], weights="given")
    text = str(caught.value)
    assert text.startswith("Masses breaks 'lorentz'\n")
    number = r"-?[\d.]+(e[-+]\d+)?"
    match = re.search(rf"relative error ({number}), allowed 1e-10; rounding alone makes", text)
    assert 1e-3 < float(match[1]) < 100
    assert "measured in float64, with given weights, gamma = 2" in text
    assert re.search(rf"element: \[({number}, ){{3}}{number}; .*\]\n", text)
    jet, expected = re.search(r"jet (\d): expected \[(.*)\]", text).groups()
    got = re.search(r"got      \[(.*)\]", text)[1]
    with torch.no_grad():
        torch.manual_seed(0)
        assert 0 <= int(jet) < 4
    expected, got = (torch.tensor([float(x) for x in row.split(",")]) for row in (expected, got))
    assert expected.shape == got.shape == (2,)
    assert not torch.equal(expected, got)


def test_the_outputs_in_the_message_are_the_models():
    model = Masses(True).double()
    with pytest.raises(AssertionError) as caught:
        assert_symmetric(model, BATCH, "lorentz", strengths=[2.0], weights="given")
    jet, expected = re.search(r"jet (\d): expected \[(.*)\]", str(caught.value)).groups()
    with torch.no_grad():
        outputs = model(BATCH)[int(jet)]
    torch.testing.assert_close(
        torch.tensor([float(x) for x in expected.split(",")], dtype=torch.float64),
        outputs,
        rtol=1e-8,
        atol=0,
    )


def test_particles_are_named_where_outputs_are_theirs():
    def first_is_special(model, particles):
        return model(particles.p4 / 300) * torch.arange(len(particles.p4))[:, None]

    with pytest.raises(AssertionError, match=r"particle \d+: expected"):
        assert_symmetric(
            nn.Linear(4, 2), BATCH, Permutation(outputs="particles"), apply=first_is_special
        )


def test_a_tolerance_is_taken_at_its_word():
    options = {"strengths": [1000.0], "weights": "given"}
    assert_symmetric(Masses(False), BATCH, "lorentz", **options)
    with pytest.raises(AssertionError, match="allowed 1e-15"):
        assert_symmetric(Masses(False), BATCH, "lorentz", rtol=1e-15, **options)
    assert_symmetric(Masses(True), BATCH, "lorentz", rtol=1e9, **options)


def test_of_a_limit_the_smallest_strength_counts():
    assert_symmetric(Flow(1.0), BATCH, "soft emission", rtol=1e-4)
    with pytest.raises(AssertionError, match="energy fraction = 1e-06"):
        assert_symmetric(Flow(0.0), BATCH, "soft emission", rtol=1e-4)


def test_a_model_that_does_nothing_does_not_pass():
    def constant(particles):
        return particles.p4.new_ones(len(particles), 2)

    with pytest.raises(AssertionError, match=r"constant does nothing that could break 'lorentz'"):
        assert_symmetric(constant, BATCH, "lorentz")


def _masses(particles):
    p = torch.stack([jet.p4.sum(0) for jet in particles] or [particles.p4.new_zeros(4)])
    return (p.square() @ p.new_tensor([[1.0], [-1.0], [-1.0], [-1.0]]))[: len(particles)]


# Without shrinking: what fails is expected to.
DRAWS = settings(
    max_examples=6,
    deadline=None,
    database=None,
    derandomize=True,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate],
)


def test_hypothesis_leaves_out_what_is_blind():
    """As the first that it draws: several times the same particle."""
    options = {"strengths": [2.0], "elements": 1}

    @DRAWS
    @given(drawn_jets())
    def strictly(particles):
        assert_symmetric(_masses, particles, "lorentz", **options)

    with pytest.raises(AssertionError, match="does nothing that could break 'lorentz'"):
        strictly()
    seen = []

    @DRAWS
    @given(drawn_jets())
    def leniently(particles):
        assert_symmetric(_masses, particles, "lorentz", blind="leave out", **options)
        seen.append(particles)

    leniently()
    assert len(seen) >= 6

    @DRAWS
    @given(drawn_jets())
    def broken(particles):
        assert_symmetric(lambda x: x.p4[:, :1], particles, _boost, blind="leave out", **options)

    _boost = Lorentz()
    with pytest.raises(AssertionError, match="breaks 'lorentz'"):
        broken()


def test_it_fails_where_all_draws_are_blind():
    @DRAWS
    @given(drawn_jets())
    def blind(particles):
        ones = particles.p4.new_ones(len(particles), 1)
        assert_symmetric(lambda _: ones, particles, "lorentz", blind="leave out", elements=1)

    with pytest.raises((Unsatisfiable, FailedHealthCheck)):
        blind()
    # Outside of hypothesis there is no other draw.
    with pytest.raises(AssertionError, match="does nothing"):
        assert_symmetric(
            lambda x: x.p4.new_ones(len(x), 1), BATCH, "lorentz", blind="leave out", elements=1
        )


@pytest.mark.usefixtures("unchecked_types")
def test_what_to_do_with_blind_draws_is_spelt_right():
    with pytest.raises(InputError, match="blind: expected 'fail' or 'leave out', got 'skip'"):
        assert_symmetric(_masses, BATCH, "lorentz", blind="skip")


def test_every_batch_that_hypothesis_draws_can_be_measured():
    """Also the empty one, which has no rows to compare."""

    @DRAWS
    @given(particle_sets(min_sets=0))
    def measured(particles):
        check(_masses, particles, "rotation", elements=1)
        check(_masses, particles, "permutation", elements=1)

    measured()
    with pytest.raises(AssertionError, match="does nothing"):
        assert_symmetric(_masses, BATCH[:0], "permutation")


def test_elements_that_round_nothing():
    report = assert_symmetric(_masses, BATCH, "lorentz", elements="exact", rtol=1e-10)
    assert report.elements == "exact"


def test_covariant_outputs_and_other_precisions():
    symmetry = Lorentz(outputs="(1/2,1/2)")
    assert_symmetric(Updates(False), BATCH, symmetry, strengths=[2.0], dtypes="float32")
    with pytest.raises(AssertionError, match="measured in float32"):
        assert_symmetric(Updates(True), BATCH, symmetry, strengths=[2.0], dtypes="float32")


def test_seeds_choose_the_element():
    def message(seed):
        with pytest.raises(AssertionError) as caught:
            assert_symmetric(PaddedPool(True), BATCH, "rotation", seed=seed)
        return re.search("element: .*", str(caught.value))[0]

    assert message(1) == message(1) != message(2)


class _Square(torch.autograd.Function):
    """x², with a wrong factor in the first or in the second derivative."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.save_for_backward(x)
        ctx.factor = factor
        return x.square()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        if ctx.factor == "second":
            # The right value, outside the graph.
            x = x.detach()
        return grad * x * (1.0 if ctx.factor == "first" else 2.0), None


X = torch.tensor([0.3, -0.7], dtype=torch.float64)


def test_right_derivatives_pass():
    assert_differentiable(lambda x: _Square.apply(x, ""), X)
    assert_differentiable(lambda x, y: (x * y, x.sin()), X, X + 1)
    assert_differentiable(lambda x: _Square.apply(x, "second"), X, order=1)


@pytest.mark.parametrize(("factor", "order"), [("first", 1), ("second", 2)])
def test_wrong_derivatives_are_named_by_their_order(factor, order):
    with pytest.raises(AssertionError, match=f"derivative of order {order}: "):
        assert_differentiable(lambda x: _Square.apply(x, factor), X)


def test_an_infinite_derivative_is_placed():
    inputs = torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64)
    with pytest.raises(AssertionError, match=r"derivative by input 0 is inf at \[1\]"):
        assert_differentiable(Tensor.sqrt, inputs)


@pytest.mark.parametrize(("inputs", "order"), [((X.float(),), 2), ((X,), 3), ((), 1)])
def test_finite_differences_need_float64_and_an_order(inputs, order):
    with pytest.raises(InputError, match="expected 1 or 2, and one or more float64 tensors"):
        assert_differentiable(torch.sin, *inputs, order=order)
