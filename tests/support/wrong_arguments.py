"""Every operation and layer with wrong offsets, places and sizes: a program of its own.

It may crash or never end; then the last line that it printed says where. A line of "no" or "raw"
is a wrong argument that was taken, or an error that is not ours.
"""

import math
import sys

import torch

from hepml import nn, ops
from hepml.errors import HepmlError

WHOLE = torch.int64
ITEMS = 5
OFFSETS = torch.tensor([0, 3, 3, ITEMS])
PLACES = torch.tensor([0, 1, 2, 1, 0])


def wrong_whole_numbers(good):
    """What is no int64 of one axis on the same device."""
    return {
        "int32": good.int(),
        "float": good.float(),
        "NaN": good * math.nan,
        "complex": good.cfloat(),
        "bool": good.bool(),
        "two axes": good[None],
        "no axis": good[0],
        "empty": good[:0],
        "meta": good.to("meta"),
        "sparse": good.to_sparse(),
        "nested": torch.nested.nested_tensor([good]),
        "numpy": good.numpy(),
        "list": good.tolist(),
        "None": None,
        "text": "x",
    }


def wrong_offsets():
    """What is no offsets of the items."""
    return wrong_whole_numbers(OFFSETS) | {
        str(bounds): torch.tensor(bounds)
        for bounds in (
            [0],
            [0, 3],
            [1, 3, 3, 5],
            [-1, 3, 3, 5],
            [0, -3, 3, 5],
            [0, 4, 3, 5],
            [0, 3, 3, 7],
            [0, 2**62, 3, 5],
            [0, 3, 3, 2**63 - 1],
            # The differences of neighbours overflow.
            [0, 10**9, 2**63 - 1, -2, 5],
        )
    }


def wrong_places():
    """What is no place of the items."""
    return wrong_whole_numbers(PLACES) | {
        str(place): torch.tensor([0, 1, 2, 1, place]) for place in (-1, 3, 2**62, -(2**63))
    }


WRONG_SIZES = {
    repr(size): size
    for size in (-1, 3.0, math.nan, 1j, None, "3", 2**62, 2**70, -(2**63), 10**13, torch.ones(2))
}


def doors():
    """What takes offsets, places and sizes, by name: a function of the argument that is wrong."""
    x, p4, q = torch.rand(ITEMS, 4), torch.rand(ITEMS, 4) + 1, torch.rand(ITEMS, 2)
    p4[:, 0] += 4
    s, pairs = torch.rand(ITEMS, 2), ops.all_pairs(OFFSETS, ITEMS)
    weight = torch.rand(4, 2)
    block = nn.LorentzBlock(4, 2)
    adjacency = nn.LearnedAdjacency(4)
    product = nn.IrrepsTensorProduct("2x(0,0)+2x(1/2,1/2)", "2x(1/2,1/2)")
    edges = torch.rand(len(pairs.senders), product.irreps1.dim)
    items = torch.rand(ITEMS, product.irreps2.dim)
    graph = nn.GraphHamiltonian(2, [3])
    of_pairs = {
        "LearnedAdjacency": lambda pairs: adjacency(x, pairs),
        "IrrepsTensorProduct": lambda pairs: product.message(edges, items, pairs),
        "GraphHamiltonian of pairs": lambda pairs: graph(q, q, OFFSETS, pairs),
        "HamiltonianFlow of pairs": lambda pairs: nn.HamiltonianFlow(graph)(q, q, OFFSETS, pairs),
    }
    of_offsets = {
        "segment_gather": lambda o: ops.segment_gather(x[:3], o, ITEMS),
        "segment_index": lambda o: ops.segment_index(o, ITEMS),
        "pair_messages": lambda o: ops.pair_messages(x, x, o),
        "pair_messages of momenta": lambda o: ops.pair_messages(x, x, o, p4, invariants=weight),
        "pair_moments": lambda o: ops.pair_moments(p4, o),
        "DeepSets": lambda o: nn.DeepSets(torch.nn.Identity(), torch.nn.Identity())(x, o),
        "JetKinematics": lambda o: nn.JetKinematics()(p4, o),
        "LorentzBlock": lambda o: block.train()(p4, x, s, o),
        "LorentzBlock in use": lambda o: block.eval()(p4, x, s, o),
        "all_pairs": lambda o: ops.all_pairs(o, ITEMS),
        "nearest_neighbours": lambda o: ops.nearest_neighbours(p4, o, 2),
        "neighbours_within": lambda o: ops.neighbours_within(p4, o, 2.0),
        "GraphHamiltonian": lambda o: graph(q, q, o),
        "HamiltonianFlow": lambda o: nn.HamiltonianFlow(graph)(q, q, o),
    }
    for name in ("sum", "mean", "max", "min", "softmax", "logsumexp"):
        operation = getattr(ops, f"segment_{name}")
        of_offsets[f"segment_{name}"] = lambda o, operation=operation: operation(x, o)
        of_offsets[f"{name}, alone"] = lambda o, operation=operation: operation(x[:, 0], o)
    of_places, of_sizes = {}, {}
    for name in ("sum", "mean", "max", "min"):
        operation = getattr(ops, f"scatter_{name}")
        of_places[f"scatter_{name}"] = lambda i, operation=operation: operation(x, i, 3)
        of_sizes[f"scatter_{name}"] = lambda n, operation=operation: operation(x, PLACES, n)
    of_sizes |= {
        "segment_gather": lambda n: ops.segment_gather(x[:3], OFFSETS, n),
        "segment_index": lambda n: ops.segment_index(OFFSETS, n),
        "all_pairs": lambda n: ops.all_pairs(OFFSETS, n),
    }
    receivers = ([0, 2, 4, 6, 7, 7], [-1, 2, 4, 6, 7, 8], [0, 2, 4, 2**62, 7, 8], [0, 8])
    bounds = wrong_whole_numbers(pairs.offsets)
    bounds |= {str(each): torch.tensor(each) for each in receivers}
    senders = wrong_whole_numbers(pairs.senders) | {
        str(place): torch.where(pairs.senders == 1, place, pairs.senders)
        for place in (-1, ITEMS, 2**62)
    }
    for name, door in of_pairs.items():
        yield f"{name}, bounds", lambda o, door=door: door(ops.Edges(pairs.senders, o)), bounds
        yield f"{name}, senders", lambda i, door=door: door(ops.Edges(i, pairs.offsets)), senders
    for table, wrong in (
        (of_offsets, wrong_offsets()),
        (of_places, wrong_places()),
        (of_sizes, WRONG_SIZES),
    ):
        for name, door in table.items():
            yield name, door, wrong


def main():
    """Print a line for each wrong argument."""
    torch.set_num_threads(1)
    for name, door, wrong in doors():
        for kind, argument in wrong.items():
            if (name, kind) == ("segment_index", "meta"):
                # There they are alone: so is the result.
                continue
            print(f"{name}: {kind}", end=" ", flush=True)
            try:
                door(argument)
                print("no")
            except HepmlError:
                print("refused")
            except Exception as error:
                print(f"raw {type(error).__name__}: {error!s:.60}".replace("\n", " "))


if __name__ == "__main__":
    sys.exit(main())
