"""Checkpoints as people have them: the same tensors as in the plain file, and what was recognised
is said; whatever else is there is named."""

import argparse
import collections
import datetime
import decimal
import enum
import io
import json
import pathlib
import pickle
import shutil
import types
import zipfile

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file
from torch import nn
from yacs.config import CfgNode

from pipeline.checkpoints.layout import split
from pipeline.clip.sources import clip_from_checkpoint
from pipeline.core.errors import MissingFileError, UserError
from pipeline.weights.read import read_tensors
from pipeline.weights.state import find_state

STATE = {
    "visual.conv1.weight": torch.arange(24.0).reshape(2, 3, 2, 2),
    "visual.ln.bias": torch.tensor([0.5, -1.0], dtype=torch.float16),
    "steps": torch.tensor(7),
}


def same(found, expected=STATE) -> bool:
    return list(found) == list(expected) and all(
        found[key].dtype == value.dtype and torch.equal(found[key], value)
        for key, value in expected.items()
    )


def stored(path, content, **options) -> pathlib.Path:
    torch.save(content, path, **options)
    return path


def under(prefix) -> dict:
    return {prefix + key: value for key, value in STATE.items()}


@pytest.mark.parametrize("old", [False, True], ids=["zip", "stream"])
@pytest.mark.parametrize(
    "content, place",
    [
        (STATE, None),
        ({"model": STATE}, None),
        ({"state_dict": STATE, "epoch": 3}, None),
        ({"model_state_dict": STATE, "optimizer_state_dict": {"a": torch.ones(2)}}, "itself"),
        ({"module": STATE, "ds_version": "0.9", "optimizer": {"a": torch.ones(1)}}, "module"),
        ({"checkpoint": {"model": STATE, "step": 1}}, "checkpoint/model"),
        ({"state": {"model": STATE}, "rng": {"torch": torch.ones(3)}}, "state/model"),
        ({"params": STATE}, "params"),
        ({"weights": STATE, "rng_state": torch.ones(2)}, "weights"),
        ({"state_dict_ema": STATE, "epoch": 3}, "state_dict_ema, averaged ones (EMA)"),
        ({"ema": {"model": STATE}}, "ema/model"),
        ({"my_clip": STATE, "iteration": 4, "rng_state": torch.ones(2)}, "my_clip"),
        ({"model": STATE, "ema": under("x.")}, None),
        ({"optimizer": {"state": {0: {"step": torch.ones(1)}}}, "student": STATE}, "student"),
        ([STATE], "[0]"),
        ((STATE, 3), "[0]"),
        ((3, STATE), "[1]"),
        ((STATE, {"state": {0: {"exp_avg": torch.ones(1)}}, "param_groups": [{"lr": 1}]}), "[0]"),
        ([{"state_dict": STATE, "epoch": 3}], "[0]/state_dict"),
        ({"model": [STATE], "epoch": 3}, "model/[0]"),
        ([[STATE, None]], "[0]/[0]"),
    ],
)  # fmt: skip
def test_the_state_dict_is_found(tmp_path, content, place, old):
    path = stored(tmp_path / "x.pt", content, _use_new_zipfile_serialization=not old)
    file = read_tensors(path)
    assert same(file.tensors)
    place = "model_state_dict" if place == "itself" else place
    assert file.notes == ([f"weights taken from its entry {place}"] if place else [])
    if isinstance(content, list | tuple):
        alone = [f"[{i}]" for i, part in enumerate(content) if part is not STATE]
        assert set(alone) <= {*file.others, "[0]"}
        return
    for other in content if content is not STATE else ():
        assert other in file.others or other in str(place) or other in ("model", "state_dict")


