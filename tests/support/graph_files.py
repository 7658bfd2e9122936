"""Random graphs in small files, in each of the ways in which files say what is joined to what."""

import awkward as ak
import numpy as np

from hepml.io import (
    AdjacencyList,
    EdgeList,
    ElementLinks,
    NodePointer,
    NodeRange,
    TableRange,
)

KEY, OTHER_KEY = 490246363, 339503174


def jagged(lists, kind=np.int32):
    """Lists of numbers as an awkward array of this type, however many of them are empty."""
    counts = [len(each) for each in lists]
    flat = np.array([x for each in lists for x in each], kind)
    return ak.unflatten(flat, np.array(counts, np.int64))


class Owned:
    """In each entry things that name others of a second collection: a list for each thing.

    ``lists[entry][thing]`` are the numbers that it names; ``others[entry]`` how many there are.
    """

    def __init__(self, lists, others):
        self.lists, self.others = lists, others

    @property
    def nodes(self):
        """The branches of the two collections, which name their nodes."""
        things, others = [], []
        for entry, (lists, count) in enumerate(zip(self.lists, self.others, strict=True)):
            things.append([1000 * entry + i for i in range(len(lists))])
            others.append([1000 * entry + 500 + i for i in range(count)])
        return {"thing": jagged(things), "other": jagged(others)}

    @property
    def joined(self):
        """All (thing, other) pairs by their names."""
        return [
            (1000 * entry + i, 1000 * entry + 500 + number)
            for entry, lists in enumerate(self.lists)
            for i, numbers in enumerate(lists)
            for number in numbers
        ]

    def write(self, way):
        """Branches in this way beside the nodes, and the edges that read them."""
        return self.nodes | getattr(self, f"_{way}")()[0], getattr(self, f"_{way}")()[1]

    def _list(self):
        pairs = [[(i, n) for i, each in enumerate(lists) for n in each] for lists in self.lists]
        branches = {
            # Counted from 1.
            "to_thing": jagged([[i + 1 for i, _ in each] for each in pairs]),
            "from_other": jagged([[n for _, n in each] for each in pairs], np.int16),
            "sum": jagged([[i + n for i, n in each] for each in pairs], np.float32),
        }
        edges = EdgeList(
            "from_other", "to_thing - 1", sender_nodes=1, receiver_nodes=0, features={"sum": "sum"}
        )
        return branches, edges

    def _pointer(self):
        branches = {
            "pointer": jagged([[e[0] if e else -1 for e in lists] for lists in self.lists]),
            "sum": jagged(
                [[i + e[0] if e else -5 for i, e in enumerate(lists)] for lists in self.lists],
                np.float32,
            ),
        }
        return branches, NodePointer("pointer", into=1, features={"sum": "sum"})

    def _links(self):
        rows = [
            [(KEY, e[0]) if e else (0, 2**32 - 1) if i % 2 else (OTHER_KEY, 999) for i, e in lists]
            for lists in map(list, map(enumerate, self.lists))
        ]
        branches = {
            "link.m_persKey": jagged([[k for k, _ in each] for each in rows], np.uint32),
            "link.m_persIndex": jagged([[n for _, n in each] for each in rows], np.uint32),
        }
        return branches, ElementLinks("link", KEY, into=1)

    def _table(self):
        # The table is not in the order of the things, and has numbers that nobody asks for.
        tables, begins, ends = [], [], []
        for lists in self.lists:
            table, begin, end = [7], {}, {}
            for i in reversed(range(len(lists))):
                begin[i] = len(table)
                table += lists[i]
                end[i] = len(table)
            tables.append(table)
            begins.append([begin[i] for i in range(len(lists))])
            ends.append([end[i] for i in range(len(lists))])
        branches = {
            "begin": jagged(begins, np.uint32),
            "end": jagged(ends, np.uint32),
            "table.index": jagged(tables),
            "table.collectionID": jagged([[9] + [6] * (len(each) - 1) for each in tables]),
        }
        edges = TableRange(
            "begin",
            "end",
            "table.index",
            "table.collectionID",
            6,
            into=1,
            features={"id": "table.collectionID"},
        )
        return branches, edges

    def _range(self):
        first = jagged([[e[0] if e else -1 for e in lists] for lists in self.lists])
        last = [[e[-1] if len(e) > 1 else -1 for e in lists] for lists in self.lists]
        return {"first": first, "last": jagged(last)}, NodeRange("first", "last", into=1)

    def _adjacency(self):
        nested = [[[*map(int, each)] for each in lists] for lists in self.lists]
        types = ak.values_astype(ak.Array([*nested, [[0]]])[:-1], np.int32)
        sums = [[[i + n for n in each] for i, each in enumerate(lists)] for lists in nested]
        sums = ak.values_astype(ak.Array([*sums, [[0]]])[:-1], np.float32)
        edges = AdjacencyList("next", into=1, features={"sum": "sums"})
        return {"next": types, "sums": sums}, edges


def random_graphs(way, entries=12, seed=0):
    """Graphs that this way can tell: one other for each thing, or a range of them, or any list."""
    random = np.random.default_rng(seed)
    lists, others = [], []
    for _ in range(entries):
        count = int(random.integers(0, 6))
        things = int(random.integers(0, 5))
        others.append(count)
        own = []
        for _ in range(things):
            numbers = [int(n) for n in random.integers(0, max(count, 1), random.integers(0, 4))]
            numbers = numbers if count else []
            if way in ("pointer", "links"):
                numbers = numbers[:1]
            if way == "range" and len(numbers) > 1:
                low, high = sorted(numbers[:2])
                # Both orders: a range, or two that are apart.
                numbers = [*range(low, high + 1)] if low < high else [low]
                if len(numbers) == 3:
                    numbers = [high, low]
            own.append(numbers)
        lists.append(own)
    return Owned(lists, others)
