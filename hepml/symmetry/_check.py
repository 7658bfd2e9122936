"""The measurement of a symmetry."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, Literal, NamedTuple, cast, get_args

import torch
from torch import Generator, nn

from hepml.errors import InputError
from hepml.symmetry._measure import (
    Comparison,
    Pool,
    Untransformed,
    exchanged,
    other_last_digits,
)
from hepml.symmetry._nested import first_tensor, in_precision
from hepml.symmetry._network import EXACT, Apply, Network, Outputs
from hepml.symmetry._precision import PRECISIONS, Precision, find_precisions
from hepml.symmetry._randomise import call, seeded
from hepml.symmetry._report import SymmetryReport
from hepml.symmetry._symmetry import Symmetry
from hepml.symmetry._table import find_symmetry

Weights = Literal["given", "random"]
# What is measured next: the precision, the strength, the element, the grid of its inputs if it
# rounds nothing, and random numbers.
_Step = tuple[Precision, float | None, Comparison, str | None, Generator]

# How many times the last digits of the inputs are changed.
_CHANGES = 4
# How many elements that round nothing are drawn at each strength.
_EXACT_ELEMENTS = 3


def check(
    model: Callable[..., Any],
    inputs: Any,
    symmetry: Symmetry | str,
    *,
    apply: Apply = call,
    strengths: Sequence[float | None] | None = None,
    dtypes: Sequence[str | torch.dtype] | str | torch.dtype = ("float64", "float32"),
    elements: int | Literal["exact"] = 2,
    draws: int = 2,
    weights: Sequence[Weights] | Weights = ("given", "random"),
    seed: int = 0,
    tolerance: float | None = None,
    on_step: Callable[[], object] | None = None,
) -> SymmetryReport:
    """Measure how far a function is from keeping a symmetry.

    For random elements g of the symmetry, the violation is ``|f(g x) - g f(x)|`` in units of what
    the function *does*: the spread of its outputs over the rows (sets, particles, ...), or their
    change when the inputs of the rows are exchanged, whichever is smaller; in each component, or in
    each irrep of outputs that transform.

    Parameters
    ----------
    model
        A module, or any function. A copy is measured, in evaluation mode: the model itself stays
        as it is.
    inputs
        What the symmetry acts on: for most a :class:`~hepml.data.ParticleSet` with several sets.
    symmetry
        A symmetry, or its name in :data:`SYMMETRIES`.
    apply
        How the model is applied: ``apply(model, inputs)`` must return one tensor (rows, ...). Here
        go the padding that a foreign network wants, and the choice among several outputs.
    strengths
        Of the elements; by default those of the symmetry.
    dtypes
        Precisions: "float64"; "wide", a float32 network on inputs in float64, if it takes them;
        "float32"; "bfloat16" (matrix products in mixed precision); and on a GPU "tf32". A function
        that is no module gets inputs of this precision; what weights it may hold stay as they are.
    elements
        How many random ones at each strength; or "exact" for three that round nothing, with momenta
        on a grid: boosts by powers of 2, turns of a cube, and their products. Then the violation is
        that of the function and its own arithmetic, apart from what rounding boosted momenta does.
    draws
        How many draws of random weights.
    weights
        "given" for those of the model, "random" for weights of order one, see :func:`randomise`.
    seed
        Of everything that is random here; the random numbers of the caller are not touched.
    tolerance
        What the verdict allows, instead of what each precision makes of it.
    on_step
        Called after each element in each precision with each draw of weights, for a progress bar.

    Returns
    -------
    :
        The violations and the verdict; ``print()`` it.

    Raises
    ------
    InputError
        If the symmetry does not know the inputs, if the outputs are not a tensor (or an array) of
        as many rows after the transformation, if they are not finite before it, if the model holds
        numbers of another precision than the inputs, if there are no exact elements, or if an
        argument is none of those above.

    Notes
    -----
    The violation is compared with what rounding does by itself to the outputs: of the transformed
    inputs, unless the symmetry rounds nothing, and of the last digits of the inputs as they are. Up
    to 100 times the larger of these, or below the tolerance (1e-10 in float64, 1e-3 in float32), it
    is no evidence against the symmetry; where this allows 0.1 or more, it is no evidence for it
    either. docs/symmetries.md says why, and which elements round nothing.

    References
    ----------
    Relative to the update, with random weights: the public LorentzNet code (arXiv:2201.08187)
    breaks its symmetry by 1e-16 at its initialisation, and by 1e-2 with weights of order one.

    Examples
    --------
    >>> from hepml.symmetry import random_jets
    >>> def masses(jets):
    ...     p4 = torch.stack([jet.p4.sum(0) for jet in jets])
    ...     return (p4.square() @ torch.tensor([[1.], [-1.], [-1.], [-1.]]).to(p4)).abs().sqrt()
    >>> check(masses, random_jets(8), "lorentz", strengths=[2.0]).verdict
    'holds'
    >>> check(lambda jets: masses(jets).clamp(max=50.) + jets.p4[:8, :1], random_jets(8),
    ...       "lorentz", strengths=[2.0]).verdict
    'broken'
    >>> report = check(masses, random_jets(8), "lorentz", strengths=[128.0], elements="exact")
    >>> report.verdict, report.largest() < 1e-10
    ('holds', True)
    """
    symmetry = find_symmetry(symmetry)
    exact = elements == "exact"
    chosen = symmetry.strengths if strengths is None else strengths
    if exact and strengths is None:
        chosen = symmetry.exact_strengths or chosen
    strengths = tuple(None if strength is None else float(strength) for strength in chosen)
    if exact and not symmetry.exact:
        # Several may have the same neighbour.
        strengths = tuple(dict.fromkeys(map(symmetry.exact_strength, strengths)))
    times = _EXACT_ELEMENTS if elements == "exact" else elements
    kinds = cast(list[Weights], [weights] if isinstance(weights, str) else list(weights))
    _check_arguments(times, draws, strengths, kinds)
    precisions = find_precisions(dtypes, first_tensor(inputs).device)
    if not _has_weights(model):
        # There is nothing to draw.
        kinds = ["given"]
    x = in_precision(in_precision(inputs, precisions[-1].inputs), torch.float64)
    pools: dict[tuple[Weights, Precision, float | None], Pool] = {}
    devices = [tensor.device for tensor in [first_tensor(inputs)] if tensor.is_cuda]
    with torch.random.fork_rng(devices), torch.no_grad():
        for kind, draw in ((k, d) for k in kinds for d in range(draws if k == "random" else 1)):
            torch.manual_seed(seed)
            network = Network(model, apply)
            if kind == "random":
                network.randomise(seeded(seed, 0, draw), x)
            _check_finite(network(EXACT, x), kind)
            seen = _as_it_calculates(precisions, network)
            for key in product([kind], seen, strengths):
                pools.setdefault(key, Pool())
            task = _Task(symmetry, network, x, seen, strengths, times, seed)
            for precision, strength, comparison, grid, noise in (
                task.exact() if exact and not symmetry.exact else task.random()
            ):
                pools[kind, precision, strength].add(comparison(precision, noise), draw, grid)
                if on_step is not None:
                    on_step()
    claims = getattr(model, "claims", None)
    return SymmetryReport(
        model=getattr(model, "__name__", type(model).__name__),
        symmetry=symmetry,
        measurements=tuple(
            pool.measurement(kind, precision, strength, tolerance)
            for (kind, precision, strength), pool in pools.items()
        ),
        claimed=None if claims is None else symmetry.name in claims,
        elements="exact" if exact else "random",
    )


class _Task(NamedTuple):
    """One network, and what it is to be measured with."""

    symmetry: Symmetry
    network: Network
    inputs: Any
    precisions: Sequence[Precision]
    strengths: Sequence[float | None]
    times: int
    seed: int

    def random(self) -> Iterator[_Step]:
        """Random elements on the inputs as they are, in each precision."""
        before = _untransformed(self.network, self.inputs, self.precisions, self.seed, _CHANGES)
        for strength, number in product(self.strengths, range(self.times)):
            # The same random numbers at each strength: so a power law is one.
            drawn = seeded(self.seed, 1, number)
            element = self.symmetry.element(self.inputs, strength, drawn)
            comparison = Comparison(self.symmetry, element, self.network, self.inputs, before)
            for precision in self.precisions:
                yield precision, strength, comparison, None, seeded(self.seed, 2, number)

    def exact(self) -> Iterator[_Step]:
        """Elements that round nothing, on inputs of the grid that each precision has for them."""
        held = self.network.held(self.symmetry)
        for strength, number in product(self.strengths, range(self.times)):
            for dtype in dict.fromkeys(precision.inputs for precision in self.precisions):
                precisions = [each for each in self.precisions if each.inputs == dtype]
                drawn = seeded(self.seed, 1, number)
                exactly = self.symmetry.exactly(self.inputs, held, strength, dtype, drawn)
                network = self.network.with_references(exactly.references)
                # The inputs are exact: other last digits of them explain nothing.
                before = _untransformed(network, exactly.inputs, precisions, self.seed, 0)
                comparison = Comparison(
                    *(self.symmetry, exactly.element, network, exactly.inputs, before),
                    exactly.images,
                )
                for precision in precisions:
                    noise = seeded(self.seed, 2, number)
                    yield precision, strength, comparison, exactly.grid, noise


def _as_it_calculates(precisions: Sequence[Precision], network: Network) -> list[Precision]:
    """The precisions; float32 in the place of float64 for a network that calculates in it."""
    if network.computes == torch.float64:
        return list(precisions)
    return list(dict.fromkeys(PRECISIONS["float32"] if p == EXACT else p for p in precisions))


def _check_arguments(
    elements: Any, draws: int, strengths: Sequence[float | None], kinds: Sequence[str]
) -> None:
    """Refuse what leaves nothing to measure."""
    if not isinstance(elements, int) or isinstance(elements, bool):
        raise InputError(
            "elements",
            expected="how many, or 'exact'",
            got=repr(elements),
            fix="leave it out for two random ones at each strength",
        )
    if any(strength is not None and not math.isfinite(strength) for strength in strengths):
        raise InputError(
            "strengths",
            expected="finite numbers, such as Lorentz factors",
            got=repr(list(strengths)),
            fix="leave infinite ones and NaN out",
        )
    for name, value in (("elements", elements), ("draws", draws), ("strengths", len(strengths))):
        if value < 1:
            raise InputError(name, expected="one or more", got=str(value), fix="ask for one")
    if not kinds or not {*kinds} <= {*get_args(Weights)}:
        raise InputError(
            "weights",
            expected=" or ".join(map(repr, get_args(Weights))),
            got=", ".join(map(repr, kinds)) or "none",
            fix="choose one or both",
        )


def _untransformed(
    network: Network, x: Any, precisions: Sequence[Precision], seed: int, changes: int
) -> Untransformed:
    """The outputs for the inputs as they are, and with the changes to compare with."""
    plain, other_digits = {EXACT: network(EXACT, x)}, {}
    for precision in precisions:
        plain[precision] = network(precision, x)
        rounded = in_precision(x, precision.inputs)
        other_digits[precision] = [
            network(precision, other_last_digits(rounded, seeded(seed, 3, i)))
            for i in range(changes)
        ]
    return Untransformed(plain, other_digits, network(EXACT, exchanged(x)))


def _check_finite(outputs: Outputs, kind: str) -> None:
    """Refuse to compare with nan and infinity."""
    bad = (~outputs.flatten(1).isfinite()).any(1).nonzero()
    if len(bad):
        row = int(bad[0])
        raise InputError(
            f"outputs of the model with {kind} weights",
            expected="finite numbers for the inputs as they are",
            got=f"{outputs[row].flatten().tolist()[:8]} in row {row}",
            fix="leave out these inputs, or repair the model",
        )


def _has_weights(model: object) -> bool:
    """Whether there are weights to draw."""
    return isinstance(model, nn.Module) and next(model.parameters(), None) is not None
