"""Layers that learn more slowly than others, or not at all."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from hepml.errors import InputError


@dataclass(frozen=True)
class Layers:
    """Which layers of a network are frozen, and which learn more slowly, by their names.

    Parameters
    ----------
    frozen
        Names or patterns of modules and weights, as in ``"levels.*"``: their weights stay, and the
        modules are in evaluation mode: batch norms keep their statistics, nothing is dropped out.
    slower
        The factor of the learning rate for names or patterns; the last one that matches counts.
    """

    frozen: Sequence[str] = ()
    slower: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for pattern, factor in self.slower.items():
            if not 0 < factor < math.inf:
                raise InputError(
                    f"slower {pattern!r}",
                    expected="a positive factor of the learning rate",
                    got=str(factor),
                    fix="such as 0.1; freeze keeps weights as they are",
                )

    def freeze(self, model: nn.Module) -> None:
        """Let the frozen weights of a network need no gradient.

        Raises
        ------
        InputError
            If a name or pattern matches nothing, or no weight is left to learn.
        """
        names = [name for name, _ in model.named_parameters()]
        for option, patterns in (("freeze", self.frozen), ("slower", self.slower)):
            for pattern in patterns:
                if not any(_matches(name, pattern) for name in names):
                    known = dict.fromkeys(name.partition(".")[0] for name in names)
                    raise InputError(
                        option,
                        expected=f"names of layers, or patterns: {', '.join(known)}",
                        got=repr(pattern),
                        fix="name a layer, one inside another as in levels.0, or a pattern",
                    )
        for name, weight in model.named_parameters():
            if any(_matches(name, pattern) for pattern in self.frozen):
                weight.requires_grad_(False)
        if not any(weight.requires_grad for weight in model.parameters()):
            raise InputError(
                "freeze",
                expected="weights that are left to learn",
                got=f"all of {', '.join(self.frozen)}",
                fix="freeze less",
            )

    def hold(self, model: nn.Module) -> None:
        """Put the frozen modules of a network in evaluation mode."""
        for name, module in model.named_modules():
            if name and any(_matches(name, pattern) for pattern in self.frozen):
                module.eval()

    def groups(
        self, model: nn.Module, groups: Iterable[Mapping[str, Any]], learning_rate: float
    ) -> list[dict[str, Any]]:
        """Groups of weights as optimisers take them, those that learn more slowly apart."""
        names = {id(weight): name for name, weight in model.named_parameters()}
        found: list[dict[str, Any]] = []
        for group in groups:
            by_factor: dict[float, list[Any]] = {}
            for weight in group["params"]:
                if weight.requires_grad:
                    by_factor.setdefault(self._factor(names.get(id(weight), "")), []).append(weight)
            rate = group.get("lr", learning_rate)
            found += [
                {**group, "params": weights} | ({} if factor == 1 else {"lr": factor * rate})
                for factor, weights in by_factor.items()
            ]
        return found

    def _factor(self, name: str) -> float:
        """That of the learning rate of a weight."""
        fitting = [f for pattern, f in self.slower.items() if _matches(name, pattern)]
        return fitting[-1] if fitting else 1.0


def _matches(name: str, pattern: str) -> bool:
    """Whether a weight or module is the one of this name, or inside of it."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")