@pytest.mark.parametrize(
    "prefix",
    ["module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.", "module.model.",
     "model.module.", "_forward_module.", "module.module.", "model._orig_mod."],
)  # fmt: skip
def test_what_wrappers_put_in_front_is_taken_off_and_said(tmp_path, prefix):
    file = read_tensors(stored(tmp_path / "x.pt", {"state_dict": under(prefix)}))
    assert same(file.tensors)
    (note,) = file.notes
    assert note.startswith("keys are named without the ") and all(
        f"{word}." in note for word in prefix.split(".") if word
    )


def test_wrappers_of_a_part_are_taken_off_where_they_stand(tmp_path):
    content = {key.replace("visual.", "visual._orig_mod."): v for key, v in STATE.items()}
    file = read_tensors(stored(tmp_path / "x.pt", content))
    assert same(file.tensors) and "_orig_mod. of torch.compile" in file.notes[0]
    save_file({"visual.module.weight": torch.ones(1)}, tmp_path / "own.safetensors")
    assert list(read_tensors(tmp_path / "own.safetensors").tensors) == ["visual.module.weight"]


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


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = nn.Module()
        self.visual.conv1 = nn.Linear(2, 2)
        self.register_buffer("scale", torch.tensor(2.0))
        self.twice = self.visual.conv1


@pytest.mark.filterwarnings("ignore")
def test_a_model_that_was_saved_whole_gives_its_weights(tmp_path):
    model = Net()
    for content, note in (
        (model, "the file holds a whole tests.weights.test_found.Net"),
        ({"model": model, "epoch": 1}, "read as data"),
        (nn.DataParallel(model), "without the module."),
    ):
        file = read_tensors(stored(tmp_path / "x.pt", content))
        assert any(note in line for line in file.notes)
        assert set(file.tensors) == set(model.state_dict())
        assert all(torch.equal(file.tensors[k], v) for k, v in model.state_dict().items())


def test_views_parameters_and_types_are_read_as_torch_reads_them(tmp_path):
    whole = torch.arange(12.0)
    content = {
        "part": whole[3:7], "turned": whole.reshape(3, 4).T, "strided": whole[::3],
        "expanded": torch.ones(1).expand(5), "none": torch.zeros(0, 3),
        "parameter": nn.Parameter(torch.ones(2)),
        "types": nn.ParameterList([nn.Parameter(torch.ones(1))])[0],
    } | {
        str(dtype): torch.tensor([1, 0, 1]).to(dtype)
        for dtype in (torch.float64, torch.bfloat16, torch.int8, torch.uint8, torch.int16,
                      torch.int32, torch.int64, torch.bool, torch.complex64, torch.uint16,
                      torch.float8_e4m3fn)
    }  # fmt: skip
    for old in (False, True):
        if old:  # torch cannot read these back
            content = {k: v for k, v in content.items() if "uint16" not in k and "float8" not in k}
        path = stored(tmp_path / "x.pt", content, _use_new_zipfile_serialization=not old)
        expected, found = torch.load(path), read_tensors(path).tensors
        assert list(found) == list(expected)
        for key, value in expected.items():
            assert found[key].dtype == value.dtype and found[key].shape == value.shape, key
            assert torch.equal(found[key].to(torch.complex64), value.to(torch.complex64)), key


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


def test_the_content_tells_the_kind_and_not_the_suffix(tmp_path):
    save_file(STATE, tmp_path / "x.safetensors")
    for name in ("x.bin", "x.pt", "x", "x.pkl"):
        shutil.copy(tmp_path / "x.safetensors", tmp_path / name)
        file = read_tensors(tmp_path / name)
        assert set(file.tensors) == set(STATE) and file.notes[0].startswith("the file is safetens")
        assert all(torch.equal(file.tensors[key], value) for key, value in STATE.items())
    for old in (False, True):
        path = tmp_path / "torch.safetensors"
        stored(path, STATE, _use_new_zipfile_serialization=not old)
        assert same(read_tensors(path).tensors)
        assert read_tensors(path).notes == ["the file is a torch file, though its name ends in "
                                            ".safetensors"]  # fmt: skip
    stored(tmp_path / "zip.pkl", STATE)
    assert same(read_tensors(tmp_path / "zip.pkl").tensors)


