"""Pages of docs: their columns are columns, and their programs run."""

import re
from pathlib import Path

import yaml

from hepml.io import Columns

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "graphs.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_columns_of_graphs_are_columns():
    two = {"collections": [{"features": {"x": name}} for name in ("one", "other")]}
    documents = [each for block in blocks("yaml") for each in yaml.safe_load_all(block)]
    assert len(documents) == 7
    found = [Columns.from_dict(two | each).edges for each in documents]
    assert all(found)
