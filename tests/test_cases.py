"""Every layer and model, through the same checks: the contract of :mod:`cases`."""

import contextlib
import inspect
import io
import json
from functools import partial
from typing import Any

import pytest
import torch
import torch._dynamo
from cases import CASES, Case, every_case, every_model, every_model_of_sets, parametrize_cases
from support.symmetries import DEGENERATE, all_degenerate, degenerate, jets, spread
from torch import Generator, Tensor, nn

import hepml.nn
from hepml.data import ParticleSet, PhaseSpace
from hepml.errors import InputError
from hepml.models import MODELS, NETWORKS, EnergyFlow, LorentzCG, LorentzNet, RestFrame
from hepml.symmetry import (
    SYMMETRIES,
    BatchComposition,
    BodyPermutation,
    MotionReversal,
    Permutation,
    SpaceInversion,
    SpaceRotation,
    SpaceTranslation,
    Symmetry,
    check,
    find_symmetry,
    randomise,
)


def _generator(seed: int = 1) -> Generator:
    return torch.Generator().manual_seed(seed)


def _model(case: Case, seed: int = 1) -> nn.Module:
    return randomise(case.build().double().eval(), _generator(seed))


def _jets(case: Case, seed: int = 2) -> ParticleSet:
    return jets(
        [3, 7, 1, 5, 4, 2, 6], _generator(seed), features=case.features, context=case.context
    )


def _differentiable(particles: ParticleSet) -> tuple[ParticleSet, Tensor]:
    p4 = particles.p4.clone().requires_grad_()
    return particles.with_p4(p4), p4


def _claims(case: Case, model: nn.Module) -> list[Symmetry]:
    """The symmetries of a row, for outputs of sets or of particles as it has them."""
    names = model.claims if case.claims is None else case.claims
    if case.per == "set":
        return [find_symmetry(name) for name in {*names, "batch composition"}]
    per_particle = [Permutation(outputs="particles"), BatchComposition(outputs="particles")]
    others = {*names} - {symmetry.name for symmetry in per_particle}
    assert "permutation" in names
    return per_particle + [find_symmetry(name) for name in others]


@every_case
def test_claimed_symmetries_hold(case: Case) -> None:
    model, particles = case.build(), _jets(case)
    claims = _claims(case, model)
    assert len(claims) > 1
    for symmetry in claims:
        report = check(
            model,
            particles,
            symmetry,
            apply=case.apply,
            strengths=[2.0, 100.0] if symmetry.strength_name == "gamma" else None,
            dtypes="float64",
            draws=1,
            weights="random",
        )
        assert report.verdict == "holds", str(report)


def _boosts(case: Case) -> list[Symmetry]:
    """The claims of a row that are about boosts."""
    names = case.build().claims if case.claims is None else case.claims
    return [find_symmetry(name) for name in names if "boost" in name or "lorentz" in name]


# Of networks, which name their claims themselves, those that have such.
BOOSTED = (EnergyFlow, LorentzCG, LorentzNet, RestFrame)
GAMMA_128 = [
    case
    for case in CASES
    if case.kind in BOOSTED or any("boost" in n or "lorentz" in n for n in case.claims or ())
]


@pytest.mark.slow
@parametrize_cases(GAMMA_128)
def test_a_boost_by_128_that_rounds_nothing_leaves_ten_digits(case: Case) -> None:
    particles, boosts = _jets(case), _boosts(case)
    assert boosts
    for symmetry in boosts:
        report = check(
            case.build(),
            particles,
            symmetry,
            apply=case.apply,
            strengths=[128.0],
            dtypes="float64",
            draws=1,
            weights="random",
            elements="exact",
        )
        # Of boosts along one axis, powers of 2 alone do not decide.
        decided = "holds" if symmetry.exact_elements_suffice else "undecided"
        assert report.verdict == decided, str(report)
        assert report.largest() < 1e-10, str(report)


OF_MOTION = (MotionReversal, SpaceTranslation, SpaceRotation, SpaceInversion, BodyPermutation)


def _found_of_motion(case: Case, kind: type[Symmetry]) -> str:
    """Whether a symmetry of motion holds, for sets of three bodies in a plane."""
    assert case.build_motion is not None
    torch.manual_seed(0)
    q, p = torch.randn(2, 15, 2, generator=_generator()).double()
    return check(
        case.build_motion(),
        PhaseSpace(q, p, torch.arange(0, 16, 3)),
        kind(outputs=case.motion_outputs),
        apply=case.motion,
        dtypes="float64",
        weights="random",
    ).verdict


@parametrize_cases([case for case in CASES if case.motion is not None])
@pytest.mark.parametrize("kind", OF_MOTION)
def test_claims_of_motion_are_all_that_holds(case: Case, kind: type[Symmetry]) -> None:
    model = case.build()
    assert {*model.claims} <= {each.name for each in OF_MOTION} <= SYMMETRIES.keys()
    expected = "holds" if kind.name in model.claims else "broken"
    assert _found_of_motion(case, kind) == expected


