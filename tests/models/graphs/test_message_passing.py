"""Message passing agrees with its equations, particle by particle."""

import pytest
import torch
import vector
from support.symmetries import jets, randomise
from torch import Tensor

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.models import MessagePassing
from hepml.nn import JetKinematics


def _adjacency(model: MessagePassing, jet: ParticleSet, h: Tensor) -> Tensor:
    """The matrix A of one set."""
    size = len(h)
    if model.adjacency == "full":
        return (1 - torch.eye(size, dtype=torch.float64)) / (size - 1)
    if model.adjacency == "learned":
        assert model.a is not None
        score = model.a.query(h) @ model.a.key(h).T / model.a.key.out_features**0.5
        return score.masked_fill(torch.eye(size, dtype=torch.bool), -torch.inf).softmax(1)
    p = [vector.obj(E=energy, px=px, py=py, pz=pz) for energy, px, py, pz in jet.p4.tolist()]
    matrix = torch.zeros(size, size, dtype=torch.float64)
    for i in range(size):
        near = sorted((j for j in range(size) if j != i), key=lambda j, i=i: p[i].deltaR(p[j]))
        matrix[i, near[: model.neighbours]] = 1 / len(near[: model.neighbours])
    return matrix


@pytest.mark.parametrize("adjacency", ["full", "nearest", "learned"])
def test_the_network_agrees_with_its_equations(adjacency: str) -> None:
    generator = torch.Generator().manual_seed(1)
    model = MessagePassing(features=1, width=6, steps=3, adjacency=adjacency, neighbours=2)
    randomise(model.double(), generator)
    particles = jets([4, 2, 5], generator, features=1)
    with torch.no_grad():
        logits = model(particles)
        for row, jet in zip(logits, particles, strict=True):
            inputs = torch.cat([JetKinematics()(jet.p4, jet.offsets), jet.features], dim=1)
            h = model.embedding(inputs).tanh()
            for _ in range(3):
                a, message = _adjacency(model, jet, h), model.f(h)
                received = torch.stack(
                    [
                        sum((a[i, j] * message[j]).relu() for j in range(len(h)) if a[i, j] > 0)
                        for i in range(len(h))
                    ]
                )
                h = model.gru(received, h)
            expected = model.readout.f(model.readout.phi(h).sum(0))
            torch.testing.assert_close(row, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("adjacency", ["full", "nearest", "learned"])
def test_the_messages_matter(adjacency: str) -> None:
    generator = torch.Generator().manual_seed(1)
    model = MessagePassing(width=6, adjacency=adjacency, neighbours=2)
    randomise(model.double(), generator)
    particles = jets([4], generator)
    before = model(particles)
    with torch.no_grad():
        model.gru.weight_ih.zero_()
    assert not torch.allclose(model(particles), before, rtol=1e-3)


def test_a_particle_alone_receives_nothing() -> None:
    generator = torch.Generator().manual_seed(1)
    (jet,) = jets([1], generator)
    full = MessagePassing(width=6).double()
    for adjacency in ("nearest", "learned"):
        model = MessagePassing(width=6, adjacency=adjacency).double()
        model.load_state_dict(full.state_dict(), strict=False)
        torch.testing.assert_close(model(jet), full(jet), rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("unchecked_types")
def test_an_unknown_adjacency_is_refused() -> None:
    with pytest.raises(InputError, match="expected 'full' or 'nearest' or 'learned'"):
        MessagePassing(adjacency="fully")
