"""Every layer and model, through the same checks: the contract of :mod:`cases`."""

import io
import json

import pytest
import torch
import torch._dynamo
from cases import CASES, Case
from symmetries import (
    DEGENERATE,
    SYMMETRIES,
    all_degenerate,
    degenerate,
    jets,
    randomise,
    spread,
    violation,
)
from torch import Generator, Tensor, nn

from hepml.data import ParticleSet
from hepml.models import MODELS

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def _generator(seed: int = 1) -> Generator:
    return torch.Generator().manual_seed(seed)


def _model(case: Case, seed: int = 1) -> nn.Module:
    return randomise(case.build().double().eval(), _generator(seed))


def _jets(case: Case, seed: int = 2) -> ParticleSet:
    return jets([3, 7, 1, 5, 4, 2, 6], _generator(seed), features=case.features)


def _differentiable(particles: ParticleSet) -> tuple[ParticleSet, Tensor]:
    p4 = particles.p4.clone().requires_grad_()
    return particles.with_p4(p4), p4


@every_case
@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_claimed_symmetries_hold(case: Case, symmetry: str) -> None:
    if symmetry not in case.claims:
        return
    for seed in range(3):
        model, particles = _model(case, seed), _jets(case, seed)
        assert violation(case.apply, model, particles, symmetry, _generator(seed)) < 1e-10


@every_case
def test_a_set_among_others_has_the_outputs_of_the_set_alone(case: Case) -> None:
    model, particles = _model(case), _jets(case)
    with torch.no_grad():
        together = case.apply(model, particles)
        alone = torch.cat([case.apply(model, one) for one in particles])
        turned = case.apply(model, particles[[6, 5, 4, 3, 2, 1, 0]])
        turned_alone = torch.cat([case.apply(model, one) for one in list(particles)[::-1]])
    assert float(((together - alone).abs() / spread(together)).max()) < 1e-10
    assert float(((turned - turned_alone).abs() / spread(together)).max()) < 1e-10


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("training", [False, True])
def test_degenerate_sets_have_finite_outputs_and_gradients(
    case: Case, dtype: torch.dtype, training: bool
) -> None:
    model = _model(case).to(dtype).train(training)
    batches = [degenerate(name, dtype, case.features) for name in DEGENERATE]
    batches += [all_degenerate(dtype, case.features), all_degenerate(dtype, case.features)[:0]]
    for particles, p4 in map(_differentiable, batches):
        model.zero_grad()
        output = case.apply(model, particles)
        rows = len(particles) if case.per == "set" else len(p4)
        assert output.shape[0] == rows
        assert output.isfinite().all()
        if not output.requires_grad:
            continue
        output.square().sum().backward()
        for gradient in [p4.grad, *(parameter.grad for parameter in model.parameters())]:
            assert gradient is None or gradient.isfinite().all()
    assert all(buffer.isfinite().all() for buffer in model.buffers())


@every_case
def test_derivatives_agree_with_finite_differences(case: Case) -> None:
    particles = jets([3, 2], _generator(3), features=case.features, scale=2.0, mass=1.0)
    model = _model(case)

    def function(p4: Tensor) -> Tensor:
        return case.apply(model, particles.with_p4(p4))

    p4 = particles.p4.clone().requires_grad_()
    assert torch.autograd.gradcheck(function, p4)
    if case.second_derivative:
        assert torch.autograd.gradgradcheck(function, p4, fast_mode=True)


@every_case
def test_float32_agrees_with_float64(case: Case) -> None:
    particles = _jets(case).to(dtype=torch.float32)
    model = _model(case).to(torch.float32)
    with torch.no_grad():
        single = case.apply(model, particles)
        double = case.apply(model.double(), particles.to(dtype=torch.float64))
    assert single.dtype == torch.float32
    assert float(((single - double).abs() / spread(double)).max()) < case.float32


@every_case
def test_state_survives_a_checkpoint(case: Case) -> None:
    model, particles = _model(case), _jets(case)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    again = case.build().double().eval()
    again.load_state_dict(torch.load(file, weights_only=True))
    with torch.no_grad():
        assert torch.equal(case.apply(again, particles), case.apply(model, particles))


@pytest.mark.parametrize("name", MODELS)
def test_models_are_rebuilt_from_name_and_plain_arguments(name: str) -> None:
    for case in CASES:
        if case.kind is MODELS[name]:
            arguments = json.loads(json.dumps(case.arguments))
            assert MODELS[name](**arguments).state_dict().keys() == case.build().state_dict().keys()


@pytest.mark.parametrize("name", MODELS)
def test_models_have_defaults_and_two_outputs(name: str) -> None:
    particles = jets([3, 0, 2], _generator(), dtype=torch.float32)
    assert MODELS[name]()(particles).shape == (3, 2)


@pytest.mark.parametrize("name", MODELS)
def test_models_refuse_a_batch_with_other_features(name: str) -> None:
    particles = jets([3], _generator(), features=4, dtype=torch.float32)
    with pytest.raises(ValueError, match=r"features of the particles: expected 0.*got 4"):
        MODELS[name]()(particles)


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.compiles], ids=lambda case: case.name
)
# The number of pairs depends on the data.
@torch._dynamo.config.patch(capture_scalar_outputs=True)
def test_compiles_without_graph_breaks(case: Case) -> None:
    torch._dynamo.reset()
    model = _model(case)
    compiled = torch.compile(
        lambda particles: case.apply(model, particles),
        fullgraph=True,
        dynamic=True,
        backend="eager",
    )
    for counts in ([3, 2, 4], [2, 6, 3, 5]):
        particles = jets(counts, _generator(), features=case.features)
        torch.testing.assert_close(compiled(particles), case.apply(model, particles))
