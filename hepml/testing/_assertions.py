"""Assertions about symmetries and derivatives, with messages that lead to the place."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.symmetry import Measurement, Symmetry, SymmetryReport, check, find_symmetry

_MOST_NUMBERS = 8


def _call(model: Any, inputs: Any) -> Any:
    """``model(inputs)``."""
    return model(inputs)


def assert_symmetric(
    model: Callable[..., Any],
    inputs: Any,
    symmetry: Symmetry | str,
    *,
    rtol: float | None = None,
    apply: Callable[[Any, Any], Tensor] = _call,
    strengths: Sequence[float | None] | None = None,
    dtypes: Sequence[str | torch.dtype] | str | torch.dtype = "float64",
    elements: int | Literal["exact"] = 2,
    draws: int = 2,
    weights: Sequence[str] | str = ("given", "random"),
    seed: int = 0,
    blind: Literal["fail", "leave out"] = "fail",
) -> SymmetryReport:
    """Fail unless a function keeps a symmetry.

    Parameters
    ----------
    model, inputs, symmetry, apply, strengths, dtypes, elements, draws, weights, seed
        As for :func:`hepml.symmetry.check`.
    rtol
        The largest violation that is allowed, relative to what the function does; of a symmetry
        that is about a limit, at the smallest strength. Without, the verdict of the report decides,
        which knows what rounding does.
    blind
        What becomes of inputs whose outputs do not vary, so that nothing can be seen: "fail"; or,
        in a test by hypothesis, "leave out" for another draw, as by ``assume``. Hypothesis fails
        if it finds none, or hardly any, that are not blind.

    Returns
    -------
    :
        What was measured.

    Raises
    ------
    AssertionError
        If the symmetry is broken, or if nothing could be seen because the outputs do not vary and
        such inputs are not left out; outside of hypothesis they cannot be. The
        message names symmetry, element, row, both outputs and the relative error.

    Examples
    --------
    >>> from hepml.models import ParticleFlow
    >>> from hepml.symmetry import random_jets
    >>> assert_symmetric(ParticleFlow(), random_jets(4), "permutation").verdict
    'holds'

    With jets that hypothesis draws, some of which have one particle only::

        @given(jets())
        def test_my_network(particles):
            assert_symmetric(MyNetwork(), particles, "permutation", blind="leave out")
    """
    symmetry = find_symmetry(symmetry)
    if blind not in ("fail", "leave out"):
        raise InputError(
            "blind", expected="'fail' or 'leave out'", got=repr(blind), fix="choose one of these"
        )
    report = check(
        model,
        inputs,
        symmetry,
        apply=apply,
        strengths=strengths,
        dtypes=dtypes,
        elements=elements,
        draws=draws,
        weights=weights,  # type: ignore[arg-type]
        seed=seed,
        tolerance=rtol,
    )
    if report.verdict == "blind":
        if blind == "leave out" and _drawn_by_hypothesis():
            from hypothesis import reject

            reject()
        raise AssertionError(
            f"{report.model} does nothing that could break {symmetry.name!r}: its outputs for "
            "different inputs are the same. Give it other inputs or weights."
        )
    if rtol is None and report.verdict == "undecided":
        raise AssertionError(
            f"{report.model}: rounding alone would hide any violation of {symmetry.name!r}. "
            "Measure in float64, at a smaller strength, or give rtol."
        )
    points = report.measurements
    if rtol is not None:
        if symmetry.vanishing:
            smallest = min(point.strength or 0.0 for point in points)
            points = tuple(point for point in points if point.strength == smallest)
        wrong = [point for point in points if not point.largest <= rtol]
    else:
        wrong = [report.worst] if report.verdict in ("broken", "imprecise") else []
    if wrong:
        # Also the worst is inf where an output is not a number.
        worst = max(wrong, key=lambda point: point.largest)
        raise AssertionError(_message(report, worst, isinstance(inputs, ParticleSet)))
    return report


def _drawn_by_hypothesis() -> bool:
    """Whether a test by hypothesis runs, which can draw again."""
    if "hypothesis" not in sys.modules:
        return False
    from hypothesis import currently_in_test_context

    return currently_in_test_context()


def _message(report: SymmetryReport, point: Measurement, jets: bool) -> str:
    """What is wrong, and where."""
    symmetry, worst = report.symmetry, point.worst
    strength = ""
    if point.strength is not None:
        strength = f", {symmetry.strength_name} = {point.strength:g}"
    rows = "particle" if getattr(symmetry, "outputs", None) == "particles" else "jet"
    return "\n".join(
        [
            f"{report.model} breaks {symmetry.name!r}",
            f"  relative error {point.largest:.3g}, allowed {point.tolerance:.3g}; rounding alone "
            f"makes {point.rounding:.1g}",
            f"  measured in {point.precision}, with {point.weights} weights{strength}",
            f"  element: {worst.element}",
            f"  {rows if jets else 'row'} {worst.row}: expected {_numbers(worst.expected)}",
            f"  {'':{len(rows if jets else 'row') + len(str(worst.row))}}  got      "
            f"{_numbers(worst.got)}",
        ]
    )


def _numbers(values: Sequence[float | complex]) -> str:
    """The first numbers of an output, with enough digits to see the difference."""
    shown = ", ".join(f"{value:.9g}" for value in values[:_MOST_NUMBERS])
    return f"[{shown}{', ...' if len(values) > _MOST_NUMBERS else ''}]"


def assert_differentiable(
    function: Callable[..., Any],
    *inputs: Tensor,
    order: int = 2,
    rtol: float = 1e-3,
    atol: float = 1e-5,
) -> None:
    """Fail unless the derivatives of a function are finite and those of finite differences.

    Parameters
    ----------
    function
        Of tensors, to a tensor or several.
    inputs
        Where to differentiate: float64 tensors, away from kinks.
    order
        1 for the gradient, 2 for the gradient of the gradient as well.
    rtol, atol
        What may differ from finite differences.

    Raises
    ------
    AssertionError
        If a derivative is not finite or differs; the message tells its order, and what differs.
    InputError
        If the inputs are not float64, or the order not 1 or 2.

    Notes
    -----
    A wrong backward of a kernel passes every test of values. Hamiltonian networks and gradient
    penalties differentiate twice.

    Examples
    --------
    >>> assert_differentiable(torch.sin, torch.tensor([0.1, 0.7], dtype=torch.float64))
    """
    if order not in (1, 2) or any(x.dtype != torch.float64 for x in inputs) or not inputs:
        raise InputError(
            "order, inputs",
            expected="1 or 2, and one or more float64 tensors",
            got=f"{order}, and {', '.join(str(x.dtype) for x in inputs) or 'none'}",
            fix="convert with .double(): finite differences need the digits",
        )
    variables = tuple(x.detach().clone().requires_grad_() for x in inputs)
    outputs = function(*variables)
    total = sum(out.sum() for out in (outputs if isinstance(outputs, tuple) else (outputs,)))
    gradients = torch.autograd.grad(total, variables, allow_unused=True)
    for number, gradient in enumerate(gradients):
        if gradient is not None and not bool(gradient.isfinite().all()):
            place = (~gradient.isfinite()).nonzero()[0].tolist()
            raise AssertionError(
                f"the derivative by input {number} is {float(gradient[tuple(place)])} at {place}, "
                f"where the input is {float(inputs[number][tuple(place)]):.9g}"
            )
    for derivative, test in ((1, gradcheck), (2, gradgradcheck))[:order]:
        try:
            test(function, variables, rtol=rtol, atol=atol)
        except (RuntimeError, ValueError) as error:
            raise AssertionError(f"derivative of order {derivative}: {error}") from error
