import json

import numpy as np
import pytest
import torch
import uproot

from hepml.data import Trajectories
from hepml.errors import ColumnError, FileError, InputError
from hepml.io import read_trajectories, write_trajectories

STATES = ("q", "p", "rate_q", "rate_p", "observed_q", "observed_p")


def make(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    states = {n: torch.randn(4, 3, 2, 1, generator=generator).to(dtype) for n in STATES}
    about = {"system": "two-body", "constants": {"mass": 1.0}, "seed": 7}
    return Trajectories(torch.linspace(0, 1, 3, dtype=dtype), **states, about=about)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_round_trip(tmp_path, dtype):
    made = make(dtype)
    write_trajectories(made, tmp_path / "x.root")
    again = read_trajectories(tmp_path / "x.root")
    assert again.about == made.about
    for name in ("t", *STATES):
        assert torch.equal(getattr(again, name), getattr(made, name)), name
    assert [path.name for path in tmp_path.iterdir()] == ["x.root"]


def test_what_others_read(tmp_path):
    made = make()
    write_trajectories(made, tmp_path / "x.root")
    with uproot.open(tmp_path / "x.root") as file:
        tree = file["trajectories"]
        assert tree.num_entries == 4
        np.testing.assert_array_equal(tree["q"].array(library="np"), made.q.numpy())
        np.testing.assert_array_equal(tree["t"].array(library="np")[2], made.t.numpy())
        assert json.loads(str(file["about"]))["seed"] == 7


def test_nothing_is_replaced_unasked(tmp_path):
    write_trajectories(make(), tmp_path / "x.root")
    with pytest.raises(FileError, match="expected a new file, got a file that exists"):
        write_trajectories(make(), tmp_path / "x.root")
    write_trajectories(make(torch.float32), tmp_path / "x.root", overwrite=True)
    assert read_trajectories(tmp_path / "x.root").q.dtype == torch.float32


def test_a_name_of_another_kind_of_file(tmp_path):
    with pytest.raises(InputError, match=r"a name that ends in \.root, got \.h5"):
        write_trajectories(make(), tmp_path / "x.h5")
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "none").touch()
    with pytest.raises(FileError, match="none: expected a folder, got a file"):
        write_trajectories(make(), tmp_path / "none" / "x.root")


def test_other_files(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        read_trajectories(tmp_path / "x.root")
    with uproot.recreate(tmp_path / "jets.root") as file:
        file.mktree("tree", {"x": "f4"})
    with pytest.raises(FileError, match=r"expected a tree 'trajectories', got tree\. Fix"):
        read_trajectories(tmp_path / "jets.root")
    with uproot.recreate(tmp_path / "part.root") as file:
        file.mktree("trajectories", {"t": "f4", "q": "f4"})
    with pytest.raises(ColumnError, match="got none called p, rate_q"):
        read_trajectories(tmp_path / "part.root")
