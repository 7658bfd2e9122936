"""Lists of lists: in trees, in friends, in memory, and what is none."""

import awkward as ak
import numpy as np
import pytest
import uproot

from hepml.errors import ColumnError
from hepml.io import AdjacencyList, Collection, Columns, locate, open_table, read
from hepml.io.formats._nested import nested_columns

NEXT = ak.values_astype(ak.Array([[[1], [0, 1]], [], [[], [2, 0], [1]]]), np.int32)
X = ak.values_astype(ak.Array([[1, 2], [], [3, 4, 5]]), np.float32)


def test_lists_of_lists_are_two_columns():
    columns = nested_columns(NEXT, "next", "array")
    assert columns["next"].values.tolist() == [1, 0, 1, 2, 0, 1]
    assert columns["next"].offsets.tolist() == [0, 3, 3, 6]
    assert columns["next[]"].values.tolist() == [1, 2, 0, 2, 1]
    assert columns["next[]"].offsets.tolist() == [0, 2, 2, 5]


@pytest.mark.parametrize(
    "array",
    [X, ak.Array([1, 2]), ak.Array([[["a"]]]), ak.Array([[[1, None]]]), ak.Array([[[[1]]]])],
)
def test_what_is_none_is_refused(array):
    with pytest.raises(ColumnError, match=r"file, column 'x': expected a list of lists of numbers"):
        nested_columns(array, "x", "file")


def test_friends_and_members_of_records(tmp_path):
    path = str(tmp_path / "two.root")
    record = ak.zip({"index": NEXT, "key": NEXT + 10})
    with uproot.recreate(path) as file:
        for name, branches in (("one", {"x": X}), ("two", {"next": NEXT, "links": record})):
            array = ak.zip(branches, depth_limit=1)
            file.mkrntuple(name, array)
    edges = AdjacencyList("next")
    graph = read(f"{path}:one+two", Columns(Collection(features={"x": "x"}), edges=edges))
    assert graph.senders.tolist() == [1, 0, 1, 4, 2, 3]
    assert graph.receivers.tolist() == [0, 1, 1, 3, 3, 4]
    with open_table(locate(f"{path}:one+two")[0]) as table:
        for name in ("two.next", "next"):
            assert table.read_nested([name], 2, 3)[name].values.tolist() == [2, 0, 1]
            assert table.read_nested([name], 2, 3)[f"{name}[]"].values.tolist() == [0, 2, 1]
        for name in ("links.key", "two.links.key"):
            assert table.read_nested([name], 0, 1)[name].values.tolist() == [11, 10, 11]
        with pytest.raises(ColumnError, match="members index, key"):
            table.read_nested(["links.other"], 0, 1)
        with pytest.raises(ColumnError, match="list of lists"):
            table.read_nested(["x"], 0, 1)
