import os
import pickle
import re
from contextlib import suppress
from inspect import signature
from pathlib import Path

import pytest
import torch
from cases import every_model, every_model_of_sets
from support.small_jets import TinyFlow, random_sets
from torch import nn

from hepml.errors import FileError, InputError
from hepml.io import PRESETS
from hepml.models import MODELS, LorentzNet, ParticleFlow
from hepml.training import CheckpointInfo, load_checkpoint, save_checkpoint
from hepml.training.engine import _checkpoint
from hepml.training.engine._checkpoint import read_checkpoint, write_checkpoint


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(1)
    model = ParticleFlow(outputs=2, features=10)
    path = tmp_path / "tagger.ckpt"
    save_checkpoint(path, model, arguments={"outputs": 2, "features": 10}, columns=PRESETS["hepml"])
    return path, model


def test_a_model_comes_back_as_it_was(saved):
    path, model = saved
    loaded, columns, info = load_checkpoint(path)
    assert type(loaded) is ParticleFlow
    assert not loaded.training
    assert columns == PRESETS["hepml"]
    assert (info.model, info.arguments["features"]) == ("ParticleFlow", 10)
    state = loaded.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_the_file_holds_tensors_and_plain_values_alone(saved):
    content = torch.load(saved[0], weights_only=True)
    assert set(content) == {"hepml", "state_dict"}
    assert all(isinstance(tensor, torch.Tensor) for tensor in content["state_dict"].values())


@every_model_of_sets
def test_every_model_fits_in_a_checkpoint(tmp_path, name):
    model = MODELS[name](outputs=3)
    save_checkpoint(tmp_path / "m.ckpt", model, arguments={"outputs": 3})
    loaded, columns, _ = load_checkpoint(tmp_path / "m.ckpt")
    particles = random_sets()
    assert columns is None
    assert torch.equal(loaded(particles), model.eval()(particles))


def test_a_class_of_the_users_own_must_be_given(tmp_path):
    path = tmp_path / "own.ckpt"
    save_checkpoint(path, TinyFlow(width=3), arguments={"width": 3})
    with pytest.raises(FileError, match=r"--network support\.small_jets:TinyFlow, or load_check"):
        load_checkpoint(path)
    for model in (TinyFlow, "support.small_jets:TinyFlow", [ParticleFlow, TinyFlow]):
        assert load_checkpoint(path, model=model).model.of_set.in_features == 3
    with pytest.raises(FileError, match="name the class if you trust its code"):
        load_checkpoint(path, model=[ParticleFlow, LorentzNet])


class Wider(TinyFlow):
    """Has other weights, and no argument `width`."""

    def __init__(self):
        super().__init__(width=5)


@pytest.mark.parametrize("arguments", [{}, {"width": 3}])
def test_another_class_than_that_of_the_checkpoint(tmp_path, arguments):
    path = tmp_path / "own.ckpt"
    save_checkpoint(path, TinyFlow(**arguments), arguments=arguments)
    with pytest.raises(FileError, match=r"Wider.* of support\.small_jets:TinyFlow") as refused:
        load_checkpoint(path, model=Wider)
    fix = "name the class that it was trained with: --network support.small_jets:TinyFlow"
    assert fix in str(refused.value)


def test_double_precision_is_read_as_single(tmp_path):
    path = tmp_path / "double.ckpt"
    save_checkpoint(path, TinyFlow().double(), arguments={})
    assert load_checkpoint(path, model=TinyFlow).model.of_set.weight.dtype == torch.float32


@pytest.mark.parametrize("value", [torch.ones(1), nn.ReLU, {"a": {1, 2}}, [Path("x")]])
def test_arguments_must_be_plain(tmp_path, value):
    with pytest.raises(InputError, match=r"arguments.*expected numbers, text"):
        save_checkpoint(tmp_path / "x.ckpt", TinyFlow(), arguments={"width": value})
    assert not list(tmp_path.iterdir())


