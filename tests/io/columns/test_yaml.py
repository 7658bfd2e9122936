"""YAML of strangers: what is no plain mapping of a bounded size ends in one error."""

import pytest
import yaml

from hepml.errors import FileError
from hepml.io.columns._yaml import load_yaml


def file_of(tmp_path, text):
    path = tmp_path / "columns.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def nested_anchors(line):
    """Each line names the one before nine times: 9**9 values in a few hundred bytes."""
    lines = ["a0: &a0 " + line.format("x", "x")]
    for i in range(1, 10):
        lines.append(f"a{i}: &a{i} " + line.format(*[", ".join([f"*a{i - 1}"] * 9)] * 2))
    return "\n".join(lines)


def test_plain_values_come_as_they_are(tmp_path):
    text = "base: &b {x: 1, y: [a, 2.5, null]}\ncopy: *b\nmerged: {<<: *b, x: 2}\nµ: é"
    assert load_yaml(file_of(tmp_path, text)) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        (nested_anchors("[{}]"), "more than 100,000 values"),
        ("x: &x {k: 1}\n" + nested_anchors("{{<<: [{}]}}").replace("[x]", "[*x]"), "more than"),
        ("a: &a {b: *a}", "more than 100,000 values"),
        ("a: &a [*a]", "more than 100,000 values"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: 1\nb: 2\na: 3", "the key 'a' twice"),
        ("a: {b: 1, b: 2}", "the key 'b' twice, line 1"),
        ("a: 2001-99-99", "month must be in 1..12"),
        ("a: !!int abc", "invalid literal for int"),
        ("a: 0x_", "invalid literal for int"),
        ("a: !!bool x", "KeyError"),
        ("a: !!timestamp x", "AttributeError"),
        ("a: !!python/object/apply:os.system [true]", "could not determine a constructor"),
        ("[1, 2]", "a SequenceNode"),
        ("text", "a ScalarNode"),
        ("", "nothing"),
        ("a: [", "while parsing"),
        ("? [1]\n: 2", "unhashable"),
        ("a\tb: \x00", "unacceptable character"),
    ],
)
def test_what_is_no_plain_mapping(tmp_path, text, got):
    with pytest.raises(FileError, match=r"columns\.yaml: expected a YAML file") as refused:
        load_yaml(file_of(tmp_path, text))
    assert got in str(refused.value)
    assert len(str(refused.value)) < 1000


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    for name in ("latin.yaml", "."):
        with pytest.raises(FileError, match="expected a YAML file"):
            load_yaml(str(tmp_path / name))
    with pytest.raises(FileNotFoundError):
        load_yaml(str(tmp_path / "none.yaml"))
