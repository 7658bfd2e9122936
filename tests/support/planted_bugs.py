"""Small networks that keep a symmetry, each beside a twin with one bug that is easily made."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from support.symmetries import jets
from torch import Tensor, nn

from hepml.data import ParticleSet, PhaseSpace, concatenate
from hepml.nn import JetKinematics
from hepml.ops import segment_gather, segment_index, segment_sum
from hepml.symmetry import (
    BatchComposition,
    BeamBoost,
    BeamRotation,
    BodyPermutation,
    CollinearSplitting,
    Lorentz,
    MotionReversal,
    Parity,
    Permutation,
    PhiRotation,
    Rotation,
    SoftEmission,
    SpaceInversion,
    SpaceRotation,
    SpaceTranslation,
    Symmetry,
    TimeReversal,
    Translation,
)

METRIC = torch.tensor([1.0, -1.0, -1.0, -1.0])
GEV = 300.0


def padded(particles: ParticleSet) -> tuple[Tensor, Tensor]:
    """Momenta in units of 300 GeV as (sets, longest, 4) with zeros, and which are real."""
    counts, place = particles.counts, torch.arange(int(particles.counts.max()))
    real = place < counts[:, None]
    out = particles.p4.new_zeros(*real.shape, 4)
    out[real] = particles.p4 / GEV
    return out, real


def total(particles: ParticleSet) -> Tensor:
    """The momentum of each set in units of 300 GeV."""
    return segment_sum(particles.p4, particles.offsets) / GEV


def dot(p: Tensor, q: Tensor, metric: Tensor = METRIC) -> Tensor:
    """The inner product."""
    return (p * q * metric.to(p)).sum(-1, keepdim=True)


class PaddedPool(nn.Module):
    """A perceptron on padded particles, and their sum; the bug: the sum runs over the padding."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.bug, self.layer, self.read = bug, nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, particles: ParticleSet) -> Tensor:
        x, real = padded(particles)
        h = self.layer(x).tanh()
        if not self.bug:
            h = h * real[..., None]
        return self.read(h.sum(1))


class PaddedNorm(nn.Module):
    """Centred channels and their second moment; the bug: the mean is also over the padding."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.bug, self.layer, self.read = bug, nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, particles: ParticleSet) -> Tensor:
        x, real = padded(particles)
        h = self.layer(x)
        weight = real[..., None].to(h)
        # As a batch norm would, with the statistics of one set.
        mean = h.mean(1, keepdim=True)
        if not self.bug:
            mean = (h * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
        return self.read(((h - mean).tanh() * weight).sum(1))


class BatchNorm(nn.Module):
    """Batch norm of padded particles; the bug: in evaluation, too, by the mean of this batch."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.bug, self.layer, self.read = bug, nn.Linear(4, 6), nn.Linear(6, 2)
        self.norm = nn.BatchNorm1d(6)

    def forward(self, particles: ParticleSet) -> Tensor:
        x, real = padded(particles)
        rows = self.layer(x).flatten(0, 1)
        h = self.norm(rows - rows.mean(0) if self.bug else rows).view(*real.shape, 6).tanh()
        return self.read((h * real[..., None]).sum(1))


class Attention(nn.Module):
    """Attention among the particles of a set; the bug: also to the padding."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.bug = bug
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.read = nn.Linear(4, 2)

    def forward(self, particles: ParticleSet) -> Tensor:
        x, real = padded(particles)
        hidden = None if self.bug else ~real
        h, _ = self.attention(x, x, x, key_padding_mask=hidden, need_weights=False)
        return self.read((h.tanh() * real[..., None]).sum(1))


class Sorted(nn.Module):
    """Reads the leading particle; the bug: by energy alone, which several may share."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.bug, self.read = bug, nn.Linear(4, 2)

    def forward(self, particles: ParticleSet) -> Tensor:
        rows = []
        for jet in particles:
            p4 = jet.p4 / GEV
            leading = p4[p4[:, 0] == p4[:, 0].max()]
            # The mean of all that share the energy does not depend on their order.
            rows.append(leading[0] if self.bug else leading.mean(0))
        return self.read(torch.stack(rows))


class Updates(nn.Module):
    """Momenta that are moved along each other; the bug: components of the step are clamped."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.bug, self.weight = bug, nn.Linear(1, 1)

    def forward(self, particles: ParticleSet) -> Tensor:
        p4, offsets = particles.p4 / GEV, particles.offsets
        others = segment_gather(segment_sum(p4, offsets), offsets, p4.shape[0]) - p4
        step = self.weight(dot(p4, others).log1p()) * others
        return step.clamp(-1.0, 1.0) if self.bug else step


class Masses(nn.Module):
    """The invariant mass of a set; the bug: one sign of the metric."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.metric = METRIC * torch.tensor([1.0, 1.0, 1.0, -1.0]) if bug else METRIC
        self.read = nn.Linear(1, 2)

    def forward(self, particles: ParticleSet) -> Tensor:
        p = total(particles)
        return self.read(dot(p, p, self.metric).abs().sqrt())


