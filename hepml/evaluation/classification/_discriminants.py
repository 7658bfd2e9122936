"""Which classes are told from which, and by which score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from hepml.errors import InputError


@dataclass(frozen=True)
class Discriminant:
    """Two groups of classes that are to be told apart: signal and background.

    The score is the probability of the signal classes, given that it is one of the classes of
    the pair: ``p(signal) / (p(signal) + p(background))``. What is of other classes does not enter.

    Parameters
    ----------
    signal, background
        Names of classes, without a class in both.

    Examples
    --------
    >>> pair = Discriminant.parse("b/uds+g")
    >>> pair.background, str(pair)
    (('uds', 'g'), 'b/uds+g')
    """

    signal: tuple[str, ...]
    background: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Discriminant":
        """Read ``signal/background``, where ``+`` joins several classes.

        Raises
        ------
        InputError
            If there is not one slash, a name is missing or on both sides.
        """
        sides = [tuple(side.strip().split("+")) for side in text.split("/")]
        if len(sides) != 2 or not all(map(all, sides)) or set(sides[0]) & set(sides[1]):
            raise InputError(
                f"pair {text!r}",
                expected="signal/background, different classes joined by + on both sides",
                got=repr(text),
                fix="write for example b/uds+g",
            )
        return cls(*sides)

    def __str__(self) -> str:
        return f"{'+'.join(self.signal)}/{'+'.join(self.background)}"

    @property
    def title(self) -> str:
        """The pair in words for tables and figures; a long background is counted instead.

        Examples
        --------
        >>> Discriminant.parse("b/uds+g").title, Discriminant.parse("W/Z+t+H+qcd").title
        ('b against uds+g', 'W against 4 others')
        """
        names = "+".join(self.background)
        background = names if len(self.background) <= 3 else f"{len(self.background)} others"
        return f"{'+'.join(self.signal)} against {background}"

    def scores(
        self, probabilities: Float[np.ndarray, "rows classes"], class_names: Sequence[str]
    ) -> Float[np.ndarray, " rows"]:
        """The score of each row, given the probabilities of all classes.

        Raises
        ------
        InputError
            If a class of the pair is not among the names.
        """
        signal, background = self._columns(class_names)
        score: np.ndarray = probabilities[:, signal].sum(1)
        if len(signal) + len(background) == len(class_names):
            # The sum is one: dividing by its rounding would reorder the purest.
            return score
        total = score + probabilities[:, background].sum(1)
        # Neither side likely at all: undecided, not NaN.
        ratio: np.ndarray = np.divide(score, total, out=np.full_like(score, 0.5), where=total > 0)
        return ratio

    def is_signal(
        self, labels: Int[np.ndarray, " rows"], class_names: Sequence[str]
    ) -> tuple[Bool[np.ndarray, " rows"], Bool[np.ndarray, " rows"]]:
        """Which rows are signal, and which are signal or background."""
        signal, background = (np.isin(labels, side) for side in self._columns(class_names))
        return signal, signal | background

    def _columns(self, class_names: Sequence[str]) -> tuple[list[int], list[int]]:
        """The numbers of the classes of both sides."""
        names = list(class_names)
        if unknown := [name for name in (*self.signal, *self.background) if name not in names]:
            raise InputError(
                f"pair {self}",
                expected=f"classes among {', '.join(names)}",
                got=", ".join(unknown),
                fix="use the names of the classes the tagger was trained on",
            )
        return [names.index(name) for name in self.signal], [
            names.index(name) for name in self.background
        ]


def default_discriminants(class_names: Sequence[str]) -> list[Discriminant]:
    """The last of two classes against the first; of more classes, each against the rest.

    Examples
    --------
    >>> [str(pair) for pair in default_discriminants(["qcd", "top"])]
    ['top/qcd']
    """
    names = tuple(class_names)
    if len(names) == 2:
        return [Discriminant(names[1:], names[:1])]
    return [Discriminant((name,), tuple(n for n in names if n != name)) for name in names]
