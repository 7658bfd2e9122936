"""What is known of sets without their particles: class, weight and observers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hepml.io.chunks._assemble import labels_of
from hepml.io.chunks._binding import Bound
from hepml.io.chunks._chunk import columns_of_sets, mask_of_sets, passing_among
from hepml.io.chunks._faults import Faults
from hepml.io.chunks._observers import sets_apart
from hepml.io.chunks._rows import Rows, offsets_of
from hepml.io.expressions._steps import Expression
from hepml.io.streams._picks import Pick


class SetValues(NamedTuple):
    """Numbers of some sets: the class (-1 is none), the weight, and what the columns observe."""

    labels: Any
    weights: Any
    observers: Any


def set_values(bound: Bound, start: int, stop: int, pick: Pick) -> SetValues:
    """The numbers of the sets that are picked of those that pass the cut in a range of entries.

    Without classes all sets are of class 0, without weights each counts 1. Particles are read only
    where an expression reduces over them.
    """
    needed = [*_of_classes(bound), *bound.observers.values()]
    if bound.weights is not None:
        needed.append(bound.weights)
    sets, chosen = _chosen(bound, needed, start, stop, pick)
    labels, classes = labels_of(bound, sets, Faults()), len(bound.columns.class_names)
    if labels is None:
        labels, classes = np.zeros(sets.size, np.int64), 1
    labels = np.where((labels >= 0) & (labels < classes), labels, -1)
    weights = np.ones(sets.size) if bound.weights is None else sets.evaluate(bound.weights)
    observed = np.empty((sets.size, len(bound.observers)))
    for i, expression in enumerate(bound.observers.values()):
        observed[:, i] = sets.evaluate(expression)
    return SetValues(labels[chosen], np.asarray(weights, np.float64)[chosen], observed[chosen])


def finite_weights(bound: Bound, start: int, stop: int, pick: Pick) -> Any:
    """The weights of the sets that are picked of those that pass, without what is not finite.

    Particles are read only for weights or a cut that reduce over them.
    """
    assert bound.weights is not None
    sets, chosen = _chosen(bound, [bound.weights], start, stop, pick)
    weights = np.asarray(sets.evaluate(bound.weights), np.float64)[chosen]
    return weights[np.isfinite(weights)]


def classes_of(bound: Bound, start: int, stop: int, pick: Pick) -> set[int]:
    """The classes of the sets that are picked of those that pass, of which there are some.

    What is no class is left out. Particles are read only for labels or a cut that reduce over them.
    """
    if bound.file_label is not None:
        return {bound.file_label}
    sets, chosen = _chosen(bound, _of_classes(bound), start, stop, pick)
    labels = labels_of(bound, sets, Faults())
    if labels is None:
        return set()
    return {*np.unique(labels[chosen]).tolist()} & {*range(len(bound.columns.class_names))}


def _of_classes(bound: Bound) -> list[Expression]:
    """What decides the class of a set."""
    return [each for each in (bound.label, *bound.classes.values()) if each is not None]


def _chosen(
    bound: Bound, expressions: Sequence[Expression], start: int, stop: int, pick: Pick
) -> tuple[Rows, Any]:
    """The sets of a range of entries, for these expressions, and which of them are picked.

    Entries in which columns have lists of different lengths are left out.
    """
    cut = [] if bound.cut is None else [bound.cut]
    columns = columns_of_sets(bound, [*expressions, *cut], start, stop)
    passed = pick(passing_among(bound, columns, start, stop, Faults()))
    sets, equal = sets_apart(bound, expressions, columns, start, stop)
    bounds = None if bound.jets is None else offsets_of(columns[bound.jets])
    return sets, passed[mask_of_sets(equal, bounds)]