def test_claims_of_motion_have_rows() -> None:
    claiming = {case.kind for case in CASES if case.motion is not None}
    networks = {getattr(hepml.nn, name) for name in hepml.nn.__all__}
    assert {kind for kind in networks if hasattr(kind, "claims")} == claiming


def test_rows_name_what_their_networks_take() -> None:
    named = {case.kind: case.takes for case in CASES}
    for name, entry in NETWORKS.items():
        assert named[entry.network] == entry.takes, name
    assert all((case.motion is not None) == (case.takes == "motion") for case in CASES)


@every_model
def test_models_claim_symmetries_that_exist(name: str) -> None:
    claims = MODELS[name]().claims
    assert {*claims} <= SYMMETRIES.keys()
    assert {"permutation", "batch composition"} <= {*claims}
    assert len({*claims}) == len(claims)


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("training", [False, True])
def test_degenerate_sets_have_finite_outputs_and_gradients(
    case: Case, dtype: torch.dtype, training: bool
) -> None:
    model = _model(case).to(dtype).train(training)
    batches = [degenerate(name, dtype, case.features, case.context) for name in DEGENERATE]
    batches += [everything := all_degenerate(dtype, case.features, case.context), everything[:0]]
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
    particles = jets(
        [3, 2],
        _generator(3),
        features=case.features,
        context=case.context,
        scale=2.0,
        mass=1.0,
    )
    model = _model(case)

    def function(p4: Tensor) -> Tensor:
        return case.apply(model, particles.with_p4(p4))

    p4 = particles.p4.clone().requires_grad_()
    assert torch.autograd.gradcheck(function, p4)
    if case.second_derivative:
        assert torch.autograd.gradgradcheck(function, p4, fast_mode=True)


@every_case
# Torch's own: it loads what jvp needs, and has no batched GRU cell.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
def test_derivatives_of_every_mode_agree(case: Case) -> None:
    particles = jets(
        [2, 1],
        _generator(3),
        features=case.features,
        context=case.context,
        scale=2.0,
        mass=1.0,
    )
    model, p4 = _model(case), particles.p4

    def function(p4: Tensor) -> Tensor:
        return case.apply(model, particles.with_p4(p4))

    expected = torch.autograd.functional.jacobian(function, p4)
    assert float(expected.abs().max()) > 0
    close = partial(torch.testing.assert_close, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))
    tangent = torch.arange(p4.numel()).cos().reshape(p4.shape).to(p4)
    along = (expected * tangent).sum((-1, -2))
    with torch.no_grad(), torch.autograd.forward_ad.dual_level():
        dual = function(torch.autograd.forward_ad.make_dual(p4, tangent))
        close(torch.autograd.forward_ad.unpack_dual(dual).tangent, along)
    close(torch.func.jvp(function, (p4,), (tangent,))[1], along)
    close(torch.func.jacrev(function)(p4), expected)
    # Gradients in a batch, and a batch of inputs.
    inputs = p4.clone().requires_grad_()
    outputs = function(inputs)
    every = torch.eye(outputs.numel()).to(p4).reshape(-1, *outputs.shape)
    (found,) = torch.autograd.grad(outputs, inputs, every, is_grads_batched=True)
    close(found.reshape(expected.shape), expected)
    batch = torch.stack([p4, 1.1 * p4])
    slopes = torch.func.vmap(torch.func.grad(lambda p4: function(p4).sin().sum()))(batch)
    for found, p4 in zip(slopes, batch, strict=True):
        inputs = p4.clone().requires_grad_()
        (wanted,) = torch.autograd.grad(function(inputs).sin().sum(), inputs)
        close(found, wanted)


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


@every_model
def test_models_are_rebuilt_from_name_and_plain_arguments(name: str) -> None:
    for case in CASES:
        if case.kind is MODELS[name]:
            arguments = json.loads(json.dumps(case.arguments))
            assert MODELS[name](**arguments).state_dict().keys() == case.build().state_dict().keys()


@every_model_of_sets
def test_models_have_defaults_and_two_outputs(name: str) -> None:
    particles = jets([3, 0, 2], _generator(), dtype=torch.float32)
    assert MODELS[name]()(particles).shape == (3, 2)


@every_model_of_sets
def test_models_refuse_a_batch_with_other_features(name: str) -> None:
    particles = jets([3], _generator(), features=4, dtype=torch.float32)
    with pytest.raises(ValueError, match=r"features of the particles: expected 0.*got 4"):
        MODELS[name]()(particles)


with_context = parametrize_cases([case for case in CASES if case.context])


