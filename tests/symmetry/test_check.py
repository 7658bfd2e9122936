"""The measurement: what it compares, what it leaves alone, and its verdicts."""

from dataclasses import dataclass

import pytest
import torch
from support.planted_bugs import METRIC, Attention, Masses, Updates, WithBeam, dot, total
from support.symmetries import boost_along_z, jets, random_lorentz
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.models import LorentzNet, ParticleFlow
from hepml.symmetry import (
    BatchComposition,
    Lorentz,
    Permutation,
    Rotation,
    Symmetry,
    check,
    random_jets,
)

BATCH = jets([3, 7, 1, 5, 4], torch.Generator().manual_seed(1))


def _energies(particles):
    return total(particles)[:, :1]


def _masses(particles):
    p = total(particles)
    return dot(p, p)


class _Fixed(Lorentz):
    """One boost along z with gamma = 2."""

    def element(self, inputs, strength, generator):  # noqa: ARG002
        return boost_along_z(2.0)


def _exchanged(particles):
    return particles.with_p4(particles.p4.roll(len(particles.p4) // 2, 0))


def test_a_violation_is_the_change_in_units_of_what_the_function_does():
    report = check(_energies, BATCH, _Fixed(), strengths=[2.0], dtypes="float64", elements=1)
    (point,) = report.measurements
    before = _energies(BATCH)
    after = (total(BATCH) @ boost_along_z(2.0).T)[:, :1]
    spread = before.std(0, correction=0)
    change = (_energies(_exchanged(BATCH)) - before).square().mean(0).sqrt()
    violations = ((after - before).abs() / torch.minimum(spread, change)).flatten()
    assert point.largest == pytest.approx(float(violations.max()))
    assert point.median == pytest.approx(float(violations.median()))
    assert point.quantile90 == pytest.approx(float(violations.max()))
    assert point.worst.row == int(violations.argmax())
    assert point.worst.expected == pytest.approx(before[point.worst.row].tolist())
    assert point.worst.got == pytest.approx(after[point.worst.row].tolist())
    assert point.weights == "given"
    assert report.verdict == "broken"
    assert report.model == "_energies"


def test_vectors_are_compared_as_vectors():
    """In the boosted frame, in units of the boosted spread."""

    def wrong(particles):
        return total(particles) * torch.tensor([1.0, 1.0, 1.0, 0.9], dtype=torch.float64)

    symmetry = _Fixed(outputs="(1/2,1/2)")
    report = check(wrong, BATCH, symmetry, strengths=[2.0], dtypes="float64", elements=1)
    before = wrong(BATCH) @ boost_along_z(2.0).T
    after = wrong(BATCH.with_p4(BATCH.p4 @ boost_along_z(2.0).T))
    spread = (before - before.mean(0)).square().sum(1).mean().sqrt()
    exchanged = wrong(_exchanged(BATCH)) @ boost_along_z(2.0).T
    change = (exchanged - before).square().sum(1).mean().sqrt()
    expected = float((after - before).norm(dim=1).max() / min(spread, change))
    assert report.largest() == pytest.approx(expected)


def test_the_worst_output_counts():
    def two(particles):
        return torch.cat([_masses(particles), _energies(particles)], 1)

    assert check(two, BATCH, "rotation").verdict == "holds"
    report = check(two, BATCH, _Fixed(), dtypes="float64", strengths=[2.0])
    assert report.largest() == pytest.approx(
        check(_energies, BATCH, _Fixed(), dtypes="float64", strengths=[2.0]).largest()
    )


@pytest.mark.slow
@pytest.mark.parametrize("training", [True, False])
def test_the_model_and_the_random_numbers_stay_as_they_are(training):
    model = LorentzNet(width=6, blocks=2).train(training)
    model.decoder[1].train(not training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    state = torch.get_rng_state()
    dtypes = ["float64", "float32", "bfloat16"]
    check(model, BATCH, "lorentz with beams", strengths=[2.0], dtypes=dtypes, draws=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in model.modules()] == modes
    assert model.state_dict().keys() == before.keys()
    for name, value in model.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name]), name
    assert torch.equal(model.beams, torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_dropout_is_switched_off():
    model = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.5), nn.Linear(8, 1)).train()
    report = check(model, BATCH, "lorentz", apply=lambda m, x: m(_masses(x)), strengths=[2.0])
    assert report.verdict == "holds"