class WithBeam(nn.Module):
    """Products with a beam that is a buffer; the bug: it is written into the code."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.bug = bug
        self.register_buffer("beams", torch.tensor([[0.0, 0.0, 1.0]]))
        self.read = nn.Linear(2, 2)

    def forward(self, particles: ParticleSet) -> Tensor:
        p = total(particles)
        momentum = p.new_tensor([[0.0, 0.0, 1.0]]) if self.bug else self.beams
        energy = (1 + momentum.square().sum(1, keepdim=True)).sqrt()
        beam = torch.cat([energy, momentum], 1)
        return self.read(torch.cat([dot(p, p), dot(p, beam)], 1).abs().log1p())


class Kinematics(nn.Module):
    """pT and angles to the axis of the set; the bug: phi is not periodic."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.bug, self.kinematics = bug, JetKinematics()
        self.layer, self.read = nn.Linear(7, 6), nn.Linear(6, 2)

    def forward(self, particles: ParticleSet) -> Tensor:
        x = self.kinematics(particles.p4, particles.offsets)
        if self.bug:
            axis = segment_sum(particles.p4, particles.offsets)
            phi = torch.atan2(particles.p4[:, 2], particles.p4[:, 1])
            of_axis = torch.atan2(axis[:, 2], axis[:, 1])
            difference = phi - segment_gather(of_axis, particles.offsets, len(phi))
            x = torch.cat([x[:, :6], difference[:, None]], 1)
        return self.read(segment_sum(self.layer(x).tanh(), particles.offsets))


class Rapidities(nn.Module):
    """Rapidities relative to the set's; the bug: pseudorapidities, which massive particles need."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.bug, self.layer, self.read = bug, nn.Linear(1, 6), nn.Linear(6, 2)

    def _y(self, p4: Tensor) -> Tensor:
        energy = p4[:, 1:].norm(dim=1) if self.bug else p4[:, 0]
        return torch.atanh(p4[:, 3] / energy)

    def forward(self, particles: ParticleSet) -> Tensor:
        of_set = self._y(segment_sum(particles.p4, particles.offsets))
        y = self._y(particles.p4) - of_set[segment_index(particles.offsets, len(particles.p4))]
        return self.read(segment_sum(self.layer(y[:, None]).tanh(), particles.offsets))


class Components(nn.Module):
    """The three-momentum of the set by its size; the bug: by its components' sizes."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.bug, self.layer, self.read = bug, nn.Linear(1, 6), nn.Linear(6, 2)

    def forward(self, particles: ParticleSet) -> Tensor:
        p = total(particles)[:, 1:]
        size = p.abs().sum(1, keepdim=True) if self.bug else p.norm(dim=1, keepdim=True)
        return self.read(self.layer(size).tanh())


class Volume(nn.Module):
    """The parallelepiped of three moments; the bug: with its orientation, a pseudoscalar."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.bug, self.read = bug, nn.Linear(1, 2)

    def forward(self, particles: ParticleSet) -> Tensor:
        p4 = particles.p4 / GEV
        moments = [segment_sum(p4[:, 1:] * p4[:, :1] ** n, particles.offsets) for n in range(3)]
        volume = torch.linalg.det(torch.stack(moments, 1))[:, None]
        return self.read(volume if self.bug else volume.abs())


class Energy(nn.Module):
    """The square of the energy; the bug: the energy."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.bug, self.read = bug, nn.Linear(1, 2)

    def forward(self, particles: ParticleSet) -> Tensor:
        energy = total(particles)[:, :1]
        return self.read(energy if self.bug else energy.square())


class Flow(nn.Module):
    """Directions weighted by energy; the bug: by the root of the energy, or by one."""

    def __init__(self, power: float) -> None:
        super().__init__()
        self.power, self.layer, self.read = power, nn.Linear(3, 6), nn.Linear(6, 2)

    def forward(self, particles: ParticleSet) -> Tensor:
        p4, offsets = particles.p4, particles.offsets
        share = p4[:, :1] / segment_gather(segment_sum(p4[:, :1], offsets), offsets, len(p4))
        direction = nn.functional.normalize(p4[:, 1:], dim=1)
        return self.read(segment_sum(share**self.power * self.layer(direction).tanh(), offsets))


class Convolution(nn.Module):
    """A convolution of an image, and its mean; the bugs: wrong padding, or no mean."""

    def __init__(self, padding: str, pooled: bool = True) -> None:
        super().__init__()
        self.pooled = pooled
        self.convolution = nn.Conv2d(1, 4, 3, padding=1, padding_mode=padding)
        self.read = nn.Linear(4 if pooled else 4 * 8 * 12, 2)

    def forward(self, images: Tensor) -> Tensor:
        h = self.convolution(images).relu()
        return self.read(h.mean((2, 3)) if self.pooled else h.flatten(1))


