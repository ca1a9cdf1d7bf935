"""Any JSON in the files that a stage writes and others read: a value, or an error by name."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.shards import of_shards, run_shards, shard_files
from pipeline.data.dataset import Dataset, read_dataset, write_dataset
from pipeline.data.sets import EvalImage, EvalSet, load_eval_set, save_eval_set
from tests.properties.inputs import BYTES, DEEP, QUICK, answer, swapped

LETTERS = st.characters(codec="utf-8", exclude_characters="\0")
CLASSES = st.lists(st.text(LETTERS, max_size=6), max_size=4)
PLACES = st.text(LETTERS, min_size=1, max_size=6)
SIDES = st.integers(1, 9)
LABELS = st.none() | st.dictionaries(st.integers(0, 65535), st.integers(0, 255), max_size=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("json")


def dataset_json(folder):
    classes = ["cat", "dog"]
    write_dataset(folder, Dataset("d", folder, classes, [True, False], 255, {3: 0}), [], [])
    return folder / "dataset.json"


def set_json(folder):
    image = EvalImage("a", "a.jpg", "a.png", 4, 3)
    path = folder / "sets" / "s.json"
    save_eval_set(path, EvalSet("s", folder, ["cat", "dog"], [image], 255, {1: 0}, [0]))
    return path


READERS = {
    "dataset.json": (dataset_json, lambda path: read_dataset(path.parent), Dataset),
    "sets": (set_json, load_eval_set, EvalSet),
}


@pytest.mark.parametrize("kind", READERS)
@QUICK
@given(data=st.data())
def test_any_value_in_a_file_of_a_stage(folder, kind, data):
    write, read, made = READERS[kind]
    path = write(folder)
    document = data.draw(swapped(json.loads(path.read_text())))
    path.write_text(json.dumps(document))
    value = answer(lambda: read(path), path)
    assert value is None or isinstance(value, made)


@pytest.mark.parametrize("kind", READERS)
@QUICK
@given(data=BYTES)
def test_any_bytes_in_a_file_of_a_stage(folder, kind, data):
    write, read, _ = READERS[kind]
    path = write(folder)
    path.write_bytes(data)
    assert answer(lambda: read(path), path) is None


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("deep", [DEEP, b'{"name":' * 50_000], ids=["list", "object"])
def test_nested_beyond_measure(folder, kind, deep):
    write, read, _ = READERS[kind]
    path = write(folder)
    path.write_bytes(deep)
    assert answer(lambda: read(path), path) is None


@given(name=PLACES, classes=CLASSES, label_map=LABELS, data=st.data())
@QUICK
def test_what_write_dataset_writes_is_read(folder, name, classes, label_map, data):
    seen = [data.draw(st.booleans()) for _ in classes]
    written = Dataset(name, folder, classes, seen, 255, label_map)
    write_dataset(folder, written, [], [])
    assert read_dataset(folder) == written


@given(
    name=PLACES,
    classes=CLASSES,
    label_map=LABELS,
    images=st.lists(
        st.builds(EvalImage, st.integers(0) | PLACES, PLACES, PLACES, SIDES, SIDES), max_size=3
    ),
    data=st.data(),
)
@QUICK
def test_what_save_eval_set_writes_is_read(folder, name, classes, label_map, images, data):
    ids = st.lists(st.sampled_from(range(len(classes))), unique=True) if classes else st.just([])
    seen = data.draw(st.none() | ids)
    written = EvalSet(name, folder, classes, images, 255, label_map, seen)
    save_eval_set(folder / "s.json", written)
    assert load_eval_set(folder / "s.json") == written


def make(items, made):
    (made / "part.parquet").write_bytes(b"content")
    return {"n": len(items)}


@pytest.mark.parametrize("name", ["00000", "whole"])
@QUICK
@given(data=st.data())
def test_any_manifest(folder, name, data):
    out = folder / "shards"
    run_shards(out, [1, 2], 2, make, {"x": 1}, "", names=["part.parquet"])
    path = out / "manifest" / f"{name}.json"
    whole = path.read_text()
    changed = data.draw(swapped(json.loads(whole)).map(lambda v: json.dumps(v).encode()) | BYTES)
    path.write_bytes(changed)
    for read in (shard_files, of_shards):
        value = answer(lambda read=read: read(out, "part"), out)
        assert value is None or json.loads(changed) == json.loads(whole)
    again = run_shards(out, [1, 2], 2, make, {"x": 1}, "", names=["part.parquet"])
    assert len(again) == 1 and path.read_text() == whole
