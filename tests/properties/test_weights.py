"""Any bytes as a file of weights: tensors, or an error that names the file; never another
exception, and never numbers that are not the file's."""

import argparse
import io
import json
import pickle
import pickletools
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from pipeline.checkpoints.import_ import import_checkpoint
from pipeline.checkpoints.prompts import read_prompts
from pipeline.clip.store import load_clip, save_clip
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.store import load_segmenter, save_segmenter
from pipeline.weights.read import TensorFile, read_tensors
from tests.clip.tiny import tiny_clip
from tests.properties.inputs import BYTES, DEEP, JSON, QUICK, answer, mutated, swapped
from tests.segmenter.tiny import config

STATE = {"visual.w": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.float16)}
CONTENT = {"state_dict": STATE, "args": argparse.Namespace(a=np.float64(1), b=[1, (2,)]), "n": {1}}


def torch_file(content=CONTENT, **options) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def numpy_pickle() -> bytes:
    return pickle.dumps({"model": {k: v.numpy() for k, v in STATE.items()}, "n": 1}, 2)


def scripted() -> bytes:
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(2))

        def forward(self, x):
            return x * self.w

    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(Net(), torch.ones(2)), buffer)
    return buffer.getvalue()


NAMES = ("x.pt", "x.safetensors", "x.pkl", "x.index.json")
with pytest.warns(Warning):
    SCRIPTED = scripted()
