"""The first layer of a network whose output breaks a symmetry."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn

from hepml.errors import InputError
from hepml.symmetry._exact import Exactly
from hepml.symmetry._nested import first_tensor, in_precision
from hepml.symmetry._network import Apply, Network
from hepml.symmetry._randomise import call, seeded
from hepml.symmetry._readings import Fit, best_fit, in_place
from hepml.symmetry._recording import Event, record, tensors_of
from hepml.symmetry._symmetry import Symmetry
from hepml.symmetry._table import find_symmetry
from hepml.symmetry._trace_report import Layer, Trace


def trace(
    model: nn.Module,
    inputs: Any,
    symmetry: Symmetry | str,
    *,
    apply: Apply = call,
    strength: float | None = None,
    weights: Literal["given", "random"] = "random",
    elements: int = 4,
    seed: int = 0,
    tolerance: float = 1e-6,
) -> Trace:
    """Find the first layer of a network whose output breaks a symmetry.

    All tensors that go into modules and come out of them are compared, for the inputs as they are
    and for their images under an element of the symmetry, in float64. Nobody says how a tensor
    inside of a network transforms; so it is compared with what the symmetry may make of it:

    * invariant, component by component;
    * under Lorentz transformations and rotations: four-vectors or vectors along the last axis, and
      the irreps that a module says of itself (``irreps_in`` and ``irreps_out``; of e3nn the norms);
      four-vectors in the rest frame of their set, which only turn: energies and lengths;
    * under permutations: the same rows in another order, also padded, in pairs or channels first;
      in batches of other sets: rows that were there before;
    * of images: moved pixels; of motion: turned vectors, or the other sign;
    * as the outputs, and as the inputs that were given.

    Parameters
    ----------
    model
        A module; a copy is run.
    inputs, symmetry, apply, seed
        As for :func:`check`.
    strength
        Of the elements; by default the second smallest of the symmetry.
    weights
        "random" for weights of order one, since a bug may hide behind small ones.
    elements
        How many are tried until one breaks the outputs; every second one rounds nothing, where the
        symmetry has such.
    tolerance
        How far a tensor may be from a reading, in units of the spread of its components.

    Returns
    -------
    :
        The place, and a line for each layer; ``print()`` it.

    Raises
    ------
    InputError
        If the model is no module, or if the symmetry is about a limit.

    Notes
    -----
    A layer that fits no reading and is right may transform in a way that is none of these: then it
    is named, and what is named has to be looked at. A tensor that happens to fit a reading that is
    not meant is taken for right.

    What a function does between two layers belongs to the module that calls them: if a tensor is
    broken when it goes into a layer, it is the caller that is named.

    References
    ----------
    Tests of equivariance, layer by layer: those of e3nn (M. Geiger, T. Smidt, arXiv:2207.09453) and
    escnn (G. Cesa, L. Lang, M. Weiler, ICLR 2022).

    Examples
    --------
    >>> from hepml.symmetry import random_jets
    >>> class Network(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.embed = nn.Linear(4, 3)
    ...     def forward(self, jets):
    ...         return torch.stack([self.embed(jet.p4 / 100).sum(0) for jet in jets])
    >>> trace(Network(), random_jets(3), "lorentz").first
    'embed'
    """
    symmetry = find_symmetry(symmetry)
    _check(model, symmetry)
    if strength is None:
        strength = sorted(symmetry.strengths, key=lambda each: each or 0.0)[:2][-1]
    x = in_precision(inputs, torch.float64)
    devices = [tensor.device for tensor in [first_tensor(inputs)] if tensor.is_cuda]
    with torch.random.fork_rng(devices), torch.no_grad():
        torch.manual_seed(seed)
        network = Network(model, apply)
        if weights == "random" and next(model.parameters(), None) is not None:
            network.randomise(seeded(seed, 0, 0), x)
        for number in range(elements):
            # Those that round nothing are not all: every second one is random.
            exact = symmetry.has_exact_elements and not symmetry.exact and number % 2 == 0
            drawn = _element(symmetry, network, x, strength, seeded(seed, 1, number), exact)
            found = _traced(symmetry, network, drawn, tolerance)
            if found.first is not None:
                break
    return found


def _check(model: object, symmetry: Symmetry) -> None:
    """Refuse what has no layers, or no layer that could be right or wrong by itself."""
    if not isinstance(model, nn.Module):
        raise InputError(
            "model",
            expected="a torch.nn.Module, whose layers can be watched",
            got=type(model).__name__,
            fix="make a module of it; check() takes any function",
        )
    if symmetry.vanishing:
        raise InputError(
            f"symmetry {symmetry.name!r}",
            expected="one that holds for every tensor in the network",
            got="one about the limit of the outputs",
            fix="measure it with check()",
        )


def _traced(symmetry: Symmetry, network: Network, exactly: Exactly, tolerance: float) -> Trace:
    """The trace of one element."""
    network = network.with_references(exactly.references)
    references = symmetry.act_on_references(exactly.element, network.model)
    before, outputs = record(network, exactly.inputs, {})
    after, images = record(network, exactly.images, references)
    expected = symmetry.act_on_outputs(exactly.element, outputs)
    final = in_place(expected.flatten(1), images.flatten(1), 1)
    given = list(zip(*map(tensors_of, (exactly.inputs, exactly.images)), strict=False))
    fits = []
    for one, other in zip(before, after, strict=False):
        if one[:2] != other[:2]:
            break
        fits.append(_fit(symmetry, exactly.element, one, other, given))
    kinds = {name: type(module).__name__ for name, module in network.model.named_modules()}
    first, where = None, f"the outputs fit, to {final:.1e}"
    if not final <= tolerance:
        first, where = _place(before, fits, tolerance, kinds)
    return Trace(
        model=kinds[""],
        symmetry=symmetry,
        element=symmetry.describe(exactly.element),
        layers=tuple(_layers(before, fits, kinds)),
        violation=final,
        tolerance=tolerance,
        first=first,
        where=where,
    )


def _element(
    symmetry: Symmetry,
    network: Network,
    x: Any,
    strength: float | None,
    generator: Generator,
    exact: bool,
) -> Exactly:
    """An element and its images; one that rounds nothing, or a random one."""
    if exact:
        held = network.held(symmetry)
        at = symmetry.exact_strength(strength)
        return symmetry.exactly(x, held, at, torch.float64, generator)
    element = symmetry.element(x, strength, generator)
    return Exactly(element, x, symmetry.act(element, x), {}, "")


def _fit(
    symmetry: Symmetry,
    element: Any,
    before: Event,
    after: Event,
    given: Sequence[tuple[Tensor, Tensor]],
) -> Fit | None:
    """The readings of all tensors of an event, and the largest violation; None without tensors."""
    if len(before.tensors) != len(after.tensors):
        return Fit("another number of tensors", torch.inf)
    fits = []
    for one, other in zip(before.tensors, after.tensors, strict=True):
        if any(torch.equal(one, x) and torch.equal(other, image) for x, image in given):
            fits.append(Fit("as the inputs", 0.0))
        else:
            fits.append(best_fit(symmetry, element, one, other, before.irreps))
    if not fits:
        return None
    readings = dict.fromkeys(fit.reading for fit in fits)
    return Fit(", ".join(readings), max(fit.violation for fit in fits))


def _place(
    events: Sequence[Event],
    fits: Sequence[Fit | None],
    tolerance: float,
    kinds: Mapping[str, str],
) -> tuple[str, str]:
    """The module in whose calculation the first tensor arises that fits nothing; in words."""

    def label(name: str) -> str:
        return f"{name} ({kinds[name]})" if name else f"the code of {kinds[name]} itself"

    def sound(fit: Fit | None) -> bool:
        return fit is None or fit.violation <= tolerance

    # Of a module whose output fits, what it does inside is its own matter.
    ends = [(e.module, fit) for e, fit in zip(events, fits, strict=False) if e.going == "out"]
    excused = {name for name, fit in ends if fit is not None}
    excused -= {name for name, fit in ends if not sound(fit)}
    for event, fit in zip(events, fits, strict=False):
        inside = event.module if event.going == "in" else event.caller
        if sound(fit) or any(_within(inside, name) for name in excused):
            continue
        if event.going == "out":
            return event.module, f"{label(event.module)} is the first whose output breaks it"
        if event.caller is None:
            return "apply", f"broken before {label(event.module)} is called, in `apply`"
        return event.caller, f"{label(event.caller)} breaks it, before {label(event.module)}"
    if len(fits) < len(events):
        event = events[len(fits)]
        name = event.module if event.caller is None else event.caller
        return name, f"{label(name)} calls other layers for the transformed inputs"
    return "apply", "broken after the last layer, in `apply`"


def _within(name: str | None, module: str) -> bool:
    """Whether a module is this one or one of its layers; the whole network has no say."""
    return name is not None and module != "" and f"{name}.".startswith(f"{module}.")


def _layers(
    events: Sequence[Event], fits: Sequence[Fit | None], kinds: Mapping[str, str]
) -> Iterator[Layer]:
    """A line for each call that was compared."""
    entered: list[Fit | None] = []
    for event, fit in zip(events, fits, strict=False):
        if event.going == "in":
            entered.append(fit)
        else:
            yield Layer(event.module, kinds[event.module], entered.pop(), fit)
