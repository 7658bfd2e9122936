"""The contract: for every exported layer and model how to build it and what it claims.

:mod:`test_cases` runs each row through the same checks, :mod:`test_public_api` asks for a row for
every layer and model. A new layer or model is a new row.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, cast

import pytest
import torch
from torch import Tensor, nn

from hepml.data import Graph, ParticleSet, PhaseSpace
from hepml.lorentz import minkowski_dot, pt
from hepml.models import (
    MODELS,
    NETWORKS,
    EnergyFlow,
    InteractionNetwork,
    LorentzCG,
    LorentzNet,
    MessagePassing,
    ParticleFlow,
    RestFrame,
)
from hepml.nn import (
    MLP,
    CentralHamiltonian,
    DeepItems,
    DeepSets,
    EvenHamiltonian,
    GraphHamiltonian,
    HamiltonianFlow,
    IrrepsGate,
    IrrepsHarmonics,
    IrrepsLinear,
    IrrepsNorm,
    IrrepsTensorProduct,
    JetKinematics,
    LearnedAdjacency,
    LorentzBlock,
    MLPFlow,
    MLPHamiltonian,
    RaggedBatchNorm,
    SeparableHamiltonian,
    Standardise,
    psi,
)
from hepml.ops import all_pairs, segment_gather, segment_sum


@dataclass(frozen=True)
class Case:
    """A row: a network made small, how to apply it to a batch, and what holds of the result."""

    name: str
    kind: type[nn.Module]
    build: Callable[[], nn.Module]
    apply: Callable[[nn.Module, ParticleSet], Tensor]
    # Whether a row of the result belongs to a set or to a particle.
    per: Literal["set", "particle"]
    # Names in hepml.symmetry.SYMMETRIES, beside "batch composition", which all must keep. A model
    # names its own: None.
    claims: tuple[str, ...] | None
    features: int = 0
    context: int = 0
    second_derivative: bool = True
    # Without graph breaks.
    compiles: bool = True
    # Of float32 against float64, in units of the spread of the results.
    float32: float = 1e-3
    # How it is applied to sets of three bodies in a plane, and what it then gives: a network whose
    # class claims symmetries of motion.
    motion: Callable[[nn.Module, PhaseSpace], Tensor] | None = None
    motion_outputs: Literal["energies", "rates"] = "energies"
    build_motion: Callable[[], nn.Module] | None = None
    # Arguments that rebuild a model from a checkpoint.
    arguments: dict[str, object] = field(default_factory=dict)
    # What the network itself takes; sets of particles are made into it where it is applied.
    takes: Literal["sets", "graphs", "motion", "tensors"] = "tensors"


def model_case(name: str, kind: type[nn.Module], **arguments: object) -> Case:
    """The row of a model, which is applied by calling it."""
    return Case(
        name,
        kind,
        lambda: kind(**arguments),
        lambda model, particles: model(particles),
        "particle" if arguments.get("per") == "particle" else "set",
        None,
        features=int(str(arguments.get("features", 0))),
        context=int(str(arguments.get("context", 0))),
        arguments=arguments,
        takes="sets",
    )


def graph_case(name: str, **arguments: object) -> Case:
    """The row of a network of graphs: of all pairs of the particles of each set."""

    def apply(model: nn.Module, particles: ParticleSet) -> Tensor:
        graph = _graph(particles)
        outputs = cast(Tensor, model(graph))
        # Rows of edges have no order of their own: what each particle receives.
        return segment_sum(outputs, graph.receiver_offsets) if per == "edge" else outputs

    per = arguments.get("per", "set")
    return Case(
        name,
        InteractionNetwork,
        lambda: InteractionNetwork(**arguments),
        apply,
        "set" if per == "set" else "particle",
        None,
        context=int(str(arguments.get("context", 0))),
        # Edges have a property whose type is checked while tests run: the compiler cannot trace it.
        compiles=False,
        arguments=arguments,
        takes="graphs",
    )


def _graph(particles: ParticleSet) -> Graph:
    """The particles of each set, joined to each other one."""
    p4 = particles.p4 / 300
    edges = all_pairs(particles.offsets, p4.shape[0])
    # Derivatives of every kind go through, which the checks of a Graph are not made for.
    return Graph._trusted(
        nodes=p4,
        senders=edges.senders,
        receivers=edges.receivers,
        node_offsets=particles.offsets,
        edge_offsets=edges.offsets[particles.offsets],
        edges=p4[edges.senders, :2] - p4[edges.receivers, :2],
        context=particles.context,
    )


def _apply_block(block: nn.Module, particles: ParticleSet) -> Tensor:
    """Invariants of the momenta and channels after one block."""
    p4, offsets = particles.p4, particles.offsets
    mass = psi(minkowski_dot(p4, p4))[:, None]
    h = torch.cat([mass, mass.sin()], dim=1)
    x, h = block(p4, h, mass, offsets)
    return torch.cat([h, psi(minkowski_dot(x, x))[:, None], psi(minkowski_dot(x, p4))[:, None]], 1)


def _apply_adjacency(adjacency: nn.Module, particles: ParticleSet) -> Tensor:
    """What each particle receives with the weights of the adjacency."""
    h = particles.p4 / 300
    pairs = all_pairs(particles.offsets, h.shape[0])
    weights = adjacency(h, pairs)
    return segment_sum(weights[:, None] * h[pairs.senders], pairs.offsets)


def _filled_standardise() -> Standardise:
    """The layer with a centre and a scale that are not those of the identity."""
    standardise = Standardise(4)
    standardise.fill(torch.linspace(-3, 5, 40).reshape(10, 4).exp())
    return standardise


def _vectors(particles: ParticleSet) -> Tensor:
    """Two vectors of each particle: its momentum, and that of its set."""
    p4, offsets = particles.p4 / 300, particles.offsets
    return torch.cat([p4, segment_gather(segment_sum(p4, offsets), offsets, p4.shape[0])], dim=1)


def _apply_gate(gate: nn.Module, particles: ParticleSet) -> Tensor:
    """Vectors that are gated by scalars."""
    vectors = _vectors(particles)
    scalars = psi(minkowski_dot(vectors[:, :4], vectors[:, 4:]))[:, None]
    return cast(Tensor, gate(torch.cat([scalars, scalars.sin(), scalars.cos(), vectors], dim=1)))


def _phase_space(particles: ParticleSet) -> tuple[Tensor, Tensor]:
    """Coordinates and momenta of bodies, of order one: vectors under rotations."""
    q = particles.p4[:, 1:] / 300
    return q, q * particles.p4[:, :1] / 300


def _apply_hamiltonian(hamiltonian: nn.Module, particles: ParticleSet) -> Tensor:
    """The energy of each body by itself."""
    return cast(Tensor, hamiltonian(*_phase_space(particles)))[:, None]


def _apply_graph_hamiltonian(hamiltonian: nn.Module, particles: ParticleSet) -> Tensor:
    """The energy of each set of bodies."""
    return cast(Tensor, hamiltonian(*_phase_space(particles), particles.offsets))[:, None]


def _apply_flow(flow: nn.Module, particles: ParticleSet) -> Tensor:
    """The rates of each body by itself."""
    return torch.cat(flow(*_phase_space(particles)), dim=1)


def _rows(state: PhaseSpace) -> tuple[Tensor, Tensor]:
    """The coordinates and the momenta of each set of bodies in a row."""
    sets = len(state.offsets) - 1
    return state.q.reshape(sets, -1), state.p.reshape(sets, -1)


def _energies_of_rows(hamiltonian: nn.Module, state: PhaseSpace) -> Tensor:
    return cast(Tensor, hamiltonian(*_rows(state)))[:, None]


def _energies_of_bodies(hamiltonian: nn.Module, state: PhaseSpace) -> Tensor:
    return cast(Tensor, hamiltonian(state.q, state.p, state.offsets))[:, None]


def _rates_of_rows(flow: nn.Module, state: PhaseSpace) -> Tensor:
    return torch.cat([x.reshape(state.q.shape) for x in flow(*_rows(state))], dim=1)


def _rates_of_bodies(flow: nn.Module, state: PhaseSpace) -> Tensor:
    return torch.cat(flow(state.q, state.p, state.offsets), dim=1)


def _with_squares(layer: nn.Module) -> nn.Module:
    """An equivariant layer, and the invariant squares of what it gives."""
    return nn.Sequential(layer, IrrepsNorm(layer.irreps_out))


_BEAM = ("permutation", "beam rotation")
_GROUP = ("permutation", "beam rotation", "beam boost", "parity", "rotation", "lorentz")

CASES = [
    Case(
        "MLP",
        MLP,
        lambda: MLP(4, [8, 3]),
        lambda mlp, particles: mlp(particles.p4 / 300),
        "particle",
        ("permutation",),
    ),
    Case(
        "RaggedBatchNorm",
        RaggedBatchNorm,
        lambda: RaggedBatchNorm(4),
        lambda norm, particles: norm(particles.p4 / 300),
        "particle",
        ("permutation",),
    ),
    Case(
        "Standardise",
        Standardise,
        _filled_standardise,
        lambda standardise, particles: standardise(particles.p4 / 300),
        "particle",
        ("permutation",),
        # It is linear.
        second_derivative=False,
    ),
    Case(
        "DeepSets",
        DeepSets,
        lambda: DeepSets(nn.Sequential(nn.Linear(1, 8), nn.Tanh()), nn.Linear(8, 3)),
        lambda deep_sets, particles: deep_sets(
            pt(particles.p4)[:, None] / 300, particles.offsets, pt(particles.p4)
        ),
        "set",
        ("permutation", "beam rotation", "beam boost", "parity"),
    ),
    Case(
        "DeepItems",
        DeepItems,
        lambda: DeepItems(nn.Sequential(nn.Linear(1, 8), nn.Tanh()), nn.Linear(16, 3)),
        lambda items, particles: items(pt(particles.p4)[:, None] / 300, particles.offsets),
        "particle",
        ("permutation", "beam rotation", "beam boost", "parity"),
    ),
    Case(
        "JetKinematics",
        JetKinematics,
        JetKinematics,
        lambda kinematics, particles: kinematics(particles.p4, particles.offsets),
        "particle",
        _BEAM,
    ),
    Case(
        "LearnedAdjacency",
        LearnedAdjacency,
        lambda: LearnedAdjacency(4, 3),
        _apply_adjacency,
        "particle",
        ("permutation",),
    ),
    Case(
        "LorentzBlock",
        LorentzBlock,
        lambda: LorentzBlock(2, 1, c=1.0),
        _apply_block,
        "particle",
        _GROUP,
    ),
    Case(
        "IrrepsHarmonics",
        IrrepsHarmonics,
        lambda: _with_squares(IrrepsHarmonics(2)),
        lambda harmonics, particles: harmonics(_vectors(particles)[:, :4])[:, 1:],
        "particle",
        # Boosts are left to the test of the layer: the squares are of the order (m / E)^4.
        ("permutation", "beam rotation", "parity", "rotation"),
        compiles=False,
        # For the same reason the order in which einsum adds (it depends on whether opt_einsum is
        # installed) decides about 1e-3: 1.8e-3 was measured without it.
        float32=1e-2,
    ),
    Case(
        "IrrepsLinear",
        IrrepsLinear,
        lambda: _with_squares(IrrepsLinear("2x(1/2,1/2)", "3x(1/2,1/2)")),
        lambda linear, particles: linear(_vectors(particles)),
        "particle",
        _GROUP,
        compiles=False,
    ),
    Case(
        "IrrepsNorm",
        IrrepsNorm,
        lambda: IrrepsNorm("2x(1/2,1/2)"),
        lambda norm, particles: norm(_vectors(particles)),
        "particle",
        _GROUP,
        compiles=False,
    ),
    Case(
        "IrrepsGate",
        IrrepsGate,
        lambda: _with_squares(IrrepsGate("1x(0,0) + 2x(1/2,1/2)")),
        _apply_gate,
        "particle",
        _GROUP,
        compiles=False,
    ),
    Case(
        "IrrepsTensorProduct",
        IrrepsTensorProduct,
        lambda: IrrepsTensorProduct("2x(1/2,1/2)", "2x(1/2,1/2)", only="(0,0)"),
        lambda product, particles: product(_vectors(particles), _vectors(particles)),
        "particle",
        _GROUP,
        compiles=False,
    ),
    Case(
        "MLPHamiltonian",
        MLPHamiltonian,
        lambda: MLPHamiltonian(3, [8, 6]),
        _apply_hamiltonian,
        "particle",
        ("permutation",),
        build_motion=lambda: MLPHamiltonian(6, [8, 6]),
        motion=_energies_of_rows,
        takes="motion",
    ),
    Case(
        "SeparableHamiltonian",
        SeparableHamiltonian,
        lambda: SeparableHamiltonian(3, [8, 6]),
        _apply_hamiltonian,
        "particle",
        ("permutation",),
        build_motion=lambda: SeparableHamiltonian(6, [8, 6]),
        motion=_energies_of_rows,
        takes="motion",
    ),
    Case(
        "EvenHamiltonian",
        EvenHamiltonian,
        lambda: EvenHamiltonian(3, [8, 6]),
        _apply_hamiltonian,
        "particle",
        ("permutation", "parity"),
        build_motion=lambda: EvenHamiltonian(6, [8, 6]),
        motion=_energies_of_rows,
        takes="motion",
    ),
    Case(
        "GraphHamiltonian",
        GraphHamiltonian,
        lambda: GraphHamiltonian(3, [8, 6]),
        _apply_graph_hamiltonian,
        "set",
        ("permutation",),
        # Pairs has a property whose type is checked while tests run: the compiler cannot trace it.
        compiles=False,
        build_motion=lambda: GraphHamiltonian(2, [8, 6]),
        motion=_energies_of_bodies,
        takes="motion",
    ),
    Case(
        "CentralHamiltonian",
        CentralHamiltonian,
        lambda: CentralHamiltonian(3, [8, 6]),
        _apply_graph_hamiltonian,
        "set",
        ("permutation", "beam rotation", "parity", "rotation"),
        compiles=False,
        build_motion=lambda: CentralHamiltonian(2, [8, 6]),
        motion=_energies_of_bodies,
        takes="motion",
    ),
    Case(
        "MLPFlow",
        MLPFlow,
        lambda: MLPFlow(3, [8, 6]),
        _apply_flow,
        "particle",
        ("permutation",),
        build_motion=lambda: MLPFlow(6, [8, 6]),
        motion=_rates_of_rows,
        takes="motion",
        motion_outputs="rates",
    ),
    Case(
        "HamiltonianFlow",
        HamiltonianFlow,
        lambda: HamiltonianFlow(SeparableHamiltonian(3, [8, 6])),
        _apply_flow,
        "particle",
        ("permutation",),
        build_motion=lambda: HamiltonianFlow(SeparableHamiltonian(6, [8, 6])),
        motion=_rates_of_rows,
        takes="motion",
        motion_outputs="rates",
    ),
    Case(
        "HamiltonianFlow of distances",
        HamiltonianFlow,
        lambda: HamiltonianFlow(CentralHamiltonian(3, [8, 6])),
        lambda flow, particles: torch.cat(flow(*_phase_space(particles), particles.offsets), dim=1),
        "particle",
        ("permutation",),
        # It differentiates by itself.
        compiles=False,
        build_motion=lambda: HamiltonianFlow(CentralHamiltonian(2, [8, 6])),
        motion=_rates_of_bodies,
        takes="motion",
        motion_outputs="rates",
    ),
    model_case("ParticleFlow", ParticleFlow, particle_widths=[8, 6], set_widths=[5]),
    model_case(
        "ParticleFlow with features",
        ParticleFlow,
        outputs=3,
        features=2,
        particle_widths=[8, 6],
        set_widths=[5],
    ),
    model_case(
        "ParticleFlow with context",
        ParticleFlow,
        features=1,
        context=2,
        particle_widths=[8, 6],
        set_widths=[5],
    ),
    model_case(
        "ParticleFlow of particles",
        ParticleFlow,
        features=1,
        particle_widths=[8, 6],
        set_widths=[5],
        per="particle",
    ),
    model_case("EnergyFlow", EnergyFlow, particle_widths=[8, 6], set_widths=[5]),
    model_case(
        "EnergyFlow with context", EnergyFlow, context=2, particle_widths=[8, 6], set_widths=[5]
    ),
    model_case("MessagePassing", MessagePassing, features=2, width=6, steps=2),
    model_case(
        "MessagePassing with context", MessagePassing, features=1, context=2, width=6, steps=2
    ),
    model_case(
        "MessagePassing, nearest",
        MessagePassing,
        width=6,
        steps=2,
        adjacency="nearest",
        neighbours=2,
    ),
    model_case("MessagePassing of particles", MessagePassing, width=6, steps=2, per="particle"),
    model_case("MessagePassing, learned", MessagePassing, width=6, steps=2, adjacency="learned"),
    graph_case("InteractionNetwork", features=4, edge_features=2, width=6),
    graph_case(
        "InteractionNetwork with context", features=4, edge_features=2, context=2, width=6, steps=1
    ),
    graph_case("InteractionNetwork of nodes", features=4, edge_features=2, width=6, per="node"),
    graph_case("InteractionNetwork of edges", features=4, edge_features=2, width=6, per="edge"),
    model_case("LorentzNet", LorentzNet, features=1, width=6, blocks=2, c=1.0),
    model_case(
        "LorentzNet with context", LorentzNet, features=1, context=2, width=6, blocks=2, c=1.0
    ),
    model_case(
        "LorentzNet without beams",
        LorentzNet,
        outputs=3,
        width=6,
        blocks=2,
        c=1.0,
        beams=False,
    ),
    model_case(
        "LorentzCG",
        LorentzCG,
        outputs=2,
        features=1,
        channels=[2, 2],
        bells=3,
        scale=500.0,
    ),
    model_case(
        "LorentzCG with context",
        LorentzCG,
        features=1,
        context=2,
        channels=[2, 2],
        bells=3,
        scale=500.0,
    ),
    model_case(
        "LorentzCG without beams",
        LorentzCG,
        channels=[2, 2, 2],
        bells=3,
        scale=500.0,
        beams=False,
    ),
    model_case("RestFrame", RestFrame, outputs=3, channels=3),
    model_case("RestFrame with context", RestFrame, context=2, channels=3, degree=1),
    model_case("RestFrame with beams", RestFrame, features=1, channels=3, degree=1, beams=True),
]


def parametrize_cases(cases: list[Case]) -> pytest.MarkDecorator:
    """Run a test with each of these rows."""
    rows = [pytest.param(case, id=case.name) for case in cases]
    return pytest.mark.parametrize("case", rows)


every_case = parametrize_cases(CASES)
every_model = pytest.mark.parametrize("name", MODELS)
# Those that take sets of particles.
OF_SETS = [name for name in MODELS if NETWORKS[name].takes == "sets"]
every_model_of_sets = pytest.mark.parametrize("name", OF_SETS)
