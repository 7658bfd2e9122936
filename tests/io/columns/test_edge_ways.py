"""Edges as values and as YAML: each way comes back as it was, nonsense is refused at once."""

import math

import pytest
import yaml

from hepml.errors import InputError
from hepml.io import (
    AdjacencyList,
    AllPairs,
    Collection,
    Columns,
    EdgeList,
    ElementLinks,
    JetIndex,
    NearestNeighbours,
    NeighboursWithin,
    NodePointer,
    NodeRange,
    TableRange,
)
from hepml.io.columns._edge_ways import WAYS

NODES = [
    Collection(features={"pt": "pt"}, positions={"eta": "eta", "phi": "phi"}),
    Collection(features={"pt": "other"}, positions={"eta": "e", "phi": "p"}),
]
EXAMPLES = [
    EdgeList("a", "b - 1", sender_nodes=1, features={"weight": "w"}, kind="stored"),
    NodePointer("mother", direction="both"),
    ElementLinks("links", 490246363, owner=1),
    TableRange("begin", "end", "table.index", "table.collectionID", 6, into=1),
    NodeRange("D1", "D2"),
    AdjacencyList("neighbours"),
    AllPairs(),
    NearestNeighbours(16, period={"phi": 2 * math.pi}),
    NeighboursWithin(0.4),
]


def test_every_way_has_an_example():
    assert [type(each) for each in EXAMPLES] == list(WAYS.values())


@pytest.mark.parametrize("edges", EXAMPLES, ids=lambda e: type(e).__name__)
def test_columns_come_back_from_yaml(edges, tmp_path):
    columns = Columns(NODES, edges=edges)
    plain = columns.to_dict()
    assert plain["edges"][0]["way"] in WAYS
    file = tmp_path / "columns.yaml"
    file.write_text(yaml.safe_dump(plain, sort_keys=False))
    assert Columns.from_yaml(str(file)) == columns
    assert columns.replace(unit="MeV").edges == (edges,)


def test_yaml_by_hand_says_what_is_near(tmp_path):
    file = tmp_path / "columns.yaml"
    file.write_text(
        """
        collections: {features: {pt: pt}, positions: {eta: eta, phi: phi}}
        edges:
        - {way: nearest, neighbours: 8, period: {phi: 6.25}, features: {ratio: sender.pt}}
        - {way: within, distance: 1, kind: is_near}
        """
    )
    assert Columns.from_yaml(str(file)).edges == (
        NearestNeighbours(8, period={"phi": 6.25}, features={"ratio": "sender.pt"}),
        NeighboursWithin(1, kind="is_near"),
    )


def test_yaml_by_hand_needs_no_list_and_takes_numbers_as_they_are(tmp_path):
    file = tmp_path / "columns.yaml"
    file.write_text(
        """
        collections: {features: {pt: pt, one: 1}}
        edges: {way: element links, links: links, container: 490246363, features: {one: 1}}
        """
    )
    expected = ElementLinks("links", 490246363, features={"one": "1"})
    assert Columns.from_yaml(str(file)).edges == (expected,)


REFUSED = [
    ({"way": "guess"}, "a mapping with a way among list, pointer, element links"),
    ({"index": "mother"}, "a mapping with a way"),
    ({"way": "pointer"}, "the keys index and, if need be, .*got none"),
    ({"way": "pointer", "index": "m", "parent": "n"}, "got index, parent"),
    ({"way": "pointer", "index": ""}, r"NodePointer.index: expected the name of a column"),
    ({"way": "pointer", "index": "m", "direction": "up"}, "'in', 'out' or 'both'.*got 'up'"),
    ({"way": "pointer", "index": "m", "into": 2}, r"collections from 0 to 1.*got \(0, 2\)"),
    (
        {"way": "pointer", "index": "m", "into": "x"},
        "pointer, into: expected a number, got 'x'",
    ),
    ({"way": "pointer", "index": "m", "features": ["w"]}, "expected a mapping, got"),
    ({"way": "pointer", "index": ["m"]}, "index: expected text"),
    ({"way": "pointer", "index": "m", "owner": -1}, "a whole number from 0, got -1"),
    ({"way": "table range", "begin": "a", "end": "b", "table": "c", "collection": "d"}, "or none"),
    ({"way": "nearest", "neighbours": 0}, "one or more"),
    ({"way": "nearest", "neighbours": 2.5}, "neighbours: expected a number, got 2.5"),
    ({"way": "nearest", "neighbours": 2, "period": {"z": 1}}, "periods of these alone"),
    ({"way": "nearest", "neighbours": 2, "period": {"phi": -1}}, "positive numbers"),
    ({"way": "nearest", "neighbours": 2, "period": [6]}, "expected a mapping"),
    ({"way": "within", "distance": "nan"}, "a number above 0"),
    ({"way": "all pairs", "features": {"x": "sender.x"}}, "where nodes are of several"),
]


@pytest.mark.parametrize(("plain", "said"), REFUSED, ids=[str(p)[:60] for p, _ in REFUSED])
def test_nonsense_is_refused(plain, said):
    columns = Columns(NODES, edges=NodePointer("m")).to_dict()
    with pytest.raises(InputError, match=said):
        Columns.from_dict(columns | {"edges": plain})


def test_collections_and_edges_have_to_go_together():
    momentum = {"E": "E", "px": "px", "py": "py", "pz": "pz"}
    sets = Collection(momentum)
    with pytest.raises(InputError, match=r"collections.momentum: expected a momentum of each"):
        Columns(Collection(features={"x": "x"}))
    with pytest.raises(InputError, match=r"momentum of all collections or of none"):
        Columns([sets, NODES[0]], edges=NodePointer("m"))
    with pytest.raises(InputError, match=r"positions of all collections or of none"):
        Columns([Collection(features={"x": "x"}), NODES[0]], edges=NodePointer("m"))
    with pytest.raises(InputError, match="which count its nodes, got none"):
        Columns(Collection(features={"x": "x"}), edges=AllPairs()).with_features([])
    with pytest.raises(InputError, match=r"hardest: expected a momentum"):
        Columns(Collection(features={"x": "x"}, hardest=3), edges=NodePointer("m"))
    with pytest.raises(InputError, match=r"positions of the nodes.*got positions \(\)"):
        Columns(sets, edges=NearestNeighbours(3))
    turned = Collection(features={"x": "x"}, positions={"phi": "p", "eta": "e"})
    with pytest.raises(InputError, match="positions in the same order"):
        Columns([NODES[0], turned], edges=AllPairs())
    with pytest.raises(InputError, match=r"entries that are graphs.*NodePointer beside an index"):
        Columns(Collection(momentum, index=JetIndex("J", "j")), edges=NodePointer("m"))
    with pytest.raises(InputError, match="two or three coordinates"):
        Collection(positions={"x": "x"})
