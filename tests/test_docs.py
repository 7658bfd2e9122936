"""Pages of docs: their columns are columns, and their programs run."""

import re
from pathlib import Path

import pytest
import yaml

from hepml.io import Collection, Columns

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "graphs.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_columns_of_graphs_are_columns():
    two = {"collections": [{"features": {"x": name}} for name in ("one", "other")]}
    documents = [each for block in blocks("yaml") for each in yaml.safe_load_all(block)]
    assert len(documents) == 7
    found = [Columns.from_dict(two | each).edges for each in documents]
    # The table has one more, in a line.
    inline = re.search(r"`(\{way: nearest.*?\}\})`", PAGE)[1]
    node = Collection(features={"x": "x"}, positions={"eta": "e", "phi": "p"})
    plain = Columns(node, edges=found[1]).to_dict() | {"edges": yaml.safe_load(inline)}
    assert Columns.from_dict(plain).edges[0].neighbours == 16


@pytest.mark.slow
def test_programs_run(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    names = {"__name__": "__main__"}
    for program in blocks("python"):
        exec(program, names)
    out = capsys.readouterr().out
    assert "Graph(100 graphs, " in out
    assert "2 node channels, 1 edge channels" in out
    # Each jet has at least nine particles: each receives from eight.
    assert out.count("tensor(8.)") == 4
