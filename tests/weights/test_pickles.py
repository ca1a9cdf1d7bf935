"""Objects of any kind beside the weights are read as data, and nothing of a pickle is run."""

import argparse
import collections
import datetime
import decimal
import enum
import pathlib
import pickle
import types

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from yacs.config import CfgNode

from pipeline.core.errors import UserError
from pipeline.weights.read import read_tensors
from tests.weights.content import ONE, STATE, same, stored


class Config(dict):
    """As easydict and others: a dict with attributes."""

    __getattr__ = dict.__getitem__


class Colour(enum.Enum):
    RED = 1


def beside() -> dict:
    node = CfgNode({"LR": 0.1, "PATHS": {"ROOT": "/data"}})
    return {
        "namespace": argparse.Namespace(lr=0.1, out=pathlib.Path("out"), betas=(0.9, 0.98)),
        "omegaconf": OmegaConf.create({"lr": 0.1, "layers": [1, 2, {"x": None}]}),
        "yacs": node,
        "own dict": Config(lr=1, more=Config(x=2)),
        "path": pathlib.PurePosixPath("/a/b"),
        "date": datetime.datetime(2023, 6, 1, tzinfo=datetime.UTC),
        "delta": datetime.timedelta(days=1),
        "size": torch.Size([2, 3]),
        "dtype": torch.bfloat16,
        "device": torch.device("cpu"),
        "scalar": np.float64(0.3),
        "whole": np.int64(3),
        "array": np.arange(4),
        "text": np.str_("a"),
        "objects": np.array([None, "a"], dtype=object),
        "simple": types.SimpleNamespace(a=1),
        "counter": collections.Counter("aab"),
        "default": collections.defaultdict(list, {"a": [1]}),
        "deque": collections.deque([1, 2]),
        "decimal": decimal.Decimal("0.1"),
        "enum": Colour.RED,
        "set": {1, 2},
        "frozen": frozenset({1}),
        "complex": 1j,
        "bytes": b"\xff\x00",
        "bytearray": bytearray(b"ab"),
        "range": range(3),
        "slice": slice(1, 2),
        "class": Colour,
        "generator": torch.Generator().get_state(),
        "random": np.random.get_state(),
        "ellipsis": ...,
    }


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", beside())
def test_objects_beside_the_weights_are_read_as_data(tmp_path, kind, protocol):
    content = {"args": beside()[kind], "state_dict": STATE}
    file = read_tensors(stored(tmp_path / "x.pt", content, pickle_protocol=protocol))
    assert same(file.tensors) and file.others == ["args"]


def test_objects_that_were_read_as_data_are_named(tmp_path):
    content = {"args": argparse.Namespace(lr=1), "state_dict": STATE, "c": CfgNode({"a": 1})}
    file = read_tensors(stored(tmp_path / "x.pt", content))
    assert file.notes == [
        "read as data, nothing of them was run: argparse.Namespace, yacs.config.CfgNode"
    ]


class Harm:
    """Runs when it is unpickled."""

    def __init__(self, function, *arguments):
        self.called = function, arguments

    def __reduce__(self):
        return self.called


class HarmWhenBuilt:
    def __setstate__(self, state):
        raise AssertionError("run")


def test_nothing_of_a_file_is_run(tmp_path):
    import os
    import subprocess

    victim = tmp_path / "harm"
    for old in (False, True):
        for function, arguments in (
            (os.system, (f"touch {victim}",)),
            (eval, (f"open({str(victim)!r}, 'w')",)),
            (exec, (f"open({str(victim)!r}, 'w')",)),
            (open, (str(victim), "w")),
            (subprocess.run, (["touch", str(victim)],)),
            (__import__, ("antigravity",)),
        ):
            content = {"model": STATE, "hook": Harm(function, *arguments)}
            path = stored(tmp_path / "x.pt", content, _use_new_zipfile_serialization=not old)
            with pytest.raises(UserError, match=r"x.pt: not weights .*\(it wants to call \w+\.\w+"):
                read_tensors(path)
        content = {"model": STATE, "a": Harm(np.save, str(victim), 1), "b": HarmWhenBuilt()}
        content["b"].x = 1
        path = stored(tmp_path / "x.pt", content, _use_new_zipfile_serialization=not old)
        assert same(read_tensors(path).tensors)
        assert {path.name for path in tmp_path.iterdir()} == {"x.pt"}


def test_no_function_or_class_can_be_changed_or_reached_through_another(tmp_path):
    for program in (
        b"\x80\x02ccollections\nOrderedDict\n}X\x01\x00\x00\x00aK\x01sb.",  # BUILD on a function
        b"\x80\x02cargparse\nNamespace\n}X\x08\x00\x00\x00__init__K\x01s\x86b.",
        b"\x80\x02K\x01)R.",  # calls a number
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.",
        b"cos\nsystem\n(S'ls'\ntR.",  # protocol 0
        b"(S'ls'\nios\nsystem\n.",
    ):
        (tmp_path / "x.pkl").write_bytes(program)
        with pytest.raises(UserError, match="x.pkl: "):
            read_tensors(tmp_path / "x.pkl")


def test_plain_pickles_of_tensors_and_arrays(tmp_path):
    arrays = {key: value.numpy() for key, value in STATE.items()}
    arrays["big"] = np.arange(3, dtype=">f4")
    arrays["fortran"] = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    expected = STATE | {
        "big": torch.arange(3.0),
        "fortran": torch.arange(6.0).reshape(2, 3).double(),
    }
    for protocol in range(6):
        (tmp_path / "x.pkl").write_bytes(pickle.dumps(arrays, protocol))
        assert same(read_tensors(tmp_path / "x.pkl").tensors, expected)
        (tmp_path / "x.pkl").write_bytes(pickle.dumps(STATE, protocol))
        assert same(read_tensors(tmp_path / "x.pkl").tensors)
    assert same(read_tensors(stored(tmp_path / "x.pt", {"model": arrays})).tensors, expected)


def test_model_zoo_pickles_are_read_without_running_them(tmp_path):
    arrays = {"x": np.ones((2, 3), np.float32), "step": np.float64(3), "names": np.array(["a"])}
    for protocol in (2, 4):
        content = pickle.dumps({"model": arrays, "__author__": "zoo"}, protocol)
        (tmp_path / "zoo.pkl").write_bytes(content)
        file = read_tensors(tmp_path / "zoo.pkl")
        assert list(file.tensors) == ["x"] and torch.equal(file.tensors["x"], ONE)
        assert file.others == ["__author__", "step", "names"]
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"model": print}))
    with pytest.raises(ValueError, match="wants to call builtins.print"):
        read_tensors(tmp_path / "evil.pkl")


def test_code_in_a_torch_file_is_not_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    torch.save({"model": {"x": ONE}, "hook": Harm()}, tmp_path / "harm.pth")
    with pytest.raises(ValueError, match=r"harm.pth: not weights .*\(it wants to call \w+\.open\)"):
        read_tensors(tmp_path / "harm.pth")
    assert not (tmp_path / "harm").exists()
