import json

import pytest
import torch
from safetensors.torch import save_file

from pipeline.core.errors import MissingFileError, UserError
from pipeline.weights.read import read_tensors
from tests.weights.content import ONE, STATE, same


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


def in_parts(folder, suffix=".safetensors"):
    names = [f"model-0000{i}-of-00002{suffix}" for i in (1, 2)]
    keys = list(STATE)
    for name, part in zip(names, (keys[:2], keys[2:]), strict=True):
        tensors = {key: STATE[key] for key in part}
        save_file(tensors, folder / name) if suffix == ".safetensors" else torch.save(
            tensors, folder / name
        )
    places = {key: names[key not in keys[:2]] for key in keys}
    index = folder / f"model{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return index, names


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_a_model_in_parts_is_read_by_its_index(tmp_path, suffix):
    index, names = in_parts(tmp_path, suffix)
    assert same(read_tensors(index).tensors)
    with pytest.raises(UserError, match=f"one of 2 parts of a model; give their index, {index}$"):
        read_tensors(tmp_path / names[0])
    with pytest.raises(UserError, match=f"a folder, expected .* such as {index.name} in it"):
        read_tensors(tmp_path)
    (tmp_path / names[1]).rename(tmp_path / "other")
    with pytest.raises(MissingFileError, match=f"{names[1]}: not there, though .*index.json names"):
        read_tensors(index)
    save_file({"x": torch.ones(1)}, tmp_path / names[1])
    with pytest.raises(UserError, match="holds no steps, though the index says so"):
        read_tensors(index)
    index.unlink()
    with pytest.raises(UserError, match="which is not beside it: get it and all parts"):
        read_tensors(tmp_path / names[0])


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": 3}}', "{"]
)
def test_json_that_is_no_index(tmp_path, text):
    (tmp_path / "x.index.json").write_text(text)
    with pytest.raises(UserError, match="x.index.json|: not there, though"):
        read_tensors(tmp_path / "x.index.json")
