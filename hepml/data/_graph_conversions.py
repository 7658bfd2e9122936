"""Graph from and to torch_geometric and networkx."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hepml.data._graph import Graph
from hepml.errors import InputError, MissingDependencyError

# Fields that torch_geometric has names of its own for.
_NAMES = {"nodes": "x", "edges": "edge_attr", "positions": "pos", "labels": "y"}
_NODES, _EDGES = ({*level.fields} for level in Graph.levels)
_ENDS = ("senders", "receivers")


def torch_geometric_from_graph(graph: Graph) -> Any:
    """See :meth:`Graph.to_torch_geometric`."""
    geometric = _torch_geometric()
    examples = []
    for one in graph:
        fields = one.tensors()
        known = {name: fields[name] for name in fields if name not in (*_ENDS, *_BOUNDS)}
        data = geometric.Data(edge_index=torch.stack([one.senders, one.receivers]))
        for name, values in known.items():
            data[_NAMES.get(name, name)] = values
        data.num_nodes = len(one.nodes)
        examples.append(data)
    if not examples:
        raise InputError(
            "graph", expected="one graph or more", got="none", fix="torch_geometric has no such"
        )
    return geometric.Batch.from_data_list(examples)


def graph_from_torch_geometric(data: Any) -> Graph:
    """See :meth:`Graph.from_torch_geometric`."""
    geometric = _torch_geometric()
    if isinstance(data, list | tuple):
        data = geometric.Batch.from_data_list(list(data))
    if not isinstance(data, geometric.Data) or data.edge_index is None:
        raise InputError(
            "data",
            expected="torch_geometric's Data or Batch, of one kind of nodes, with edge_index",
            got=f"{type(data).__name__} {data!r:.80}",
            fix="convert with to_homogeneous(), or give an edge_index of shape (2, 0)",
        )
    number = int(data.num_nodes)
    offsets = getattr(data, "ptr", None)
    if offsets is None:
        offsets = torch.tensor([0, number], device=data.edge_index.device)
    known = {name: data[key] for name in _FIELDS if (key := _NAMES.get(name, name)) in data}
    nodes = known.pop("nodes", None)
    if nodes is None:
        some = next((v for v in known.values() if v.is_floating_point()), torch.zeros(0))
        nodes = torch.zeros(number, 0, dtype=some.dtype, device=data.edge_index.device)
    labels = known.get("labels")
    if labels is not None and labels.is_floating_point():
        # y is what is to be predicted, numbers or classes.
        known["targets"] = known.pop("labels").reshape(len(offsets) - 1, -1)
    elif labels is not None and len(labels) == number != len(offsets) - 1:
        known["node_labels"] = known.pop("labels")
    senders, receivers = data.edge_index
    return Graph.from_edges(nodes, senders, receivers, offsets, **known)


def networkx_from_graph(graph: Graph) -> list[Any]:
    """See :meth:`Graph.to_networkx`."""
    import networkx

    made = []
    for one in graph:
        fields = {name: values.tolist() for name, values in one.tensors().items()}
        new = networkx.MultiDiGraph(
            **{name: fields[name][0] for name in one.of_sets if name in fields}
        )
        of_nodes = [name for name in _NODES if name in fields]
        of_edges = [name for name in _EDGES - {*_ENDS} if name in fields]
        for i in range(len(one.nodes)):
            new.add_node(i, **{name: fields[name][i] for name in of_nodes})
        for i, ends in enumerate(zip(fields["senders"], fields["receivers"], strict=True)):
            new.add_edge(*ends, **{name: fields[name][i] for name in of_edges})
        made.append(new)
    return made


def graph_from_networkx(
    graphs: Any,
    *,
    nodes: str | Sequence[str] | None,
    edges: str | Sequence[str] | None,
    dtype: torch.dtype,
) -> Graph:
    """See :meth:`Graph.from_networkx`."""
    import networkx

    single = isinstance(graphs, networkx.Graph) or not isinstance(graphs, Iterable)
    given = [graphs] if single else list(graphs)
    if not all(isinstance(each, networkx.Graph) for each in given):
        raise InputError(
            "graphs",
            expected="a networkx graph or a list of them",
            got=f"{type(graphs).__name__} {graphs!r:.60}",
            fix="pass [graph, ...]",
        )
    each = [g if g.is_directed() else g.to_directed() for g in given]
    of_nodes = [attributes for g in each for _, attributes in g.nodes(data=True)]
    of_edges, senders, receivers, first = [], [], [], 0
    for g in each:
        place = {node: first + i for i, node in enumerate(g)}
        for sender, receiver, attributes in g.edges(data=True):
            senders.append(place[sender])
            receivers.append(place[receiver])
            of_edges.append(attributes)
        first += len(place)
    fields: dict[str, Tensor | None] = {
        "nodes": _channels("node", of_nodes, nodes, "nodes", dtype),
        "edges": _channels("edge", of_edges, edges, "edges", dtype),
    }
    for item, rows, names in (
        ("node", of_nodes, _NODES - {"nodes"}),
        ("edge", of_edges, _EDGES - {"edges", *_ENDS}),
        ("graph", [g.graph for g in each], {*Graph.of_sets}),
    ):
        for name in names:
            if any(name in attributes for attributes in rows):
                fields[name] = _column(item, rows, name, dtype)
    if fields["nodes"] is None:
        fields["nodes"] = torch.zeros(first, 0, dtype=dtype)
    counts = torch.tensor([0, *map(len, each)])
    return Graph.from_edges(
        senders=torch.tensor(senders, dtype=torch.int64),
        receivers=torch.tensor(receivers, dtype=torch.int64),
        node_offsets=counts.cumsum(0),
        **fields,  # type: ignore[arg-type]
    )


def _channels(
    item: str,
    rows: Sequence[Mapping[str, Any]],
    names: str | Sequence[str] | None,
    default: str,
    dtype: torch.dtype,
) -> Tensor | None:
    """The named attributes side by side, (items, channels); None if there are none."""
    if names is None:
        names = [default] if any(default in attributes for attributes in rows) else []
    columns = [
        _column(item, rows, name, dtype) for name in ([names] if isinstance(names, str) else names)
    ]
    flat = [column.reshape(len(rows), -1) for column in columns]
    return torch.cat(flat, 1) if flat and rows else None


def _column(item: str, rows: Sequence[Mapping[str, Any]], name: str, dtype: torch.dtype) -> Tensor:
    """An attribute of every item as a tensor; labels are whole numbers."""
    missing = next((i for i, attributes in enumerate(rows) if name not in attributes), None)
    if missing is not None:
        raise InputError(
            f"attribute {name!r}",
            expected=f"a number, or a list of them, of every {item}",
            got=f"none of {item} {missing} (it has {', '.join(map(str, rows[missing])) or 'none'})",
            fix="set it everywhere, or leave it out",
        )
    kind = torch.int64 if name.endswith("labels") else dtype
    try:
        return torch.tensor([attributes[name] for attributes in rows], dtype=kind)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"attribute {name!r}",
            expected=f"a number, or a list of equally many, of every {item}",
            got=f"{[attributes[name] for attributes in rows[:3]]!r:.80} ({error})",
            fix="convert it to numbers of one shape",
        ) from error


def _torch_geometric() -> Any:
    """The module ``torch_geometric.data``."""
    try:
        import torch_geometric.data
    except ImportError as error:
        raise MissingDependencyError(
            "torch_geometric",
            expected="the package",
            got=str(error),
            fix="pip install torch-geometric",
        ) from error
    return torch_geometric.data


_BOUNDS = {level.bounds for level in Graph.levels}
_FIELDS: list[str] = sorted((_NODES | _EDGES | {*Graph.of_sets}) - {*_ENDS})