def archive(**members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, data in members.items():
            made.writestr(name, data)
    return buffer.getvalue()


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.ones(2))
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["x.pt", "x.safetensors", "x.pkl"])
@pytest.mark.parametrize(
    "content, what",
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"GGUF\x03\0\0\0" + bytes(100), "GGUF"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><html><head>", "a web page"),
        (b"<html>\r\n<head><title>403</title>", "a web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", "a web page"),
        (b"\x08\x07\x12\x07pytorch\x1a\x05" + bytes(50), "ONNX"),
        (b"\x1f\x8b\x08" + bytes(50), "compressed"),
        (npz(), ".npz"),
        (archive(**{"config.json": b"{}", "model.weights.h5": b""}), "unpack it first"),
        (archive(**{"readme.txt": b"hello"}), "a zip that torch has not written, of readme.txt"),
        (bytes(5000), "zeros only"),
        (b"", "it is empty"),
    ],
)  # fmt: skip
def test_other_formats_are_called_by_their_name(tmp_path, content, what, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}: not weights that can be read safely .*{what}"):
        read_tensors(tmp_path / name)


def test_a_cut_or_altered_torch_file_is_refused(tmp_path):
    """torch.load takes other numbers for the weights where a byte of them was changed."""
    whole = stored(tmp_path / "whole.pt", {"x": torch.arange(1000.0)}).read_bytes()
    (tmp_path / "x.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="ends too early"):
        read_tensors(tmp_path / "x.pt")
    place = whole.index(np.arange(1000, dtype="f4").tobytes()[:64]) + 40
    (tmp_path / "x.pt").write_bytes(whole[:place] + b"\x07" + whole[place + 1 :])
    with pytest.raises(UserError, match="Bad CRC-32"):
        read_tensors(tmp_path / "x.pt")
    old = stored(tmp_path / "x.pt", {"x": torch.ones(9)}, _use_new_zipfile_serialization=False)
    for cut in (1, 20):
        (tmp_path / "cut.pt").write_bytes(old.read_bytes()[:-cut])
        with pytest.raises(UserError, match="cut.pt: not weights"):
            read_tensors(tmp_path / "cut.pt")


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


def test_what_cannot_be_chosen_or_used_is_named(tmp_path):
    path = stored(tmp_path / "two.pt", {"teacher": STATE, "student": STATE, "epoch": 3})
    with pytest.raises(UserError, match=r"two.pt: .*teacher \(3 tensors\), student \(3 tensors\)"):
        read_tensors(path)
    path = stored(tmp_path / "list.pt", [STATE, under("ema."), 3])
    with pytest.raises(UserError, match=r"list.pt: .*\[0\] \(3 tensors\), \[1\] \(3 tensors\)"):
        read_tensors(path)
    path = stored(tmp_path / "pairs.pt", list(STATE.items()))
    with pytest.raises(UserError, match=r"pairs.pt: holds no tensors.* a list of 3, of tuple"):
        read_tensors(path)
    within: dict = {"w": torch.ones(1)}
    within["model"] = [within]
    assert list(read_tensors(stored(tmp_path / "self.pt", within)).tensors) == ["w"]
    quantised = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
    path = stored(tmp_path / "q.pt", {"model": STATE | {"q": quantised}})
    with pytest.raises(UserError, match="q.pt: its tensor q is quantised, expected plain float"):
        read_tensors(path)
    path = stored(tmp_path / "m.pt", {"m": torch.ones(3, device="meta")})
    with pytest.raises(UserError, match="m.pt: its tensor m is on torch's meta device"):
        read_tensors(path)
    path = stored(tmp_path / "s.pt", {"s": torch.ones(3).to_sparse()})
    with pytest.raises(UserError, match="s.pt: its tensor s is sparse"):
        read_tensors(path)
    path = stored(tmp_path / "n.pt", {"optimizer": {"a": torch.ones(1)}, "epoch": 3})
    with pytest.raises(UserError, match="n.pt: holds no tensors, .* has optimizer, epoch"):
        read_tensors(path)


@pytest.mark.parametrize("number", [4.6052, 4, np.float32(4.6052), np.float64(4.6052)])
@pytest.mark.parametrize("entry", [None, "state_dict"])
def test_a_scale_that_is_a_plain_number_is_a_weight(tmp_path, number, entry):
    """It was said to be missing. Other numbers beside the weights are none."""
    state = {"a.weight": torch.ones(2), "module.logit_scale": number, "best": 0.5, "epoch": 3}
    file = read_tensors(stored(tmp_path / "x.pt", {entry: state} if entry else state))
    assert file.tensors["logit_scale"].shape == () and file.others == ["best", "epoch"]
    assert file.tensors["logit_scale"].item() == pytest.approx(float(number))
    assert f"module.logit_scale is the plain number {number:g}, read as a weight" in file.notes


def zero(**more) -> dict:
    return {"ds_config": {}, "ds_version": "0.16.4", **more}


DIVIDED = {
    "zero_pp_rank_0_mp_rank_00_model_states.pt": zero(
        module={"a.weight": torch.zeros(0), "a.bias": torch.ones(2)}, param_shapes=[{}]
    ),
    "zero_pp_rank_0_mp_rank_00_optim_states.pt": zero(
        optimizer_state_dict={"zero_stage": 3, "fp32_flat_groups": [torch.ones(9)]}
    ),
}


@pytest.mark.parametrize("name", DIVIDED)
def test_a_part_of_a_divided_checkpoint_is_called_so(tmp_path, name):
    path = stored(tmp_path / name, DIVIDED[name])
    with pytest.raises(UserError, match=f"{name}: a part of a .* ZeRO .* zero_to_fp32.py FOLDER"):
        read_tensors(path)


def test_zero_checkpoints_with_whole_weights_and_other_empty_tensors_are_read(tmp_path):
    state = {"a.weight": torch.ones(2), "empty": torch.zeros(0)}
    assert same(read_tensors(stored(tmp_path / "a.pt", {"module": state})).tensors, state)
    whole = zero(module=STATE, param_shapes=[{}])
    assert same(read_tensors(stored(tmp_path / "b.pt", whole)).tensors)


def test_a_part_of_fsdp_is_called_so(tmp_path):
    state = {"_fsdp_wrapped_module._flat_param": torch.ones(9)}
    with pytest.raises(UserError, match="x.pt: .*FSDP has divided .*FULL_STATE_DICT"):
        read_tensors(stored(tmp_path / "x.pt", state))


@pytest.mark.parametrize("prefix", ["", "model.", "clip."])
def test_hugging_faces_layout_is_named(tmp_path, prefix):
    state = {
        "logit_scale": torch.ones(()),
        "text_model.encoder.layers.0.self_attn.k_proj.weight": torch.ones(2, 2),
        "vision_model.embeddings.patch_embedding.weight": torch.ones(2, 3, 4, 4),
    }
    path = stored(tmp_path / "x.pt", {prefix + key: value for key, value in state.items()})
    for load in (
        lambda: split(read_tensors(path).tensors, str(path)),
        lambda: clip_from_checkpoint(path, "ViT-B-16"),
    ):
        with pytest.raises(UserError, match="x.pt: a CLIP in the layout of Hugging Face's"):
            load()


def test_other_weights_in_the_file_are_said_not_to_be_used(tmp_path):
    """A training's running weights beside their average: which were taken must be seen."""
    weights = {"a.weight": torch.ones(2, 2)}
    found = find_state({"state_dict": weights, "state_dict_ema": weights, "epoch": 3}, "x.pt", "")
    assert found.notes == ["its entry state_dict_ema holds weights too, which are not used"]
    assert sorted(found.others) == ["epoch", "state_dict_ema"]
