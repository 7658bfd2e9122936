"""Pythia as a source of arrays, and what is said when it is missing or refuses."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from hepml.datasets.jets import _pythia
from hepml.datasets.jets._pythia import Generator, final_particles, required
from hepml.datasets.jets._top_tagging import QCD, TOPS
from hepml.errors import InputError, MissingDependencyError


def test_a_missing_package_gives_the_install_command(monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(_pythia, "import_module", absent)
    with pytest.raises(MissingDependencyError, match="pip install pythia8mc fastjet"):
        required("pythia8mc")
    assert issubclass(MissingDependencyError, ImportError)


@pytest.mark.slow
def test_importing_the_package_imports_neither():
    script = "import sys, hepml.datasets; print({'pythia8mc', 'fastjet'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


@pytest.fixture
def pythia8():
    return pytest.importorskip("pythia8mc", reason="needs pythia8mc")


@pytest.mark.usefixtures("pythia8")
def test_a_refused_setting_is_named(capfd):
    with pytest.raises(InputError, match=r"Pythia setting 'Top:gg2ttba = on'"):
        Generator(["Top:gg2ttba = on"], seed=1)
    capfd.readouterr()


@pytest.mark.usefixtures("pythia8")
def test_settings_that_cannot_start_are_an_error(capfd):
    with pytest.raises(InputError, match="expected an initialisation without errors"):
        Generator(["Beams:idA = 2212", "Beams:eCM = 1."], seed=1)
    capfd.readouterr()


@pytest.mark.slow
@pytest.mark.usefixtures("pythia8")
def test_events_conserve_momentum_and_charge_and_name_their_mothers():
    generator = Generator(TOPS.settings, seed=5)
    events = generator.batch(20)
    assert generator.accepted == 20
    # Hadronic top pairs in leading order, in mb.
    assert 1e-7 < generator.cross_section < 1e-6
    assert len(events) == 20

    final = events.status > 0
    for component, expected in ((0, 14_000), (1, 0), (2, 0), (3, 0)):
        sums = np.bincount(events.event[final], events.p4[final, component])
        np.testing.assert_allclose(sums, expected, atol=0.05)
    particles = final_particles(events)
    np.testing.assert_array_equal(np.bincount(particles.event, particles.charge), 2)
    assert not np.isin(np.abs(particles.pid), (12, 14, 16)).any()

    # The quarks of a W decay are children of a W, of the same event.
    quarks = (events.status == -23) & (np.abs(events.pid) < 5)
    assert set(np.abs(events.pid[events.mother[quarks]])) == {24}
    np.testing.assert_array_equal(events.event[events.mother[quarks]], events.event[quarks])
    # The table keeps what flies more than 10 mm stable: K0S and Lambda.
    assert {310, 3122} <= set(np.abs(particles.pid))
    assert 111 not in particles.pid


@pytest.mark.slow
@pytest.mark.usefixtures("pythia8")
def test_the_seed_alone_decides_about_the_events():
    first, again, other = (Generator(QCD.settings, seed=s).batch(3) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.p4, again.p4)
    assert not np.array_equal(first.p4[:50], other.p4[:50])


@pytest.mark.slow
@pytest.mark.usefixtures("pythia8")
def test_a_veto_ends_what_is_too_soft():
    veto = replace(QCD.veto, early_pt=600.0, late_pt=0.0)
    hooks = veto.hooks()
    looked_at = []
    early = hooks.early
    hooks.early = lambda event: looked_at.append(early(event)) or looked_at[-1]
    generator = Generator([*QCD.settings, "PhaseSpace:pTHatMin = 500."], seed=3, hooks=hooks)
    generator.batch(20)
    kept = sum(pt >= 600 for pt in looked_at)
    assert 20 == generator.accepted <= kept < len(looked_at)