class _Mischief:
    """Unpickled in the ordinary way, it makes a file."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.mark.parametrize("write", ["torch", "pickle"])
def test_a_stranger_executes_nothing(tmp_path, write):
    mark, path = tmp_path / "executed", tmp_path / "stranger.ckpt"
    content = {"hepml": {"format": 1}, "state_dict": {}, "more": _Mischief(mark)}
    if write == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(FileError, match=r"stranger\.ckpt: expected tensors and plain values"):
        load_checkpoint(path)
    assert not mark.exists()
    # The file is indeed malicious: the ordinary way executes it.
    (torch.load(path, weights_only=False) if write == "torch" else pickle.loads(path.read_bytes()))
    assert mark.exists()


def _change(path, **changes):
    """Replace entries of the header."""
    content = torch.load(path, weights_only=True)
    content["hepml"] |= changes
    torch.save(content, path)


def _drop_weight(path):
    content = torch.load(path, weights_only=True)
    del content["state_dict"][next(reversed(content["state_dict"]))]
    torch.save(content, path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:2000]), "truncated, is no checkpoint"),
        (lambda path: path.write_bytes(b""), "truncated, is no checkpoint"),
        (lambda path: path.write_text("epoch,loss\n1,0.3\n"), "truncated, is no checkpoint"),
        (
            lambda path: torch.save({"state_dict": {}}, path),
            "got entries 'state_dict'.*hepml train",
        ),
        (lambda path: torch.save([1, 2], path), "'hepml' that names the model, got list"),
        (lambda path: _change(path, format=2, version="99.0"), "format 2, written by hepml 99.0"),
        (lambda path: _change(path, model="Oracle"), "among .*LorentzNet.* got 'Oracle'"),
        (lambda path: _change(path, arguments={"widht": 3}), "arguments that ParticleFlow takes"),
        (lambda path: _change(path, arguments=[3]), r"arguments \(list\)"),
        (lambda path: _change(path, arguments={"features": 2}), "size mismatch"),
        (_drop_weight, "Missing key"),
        (lambda path: path.unlink(), "no such file"),
    ],
)
def test_each_fault_has_its_message(saved, spoil, message):
    path, _ = saved
    spoil(path)
    with pytest.raises(FileError, match=re.compile(f"{path.name}.*{message}", re.DOTALL)) as caught:
        load_checkpoint(path)
    assert "Fix: " in str(caught.value)


def test_a_near_name_or_the_file_in_a_folder_is_suggested(saved):
    path, _ = saved
    with pytest.raises(FileError, match=r"try .*tagger\.ckpt"):
        load_checkpoint(path.with_name("taggre.ckpt"))
    with pytest.raises(FileError, match=r"got a folder\. Fix: pass .*tagger\.ckpt"):
        load_checkpoint(path.parent)


def test_a_crash_while_writing_leaves_the_file_before(saved, monkeypatch):
    path, _ = saved
    before = path.read_bytes()

    def die_half_way(_content, file):
        file.write(b"PK half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(_checkpoint.torch, "save", die_half_way)
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(path, {})
    assert path.read_bytes() == before
    monkeypatch.undo()
    write_checkpoint(path, read_checkpoint(path))
    assert sorted(p.name for p in path.parent.iterdir()) == ["tagger.ckpt"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="file: expected a folder, got a file"):
        write_checkpoint(tmp_path / "file" / "x.ckpt", {})


def test_what_a_checkpoint_says_is_plain():
    with pytest.raises(InputError, match=r"run\.seed"):
        CheckpointInfo("ParticleFlow", {}, run={"seed": object()})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("outputs", 10**9, "a tensor of 400,000,000,000 bytes"),
        ("outputs", 10**30, "arguments that ParticleFlow takes"),
        ("outputs", -1, "arguments that ParticleFlow takes"),
        ("outputs", [1], "arguments that ParticleFlow takes"),
        ("particle_widths", [8] * 100_000, "more than the 16 weights"),
        ("particle_widths", [10**6, 10**6], "more than the 16 weights|a tensor of"),
        ("features", float("nan"), "arguments that ParticleFlow takes"),
        ("unknown", 1, "unexpected keyword argument 'unknown'"),
    ],
)
def test_arguments_of_another_network_take_neither_time_nor_memory(saved, name, value, message):
    path, _ = saved
    content = torch.load(path, weights_only=True)
    content["hepml"]["arguments"][name] = value
    write_checkpoint(path, content)
    with pytest.raises(FileError, match=message) as raised:
        load_checkpoint(path)
    assert len(str(raised.value)) < 2000


@every_model
@pytest.mark.parametrize("value", [10**6, 10**9, 1e308])
def test_no_number_among_the_arguments_takes_for_ever(tmp_path, name, value):
    path = tmp_path / "m.ckpt"
    numbers = {
        key: parameter.default
        for key, parameter in signature(MODELS[name]).parameters.items()
        if type(parameter.default) in (int, float)
    }
    save_checkpoint(path, MODELS[name](), arguments=numbers)
    content = read_checkpoint(path)
    for key, number in numbers.items():
        content["hepml"]["arguments"] = {**numbers, key: value if type(number) is int else 1e308}
        write_checkpoint(path, content)
        # One that is no size, such as a scale, may be any number.
        with suppress(FileError):
            load_checkpoint(path)


@pytest.mark.parametrize(
    "weights",
    [
        [torch.ones(3)],
        None,
        {"model.a": 1.0},
        {3: torch.ones(1)},
        {},
        {"model.embedding.weight": torch.ones(1)},
    ],
)
def test_weights_of_another_kind(saved, weights):
    path, _ = saved
    write_checkpoint(path, {**read_checkpoint(path), "state_dict": weights})
    with pytest.raises(
        FileError,
        match=r"expected (weights: tensors with names|arguments .* weights, got .*in the file)",
    ):
        load_checkpoint(path)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.int64])
def test_weights_that_are_no_real_numbers(saved, dtype):
    path, _ = saved
    content = read_checkpoint(path)
    content["state_dict"] = {name: w.to(dtype) for name, w in content["state_dict"].items()}
    write_checkpoint(path, content)
    with pytest.raises(FileError, match=f"of {dtype}"):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["model", "arguments", "columns", "run", "figures", "version"])
@pytest.mark.parametrize("value", [None, [[]], {"a": torch.ones(1)}, 10**400, {1: 2}, "\0"])
def test_a_header_of_other_types_is_one_clear_error(saved, name, value):
    path, _ = saved
    content = read_checkpoint(path)
    content["hepml"][name] = value
    write_checkpoint(path, content)
    if (name, value) == ("version", "\0"):
        assert load_checkpoint(path)
        return
    with pytest.raises(FileError, match=r"checkpoint .*tagger\.ckpt: expected"):
        load_checkpoint(path)
