"""RAdam with lookahead: slow weights that follow the fast ones at intervals."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

# Steps between two synchronisations, and how far the slow weights go: within the range in which
# the paper finds that they matter little (section 4 and figure 8).
_STEPS, _FRACTION = 6, 0.5


class LookaheadRAdam(torch.optim.RAdam):
    """RAdam whose weights are drawn back to a slow copy after every six steps.

    ``slow <- slow + (weights - slow) / 2`` and ``weights <- slow``. The slow weights are a part of
    the optimiser's state of each weight, as its moments are, which are kept at a synchronisation.

    Notes
    -----
    The weight decay is decoupled, as in AdamW.

    References
    ----------
    L. Liu et al., "On the variance of the adaptive learning rate and beyond", arXiv:1908.03265.
    M. Zhang, J. Lucas, G. Hinton, J. Ba, "Lookahead optimizer: k steps forward, 1 step back",
    arXiv:1907.08610, algorithm 1.
    """

    def __init__(self, weights: Any, lr: float, weight_decay: float) -> None:
        super().__init__(weights, lr=lr, weight_decay=weight_decay, decoupled_weight_decay=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """A step of RAdam and, after every sixth, one of the slow weights."""
        weights: list[Tensor] = [p for group in self.param_groups for p in group["params"]]
        begun = {p: p.clone() for p in weights if p not in self.state}
        loss = super().step(cast(Any, closure))
        for weight in weights:
            state = self.state.get(weight)
            if state is None:
                continue
            if "slow" not in state:
                state["slow"] = begun[weight]
            if int(state["step"]) % _STEPS == 0:
                state["slow"].lerp_(weight, _FRACTION)
                weight.copy_(state["slow"])
        return loss