def test_the_seed_decides():
    model = ParticleFlow()
    reports = [
        check(model, BATCH, "rotation", dtypes="float64", seed=seed).to_json() for seed in (1, 1, 2)
    ]
    assert reports[0] == reports[1] != reports[2]


def test_a_bug_that_the_initialisation_hides_is_found_with_random_weights():
    """A clamp that small weights never reach."""

    class Clamped(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1, 1)
            nn.init.constant_(self.layer.weight, 1e-6)
            nn.init.constant_(self.layer.bias, 1e-6)

        def forward(self, particles):
            p4 = particles.p4 / 300
            return (self.layer(dot(p4, p4)) * p4).clamp(-0.01, 0.01)

    symmetry = Lorentz(outputs="(1/2,1/2)")
    options = {"strengths": [2.0], "dtypes": "float64"}
    assert check(Clamped(), BATCH, symmetry, weights="given", **options).verdict == "holds"
    assert check(Clamped(), BATCH, symmetry, weights="random", **options).verdict == "broken"


def test_a_network_that_does_nothing_is_blind():
    model = nn.Linear(1, 2)
    nn.init.zeros_(model.weight)
    report = check(model, BATCH, "lorentz", apply=lambda m, x: m(_energies(x)), weights="given")
    assert report.verdict == "blind"
    nothing = check(lambda particles: torch.zeros(len(particles), 2), BATCH, "lorentz")
    assert nothing.verdict == "blind"
    # With other weights it does something.
    report = check(model, BATCH, "lorentz", apply=lambda m, x: m(_energies(x)))
    assert report.verdict == "broken"


def test_a_network_that_counts_is_blind_to_what_it_does_not_look_at():
    def counts(particles):
        return particles.counts[:, None].to(particles.dtype)

    assert check(counts, BATCH, "lorentz").verdict == "blind"

    def hardly_looks(particles):
        return counts(particles) + 1e-4 * _energies(particles)

    options = {"strengths": [2.0], "dtypes": "float64"}
    found = check(hardly_looks, BATCH, "lorentz", **options)
    assert found.verdict == "broken"
    assert found.largest() > 0.1


def test_a_constant_output_beside_others_is_measured_by_its_size():
    def with_constant(particles):
        e = _energies(particles)
        return torch.cat([_masses(particles), 1 + 1e-3 * (e - e.mean()) * (e.sum() > 100)], 1)

    assert check(with_constant, BATCH, "rotation").verdict == "holds"


@pytest.mark.slow
def test_beams_that_are_a_buffer_transform_along():
    for model, verdict in ((WithBeam(False), "holds"), (WithBeam(True), "broken")):
        report = check(model, BATCH, "lorentz with beams", strengths=[3.0])
        assert report.verdict == verdict
    assert check(WithBeam(False), BATCH, "lorentz", strengths=[3.0]).verdict == "broken"
    assert check(WithBeam(False), BATCH, "beam rotation").verdict == "holds"


def test_beams_that_are_inputs_transform_along():
    inputs = {"p4": BATCH.p4[:18].reshape(6, 3, 4), "beam": torch.tensor([[1.0, 0, 0, 1]]).double()}

    def product(inputs):
        return dot(inputs["p4"].sum(1) / 300, inputs["beam"]).log()

    symmetry = Lorentz(references=("beam",))
    assert check(product, inputs, symmetry, strengths=[2.0]).verdict == "holds"
    assert check(product, inputs, "lorentz", strengths=[2.0]).verdict == "broken"


@pytest.mark.parametrize("gamma", [10.0, 100.0, 1000.0])
def test_rounding_is_not_taken_for_a_broken_symmetry(gamma):
    """In float32 at gamma = 1000 nothing is left of the masses, whatever the network does."""
    particles = random_jets(8)
    report = check(Masses(False), particles, "lorentz", strengths=[gamma], dtypes="float32")
    assert report.verdict in ("holds", "undecided")
    if gamma == 1000:
        assert report.largest("float32") > 1e-3
        assert report.verdict == "undecided"
    both = check(Masses(False), particles, "lorentz", strengths=[gamma])
    assert both.verdict == "holds"


@pytest.mark.parametrize("gamma", [1.01, 10.0, 1000.0])
def test_a_broken_symmetry_is_not_taken_for_rounding(gamma):
    report = check(Masses(True), random_jets(8), "lorentz", strengths=[gamma])
    assert report.verdict == "broken"