@with_context
def test_context_of_a_set_is_read_and_that_of_others_is_not(case: Case) -> None:
    model, particles = _model(case), _jets(case)
    assert particles.context is not None
    with torch.no_grad():
        before = case.apply(model, particles)
        for channel in range(case.context):
            changed = particles.context.clone()
            changed[1, channel] += 1
            other = ParticleSet(
                particles.p4, particles.offsets, particles.features, context=changed
            )
            moved = (case.apply(model, other) - before).abs().amax(1)
            assert moved[1] > 1e-3
            assert moved[[0, 2, 3, 4, 5, 6]].max() < 1e-12


def test_every_model_takes_context() -> None:
    assert {case.kind for case in CASES if case.context} == set(MODELS.values())


@every_model_of_sets
def test_models_refuse_other_context_than_they_were_built_for(name: str) -> None:
    model = MODELS[name](context=2)
    for channels in (0, 1):
        particles = jets([3], _generator(), context=channels, dtype=torch.float32)
        message = f"context of the sets: expected 2.*got {channels}.*context={channels}"
        with pytest.raises(ValueError, match=message):
            model(particles)
    # Context that a model was not built for may be there for others: numbers of events.
    particles = jets([3], _generator(), context=1, dtype=torch.float32)
    assert MODELS[name]()(particles).shape == (1, 2)


@every_model_of_sets
@pytest.mark.parametrize("weights", [torch.float32, torch.float64])
@pytest.mark.parametrize("momenta", [torch.float32, torch.float64])
def test_momenta_may_have_another_precision_than_the_weights(
    name: str, weights: torch.dtype, momenta: torch.dtype
) -> None:
    torch.manual_seed(0)
    model = MODELS[name](context=1).eval()
    exact = jets([3, 1, 5], _generator(), context=1, dtype=torch.float32)
    with torch.no_grad():
        expected = model(exact)
        found = model.to(weights)(exact.to(momenta))
    assert found.dtype == weights
    torch.testing.assert_close(found, expected.to(weights), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
@parametrize_cases([case for case in CASES if case.compiles])
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
        particles = jets(counts, _generator(), features=case.features, context=case.context)
        torch.testing.assert_close(compiled(particles), case.apply(model, particles))


def _called(case: Case) -> tuple[nn.Module, list[str], list[Any]]:
    """The first layer of the row's class that is applied, and its arguments with their names."""
    found: list[tuple[nn.Module, list[Any]]] = []
    model = _model(case)
    for layer in model.modules():
        if type(layer) is case.kind:
            layer.register_forward_pre_hook(lambda layer, args: found.append((layer, [*args])))
    case.apply(model, _jets(case))
    layer, arguments = found[0]
    return layer, [*inspect.signature(layer.forward).parameters], arguments


def _wrong(x: Tensor) -> dict[str, Any]:
    """Other widths, types and kinds than those of a tensor of floating-point numbers."""
    found = {
        "one more": torch.cat([x, x[..., :1]], -1),
        "one fewer": x[..., :-1],
        "none": x[..., :0],
        "integers": x.long(),
        "bools": x > 0,
        "complex": x.cdouble(),
        "numpy": x.numpy(),
        "list": x.tolist(),
        "sparse": x.to_sparse(),
    }
    if x.dim() > 1 and x.shape[-1] > 1:
        # It would broadcast.
        found["one column"] = x[..., :1]
    return found


@pytest.mark.usefixtures("unchecked_types")
@every_case
def test_input_of_another_width_or_type_is_one_clear_error(case: Case) -> None:
    layer, names, arguments = _called(case)
    if case.kind in MODELS.values():
        for wrong in (_jets(case).p4, None, [1.0]):
            with pytest.raises(
                InputError, match=r"(particles|graph): expected a (ParticleSet|Graph), got "
            ):
                layer(wrong)
        return
    right = layer(*arguments)
    for place, (name, value) in enumerate(zip(names, arguments, strict=False)):
        if not isinstance(value, Tensor) or not value.is_floating_point():
            continue

        def given(wrong: Any, place: int = place) -> Any:
            return layer(*arguments[:place], wrong, *arguments[place + 1 :])

        for wrong in _wrong(value).values():
            with pytest.raises(InputError, match=rf"\b{name}\b.*: expected .*, got .* Fix: "):
                given(wrong)
        # What torch computes comes out right, and what it would refuse is refused.
        with contextlib.suppress(InputError):
            torch.testing.assert_close(
                given(value.float()), right, rtol=1e-2, atol=1e-3, check_dtype=False
            )
        for other in (value[0], value[None], value[:-1]):
            with contextlib.suppress(InputError):
                given(other)
        if any(True for _ in layer.parameters()):
            with pytest.raises(InputError, match=r"device"):
                given(value.to("meta"))
