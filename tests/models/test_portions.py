"""Networks that keep all pairs take a batch in portions, or refuse it before they take memory."""

import pytest
import torch
from support.symmetries import jets

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.models import LorentzCG, MessagePassing, RestFrame, _portions

NETWORKS = [
    pytest.param(lambda: LorentzCG(channels=[2, 3]), id="LorentzCG"),
    pytest.param(lambda: MessagePassing(adjacency="learned", width=8), id="learned"),
    pytest.param(lambda: MessagePassing(adjacency="nearest", width=8), id="nearest"),
    pytest.param(lambda: RestFrame(channels=3, beams=True), id="RestFrame"),
]


def small_portions(monkeypatch, model):
    """The number of particles of each portion, from now on."""
    monkeypatch.setattr(_portions, "_PORTION", 8_000)
    seen, logits = [], model._logits

    def counted(particles):
        seen.append(particles.p4.shape[0])
        return logits(particles)

    monkeypatch.setattr(model, "_logits", counted)
    return seen


@pytest.mark.parametrize("make", NETWORKS)
def test_portions_give_what_all_give_at_once(monkeypatch, make):
    model = make().double().eval()
    particles = jets([3, 7, 0, 5, 4, 20, 6, 0], torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = model(particles)
        seen = small_portions(monkeypatch, model)
        result = model(particles)
    assert len(seen) > 1
    assert sum(seen) == 45
    torch.testing.assert_close(result, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("make", NETWORKS)
def test_what_learns_stays_together(monkeypatch, make):
    model = make().double()
    seen = small_portions(monkeypatch, model)
    particles = jets([3, 7, 0, 5], torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.train()(particles)
    model.eval()(particles).sum().backward()
    assert seen == [15, 15]


@pytest.mark.parametrize("make", NETWORKS)
def test_one_set_beyond_memory_is_refused_before_memory_is_taken(make):
    # Their pairs are 2.5e11.
    number = 500_000
    p4 = torch.ones(1, 4).expand(number, 4)
    particles = ParticleSet(p4, torch.tensor([0, number]))
    model = make().eval()
    message = r"on 1 sets of 500000 particles: expected what fits into the memory that is free"
    with torch.no_grad(), pytest.raises(InputError, match=message):
        model(particles)
    with pytest.raises(InputError, match=message):
        model(particles)


def test_a_learning_network_says_how_to_score(monkeypatch):
    monkeypatch.setattr("hepml.ops._memory._available", lambda: 10**9)
    particles = ParticleSet(torch.ones(1, 4).expand(60_000, 4), torch.tensor([0, 30_000, 60_000]))
    with pytest.raises(InputError, match=r"score with model.eval\(\) under torch.no_grad\(\)"):
        LorentzCG()(particles)