def test_a_network_that_loses_digits_by_itself_is_imprecise():
    """The fourth power of a mass costs four powers of the boost, the inputs but two."""

    def fourth_power(particles):
        energy, momentum = particles.p4[:, 0] / 300, particles.p4[:, 1:].norm(dim=1) / 300
        power = energy**4 - 2 * energy**2 * momentum**2 + momentum**4
        return torch.stack([each.mean() for each in power.split(particles.counts.tolist())])

    report = check(fourth_power, BATCH, "lorentz", strengths=[2.0, 100.0])
    assert report.verdict == "imprecise"
    assert report.worst.precision == "float32"


def test_bfloat16_multiplies_matrices_with_fewer_digits():
    model = nn.Linear(1, 2)
    options = {"apply": lambda m, x: m(_energies(x)), "weights": "given"}
    report = check(model, BATCH, "rotation", dtypes=["float64", "bfloat16"], **options)
    exact, mixed = (torch.tensor(point.worst.expected) for point in report.measurements)
    assert torch.equal(mixed, mixed.bfloat16().to(mixed))
    assert not torch.equal(exact, exact.bfloat16().to(exact))


def test_outputs_of_particles_have_to_be_declared():
    def per_particle(particles):
        return particles.p4[:, :1]

    holds = check(per_particle, BATCH, Permutation(outputs="particles"))
    assert holds.verdict == "holds"
    assert check(per_particle, BATCH, Permutation()).verdict == "broken"
    assert check(per_particle, BATCH, BatchComposition(outputs="particles")).verdict == "holds"
    with pytest.raises(InputError, match=r"say whether outputs belong to sets or to particles"):
        check(per_particle, BATCH, BatchComposition(), strengths=[2.0])


def test_not_a_number_after_the_transformation_breaks():
    largest = float(_energies(BATCH).max())
    report = check(
        lambda particles: (1.1 * largest - _energies(particles)).sqrt(), BATCH, "beam boost"
    )
    assert report.verdict == "broken"
    assert report.worst.largest == float("inf")


def test_not_a_number_before_it_is_refused():
    smallest = float(_energies(BATCH).min())
    with pytest.raises(InputError, match=r"outputs .* with given weights: .* \[nan\] in row 2"):
        check(lambda x: (_energies(x) - 1.001 * smallest).sqrt(), BATCH, "beam boost")


def test_functions_of_images_and_of_any_type():
    @dataclass(frozen=True)
    class State:
        q: Tensor
        p: Tensor

    class Swap(Symmetry):
        """q -> p, p -> -q: a rotation of phase space."""

        name = "phase rotation"

        def element(self, inputs, strength, generator):  # noqa: ARG002
            return float(torch.rand((), generator=generator)) * 6

        def act(self, element, inputs):
            c, s = torch.tensor(element).double().cos(), torch.tensor(element).double().sin()
            q, p = inputs.q.double(), inputs.p.double()
            return State((c * q + s * p).to(inputs.q), (c * p - s * q).to(inputs.p))

    generator = torch.Generator().manual_seed(1)
    state = State(*torch.randn(2, 9, 3, generator=generator).double())
    harmonic = check(lambda s: (s.q**2 + s.p**2).sum(1), state, Swap())
    assert harmonic.verdict == "holds"
    assert check(lambda s: (s.q**4 + s.p**2).sum(1), state, Swap()).verdict == "broken"


@pytest.mark.slow
def test_foreign_modules_go_through_a_function_that_pads():
    """As with the transformer of torch, which takes (sets, particles, channels) and a mask."""
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)

    def padded_transformer(model, particles, masked=True):
        counts = particles.counts
        real = torch.arange(int(counts.max())) < counts[:, None]
        x = particles.p4.new_zeros(*real.shape, 4)
        x[real] = particles.p4 / 300
        out = model(x, src_key_padding_mask=~real if masked else None)
        return (out * real[..., None]).sum(1)

    for symmetry in ("permutation", "batch composition"):
        assert check(layer, BATCH, symmetry, apply=padded_transformer).verdict == "holds"
    report = check(
        layer, BATCH, "batch composition", apply=lambda m, x: padded_transformer(m, x, False)
    )
    assert report.verdict == "broken"
    assert report.model == "TransformerEncoderLayer"


def test_steps_can_be_counted():
    steps = []
    check(
        Attention(False),
        BATCH,
        "lorentz",
        strengths=[2.0, 3.0],
        elements=3,
        draws=4,
        on_step=lambda: steps.append(1),
    )
    precisions, strengths, elements, weights = 2, 2, 3, 1 + 4
    assert len(steps) == precisions * strengths * elements * weights


