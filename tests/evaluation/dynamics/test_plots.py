import pytest
import torch
from support.motion import energy, oscillators

from hepml.evaluation import (
    energy_figure,
    error_figure,
    evaluate_dynamics,
    phase_figure,
    trajectories_figure,
)
from hepml.figures import save_figure
from hepml.nn import CentralHamiltonian, SeparableHamiltonian
from hepml.solvers import RK4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "shape"),
    [(SeparableHamiltonian(1, (4,)), (1, 1)), (CentralHamiltonian(2, (4,)), (3, 2))],
    ids=["line", "plane"],
)
def test_figures(tmp_path, model, shape):
    torch.manual_seed(0)
    data = oscillators(20, bodies=shape[0], space=shape[1])
    found = evaluate_dynamics(model, data, energy, solver=RK4())
    testing = data[15:]
    figures = {
        "phase": phase_figure(model, testing, found),
        "energy": energy_figure(found),
        "error": error_figure(found),
        "trajectories": trajectories_figure(testing, found),
    }
    paths = save_figure(figures["phase"], tmp_path / "phase")
    assert [path.suffix for path in paths] == [".png", ".pdf"]
    lines = figures["energy"].axes[0].get_lines()
    # Of each of four trajectories the truth and the prediction, and two for the legend.
    assert len(lines) == 10
    torch.testing.assert_close(torch.from_numpy(lines[1].get_ydata()), found.energies[0])
    panels = [axes for axes in figures["trajectories"].axes if axes.axison]
    assert len(panels) == 4
    path = panels[1].get_lines()[1]
    assert path.get_xdata()[-1] == (found.t[-1] if shape == (1, 1) else found.q[1, -1, 0, 0])
    # Level sets, and trajectories where the plane is the whole of phase space.
    phase = figures["phase"].axes[0]
    assert len(phase.collections) == 1
    assert len(phase.get_lines()) == (8 if shape == (1, 1) else 0)
