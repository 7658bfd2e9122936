"""Reports of symmetries that are made up."""

from hepml.symmetry import Lorentz, Measurement, SymmetryReport, Worst

WORST = Worst(2, "[1, 0]", (1.0, 2.0), (1.5, 2.0), 0)


def measured(largest, *, precision="float64", strength=None, rounding=0.0, weights="given", **more):
    values = {"median": largest / 4, "quantile90": largest / 2, "blind": False, "worst": WORST}
    tolerance = {"float64": 1e-10, "float32": 1e-3}[precision]
    return Measurement(
        weights,
        precision,
        strength,
        largest=largest,
        rounding=rounding,
        tolerance=tolerance,
        **(values | more),
    )


def report_of(*points, symmetry=None, claimed=None):
    return SymmetryReport("Model", symmetry or Lorentz(), points, claimed)
