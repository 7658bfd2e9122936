"""The ragged batch of graphs: nodes, and edges from senders to receivers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from hepml.data._declarations import bounds_of, per, places_of
from hepml.data._graph_validation import check_edge_offsets, check_edges, check_nodes
from hepml.data._ragged import Ragged
from hepml.data._validation import check_momenta, check_offsets, check_values, describe
from hepml.errors import InputError
from hepml.ops import segment_index

if TYPE_CHECKING:
    from typing import Self

    from hepml.data._particle_set import ParticleSet
else:
    Self = Any


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Graph(Ragged):
    """A batch of directed graphs, of any numbers of nodes and edges, as flat tensors.

    The nodes of graph ``i`` are the rows ``node_offsets[i]:node_offsets[i + 1]``, its edges the
    rows ``edge_offsets[i]:edge_offsets[i + 1]``. Senders and receivers count the nodes of the whole
    batch. The batch is checked once, here.

    Parameters
    ----------
    nodes
        Numbers of each node, float32 or float64; (nodes, 0) if there are none.
    senders, receivers
        The nodes that each edge leads from and to, sorted by receiver; :meth:`from_edges` sorts.
    node_offsets
        Bounds of the nodes of each graph: starts at 0, never falls, ends at the number of nodes.
    edge_offsets
        Likewise of the edges; they follow from the receivers, and may be left out.
    edges
        Numbers of each edge.
    positions
        Where each node is, in two or three dimensions.
    p4
        The four-momentum (E, px, py, pz) of each node in GeV.
    context
        Numbers of each graph.
    labels, targets, weights
        Of each graph: its class (int64), numbers to predict, its weight in the loss.
    node_labels, node_targets, node_weights
        Likewise of each node.
    edge_labels, edge_targets, edge_weights
        Likewise of each edge.

    Raises
    ------
    InputError
        If a shape, dtype or device does not fit, if offsets are not bounds, if a number is NaN or
        infinite, if an edge leads to a node that is not there or joins different graphs, or if the
        edges are not sorted by receiver.

    Notes
    -----
    Graphs without nodes, nodes without edges, loops and parallel edges are graphs like others.

    References
    ----------
    P. W. Battaglia et al., Relational inductive biases, deep learning, and graph networks,
    arXiv:1806.01261, section 3.2.

    Examples
    --------
    >>> senders, receivers = torch.tensor([1, 0, 3]), torch.tensor([0, 1, 2])
    >>> graph = Graph(torch.zeros(4, 2), senders, receivers, torch.tensor([0, 2, 4, 4]))
    >>> graph
    Graph(3 graphs, 4 nodes, 3 edges, 2 node channels, float32, cpu)
    >>> graph.edge_offsets.tolist()
    [0, 2, 3, 3]
    >>> graph[1].senders.tolist(), graph[1].receivers.tolist()
    ([1], [0])
    """

    nodes: Float[Tensor, "nodes channels"] = per("nodes", channels="node channels")
    senders: Int64[Tensor, " edges"] = places_of("nodes", per="edges")
    receivers: Int64[Tensor, " edges"] = places_of("nodes", per="edges")
    node_offsets: Int64[Tensor, " bounds"] = bounds_of("nodes", per="graphs")
    edge_offsets: Int64[Tensor, " bounds"] = bounds_of("edges", per="graphs")
    edges: Float[Tensor, "edges edge_channels"] | None = per(
        "edges", optional=True, channels="edge channels"
    )
    positions: Float[Tensor, "nodes space"] | None = per("nodes", optional=True)
    p4: Float[Tensor, "nodes 4"] | None = per("nodes", optional=True)
    context: Float[Tensor, "graphs context"] | None = per("graphs", optional=True)
    labels: Shaped[Tensor, " graphs"] | None = per("graphs", optional=True)
    targets: Float[Tensor, "graphs targets"] | None = per("graphs", optional=True)
    weights: Float[Tensor, " graphs"] | None = per("graphs", optional=True)
    node_labels: Int64[Tensor, " nodes"] | None = per("nodes", optional=True)
    node_targets: Float[Tensor, "nodes targets"] | None = per("nodes", optional=True)
    node_weights: Float[Tensor, " nodes"] | None = per("nodes", optional=True)
    edge_labels: Int64[Tensor, " edges"] | None = per("edges", optional=True)
    edge_targets: Float[Tensor, "edges targets"] | None = per("edges", optional=True)
    edge_weights: Float[Tensor, " edges"] | None = per("edges", optional=True)

    def __init__(
        self,
        nodes: Tensor,
        senders: Tensor,
        receivers: Tensor,
        node_offsets: Tensor,
        edge_offsets: Tensor | None = None,
        *,
        edges: Tensor | None = None,
        positions: Tensor | None = None,
        p4: Tensor | None = None,
        context: Tensor | None = None,
        labels: Tensor | None = None,
        targets: Tensor | None = None,
        weights: Tensor | None = None,
        node_labels: Tensor | None = None,
        node_targets: Tensor | None = None,
        node_weights: Tensor | None = None,
        edge_labels: Tensor | None = None,
        edge_targets: Tensor | None = None,
        edge_weights: Tensor | None = None,
    ) -> None:
        check_nodes(nodes)
        check_offsets(node_offsets, nodes, "nodes", "node_offsets")
        found = check_edges(senders, receivers, node_offsets, nodes)
        if edge_offsets is None:
            edge_offsets = found
        else:
            check_edge_offsets(edge_offsets, found, len(receivers))
        kinds = {
            "graph": (len(node_offsets) - 1, "", labels, targets, weights),
            "node": (len(nodes), "node_", node_labels, node_targets, node_weights),
            "edge": (len(senders), "edge_", edge_labels, edge_targets, edge_weights),
        }
        for item, (size, prefix, classes, numbers, weight) in kinds.items():
            check_values(f"{prefix}labels", classes, 1, size, item, nodes, torch.int64)
            check_values(f"{prefix}targets", numbers, 2, size, item, nodes, "floating point")
            check_values(f"{prefix}weights", weight, 1, size, item, nodes, "floating point")
        check_values("edges", edges, 2, len(senders), "edge", nodes, nodes.dtype)
        check_values("positions", positions, 2, len(nodes), "node", nodes, nodes.dtype)
        if positions is not None and positions.shape[1] not in (2, 3):
            raise InputError(
                "positions",
                expected=f"shape ({len(nodes)}, 2) or ({len(nodes)}, 3)",
                got=describe(positions),
                fix="give two or three coordinates of each node; other numbers belong to nodes",
            )
        check_values("p4", p4, 2, len(nodes), "node", nodes, nodes.dtype)
        if p4 is not None:
            check_momenta(p4)
        check_values("context", context, 2, len(node_offsets) - 1, "graph", nodes, nodes.dtype)
        self._fill(
            nodes=nodes,
            senders=senders,
            receivers=receivers,
            node_offsets=node_offsets,
            edge_offsets=edge_offsets,
            edges=edges,
            positions=positions,
            p4=p4,
            context=context,
            labels=labels,
            targets=targets,
            weights=weights,
            node_labels=node_labels,
            node_targets=node_targets,
            node_weights=node_weights,
            edge_labels=edge_labels,
            edge_targets=edge_targets,
            edge_weights=edge_weights,
        )

    @classmethod
    def from_edges(
        cls,
        nodes: Tensor,
        senders: Tensor,
        receivers: Tensor,
        node_offsets: Tensor,
        **fields: Tensor | None,
    ) -> Self:
        """A batch of graphs whose edges come in any order; they are sorted by receiver.

        Parameters
        ----------
        nodes, senders, receivers, node_offsets, fields
            As for the constructor. What belongs to edges is sorted along; edges to one receiver
            stay in their order.

        Raises
        ------
        InputError
            As the constructor.
        """
        plain = isinstance(receivers, Tensor) and receivers.dim() == 1
        if plain and bool((receivers[1:] < receivers[:-1]).any()):
            order = receivers.argsort(stable=True)

            def sort(values: Any) -> Any:
                fits = isinstance(values, Tensor) and values.shape[:1] == order.shape
                return values[order.to(values.device)] if fits else values

            senders, receivers = sort(senders), receivers[order]
            of_edges = next(level.fields for level in cls.levels if level.items == "edges")
            fields = {n: sort(v) if n in of_edges else v for n, v in fields.items()}
        return cls(nodes, senders, receivers, node_offsets, **fields)

    @property
    def edge_counts(self) -> Int64[Tensor, " graphs"]:
        """The number of edges of each graph."""
        return self.edge_offsets.diff()

    @property
    def edge_index(self) -> Int64[Tensor, " edges"]:
        """The graph that each edge belongs to."""
        return segment_index(self.edge_offsets, self.senders.shape[0])

    @property
    def receiver_offsets(self) -> Int64[Tensor, " bounds"]:
        """Bounds of the edges of each receiver: of as many segments as there are nodes."""
        counts = torch.bincount(self.receivers, minlength=self.nodes.shape[0])
        return torch.cat([counts.new_zeros(1), counts.cumsum(0)])

    def with_items(self, rows: Int64[Tensor, " items"], offsets: Int64[Tensor, " bounds"]) -> Self:
        """The graphs of some of their nodes, in another order, and of the edges between these.

        Parameters
        ----------
        rows
            The nodes, each at most once, set after set.
        offsets
            Bounds of those of each graph.
        """
        place = torch.full_like(self.nodes[:, :0].sum(1), -1, dtype=torch.int64)
        place = place.index_copy(0, rows, torch.arange(len(rows), device=self.device))
        senders, receivers = place[self.senders], place[self.receivers]
        kept = ((senders >= 0) & (receivers >= 0)).nonzero().squeeze(1)
        kept = kept[receivers[kept].argsort(stable=True)]
        nodes, edges = self.levels
        values = {name: getattr(self, name) for name in self._declared}
        for names, chosen in ((nodes.fields, rows), (edges.fields, kept)):
            for name in names:
                values[name] = None if values[name] is None else values[name][chosen]
        values |= {"senders": senders[kept], "receivers": receivers[kept], "node_offsets": offsets}
        values["edge_offsets"] = torch.searchsorted(receivers[kept], offsets)
        return self._trusted(**values)

    def with_p4(self, p4: Float[Tensor, "nodes 4"]) -> Self:
        """The same graphs with other momenta, as after a Lorentz transformation.

        Raises
        ------
        InputError
            If shape, dtype or device does not fit the nodes.
        """
        check_values("p4", p4, 2, len(self.nodes), "node", self.nodes, self.dtype)
        check_momenta(p4)
        return self._with(p4=p4)

    @classmethod
    def from_particles(
        cls,
        particles: "ParticleSet",
        senders: Int64[Tensor, " edges"],
        receivers: Int64[Tensor, " edges"],
        edges: Float[Tensor, "edges channels"] | None = None,
    ) -> Self:
        """Sets of particles as graphs: features become nodes, momenta are kept, edges are added.

        Parameters
        ----------
        particles
            The sets.
        senders, receivers, edges
            As for :meth:`from_edges`, such as those of :func:`hepml.ops.all_pairs`.

        Raises
        ------
        InputError
            As the constructor.
        """
        return cls.from_edges(
            particles.features,
            senders,
            receivers,
            particles.offsets,
            edges=edges,
            p4=particles.p4,
            context=particles.context,
            labels=particles.labels,
            targets=particles.targets,
            weights=particles.weights,
            node_labels=particles.particle_labels,
            node_targets=particles.particle_targets,
        )

    def to_particles(self) -> "ParticleSet":
        """The nodes as sets of particles, without edges.

        Raises
        ------
        InputError
            If they have no momenta.
        """
        from hepml.data._particle_set import ParticleSet

        if self.p4 is None:
            raise InputError(
                "p4", expected="momenta of the nodes", got="none", fix="give p4 to the Graph"
            )
        return ParticleSet(
            self.p4,
            self.node_offsets,
            self.nodes,
            context=self.context,
            labels=self.labels,
            targets=self.targets,
            weights=self.weights,
            particle_labels=self.node_labels,
            particle_targets=self.node_targets,
        )

    def to_torch_geometric(self) -> Any:
        """The batch as a ``torch_geometric.data.Batch``, sharing memory where that lets it.

        ``x``, ``edge_index``, ``edge_attr``, ``pos`` and ``y`` are nodes, senders and receivers,
        edges, positions and labels; other fields keep their names.

        Raises
        ------
        MissingDependencyError
            If torch_geometric is not installed.
        """
        from hepml.data._graph_conversions import torch_geometric_from_graph

        return torch_geometric_from_graph(self)

    @classmethod
    def from_torch_geometric(cls, data: Any) -> "Graph":
        """Read a ``torch_geometric`` Data, a Batch, or a list of Data.

        What :meth:`to_torch_geometric` names, and fields under the names of this class.

        Raises
        ------
        InputError
            If there is no ``edge_index``, or the graph is heterogeneous; also all that the
            constructor refuses.
        MissingDependencyError
            If torch_geometric is not installed.
        """
        from hepml.data._graph_conversions import graph_from_torch_geometric

        return graph_from_torch_geometric(data)

    def to_networkx(self) -> list[Any]:
        """A ``networkx.MultiDiGraph`` for each graph, the nodes of which are numbered from 0.

        Fields are attributes of the nodes, of the edges, or of the graph, as numbers or lists.
        """
        from hepml.data._graph_conversions import networkx_from_graph

        return networkx_from_graph(self)

    @classmethod
    def from_networkx(
        cls,
        graphs: Any,
        *,
        nodes: str | Sequence[str] | None = None,
        edges: str | Sequence[str] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> "Graph":
        """Read one ``networkx`` graph or a list of them, whose nodes stay in their order.

        Parameters
        ----------
        graphs
            Edges of graphs without direction become two, one each way.
        nodes, edges
            The attributes, numbers or lists of them, that become the numbers of nodes and edges, in
            this order; by default those called ``nodes`` and ``edges``, if there are any. Other
            fields are read from attributes under the names of this class.
        dtype
            The floating-point type.

        Raises
        ------
        InputError
            If an attribute is missing in some places, or is no number; also all that the
            constructor refuses.
        """
        from hepml.data._graph_conversions import graph_from_networkx

        return graph_from_networkx(graphs, nodes=nodes, edges=edges, dtype=dtype)
