"""What a ParticleSet refuses: every message says what was expected, what came, and what to do."""

import numpy as np
import pytest
import torch

from hepml.data import ParticleSet, Trajectories, concatenate
from hepml.errors import InputError

P4, OFFSETS = torch.ones(3, 4), torch.tensor([0, 1, 3])
BAD_NUMBERS = torch.ones(3, 4)
BAD_NUMBERS[1, 2] = torch.nan
INFINITE = torch.ones(3, 2)
INFINITE[2, 0] = -torch.inf


@pytest.mark.usefixtures("unchecked_types")
class TestRefusals:
    @pytest.mark.parametrize(
        ("p4", "message"),
        [
            (
                torch.ones(3, 3),
                r"p4: expected a tensor of shape \(particles, 4\) with rows \(E, px, py, pz\) in "
                r"GeV, got torch.float32 of shape \(3, 3\) on cpu. Fix: stack energy, px, py, pz "
                r"along the last axis, without padding.",
            ),
            (torch.ones(1, 3, 4), r"p4: .* got torch.float32 of shape \(1, 3, 4\) on cpu"),
            (np.ones((3, 4)), r"p4: .* got ndarray array\(\[\[1., 1., 1., 1.\]"),
            (
                torch.ones(3, 4, dtype=torch.int64),
                r"p4: expected floating point, got torch.int64. Fix: convert with .float\(\).",
            ),
            (
                BAD_NUMBERS,
                r"p4: expected finite numbers, got \[1.0, 1.0, nan, 1.0\] in row 1 \(1 such "
                r"rows\). Fix: remove or repair these rows before making the batch.",
            ),
        ],
    )
    def test_momenta(self, p4, message):
        with pytest.raises(InputError, match=message):
            ParticleSet(p4, OFFSETS)

    @pytest.mark.parametrize(
        ("offsets", "message"),
        [
            (
                OFFSETS.int(),
                r"offsets: expected int64 of shape \(sets \+ 1,\), got torch.int32 of shape \(3,\) "
                r"on cpu. Fix: pass the running sum of the numbers of particles, starting with 0.",
            ),
            ([0, 1, 3], r"offsets: .* got list \[0, 1, 3\]"),
            (OFFSETS[None], r"offsets: .* got torch.int64 of shape \(1, 3\)"),
            (
                torch.tensor([0, 1, 2]),
                r"offsets: expected bounds that start at 0, never fall and end at 3, the number of "
                r"particles, got torch.int64 of shape \(3,\) on cpu \[0, 1, 2\]. Fix: pass",
            ),
            (torch.tensor([1, 2, 3]), r"offsets: expected bounds .* \[1, 2, 3\]"),
            # Every difference of neighbours is positive in int64, where they overflow.
            (torch.tensor([0, 10**9, 2**63 - 1, -2, 3]), r"offsets: expected bounds .* -2, 3\]"),
            (torch.tensor([0, -(2**63), 3]), r"offsets: expected bounds .*, 3\]"),
            (torch.tensor([0, 2**63 - 1, 3]), r"offsets: expected bounds .*, 3\]"),
            (torch.zeros(0, dtype=torch.int64), r"offsets: expected bounds .* \[\]"),
            (OFFSETS.bool(), r"offsets: expected int64 .* got torch.bool"),
            (OFFSETS.double() * torch.nan, r"offsets: expected int64 .* got torch.float64"),
            (OFFSETS.to_sparse(), r"offsets: expected int64 .* got torch.int64"),
            (torch.tensor(0), r"offsets: expected int64 .* of shape \(\)"),
            (None, r"offsets: expected int64 .* got NoneType None"),
            (torch.tensor([0, 2, 1, 3]), r"offsets: expected bounds .* \[0, 2, 1, 3\]"),
            (torch.tensor([0]), r"offsets: expected bounds .* \[0\]"),
            (OFFSETS[:0], r"offsets: expected bounds .* \[\]"),
            (
                OFFSETS.to("meta"),
                r"offsets: expected device cpu, got meta. Fix: move it there.",
            ),
        ],
    )
    def test_offsets(self, offsets, message):
        with pytest.raises(InputError, match=message):
            ParticleSet(P4, offsets)

    @pytest.mark.parametrize(
        ("features", "message"),
        [
            (
                torch.ones(2, 5),
                r"features: expected torch.float32 of shape \(3, channels\) on cpu, got "
                r"torch.float32 of shape \(2, 5\) on cpu. Fix: give one row for each particle, "
                r"with the dtype and device of p4.",
            ),
            (torch.ones(3), r"features: .* got torch.float32 of shape \(3,\)"),
            (torch.ones(3, 1).double(), r"features: .* got torch.float64 of shape \(3, 1\)"),
            (torch.ones(3, 1, device="meta"), r"features: .* on meta"),
            ([[1.0]] * 3, r"features: .* got list "),
            (
                INFINITE,
                r"features: expected finite numbers, got \[-inf, 1.0\] in row 2 \(1 such rows\)",
            ),
        ],
    )
    def test_features(self, features, message):
        with pytest.raises(InputError, match=message):
            ParticleSet(P4, OFFSETS, features)

    @pytest.mark.parametrize(
        ("optional", "message"),
        [
            (
                {"context": torch.ones(3, 2)},
                r"context: expected torch.float32 of shape \(2, channels\) on cpu, got "
                r"torch.float32 of shape \(3, 2\) on cpu. Fix: give one row for each set of the "
                r"batch.",
            ),
            ({"context": torch.ones(2)}, r"context: .* got torch.float32 of shape \(2,\)"),
            ({"context": torch.ones(2, 1).double()}, r"context: .* got torch.float64"),
            ({"context": torch.full((2, 1), torch.nan)}, r"context: expected finite .* row 0 \(2 "),
            (
                {"labels": torch.ones(3).long()},
                r"labels: expected a tensor of shape \(2,\) on cpu, got torch.int64 of shape "
                r"\(3,\) on cpu. Fix: give one row for each set of the batch.",
            ),
            ({"labels": torch.ones(2, 1).long()}, r"labels: .* got torch.int64 of shape \(2, 1\)"),
            (
                {"labels": torch.tensor([1.0, torch.nan])},
                "labels: expected finite numbers, got nan",
            ),
            ({"labels": [0, 1]}, r"labels: .* got list \[0, 1\]"),
            (
                {"weights": torch.ones(2).long()},
                r"weights: expected floating point of shape \(2,\) on cpu, got torch.int64",
            ),
            ({"weights": torch.ones(2, device="meta")}, r"weights: .* on meta"),
            ({"weights": torch.tensor([torch.inf, 1])}, "weights: expected finite .* got inf in"),
        ],
    )
    def test_per_set(self, optional, message):
        with pytest.raises(InputError, match=message):
            ParticleSet(P4, OFFSETS, **optional)

    def test_nothing_slips_through_where_the_sum_stays_finite(self):
        # +inf and -inf add up to NaN; two numbers of opposite sign do not.
        p4 = torch.ones(2, 4)
        p4[0, 0], p4[1, 0] = torch.inf, -torch.inf
        with pytest.raises(InputError, match=r"in row 0 \(2 such rows\)"):
            ParticleSet(p4, torch.tensor([0, 2]))


