"""The measurement of a symmetry."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from jaxtyping import Float64
from torch import Generator, Tensor, nn

from hepml.errors import InputError
from hepml.symmetry._measure import (
    EXACT,
    Apply,
    Comparison,
    Network,
    Pool,
    Untransformed,
    exchanged,
    other_last_digits,
)
from hepml.symmetry._precision import Precision, find_precisions
from hepml.symmetry._randomise import call
from hepml.symmetry._report import SymmetryReport
from hepml.symmetry._symmetry import Symmetry
from hepml.symmetry._table import find_symmetry
from hepml.symmetry._tree import first_tensor, in_precision

Weights = Literal["given", "random"]

# How many times the last digits of the inputs are changed.
_CHANGES = 4


def check(
    model: Callable[..., Any],
    inputs: Any,
    symmetry: Symmetry | str,
    *,
    apply: Apply = call,
    strengths: Sequence[float | None] | None = None,
    dtypes: Sequence[str | torch.dtype] | str | torch.dtype = ("float64", "float32"),
    elements: int = 2,
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
        How many at each strength.
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
        If the symmetry does not know the inputs, if the outputs are not a tensor of as many rows
        after the transformation, if they are not finite before it, or if an argument is none of
        those above.

    Notes
    -----
    The verdict has to be right where rounding is not negligible: boosted by gamma = 1000, a pion of
    100 GeV has E/m = 10^6, and float32 keeps nothing of its mass. No network can give the same
    there, however exact. So the violation is compared with what rounding does by itself: the change
    of the outputs, calculated in float64, when the *transformed inputs* are rounded to the
    precision (in float64: when their last digits are changed at random), unless the symmetry rounds
    nothing; and the change of the outputs in that precision when the last digits of the inputs as
    they are change at random, of each row the smallest in four attempts. A
    violation of up to 100 times the larger of these, or below the tolerance (1e-10 in float64, 1e-3
    in float32), is no evidence against the symmetry; where this allows 0.1 or more, it is no
    evidence for it either.

    Why not the spread alone: sets differ in how many particles they have. A network whose outputs
    say this and little else has a spread, but one that no Lorentz transformation could change.
    Exchanging particles (by half of their number along the batch) leaves the numbers as they are.

    The inputs are first rounded to the lowest precision that is asked for, so that all see the
    same.

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
    """
    symmetry = find_symmetry(symmetry)
    chosen = symmetry.strengths if strengths is None else strengths
    strengths = tuple(None if strength is None else float(strength) for strength in chosen)
    kinds = cast(list[Weights], [weights] if isinstance(weights, str) else list(weights))
    _check_arguments(elements, draws, strengths, kinds)
    precisions = find_precisions(dtypes, first_tensor(inputs).device)
    if not _has_weights(model):
        # There is nothing to draw.
        kinds = ["given"]
    x = in_precision(in_precision(inputs, precisions[-1].inputs), torch.float64)
    pools = {key: Pool() for key in product(kinds, precisions, strengths)}
    devices = [tensor.device for tensor in [first_tensor(inputs)] if tensor.is_cuda]
    with torch.random.fork_rng(devices), torch.no_grad():
        for kind, draw in ((k, d) for k in kinds for d in range(draws if k == "random" else 1)):
            torch.manual_seed(seed)
            network = Network(model, apply)
            if kind == "random":
                network.randomise(_generator(seed, 0, draw), x)
            before = _untransformed(network, x, precisions, seed)
            _check_finite(before.plain[EXACT], kind)
            for strength, number in product(strengths, range(elements)):
                # The same random numbers at each strength: so a power law is one.
                element = symmetry.element(x, strength, _generator(seed, 1, number))
                compare = Comparison(symmetry, element, network, x, before)
                for precision in precisions:
                    noise = _generator(seed, 2, number)
                    pools[kind, precision, strength].add(compare(precision, noise), draw)
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
    )


def _check_arguments(
    elements: int, draws: int, strengths: Sequence[float | None], kinds: Sequence[str]
) -> None:
    """Refuse what leaves nothing to measure."""
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
    network: Network, x: Any, precisions: Sequence[Precision], seed: int
) -> Untransformed:
    """The outputs for the inputs as they are, and with the changes to compare with."""
    plain, other_digits = {EXACT: network(EXACT, x)}, {}
    for precision in precisions:
        plain[precision] = network(precision, x)
        rounded = in_precision(x, precision.inputs)
        other_digits[precision] = [
            network(precision, other_last_digits(rounded, _generator(seed, 3, i)))
            for i in range(_CHANGES)
        ]
    return Untransformed(plain, other_digits, network(EXACT, exchanged(x)))


def _check_finite(outputs: Float64[Tensor, "rows *components"], kind: str) -> None:
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


def _generator(*numbers: int) -> Generator:
    """Random numbers that depend on these numbers alone."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return Generator().manual_seed(int(state[0]) >> 1)