WHOLE = {
    "zip": torch_file(),
    "stream": torch_file(_use_new_zipfile_serialization=False),
    "protocol 4": torch_file(pickle_protocol=4),
    "safetensors": save(STATE, {"ovseg": '{"clip": {}}'}),
    "pickle": numpy_pickle(),
    "pickled tensors": pickle.dumps(STATE),
    "scripted": SCRIPTED,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


def check(path, data: bytes) -> TensorFile | None:
    path.write_bytes(data)
    file = answer(lambda: read_tensors(path), path)
    if file is not None:
        assert file.tensors and all(isinstance(t, torch.Tensor) for t in file.tensors.values())
        json.dumps([file.others, file.notes])
    return file


@given(data=BYTES, name=st.sampled_from(NAMES))
@QUICK
def test_any_bytes(folder, data, name):
    check(folder / name, data)


@pytest.mark.parametrize("kind", WHOLE)
@QUICK
@given(data=st.data(), name=st.sampled_from(NAMES[:3]))
def test_changed_files(folder, kind, data, name):
    check(folder / name, data.draw(mutated(WHOLE[kind])))


def repacked(whole: bytes, change) -> bytes:
    """The zip with its data.pkl changed, and the right checksums."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as read, zipfile.ZipFile(buffer, "w") as made:
        for name in read.namelist():
            data = read.read(name)
            made.writestr(name, change(data) if name.endswith("/data.pkl") else data)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["zip", "protocol 4", "scripted"])
@QUICK
@given(data=st.data())
def test_changed_pickles_in_a_whole_archive(folder, kind, data):
    """A checksum does not save this one: who made the file made the checksum."""
    changed = repacked(WHOLE[kind], lambda pickled: data.draw(mutated(pickled)))
    file = check(folder / "x.pt", changed)
    for tensor in file.tensors.values() if file is not None else ():
        tensor.sum() if tensor.numel() < 100_000 else None  # no memory that is not the file's


ARGUMENTS = st.one_of(st.integers(-5, 2**40), st.binary(max_size=5), st.text(max_size=5))
PROGRAM = st.lists(
    st.one_of(
        st.sampled_from([op.code.encode("latin1") for op in pickletools.opcodes]),
        st.sampled_from([
            b"ctorch._utils\n_rebuild_tensor_v2\n", b"cnumpy\ndtype\n", b"cnumpy\nndarray\n",
            b"ccollections\nOrderedDict\n", b"cargparse\nNamespace\n", b"c_codecs\nencode\n",
            b"cnumpy.core.multiarray\n_reconstruct\n", b"ctorch\nFloatStorage\n", b"K\x05",
            b"K\x00", b"X\x02\x00\x00\x00f4", b"X\x05\x00\x00\x00model", b"]", b"}", b")", b"(",
            b"\x85", b"\x86", b"\x87", b"R", b"b", b"s",
            b"u", b"q\x01", b"h\x01", b"r\xff\xff\xff\xff", b"\x81", b"t",
            b"\x96\xff\xff\xff\xff\xff\x00\x00\x00", b"C\x02ab", b"0", b"2",
        ]),
    ),
    max_size=30,
)  # fmt: skip


@given(program=PROGRAM)
@QUICK
def test_any_program_of_a_pickle(folder, program):
    check(folder / "x.pkl", b"\x80\x04" + b"".join(program) + b".")


@given(document=swapped({"metadata": {}, "weight_map": {"a": "x.pt", "b": "x.pt"}}))
@QUICK
def test_any_index(folder, document):
    (folder / "x.pt").write_bytes(torch_file({"a": torch.ones(1), "b": torch.ones(1)}))
    path = folder / "y.index.json"
    path.write_text(json.dumps(document))
    try:
        answer(lambda: read_tensors(path), path)
    finally:
        path.unlink()


VALUES = st.one_of(
    st.just(torch.ones(2)),
    st.just(np.ones(3, np.float32)),
    st.just(np.array(["a"])),
    st.integers(0, 3),
    st.text(max_size=3),
)
KEYS = st.one_of(
    st.sampled_from(["model", "state_dict", "module", "ema", "module.w", "w", "model.w",
                     "optimizer", "visual.mask_embedding", "visual.conv1.weight",
                     "x.visual.conv1.weight", "sem_seg_head.predictor.a",
                     "visual.transformer.resblocks.7.x", "ovseg",
                     "backbone.res2.0.x", "clip_adapter.clip_model.visual.proj"]),
    st.integers(0, 2),
    st.text(max_size=4),
)  # fmt: skip
CONTENTS = st.recursive(
    VALUES,
    lambda inner: st.one_of(st.dictionaries(KEYS, inner, max_size=4), st.lists(inner, max_size=2)),
    max_leaves=8,
)


SHAPES = st.lists(st.integers(0, 4), max_size=3)
DTYPES = st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64,
                          torch.int8, torch.uint8, torch.bool, torch.complex64])  # fmt: skip


@st.composite
def states(draw) -> dict[str, torch.Tensor]:
    """Tensors of any type and shape, some of them views, turned or expanded."""
    state = {}
    for name in draw(st.lists(st.sampled_from("abcde"), min_size=1, unique=True)):
        tensor = torch.randn(draw(SHAPES) + [3]).to(draw(DTYPES))
        way = draw(st.sampled_from(["whole", "part", "turned", "expanded", "same"]))
        if way == "part":
            tensor = tensor[..., 1:]
        elif way == "turned":
            tensor = tensor.transpose(0, -1)
        elif way == "expanded":
            tensor = tensor.expand(2, *tensor.shape)
        elif way == "same" and state:
            tensor = next(iter(state.values()))
        state[f"{name}.weight"] = tensor
    return state


@given(state=states(), old=st.booleans(), container=st.sampled_from([None, "model", "ema"]))
@QUICK
def test_what_torch_saves_is_read(folder, state, old, container):
    path = folder / "x.pt"
    content = state if container is None else {container: state}
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    found = read_tensors(path).tensors
    assert list(found) == list(state)
    for key, value in state.items():
        assert found[key].dtype == value.dtype and torch.equal(found[key], value)


@given(content=CONTENTS)
@QUICK
def test_any_content_is_read_and_received_or_named(folder, content):
    path = folder / "x.pt"
    torch.save(content, path)
    file = answer(lambda: read_tensors(path), path)
    if file is not None:
        answer(lambda: import_checkpoint(file, path), path)


@given(data=BYTES)
@QUICK
def test_any_bytes_as_prompts(folder, data):
    path = folder / "prompts.safetensors"
    path.write_bytes(data)
    answer(lambda: read_prompts(path), path)


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    save_clip(folder, tiny_clip(depth=1), "tiny")
    return folder


@pytest.mark.parametrize("name", ["clip.json", "clip.safetensors", "prompts.safetensors"])
@settings(QUICK, max_examples=15)
@given(data=BYTES)
def test_any_bytes_in_a_clip_folder(clip_folder, name, data):
    path = clip_folder / name
    whole = path.read_bytes()
    path.write_bytes(data)
    try:
        assert answer(lambda: load_clip(clip_folder), path) is None
    finally:
        path.write_bytes(whole)


SMALL = st.one_of(st.none(), st.booleans(), st.integers(-3, 80), st.floats(), st.text(max_size=4),
                  st.just([]), st.just({}), st.just([1, 2]), JSON)  # fmt: skip


def with_one(document: dict, path: tuple, value) -> dict:
    head, *rest = path
    return document | {head: with_one(document[head], tuple(rest), value) if rest else value}


def paths(document: dict) -> list[tuple]:
    inner = [(k, *p) for k, v in document.items() if isinstance(v, dict) for p in paths(v)]
    return [(key,) for key in document] + inner


@given(data=st.data())
@settings(QUICK, max_examples=25)
def test_any_value_in_clip_json(clip_folder, data):
    path = clip_folder / "clip.json"
    whole = path.read_text()
    document = json.loads(whole)
    place = data.draw(st.sampled_from(paths(document)))
    value = data.draw(SMALL.filter(lambda v: type(v) is not int or v < 100))
    path.write_text(json.dumps(with_one(document, place, value)))
    try:
        answer(lambda: load_clip(clip_folder), clip_folder)
    finally:
        path.write_text(whole)


@pytest.mark.parametrize("name", ["clip.json", "segmenter.json"])
def test_nested_beyond_measure(tmp_path, name):
    for file in (name, "clip.safetensors", "segmenter.safetensors"):
        (tmp_path / file).write_bytes(DEEP)
    read = load_clip if name == "clip.json" else load_segmenter
    assert answer(lambda: read(tmp_path), tmp_path / name) is None


@pytest.fixture(scope="module")
def segmenter_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("segmenter")
    torch.manual_seed(0)
    save_segmenter(folder, MaskFormer(config()))
    return folder


@pytest.mark.parametrize("name", ["segmenter.json", "segmenter.safetensors"])
@settings(QUICK, max_examples=15)
@given(data=BYTES)
def test_any_bytes_in_a_segmenter_folder(segmenter_folder, name, data):
    path = segmenter_folder / name
    whole = path.read_bytes()
    path.write_bytes(data)
    try:
        assert answer(lambda: load_segmenter(segmenter_folder), segmenter_folder) is None
    finally:
        path.write_bytes(whole)


@given(data=st.data())
@QUICK
def test_any_value_in_segmenter_json(segmenter_folder, data):
    path = segmenter_folder / "segmenter.json"
    whole = path.read_text()
    document = json.loads(whole)
    place = data.draw(st.sampled_from(paths(document)))
    value = data.draw(SMALL.filter(lambda v: type(v) is not int or v < 100))
    path.write_text(json.dumps(with_one(document, place, value)))
    try:
        loaded = answer(lambda: load_segmenter(segmenter_folder), segmenter_folder)
        assert loaded is None or isinstance(loaded, MaskFormer)
    finally:
        path.write_text(whole)
