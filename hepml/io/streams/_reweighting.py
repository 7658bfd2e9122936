"""Sets of each class weighted or drawn so that they have another spectrum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from hepml.errors import DataError, InputError
from hepml.io.chunks._set_values import SetValues

# A set counts at most so many times as much as the sets of its class on average: a bin with one set
# in a million must not decide what is learned.
LARGEST = 10.0

# Bins of one expression, and of each of two.
_BINS = {1: 20, 2: 10}
# Beyond these quantiles the bins at the ends are open.
_TAIL = 0.005


@dataclass(frozen=True)
class Reweighting:
    """How much a set of a class counts, by one or two numbers of the set.

    Parameters
    ----------
    expressions
        What these numbers are.
    edges
        The edges of the bins of each; what lies outside belongs to the first or the last bin.
    factors
        (classes, bins) or (classes, bins, bins): how much a set counts, 1 on the average of each
        class and at most 10.
    by
        "loss": its weight is multiplied; "sampling": it is taken with a probability in proportion,
        drawn anew in each epoch.
    mean_weight
        The mean of the weights of the sets, as they are delivered.
    acceptance
        The part of the sets that is taken in an epoch, on average: 1 unless they are drawn.
    empty
        How many bins of each class have no sets.
    limited
        How many bins of each class would need a larger factor than there is.
    """

    expressions: tuple[str, ...]
    edges: tuple[Any, ...]
    factors: Any
    by: Literal["loss", "sampling"]
    mean_weight: float = 1.0
    acceptance: float = 1.0
    empty: tuple[int, ...] = ()
    limited: tuple[int, ...] = ()

    def of(self, labels: Any, observers: Any) -> Any:
        """The factor of each set, from its class and from the numbers (sets, expressions).

        Sets that have no class or whose numbers are NaN get 1.
        """
        classes = np.zeros(len(observers), np.int64) if labels is None else labels
        known = (classes >= 0) & np.isfinite(observers).all(1)
        bins = binned(np.where(known[:, None], observers, 0.0), self.edges)
        return np.where(known, self.factors[(np.where(known, classes, 0), *bins)], 1.0)

    def of_chunk(self, labels: Any, observers: Mapping[str, Any], rows: Any) -> Any:
        """The factor of each set of a chunk."""
        columns = [
            np.asarray(observers[name], np.float64)[rows] for name in observers_of(self.expressions)
        ]
        return self.of(None if labels is None else labels.numpy(), np.stack(columns, 1))

    def probabilities(self, factors: Any) -> Any:
        """With which probability a set is taken that has this factor."""
        return factors / self.factors.max()


def observers_of(expressions: Sequence[str]) -> dict[str, str]:
    """Expressions of sets, by the names under which they are observed."""
    return {f"reweight {i}": text for i, text in enumerate(expressions)}


def binned(values: Any, edges: Sequence[Any]) -> tuple[Any, ...]:
    """The bin of each row of values in each of its columns; the bins at the ends are open."""
    return tuple(np.searchsorted(each[1:-1], values[:, i], "right") for i, each in enumerate(edges))


def reweighting(
    values: SetValues,
    expressions: Sequence[str],
    classes: Sequence[str],
    *,
    to: str = "flat",
    by: Literal["loss", "sampling"] = "sampling",
    bins: Sequence[int | Sequence[int | float]] = (),
) -> Reweighting:
    """What gives the sets of each class a flat spectrum, or that of one of the classes.

    Parameters
    ----------
    values
        Class, weight and numbers of the sets to learn from.
    expressions
        One or two expressions of sets.
    classes
        The names of the classes; none, where there are none.
    to
        "flat", constant between the first and the last edge; or the name of a class, whose spectrum
        all others then have.
    by
        See :class:`Reweighting`.
    bins
        For each expression the number of its bins, of equal width if they shall be flat, and with
        equally many sets of the class if there is one; or their edges. By default 20 of one
        expression, 10 of each of two.

    Raises
    ------
    InputError
        If these options make no sense.
    DataError
        If a number is not finite, or a class has no sets.
    """
    names = list(classes) or ["all"]
    if not 1 <= len(expressions) <= 2:
        raise InputError(
            "reweight",
            expected="one expression of jets, or two",
            got=f"{len(expressions)}",
            fix="choose those in which the spectra of the classes differ most",
        )
    if to != "flat" and to not in classes:
        raise InputError(
            "reweight_to",
            expected=f"flat, or a class: {', '.join(classes) or 'there are none'}",
            got=repr(to),
            fix="choose one of them",
        )
    # What is no class, or no weight, makes a set bad: whoever reads it for good decides.
    known = (values.labels >= 0) & np.isfinite(values.weights)
    labels, weights, numbers = (each[known] for each in values)
    wrong = ~np.isfinite(numbers).all(0)
    if wrong.any():
        column = int(wrong.argmax())
        lost = ~np.isfinite(numbers[:, column])
        raise DataError(
            f"reweight {expressions[column]!r}",
            expected="finite numbers",
            got=f"{int(lost.sum())} of {len(lost)} sets where it is NaN or infinite",
            fix=f"leave them out: cut: isfinite({expressions[column]})",
        )
    count = np.bincount(labels, minlength=len(names))
    if not count.all():
        raise DataError(
            "reweight",
            expected="sets of every class to learn from",
            got=f"none of {names[int(count.argmin())]}",
            fix="name files that hold them, or leave the class out of the columns",
        )
    reference = None if to == "flat" else list(classes).index(to)
    within = numbers if reference is None else numbers[labels == reference]
    edges = _edges(expressions, within, bins, even=reference is None)
    shape = (len(names), *(len(each) - 1 for each in edges))
    sums = np.zeros(shape)
    np.add.at(sums, (labels, *binned(numbers, edges)), weights)
    if reference is None:
        wanted = np.ones(shape[1:])
        for axis, each in enumerate(edges):
            wanted *= np.diff(each).reshape([-1 if axis == i else 1 for i in range(len(edges))])
    else:
        wanted = np.clip(sums[reference], 0, None)
    factors, limited = np.ones(shape), []
    for number, own in enumerate(sums):
        if number == reference:
            limited.append(0)
            continue
        factors[number] = _factors(own, wanted)
        limited.append(int((factors[number] >= LARGEST).sum()))
    empty = tuple(int((own <= 0).sum()) for own in sums)
    found = Reweighting(tuple(expressions), edges, factors, by, empty=empty, limited=tuple(limited))
    of_sets = found.of(labels, numbers)
    drawn = by == "sampling"
    return replace(
        found,
        mean_weight=_mean_weight(weights, of_sets, drawn=drawn),
        acceptance=float(found.probabilities(of_sets).mean()) if drawn else 1.0,
    )


def _mean_weight(weights: Any, factors: Any, *, drawn: bool) -> float:
    """The mean of the weights as they are delivered."""
    total = float((weights * factors).sum())
    if not total > 0:
        raise DataError(
            "weights",
            expected="a positive sum over all sets, reweighted",
            got=f"{total:g} over {len(weights)} sets",
            fix="weight the sets otherwise, or do not reweight them",
        )
    return total / float(factors.sum() if drawn else len(factors))


def _factors(own: Any, wanted: Any) -> Any:
    """What makes of a spectrum another, with the mean 1 over its sets and no larger than allowed.

    Bins without sets, or with weights that cancel, stay as they are.
    """
    there = own > 0
    share = np.where(there, own, 0.0) / own[there].sum()
    ratio = np.where(there, wanted, 0.0) / np.where(there, share, 1.0)
    if not ratio.any():
        return np.ones_like(ratio)
    low, high = 0.0, LARGEST / ratio[ratio > 0].min()
    # Of what is cut off at the largest factor the others get their share.
    for _ in range(100):
        scale = (low + high) / 2
        if (share * np.minimum(scale * ratio, LARGEST)).sum() > 1:
            high = scale
        else:
            low = scale
    return np.where(there, np.minimum(high * ratio, LARGEST), 1.0)


def _edges(
    expressions: Sequence[str],
    values: Any,
    bins: Sequence[int | Sequence[int | float]],
    *,
    even: bool,
) -> tuple[Any, ...]:
    """The edges of the bins of each expression."""
    chosen = list(bins) or [_BINS[len(expressions)]] * len(expressions)
    if len(chosen) == 1:
        chosen *= len(expressions)
    if len(chosen) != len(expressions):
        raise InputError(
            "reweight_bins",
            expected=f"bins for each of {len(expressions)} expressions, or the same for all",
            got=f"{len(chosen)}",
            fix="name them in the order of the expressions",
        )
    found = []
    for i, (text, each) in enumerate(zip(expressions, chosen, strict=True)):
        if isinstance(each, int):
            if each < 1:
                raise _no_bins(text, str(each))
            places = np.linspace(_TAIL, 1 - _TAIL, each + 1)
            edges = np.unique(np.quantile(values[:, i], places))
            if even and len(edges) > 1:
                edges = np.linspace(edges[0], edges[-1], each + 1)
            if len(edges) < 2:
                raise DataError(
                    f"reweight {text!r}",
                    expected="numbers that differ from set to set",
                    got=f"{values[0, i]:g} in nearly all of them",
                    fix="choose another expression",
                )
        else:
            edges = np.asarray(each, np.float64)
            if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
                raise _no_bins(text, f"{list(each)!r:.200}")
        found.append(edges)
    return tuple(found)


def _no_bins(expression: str, got: str) -> InputError:
    """The error of what are no bins."""
    return InputError(
        f"reweight_bins of {expression!r}",
        expected="a number of bins, or two edges or more that rise",
        got=got,
        fix="such as 20, or 500,550,600,650",
    )
