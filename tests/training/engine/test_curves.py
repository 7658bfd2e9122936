"""The picture of the figures of a run."""

import pytest
from matplotlib.image import imread

from hepml.training.engine import _curves
from hepml.training.engine._curves import write_curves

ROWS = [
    {"epoch": i, "train_loss": 1 / i, "val_loss": 1.1 / i, "val_auc": 1 - 0.5 / i, "jets": 10}
    for i in (1, 2, 3)
]


def test_each_kind_of_figure_has_a_panel(tmp_path, monkeypatch):
    drawn = {}
    draw = _curves._draw

    def watch(axes, rows, word, names, best):
        draw(axes, rows, word, names, best)
        drawn[word] = [
            (line.get_label(), [float(y) for y in line.get_ydata()]) for line in axes.get_lines()
        ]

    monkeypatch.setattr(_curves, "_draw", watch)
    names = ["train_loss", "val_loss", "val_accuracy", "val_auc"]
    write_curves(ROWS, names, 2, tmp_path / "curves.png")
    assert list(drawn) == ["loss", "auc"]
    assert drawn["loss"][:2] == [("train", [1.0, 0.5, 1 / 3]), ("val", [1.1, 0.55, 1.1 / 3])]
    assert drawn["auc"][1][0] == "best epoch, 2"
    height, width = imread(tmp_path / "curves.png").shape[:2]
    assert width > 2 * height
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_rows_out_of_a_file_are_text(tmp_path):
    rows = [{name: str(value) for name, value in row.items()} | {"val_rmse": ""} for row in ROWS]
    write_curves(rows, ["train_loss", "val_rmse"], 1, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").exists()


def test_nothing_to_draw_is_no_picture(tmp_path):
    write_curves([], ["train_loss"], None, tmp_path / "curves.png")
    write_curves([{"epoch": 1}], ["train_loss"], 1, tmp_path / "curves.png")
    assert not [*tmp_path.iterdir()]


def test_a_run_does_not_end_for_want_of_a_picture(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="no picture of the learning curves: .*expected a folder"):
        write_curves(ROWS, ["train_loss"], 1, tmp_path / "file" / "curves.png")
