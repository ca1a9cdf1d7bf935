"""Any JSON of the right outer shape as captions, instances or panoptic segments: what is right in
it is read, the rest is a reject with its reason, or the file is refused by name."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.data.benchmarks.cocostuff import PANOPTIC_JSON, list_panoptic
from pipeline.data.captions import read_captions
from pipeline.data.instances import TrueMasks
from tests.properties.inputs import BYTES, DEEP, JSON, QUICK, answer, swapped

CAPTIONS = {
    "images": [{"id": 1, "file_name": "1.jpg", "height": 6, "width": 8}],
    "annotations": [{"id": 7, "image_id": 1, "caption": "A dog."}],
}
INSTANCES = {
    "images": [{"id": 1, "file_name": "1.jpg", "height": 6, "width": 8}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 3, "iscrowd": 0, "bbox": [0, 0, 4, 4], "area": 16,
         "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]]},
        {"id": 2, "image_id": 1, "category_id": 3, "iscrowd": 0, "bbox": [0, 0, 4, 4], "area": 6,
         "segmentation": {"size": [6, 8], "counts": [0, 6, 42]}},
    ],
    "categories": [{"id": 3, "name": "dog"}],
}  # fmt: skip
PANOPTIC = {
    "images": [{"id": 1, "file_name": "1.jpg", "height": 6, "width": 8}],
    "annotations": [
        {"image_id": 1, "file_name": "1.png", "segments_info": [
            {"id": 5, "category_id": 3, "iscrowd": 0, "bbox": [0, 0, 1, 1], "area": 1},
        ]},
    ],
    "categories": [{"id": 3, "name": "dog", "isthing": 1}],
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data root in which all but the JSON is right."""
    root = tmp_path_factory.mktemp("coco")
    (root / PANOPTIC_JSON).parent.mkdir(parents=True)
    (root / PANOPTIC_JSON).with_suffix("").mkdir()
    (root / "coco/val2017").mkdir()
    Image.new("RGB", (8, 6)).save(root / "coco/val2017/1.jpg")
    Image.new("RGB", (8, 6)).save((root / PANOPTIC_JSON).with_suffix("") / "1.png")
    return root


def masks(path) -> dict[str, np.ndarray]:
    found = TrueMasks(path).of(1, (6, 8))
    assert all(mask.shape == (6, 8) and mask.dtype == bool for mask in found.values())
    return found


def captions(path):
    read = read_captions(path)
    assert all(type(caption.id) is int and caption.text.strip() for caption in
               [c for some in read.captions.values() for c in some])  # fmt: skip
    return read


READERS = {
    "captions": (CAPTIONS, "captions.json", captions),
    "instances": (INSTANCES, "instances.json", masks),
    "panoptic": (PANOPTIC, PANOPTIC_JSON, None),
}


def check(root, kind, content: bytes) -> None:
    _, name, read = READERS[kind]
    path = root / name
    path.write_bytes(content)
    answer((lambda: list_panoptic(root)) if read is None else (lambda: read(path)), path)


@pytest.mark.parametrize("kind", READERS)
@QUICK
@given(data=st.data())
def test_one_value_anywhere(root, kind, data):
    check(root, kind, json.dumps(data.draw(swapped(READERS[kind][0]))).encode())


@pytest.mark.parametrize("kind", READERS)
@QUICK
@given(data=st.data())
def test_any_entries_in_the_outer_shape(root, kind, data):
    whole = READERS[kind][0]
    entries = {
        key: data.draw(st.lists(JSON | swapped(value[0]) | st.just(value[0]), max_size=3))
        for key, value in whole.items()
    }
    check(root, kind, json.dumps(entries).encode())


@pytest.mark.parametrize("kind", READERS)
@QUICK
@given(data=BYTES)
def test_any_bytes(root, kind, data):
    check(root, kind, data)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("deep", [DEEP, b'{"images":' * 50_000], ids=["list", "object"])
def test_nested_beyond_measure(root, kind, deep):
    check(root, kind, deep)
