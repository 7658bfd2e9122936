"""What every network takes of graphs: channels of nodes with the context, and those of edges."""

import torch
from jaxtyping import Float
from torch import Tensor

from hepml.data import Graph
from hepml.models._inputs import check_batch, check_channels
from hepml.nn import Standardise
from hepml.ops import segment_gather


def node_scalars(
    graph: Graph, standardise: Standardise, features: int, context: int
) -> Float[Tensor, "nodes channels"]:
    """The channels of each node, and then the context of its graph, standardised.

    Raises
    ------
    InputError
        If it is no graph, on another device than the weights, or has other numbers of channels
        than the network was built for.
    """
    check_graph(graph, standardise.centre.device)
    nodes = graph.nodes
    check_channels("features of the nodes", nodes.shape[1], features, "features")
    if context:
        of_graphs = graph.context
        found = 0 if of_graphs is None else of_graphs.shape[1]
        check_channels("context of the graphs", found, context, "context")
        assert of_graphs is not None
        gathered = segment_gather(of_graphs, graph.node_offsets, nodes.shape[0])
        nodes = torch.cat([nodes, gathered], 1)
    known: Tensor = standardise(nodes)
    return known


def edge_scalars(
    graph: Graph, standardise: Standardise, features: int
) -> Float[Tensor, "edges channels"]:
    """The channels of each edge, standardised.

    Raises
    ------
    InputError
        If they are not as many as the network was built for.
    """
    edges = graph.edges
    if edges is None:
        edges = graph.nodes.new_zeros((graph.senders.shape[0], 0))
    check_channels("features of the edges", edges.shape[1], features, "edge_features")
    known: Tensor = standardise(edges)
    return known


def check_graph(graph: Graph, device: torch.device | None = None) -> None:
    """Refuse anything but graphs, where the weights are.

    Raises
    ------
    InputError
        If it is something else, or on another device.
    """
    fix = (
        "add edges: Graph.from_particles(particles, senders, receivers), or edges in the columns "
        "of a file"
    )
    check_batch("graph", graph, Graph, device, fix)