class Bodies(nn.Module):
    """An energy of momenta and distances; the bugs: one term that knows too much."""

    def __init__(self, bug: str = "") -> None:
        super().__init__()
        self.bug, self.layer, self.read = bug, nn.Linear(2, 6), nn.Linear(6, 2)

    def forward(self, state: PhaseSpace) -> Tensor:
        q, p, offsets = state.q, state.p, state.offsets
        centre = segment_sum(q, offsets) / offsets.diff()[:, None]
        away = q - segment_gather(centre, offsets, len(q))
        if self.bug == "gravity":
            away = away + away.new_tensor([0.0, 1.0])
        elif self.bug == "drag":
            p = p + away
        elif self.bug == "origin":
            away = q
        elif self.bug == "axis":
            away = away * away.new_tensor([1.0, 2.0])
        elif self.bug == "order":
            first = segment_index(offsets, len(q)).diff(prepend=offsets.new_full((1,), -1)) > 0
            p = torch.where(first[:, None], 2 * p, p)
        x = torch.stack([p.square().sum(1), away.square().sum(1)], 1)
        return self.read(segment_sum(self.layer(x).tanh(), offsets))


class Pair(NamedTuple):
    """A network that keeps a symmetry and its twin that does not."""

    name: str
    symmetry: Symmetry
    honest: Callable[[], nn.Module]
    bugged: Callable[[], nn.Module]
    # The layer at fault; "" where it is what the network does between its layers.
    layer: str = ""


PAIRS = [
    Pair(
        "sum over padding", BatchComposition(), lambda: PaddedPool(False), lambda: PaddedPool(True)
    ),
    Pair(
        "norm over padding", BatchComposition(), lambda: PaddedNorm(False), lambda: PaddedNorm(True)
    ),
    Pair(
        "norm over the batch", BatchComposition(), lambda: BatchNorm(False), lambda: BatchNorm(True)
    ),
    Pair(
        "attention to padding",
        BatchComposition(),
        lambda: Attention(False),
        lambda: Attention(True),
        "attention",
    ),
    Pair("sort with ties", Permutation(), lambda: Sorted(False), lambda: Sorted(True)),
    Pair(
        "clamped components",
        Lorentz(outputs="(1/2,1/2)"),
        lambda: Updates(False),
        lambda: Updates(True),
    ),
    Pair("sign of the metric", Lorentz(), lambda: Masses(False), lambda: Masses(True)),
    Pair(
        "beam in the code",
        Lorentz(references=("beams",)),
        lambda: WithBeam(False),
        lambda: WithBeam(True),
    ),
    Pair("phi not periodic", BeamRotation(), lambda: Kinematics(False), lambda: Kinematics(True)),
    Pair("pseudorapidity", BeamBoost(), lambda: Rapidities(False), lambda: Rapidities(True)),
    Pair("sum of components", Rotation(), lambda: Components(False), lambda: Components(True)),
    Pair("pseudoscalar", Parity(), lambda: Volume(False), lambda: Volume(True)),
    Pair("energy", TimeReversal(), lambda: Energy(False), lambda: Energy(True)),
    Pair("counts soft particles", SoftEmission(), lambda: Flow(1.0), lambda: Flow(0.0)),
    Pair("root of the energy", CollinearSplitting(), lambda: Flow(1.0), lambda: Flow(0.5)),
    Pair(
        "zeros around phi",
        PhiRotation(),
        lambda: Convolution("circular"),
        lambda: Convolution("zeros"),
        "convolution",
    ),
    Pair(
        "no pooling",
        Translation(),
        lambda: Convolution("circular"),
        lambda: Convolution("circular", False),
    ),
    Pair("friction", MotionReversal(), Bodies, lambda: Bodies("drag")),
    Pair("distance from the origin", SpaceTranslation(), Bodies, lambda: Bodies("origin")),
    Pair("one axis stretched", SpaceRotation(), Bodies, lambda: Bodies("axis")),
    Pair("down is not up", SpaceInversion(), Bodies, lambda: Bodies("gravity")),
    Pair("the first is heavier", BodyPermutation(), Bodies, lambda: Bodies("order")),
]


MOTION = MotionReversal | SpaceTranslation | SpaceRotation | SpaceInversion | BodyPermutation


def symmetric_inputs(symmetry: Symmetry) -> ParticleSet | PhaseSpace | Tensor:
    generator = torch.Generator().manual_seed(3)
    if isinstance(symmetry, MOTION):
        states = torch.randn(2, 15, 2, generator=generator).double()
        return PhaseSpace(*states, torch.tensor([0, 3, 7, 9, 13, 15]))
    if isinstance(symmetry, PhiRotation | Translation):
        images = torch.zeros(6, 1, 8, 12, dtype=torch.float64)
        images[:, :, 3:5, 4:8] = torch.rand(6, 1, 2, 4, generator=generator).double()
        if isinstance(symmetry, PhiRotation):
            # Where the image begins and ends must not matter.
            images = images.roll(5, dims=-1)
        return images
    batch = jets([3, 7, 1, 5, 4, 2, 6], generator)
    # Two particles of one energy, in different directions.
    (tie,) = jets([4], generator)
    p4 = tie.p4.clone()
    p4[1] = p4[0] * torch.tensor([1.0, -1.0, 1.0, -1.0])
    p4[:2] *= 10
    return concatenate([batch, tie.with_p4(p4)])