def test_claims_are_compared_with():
    assert check(ParticleFlow(), BATCH, "permutation").claimed is True
    assert check(ParticleFlow(), BATCH, "lorentz", strengths=[2.0]).claimed is False
    assert check(_masses, BATCH, "lorentz", strengths=[2.0]).claimed is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"elements": 0}, "elements: expected one or more, got 0"),
        ({"elements": "exakt"}, "elements: expected how many, or 'exact', got 'exakt'"),
        ({"strengths": [2.0, float("inf")]}, "strengths: expected finite numbers"),
        ({"draws": 0}, "draws: expected one or more, got 0"),
        ({"strengths": []}, "strengths: expected one or more, got 0"),
        ({"weights": []}, "weights: expected 'given' or 'random', got none"),
    ],
)
@pytest.mark.usefixtures("unchecked_types")
def test_nothing_to_measure_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        check(_masses, BATCH, "lorentz", **options)


def test_arrays_are_outputs_too():
    class Foreign:
        """An array as those of JAX: not writable, and converted by numpy's protocol alone."""

        def __init__(self, values):
            self.values = values

        def __array__(self, dtype=None, copy=None):
            array = self.values.numpy()
            array.flags.writeable = False
            return array

    for kind in (Tensor.numpy, Foreign):
        assert check(lambda x, kind=kind: kind(_masses(x)), BATCH, "rotation").verdict == "holds"
        report = check(lambda x, kind=kind: kind(_energies(x)), BATCH, "lorentz", strengths=[2.0])
        assert report.verdict == "broken"
        assert report.largest() > 0.01


@pytest.mark.parametrize("kind", [lambda x: x, Tensor.numpy])
@pytest.mark.parametrize("dtypes", [("float64", "float32"), "float64"])
def test_outputs_in_float32_are_judged_as_such(kind, dtypes):
    """Of a function that converts its inputs: 4.7e-7 is what float32 has, and no bug."""

    def single(function):
        def apply(particles):
            return kind(function(ParticleSet(particles.p4.float(), particles.offsets)))

        return apply

    report = check(single(_masses), BATCH, "rotation", dtypes=dtypes)
    assert {point.precision for point in report.measurements} == {"float32"}
    assert report.verdict == "holds"
    assert report.largest("float32") > 1e-10
    assert check(single(_energies), BATCH, "rotation", dtypes=dtypes).verdict == "holds"
    assert check(single(_energies), BATCH, "beam boost", dtypes=dtypes).verdict == "broken"


def test_weights_of_another_precision_get_one_clear_error():
    held = nn.Linear(4, 2)
    message = r"a model that takes inputs in torch.float64 as they come, got RuntimeError: .*dtype"
    with pytest.raises(InputError, match=message):
        check(lambda particles: held(total(particles)), BATCH, "rotation")
    # In the precision of its weights it can be measured, if nothing is asked in another.
    mixed = {"p4": BATCH.p4[:4].reshape(2, 2, 4), "weight": torch.ones(4, dtype=torch.float32)}
    report = check(lambda x: x["p4"].sum(1) @ x["weight"], mixed, "rotation")
    assert report.verdict == "broken"


def test_an_empty_batch_is_blind():
    for symmetry in ("rotation", "permutation", "batch composition", "soft emission"):
        for elements in (2, "exact") if symmetry == "rotation" else (2,):
            report = check(_energies, BATCH[:0], symmetry, elements=elements)
            assert report.verdict == "blind"


def test_outputs_must_be_one_tensor():
    with pytest.raises(InputError, match="choose or stack them in `apply`"):
        check(lambda particles: (particles.p4, particles.p4), BATCH, "lorentz")


def test_matrices_of_the_group_are_found_by_an_independent_network():
    """The invariant of matrices made elsewhere is one for those made here."""
    matrix = random_lorentz(torch.Generator().manual_seed(3), 4.0)
    p = total(BATCH)
    torch.testing.assert_close(dot(p @ matrix.T, p @ matrix.T), dot(p, p))
    element = Lorentz().element(BATCH, 4.0, torch.Generator().manual_seed(3))
    torch.testing.assert_close(dot(p @ element.T, p @ element.T), dot(p, p))
    assert METRIC.tolist() == [1, -1, -1, -1]
    assert check(Updates(False), BATCH, Rotation(outputs="(1/2,1/2)")).verdict == "holds"
