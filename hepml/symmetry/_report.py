"""What was measured of a symmetry, and what follows from it."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import linear_regression
from typing import Any, Literal

from hepml.symmetry._symmetry import Symmetry
from hepml.tables import aligned

Verdict = Literal["holds", "imprecise", "broken", "undecided", "blind"]

# How many times the effect of rounding a violation may be before rounding does not explain it: a
# calculation rounds many times, the comparison once.
ROUNDINGS = 100.0
# A violation of a tenth of what the network does is one, whatever rounding does.
_MEANINGLESS = 0.1
# Of a violation that falls to zero, as a power of the strength.
_SMALLEST_EXPONENT = 0.3


@dataclass(frozen=True)
class Worst:
    """Where the largest violation was: strength, element, set and output.

    Attributes
    ----------
    row
        The number of the output's row: of the set, or of the particle.
    element
        The element of the symmetry.
    expected, got
        The outputs: those of the inputs as they are, transformed; and those of the transformed.
    draw
        The number of the draw of weights.
    """

    row: int
    element: str
    expected: tuple[float | complex, ...]
    got: tuple[float | complex, ...]
    draw: int


@dataclass(frozen=True)
class Measurement:
    """The violations at one strength, in one precision, over jets, elements and draws of weights.

    Attributes
    ----------
    weights
        "given" or "random".
    precision
        "float64", "wide", "float32", "tf32" or "bfloat16".
    strength
        That of the elements; None for a symmetry without.
    largest, median, quantile90
        Of the violations, relative to what the function does, see :func:`check`.
    rounding
        The largest change of an output that rounding makes: that of rounding the transformed inputs
        to this precision, calculated in float64; and that of other last digits of the inputs before
        the transformation, calculated in this precision.
    tolerance
        What the verdict allows at least.
    blind
        Whether the outputs do not vary, so that no violation could be seen.
    worst
        The place of the largest violation.
    exact
        Whether the elements round nothing, so that no rounding of the inputs hides a violation.
    grid
        What the momenta were rounded to for this, in words.
    """

    weights: str
    precision: str
    strength: float | None
    largest: float
    median: float
    quantile90: float
    rounding: float
    tolerance: float
    blind: bool
    worst: Worst
    exact: bool = False
    grid: str = ""

    @property
    def allowed(self) -> float:
        """The largest violation that rounding explains, or that nobody would notice."""
        return max(self.tolerance, ROUNDINGS * self.rounding)

    @property
    def verdict(self) -> Verdict:
        """ "holds" or "broken"; "undecided" where rounding would hide any violation; or "blind"."""
        if self.blind:
            return "blind"
        # Not a number is no number that is allowed.
        if not self.largest <= self.allowed:
            return "broken"
        seen = self.allowed < _MEANINGLESS or (self.exact and self.largest <= self.tolerance)
        return "holds" if seen else "undecided"


@dataclass(frozen=True)
class SymmetryReport:
    """How well a function keeps a symmetry: the result of :func:`check`.

    Attributes
    ----------
    model
        The name of the function.
    symmetry
        The symmetry.
    measurements
        One for each kind of weights, precision and strength, in this order.
    claimed
        Whether the model claims the symmetry; None where that is not known.
    elements
        "random", or "exact" for such as round nothing: then a violation is due to the function and
        its arithmetic alone, and `rounding` is what the last digits of the inputs would have done.
    """

    model: str
    symmetry: Symmetry
    measurements: tuple[Measurement, ...]
    claimed: bool | None = None
    elements: Literal["random", "exact"] = "random"

    @property
    def verdict(self) -> Verdict:
        """What the measurements say together.

        * "broken": in the highest precision there is a violation that rounding does not explain;
          for a symmetry of a limit, one that does not fall to zero.
        * "imprecise": in that precision it holds, but in a lower one the network loses more digits
          than rounding its inputs costs.
        * "holds": neither, and there was at least one measurement that would have seen a violation.
        * "undecided": no such measurement; measure in float64, or at a smaller strength. Also
          where only such elements were measured as round nothing, and they are few: the turns of a
          cube, of all rotations. Measure random ones as well.
        * "blind": the outputs do not vary, or not more than rounding.
        """
        highest = self.measurements[0].precision
        verdicts = self._verdicts()
        if any(verdict == "broken" and p == highest for (_, p), verdict in verdicts.items()):
            return "broken"
        found = set(verdicts.values())
        if "broken" in found:
            return "imprecise"
        order: tuple[Verdict, ...] = ("holds", "undecided", "blind")
        return next(verdict for verdict in order if verdict in found)

    def _verdicts(self) -> dict[tuple[str, str], Verdict]:
        """The verdict for each kind of weights and precision."""
        verdicts = {key: self._verdict(points) for key, points in self.curves().items()}
        if self._of_few_elements:
            # What keeps these may break others.
            return {key: "undecided" if v == "holds" else v for key, v in verdicts.items()}
        return verdicts

    @property
    def _of_few_elements(self) -> bool:
        """Whether the elements that were measured are a small part of the group."""
        few = not (self.symmetry.exact or self.symmetry.exact_elements_suffice)
        return self.elements == "exact" and few

    def _verdict(self, points: Sequence[Measurement]) -> Verdict:
        """The verdict of measurements at several strengths."""
        if self.symmetry.vanishing:
            last = min(points, key=lambda point: point.strength or 0.0)
            # Infinite: fewer than two points to compare, so that nothing was seen to fall.
            falls = _SMALLEST_EXPONENT < _slope(points, "largest") < math.inf
            if last.verdict == "broken" and falls:
                return "holds"
            return last.verdict
        order: tuple[Verdict, ...] = ("broken", "holds", "undecided", "blind")
        found = {point.verdict for point in points}
        return next(verdict for verdict in order if verdict in found)

    def curves(self) -> dict[tuple[str, str], list[Measurement]]:
        """The measurements of each kind of weights and precision, against strength."""
        curves: dict[tuple[str, str], list[Measurement]] = {}
        for point in self.measurements:
            curves.setdefault((point.weights, point.precision), []).append(point)
        return curves

    def largest(self, precision: str = "float64", strength: float | None = None) -> float:
        """The largest violation in a precision, at one strength or at all; nan if not measured."""
        return max(
            (
                point.largest
                for point in self.measurements
                if point.precision == precision and strength in (None, point.strength)
            ),
            default=math.nan,
        )

    @property
    def exponent(self) -> float:
        """The power of the strength with which the median violation falls, in float64 if measured.

        The smallest over the kinds of weights; infinite where nothing is left above rounding.
        """
        highest = self.measurements[0].precision
        curves = self.curves().items()
        return min(_slope(points, "median") for (_, p), points in curves if p == highest)

    @property
    def worst(self) -> Measurement:
        """The measurement that fits the symmetry least: most above what is allowed."""
        return max(self.measurements, key=lambda point: _nan_last(point.largest / point.allowed))

    def __str__(self) -> str:
        claimed = {None: "", True: ", claimed", False: ", not claimed"}[self.claimed]
        lines = [f"{self.symmetry.name} of {self.model}{claimed}: {self.verdict}"]
        if self.symmetry.vanishing:
            lines[0] += f" (violation falls with the power {self.exponent:.2g})"
        if self.elements == "exact":
            lines[0] += " (elements that round nothing" + (
                ", which are few: measure random ones as well)" if self._of_few_elements else ")"
            )
        rows = [
            [
                *("weights", "precision", self.symmetry.strength_name or "strength"),
                *("largest", "90 %", "median", "rounding", "verdict"),
                *(["momenta of"] if any(point.grid for point in self.measurements) else []),
            ]
        ]
        for point in self.measurements:
            figures = (point.largest, point.quantile90, point.median, point.rounding)
            strength = "" if point.strength is None else f"{point.strength:g}"
            rows.append(
                [point.weights, point.precision, strength]
                + [f"{figure:.1e}" for figure in figures]
                # Of a limit, the violation at one strength alone says nothing.
                + ["" if self.symmetry.vanishing else point.verdict]
                + ([point.grid] if len(rows[0]) > 8 else [])
            )
        return "\n".join([*lines, *(f"  {line}" for line in aligned(rows))])

    def print(self) -> None:
        """Print the table of all measurements."""
        print(self)

    def to_dict(self) -> dict[str, Any]:
        """All of it in plain types; numbers that are not finite become text."""
        return {
            "model": self.model,
            "symmetry": self.symmetry.name,
            "strength": self.symmetry.strength_name,
            "claimed": self.claimed,
            "elements": self.elements,
            "verdict": self.verdict,
            "exponent": _plain(self.exponent) if self.symmetry.vanishing else None,
            "measurements": [
                _plain(asdict(point)) | {"verdict": point.verdict} for point in self.measurements
            ],
        }

    def to_json(self) -> str:
        """The content of :meth:`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def plot(self) -> Any:
        """A matplotlib figure: violation against strength, one line for each precision."""
        from hepml.symmetry._plot import violation_figure

        return violation_figure(self)


def _slope(points: Sequence[Measurement], quantity: Literal["largest", "median"]) -> float:
    """The slope of ln(quantity) over ln(strength) at the three smallest resolved strengths."""
    resolved = sorted(
        (math.log(point.strength), math.log(getattr(point, quantity)))
        for point in points
        if point.strength and getattr(point, quantity) > point.allowed
    )[:3]
    if len(resolved) < 2:
        return math.inf
    x, y = zip(*resolved, strict=True)
    return linear_regression(x, y).slope


def _nan_last(value: float) -> float:
    """The value, with nan above everything."""
    return math.inf if math.isnan(value) else value


def _plain(value: Any) -> Any:
    """A value that JSON holds: complex numbers, infinity and nan as text."""
    if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
