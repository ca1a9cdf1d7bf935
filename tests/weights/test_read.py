import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.weights.read import read_tensors

ONE = torch.ones(2, 3)


@pytest.mark.parametrize(
    "content, others",
    [
        ({"x": ONE}, []),
        ({"module.x": ONE, "steps": 3}, ["steps"]),
        ({"model": {"x": ONE}, "iteration": 3}, ["iteration"]),
        ({"state_dict": {"module.x": ONE, "y": "z"}, "epoch": 3}, ["epoch", "y"]),
    ],
)
def test_containers_and_what_else_is_in_them(tmp_path, content, others):
    torch.save(content, tmp_path / "x.pth")
    file = read_tensors(tmp_path / "x.pth")
    assert list(file.tensors) == ["x"] and torch.equal(file.tensors["x"], ONE)
    assert sorted(file.others) == others and file.about == {}


def test_safetensors(tmp_path):
    save_file({"module.x": ONE}, tmp_path / "x.safetensors", {"ovseg": '{"clip": {}}'})
    file = read_tensors(tmp_path / "x.safetensors")
    assert torch.equal(file.tensors["x"], ONE) and file.about == {"clip": {}}


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


@pytest.mark.parametrize(
    "name, content, why",
    [
        ("text.pth", b"hello", "no torch file"),
        ("empty.pth", b"", "it ends too early"),
        ("text.pkl", b"hello", "not weights that can be read safely"),
        ("text.safetensors", b"hello", "not weights that can be read safely"),
    ],
)
def test_other_files_are_named_without_advice_to_read_them_unsafely(tmp_path, name, content, why):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError) as error:
        read_tensors(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: not weights that can be read safely (")
    assert why in str(error.value) and "weights_only" not in str(error.value)


def test_what_is_no_state_dict(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    with pytest.raises(ValueError, match="holds no tensors"):
        read_tensors(tmp_path / "none.pth")
    torch.save({"x": ONE, "module.x": ONE}, tmp_path / "twice.pth")
    with pytest.raises(ValueError, match="holds x twice, with and without 'module.'"):
        read_tensors(tmp_path / "twice.pth")
    save_file({"x": ONE}, tmp_path / "x.safetensors", {"ovseg": "{"})
    with pytest.raises(ValueError, match="x.safetensors: not weights .*JSONDecodeError"):
        read_tensors(tmp_path / "x.safetensors")
    with pytest.raises(FileNotFoundError, match="absent.pth: no such file, expected weights"):
        read_tensors(tmp_path / "absent.pth")
