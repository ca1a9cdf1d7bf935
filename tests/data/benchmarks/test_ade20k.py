import json
import shutil

import numpy as np
import pytest
from PIL import Image

from pipeline.core.errors import UserError
from pipeline.data.benchmarks.ade20k import decode_full
from pipeline.data.benchmarks.build import build_benchmark
from pipeline.data.classes import load_class_list
from pipeline.data.labels import read_label
from pipeline.data.sets import load_eval_set
from tests.data.benchmarks.roots import CHECKER, make_ade150, make_ade_full, seg_png
from tests.data.folders import samples, save_label, save_picture


def mapped(eval_set, index):
    path = eval_set.root / eval_set.images[index].label_path
    return read_label(path, eval_set.label_map, eval_set.ignore_label)


def test_challenge_ids_start_at_zero_and_unlabelled_is_ignored(tmp_path):
    make_ade150(tmp_path)
    assert build_benchmark("ade150", str(tmp_path), tmp_path / "out") == []
    eval_set = load_eval_set(tmp_path / "out/sets/ade150.json")
    assert [i.image_id for i in eval_set.images] == ["ADE_val_00000001", "ADE_val_00000002"]
    assert np.array_equal(mapped(eval_set, 0), np.array((0, 149))[CHECKER])
    assert np.array_equal(mapped(eval_set, 1), np.array((255, 14))[CHECKER])
    assert eval_set.classes[14] == "door"


def test_every_index_survives_its_colours(tmp_path):
    index = np.arange(3688).reshape(8, 461)
    save_label(tmp_path / "seg.png", seg_png(index))
    assert np.array_equal(decode_full(tmp_path / "seg.png"), index)


def test_full_set_is_converted_and_mapped(tmp_path):
    make_ade_full(tmp_path)
    assert build_benchmark("ade847", str(tmp_path), tmp_path / "out") == []
    eval_set = load_eval_set(tmp_path / "out/sets/ade847.json")
    sky = eval_set.classes.index("sky")
    assert len(eval_set.classes) == 847
    assert np.array_equal(mapped(eval_set, 0), np.array((0, 65535))[CHECKER])
    assert np.array_equal(mapped(eval_set, 1), np.array((65535, sky))[CHECKER])
    small = (eval_set.root / eval_set.images[0].path).read_bytes()
    source = "ADE20K_2021_17_01/images/ADE/validation/urban/street/ADE_val_00000001.jpg"
    assert small == (tmp_path / source).read_bytes()  # not larger than 512: copied as it is


def test_sample_pixels_carry_the_names_of_their_annotation(tmp_path):
    """The index in the colours is `name_ndx` of the JSON, and our list has the same name for it."""
    source = samples() / "ADE20K_2021_17_01/images/ADE/training/urban/street"
    target = tmp_path / "ADE20K_2021_17_01/images/ADE/validation/urban/street"
    shutil.copytree(source, target)
    classes = load_class_list("ade847")
    names = dict(zip(classes.stored, classes.names, strict=True))
    checked = 0
    for path in sorted(target.glob("*_seg.png")):
        text = path.with_name(path.name.replace("_seg.png", ".json")).read_bytes()
        objects = json.loads(text.decode("latin-1"))["annotation"]["object"]
        annotated = {entry["name_ndx"]: entry["name"] for entry in objects}
        for index in np.unique(decode_full(path)).tolist():
            if index in names:
                assert annotated[index] == names[index]
                checked += 1
    assert checked > 25
    build_benchmark("ade847", str(tmp_path), tmp_path / "out")
    eval_set = load_eval_set(tmp_path / "out/sets/ade847.json")
    assert [(i.height, i.width) for i in eval_set.images] == [(512, 683), (512, 683)]
    present = {eval_set.classes[i] for i in np.unique(mapped(eval_set, 1)) if i < 847}
    assert {"minibike, motorbike", "helmet", "tree", "sidewalk, pavement"} <= present


def test_sample_of_the_challenge_set(tmp_path):
    build_benchmark("ade150", str(samples()), tmp_path)
    eval_set = load_eval_set(tmp_path / "sets/ade150.json")
    assert len(eval_set.images) == 19
    first = mapped(eval_set, 0)  # a house under the sky, behind a lawn
    names = {eval_set.classes[i] for i in np.unique(first) if i != 255}
    assert {"building", "sky", "grass", "wall", "tree"} <= names
    assert eval_set.classes[first[10, first.shape[1] // 2]] == "sky"


def test_synonyms_are_a_variant_of_the_same_labels(tmp_path):
    make_ade150(tmp_path)
    build_benchmark("ade150-synonyms", str(tmp_path), tmp_path / "out")
    eval_set = load_eval_set(tmp_path / "out/sets/ade150-synonyms.json")
    assert eval_set.classes[14] == "door, double door"
    assert np.array_equal(mapped(eval_set, 1), np.array((255, 14))[CHECKER])


def test_the_download_as_it_unpacks(tmp_path):
    """Both splits, every kind of file beside the pictures, what macOS leaves there."""
    make_ade_full(tmp_path)
    top = tmp_path / "ADE20K_2021_17_01"
    (top / "index_ade20k.pkl").write_bytes(b"pickle")
    (top / "objects.txt").write_text("Index of words")
    scene = top / "images/ADE/validation/urban/street"
    (scene / "ADE_val_00000001.json").write_text("{}")
    for name in ("ADE_val_00000001_parts_1.png", "ADE_val_00000001/instance_001_x.png"):
        save_label(scene / name, np.zeros((2, 2), np.uint8))
    for name in ("._ADE_val_00000001.jpg", "._ADE_val_00000001_seg.png", ".DS_Store"):
        (scene / name).write_bytes(b"\x00\x05\x16\x07")
    training = top / "images/ADE/training/nature_landscape/sky"
    save_picture(training / "ADE_train_00000001.jpg")
    save_label(training / "ADE_train_00000001_seg.png", seg_png(np.full((6, 8), 2420)))
    assert build_benchmark("ade847", str(tmp_path), tmp_path / "out") == []
    eval_set = load_eval_set(tmp_path / "out/sets/ade847.json")
    assert [image.image_id for image in eval_set.images] == [
        "ADE_val_00000001", "ADE_val_00000002"
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["gray", "JPEG", "other colours"])
def test_a_seg_png_that_holds_no_indices_is_refused(tmp_path, kind):
    pixels = seg_png(np.full((8, 8), 2978))
    if kind == "other colours":
        pixels[..., 0] = 255
    picture = Image.fromarray(pixels[..., 0] if kind == "gray" else pixels)
    picture.save(tmp_path / "seg.png", format="JPEG" if kind == "JPEG" else "PNG")
    with pytest.raises(UserError, match="seg.png: .*indices"):
        decode_full(tmp_path / "seg.png")