HOSTILE = {
    "nothing": None,
    "a number": 1.5,
    "text": "x",
    "a list": [[1.0, 2.0, 3.0, 4.0]],
    "an object": object(),
    "an array": np.ones((3, 4)),
    "complex": torch.ones(3, 4, dtype=torch.complex64),
    "sparse": torch.ones(3, 4).to_sparse(),
    "eight bits": torch.ones(3, 4, dtype=torch.float8_e4m3fn),
    "bools": torch.ones(3, 4, dtype=torch.bool),
    "without data": torch.ones(3, 4, device="meta"),
    "bounds without data": torch.tensor([0, 1, 3], device="meta"),
    "nested": torch.nested.nested_tensor([torch.ones(3, 4)], layout=torch.jagged),
    "no axis": torch.tensor(1.0),
    "empty": torch.zeros(0),
    "another length": torch.ones(5),
    "three axes": torch.ones(3, 4, 4),
    "NaN": torch.full((3, 4), torch.nan),
    "huge": torch.full((3,), 2**62),
}


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_whatever_is_no_part_of_a_batch_is_refused(value):
    particles = ParticleSet(P4, OFFSETS, torch.ones(3, 2))
    axes = ("t", "q", "p", "rate_q", "rate_p", "observed_q", "observed_p")
    orbits = dict.fromkeys(axes[1:], torch.zeros(4, 3, 2, 2)) | {"t": torch.arange(3.0)}
    doors = {
        "p4": lambda: ParticleSet(value, OFFSETS),
        "offsets": lambda: ParticleSet(P4, value),
        "with_p4": lambda: particles.with_p4(value),
        "index": lambda: particles[value],
        "concatenate": lambda: concatenate([particles, value]),
        "hardest": lambda: particles.hardest(value),
        "from_padded": lambda: ParticleSet.from_padded(value),
        "mask": lambda: ParticleSet.from_padded(torch.ones(2, 3, 4), mask=value),
        "from_awkward": lambda: ParticleSet.from_awkward(value),
        **{k: lambda k=k: Trajectories(**orbits | {k: value}) for k in axes},
    }
    # An empty list of sets, no mask, and momenta that a batch does not check twice.
    right = {("index", "empty"), ("mask", "nothing"), ("with_p4", "NaN"), ("from_padded", "three")}
    what = next(name for name, each in HOSTILE.items() if each is value)
    for name, call in doors.items():
        if (name, what.removesuffix(" axes")) not in right:
            with pytest.raises(InputError):
                call()
