"""Figures of dynamics: phase portraits, energies, trajectories."""

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn

from hepml.data import Trajectories
from hepml.evaluation.dynamics._evaluation import DynamicsEvaluation
from hepml.figures import PALETTE, new_figure, style
from hepml.models import Dynamics

_SHOWN = 4
_GRID = 120
_LEVELS = 14


def phase_figure(model: nn.Module, testing: Trajectories, found: DynamicsEvaluation) -> Figure:
    """Level sets of the learned H in the plane of the first coordinate and its momentum.

    Parameters
    ----------
    model
        A network with an H.
    testing
        The trajectories that were predicted.
    found
        Their predictions.

    Notes
    -----
    All other coordinates and momenta are those at the beginning of the first trajectory. Where
    there are none, trajectories are drawn, too: they follow the level sets.
    """
    dtype = next(model.parameters()).dtype
    with style():
        figure, (axes,) = new_figure()
        size = 1.25 * torch.stack([testing.q[..., 0, 0], testing.p[..., 0, 0]]).abs().amax((1, 2))
        lines = [torch.linspace(-float(s), float(s), _GRID, dtype=dtype) for s in size]
        q, p = (x.flatten() for x in torch.meshgrid(*lines, indexing="xy"))
        states = [x[:1, 0].to(dtype).expand(len(q), -1, -1).clone() for x in (testing.q, testing.p)]
        for state, values in zip(states, (q, p), strict=True):
            state[:, 0, 0] = values
        with torch.no_grad():
            energy = Dynamics(model).energy(*states).reshape(_GRID, _GRID)
        drawn = axes.contour(*lines, energy, levels=_LEVELS, cmap="Blues_r", linewidths=1.5)
        figure.colorbar(drawn, ax=axes, pad=0.03, aspect=25).set_label("Learned H + constant")
        if testing.q[0, 0].numel() == 1:
            _draw_pairs(axes, testing.q, testing.p, found.q, found.p, found)
        axes.set_xlabel(r"$q_1$")
        axes.set_ylabel(r"$p_1$")
    return figure


def energy_figure(found: DynamicsEvaluation) -> Figure:
    """The true energy against time along predicted trajectories, and along the true ones."""
    with style():
        figure, (axes,) = new_figure()
        for number, colour in zip(_chosen(found), PALETTE, strict=False):
            axes.plot(found.t, found.true_energies[number], color=colour, linestyle=":")
            axes.plot(found.t, found.energies[number], color=colour)
        axes.plot([], [], color="0.3", linestyle=":", label="true trajectory")
        axes.plot([], [], color="0.3", label="predicted trajectory")
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.25 * (high - low))
        axes.set_xlim(0, float(found.t[-1]))
        axes.set_xlabel("Time")
        axes.set_ylabel("Energy")
        axes.legend(loc="upper right")
    return figure


def error_figure(found: DynamicsEvaluation) -> Figure:
    """The difference of predicted and true states against time: median and 68 % of all."""
    with style():
        figure, (axes,) = new_figure()
        low, median, high = (each[1:] for each in found.error)
        (line,) = axes.plot(found.t[1:], median, label="median")
        axes.fill_between(
            found.t[1:], low, high, color=line.get_color(), alpha=0.25, linewidth=0, label="68 %"
        )
        axes.set_yscale("log")
        axes.set_xlim(0, float(found.t[-1]))
        axes.set_xlabel("Time")
        axes.set_ylabel("Root mean square error of q and p")
        axes.legend(loc="lower right")
    return figure


def trajectories_figure(testing: Trajectories, found: DynamicsEvaluation) -> Figure:
    """Predicted trajectories on the true ones: in the plane of x and y, or q against time."""
    flat = testing.q.shape[-1] == 1
    with style():
        chosen = _chosen(found)
        columns = 2 if len(chosen) > 1 else 1
        figure, panels = new_figure(columns, -(-len(chosen) // columns), width=7.0, height=6.5)
        for number, axes in zip(chosen, panels, strict=False):
            for body in range(testing.q.shape[2]):
                truth, path = testing.q[number, :, body], found.q[number, :, body]
                pairs = [(found.t, x[:, 0]) if flat else (x[:, 0], x[:, 1]) for x in (truth, path)]
                axes.plot(*pairs[0], color="0.6", linewidth=5, label=None if body else "truth")
                axes.plot(*pairs[1], color=PALETTE[body % len(PALETTE)], linewidth=2)
            axes.set_xlabel("Time" if flat else "x")
            axes.set_ylabel("q" if flat else "y")
            if not flat:
                axes.set_aspect("equal", adjustable="datalim")
        panels[0].plot([], [], color=PALETTE[0], linewidth=2, label="prediction")
        panels[0].legend(loc="upper right", fontsize="small")
        for axes in panels[len(chosen) :]:
            axes.set_axis_off()
    return figure


def _chosen(found: DynamicsEvaluation) -> list[int]:
    """The first trajectories that could be followed to the end."""
    return [int(n) for n in (~found.stopped).nonzero().flatten()[:_SHOWN]]


def _draw_pairs(
    axes: Axes,
    q: torch.Tensor,
    p: torch.Tensor,
    found_q: torch.Tensor,
    found_p: torch.Tensor,
    found: DynamicsEvaluation,
) -> None:
    """True and predicted trajectories in phase space."""
    for place, number in enumerate(_chosen(found)):
        truth = (q[number, :, 0, 0], p[number, :, 0, 0])
        path = (found_q[number, :, 0, 0], found_p[number, :, 0, 0])
        axes.plot(*truth, color="0.6", linewidth=5, label=None if place else "true trajectory")
        axes.plot(*path, color=PALETTE[1], label=None if place else "predicted trajectory")
    axes.legend(loc="upper right", fontsize="small")
