import os
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from pipeline.core.errors import UserError
from pipeline.core.records import Caption, Reject, write_parquet
from pipeline.data.classes import load_class_list
from pipeline.data.coco import read_coco
from pipeline.data.labels import read_label
from tests.data.folders import make_coco, samples, save_label, save_picture, write_json

STUFF = load_class_list("cocostuff").label_map


def reasons(rejects):
    return Counter(reject.reason for reject in rejects)


def test_every_picture_with_a_caption_or_a_label_map(tmp_path):
    records, rejects = read_coco(make_coco(tmp_path), "val2017")
    assert [r.image_id for r in records] == [1, 2, 3]
    assert records[0].captions == [Caption(11, "A bike."), Caption(12, "A bicycle on wood.")]
    assert [r.label_path is None for r in records] == [False, True, False]
    assert records[2].captions == [] and (records[2].height, records[2].width) == (6, 8)
    assert reasons(rejects) == {"no label map": 1, "no caption": 1}
    assert (tmp_path / records[0].path).is_file() and (tmp_path / records[0].label_path).is_file()


def test_each_fault_has_its_reason(tmp_path):
    root = make_coco(tmp_path)
    pictures, labels = root / "val2017", root / "stuffthingmaps" / "val2017"
    (pictures / "000000000001.jpg").unlink()  # captioned and labelled, but no picture
    (pictures / "000000000002.jpg").write_bytes(b"broken")
    Image.new("L", (4, 4)).save(labels / "000000000003.png")  # wrong size, and no caption: dropped
    save_picture(pictures / "holiday.jpg")
    save_picture(pictures / "000000000004.jpg")  # neither caption nor label map
    save_picture(pictures / "000000000005.jpg")  # all is right
    save_label(labels / "000000000005.png", np.zeros((6, 8), np.uint8))
    (pictures / "notes.txt").write_text("not a picture, not mentioned")
    write_json(
        root / "annotations" / "captions_val2017.json",
        {
            "images": [{"id": i, "height": 6, "width": 8} for i in (1, 2, 5)],
            "annotations": [
                {"id": 11, "image_id": 1, "caption": "A bike."},
                {"id": 51, "image_id": 5, "caption": "A bike."},
                {"id": 12, "image_id": 1, "caption": "   "},
                {"id": 91, "image_id": 9, "caption": "Who is this?"},
            ],
        },
    )
    records, rejects = read_coco(root, "val2017")
    assert [record.image_id for record in records] == [5]
    assert reasons(rejects) == {
        "picture missing": 1,
        "unreadable picture": 1,
        "label map size differs": 1,
        "name is no image id": 1,
        "empty caption": 1,
        "caption without image": 1,
        "no label map": 1,
        "no caption": 2,
    }


def test_a_split_of_which_nothing_can_be_used_is_an_error(tmp_path):
    root = make_coco(tmp_path)
    for path in (root / "val2017").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(UserError, match="val2017: no picture can be used: unreadable picture: 3, "):
        read_coco(root, "val2017")


def test_size_that_contradicts_the_annotation(tmp_path):
    root = make_coco(tmp_path)
    save_picture(root / "val2017" / "000000000001.jpg", 8, 6)
    records, rejects = read_coco(root, "val2017")
    assert [r.image_id for r in records] == [2, 3]
    assert ("size differs from annotation", "is 6 x 8, annotated 8 x 6") in [
        (r.reason, r.detail) for r in rejects
    ]


def test_turned_picture_has_its_upright_size(tmp_path):
    root = make_coco(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    save_picture(root / "val2017" / "000000000001.jpg", 8, 6, exif=exif)  # stored turned
    records, _ = read_coco(root, "val2017")
    assert (records[0].image_id, records[0].width, records[0].height) == (1, 8, 6)


def test_missing_parts_are_named_with_their_source(tmp_path):
    with pytest.raises(FileNotFoundError, match="val2017: no picture folder.*cocodataset.org"):
        read_coco(tmp_path, "val2017")
    (tmp_path / "val2017").mkdir()
    with pytest.raises(FileNotFoundError, match="captions_val2017.json.*cocodataset.org"):
        read_coco(tmp_path, "val2017")


def test_real_sample():
    root = samples() / "coco"
    val, val_rejects = read_coco(root, "val2017")
    train, train_rejects = read_coco(root, "train2017")
    assert (len(val), sum(bool(r.captions) for r in val)) == (248, 248)
    assert sum(r.label_path is not None for r in val) == 114
    assert (len(train), sum(bool(r.captions) for r in train)) == (157, 68)
    assert sum(r.label_path is not None for r in train) == 89
    assert reasons(val_rejects) == {"no label map": 134}
    assert reasons(train_rejects) == {"no label map": 68, "no caption": 89}
    assert all(len(r.captions) >= 5 for r in val)


def shift(root, by=1, split="val2017"):
    for path in (root / "stuffthingmaps" / split).iterdir():
        save_label(path, read_label(path).astype(np.uint8) + np.uint8(by))


def test_maps_that_count_from_one_are_refused(tmp_path):
    root = make_coco(tmp_path)
    assert reasons(read_coco(root, "val2017", label_map=STUFF)[1]) == {
        "no caption": 1, "no label map": 1
    }  # fmt: skip
    shift(root)  # 255 becomes 0, wood 182
    records, rejects = read_coco(root, "val2017", label_map=STUFF)
    assert reasons(rejects)["label maps numbered otherwise"] == 2
    assert [record.label_path for record in records] == [None, None]


def test_maps_painted_as_one_mask_are_refused(tmp_path):
    root = make_coco(tmp_path)
    for path in (root / "stuffthingmaps/val2017").iterdir():
        save_label(path, np.where(read_label(path) == 1, 255, 0).astype(np.uint8))
    records, rejects = read_coco(root, "val2017", label_map=STUFF)
    assert reasons(rejects)["label maps painted 0 and 255"] == 2
    assert [record.label_path for record in records] == [None, None]


def test_a_map_with_an_unknown_value_is_refused_alone(tmp_path):
    root = make_coco(tmp_path)
    save_label(root / "stuffthingmaps/val2017/000000000003.png", np.full((6, 8), 182, np.uint8))
    _, rejects = read_coco(root, "val2017", label_map=STUFF)
    [reject] = [r for r in rejects if r.reason == "unknown class in label map"]
    assert reject.item == "stuffthingmaps/val2017/000000000003.png"
    assert reject.detail.startswith("found 182; expected COCO-Stuff's category ids less 1, 0..181")


def test_a_picture_cut_short_is_refused(tmp_path):
    root = make_coco(tmp_path)
    path = root / "val2017/000000000001.jpg"
    path.write_bytes(path.read_bytes()[:-40])
    records, rejects = read_coco(root, "val2017", label_map=STUFF)
    assert [record.image_id for record in records] == [2, 3]
    assert ("val2017/000000000001.jpg", "unreadable picture") in [
        (r.item, r.reason) for r in rejects
    ]


def test_names_that_are_no_text_are_rejects_that_can_be_written(tmp_path):
    root = make_coco(tmp_path)
    picture = (root / "val2017/000000000001.jpg").read_bytes()
    (root / "val2017" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(picture)
    (root / "val2017" / "._000000000001.jpg").write_bytes(b"macOS")
    _, rejects = read_coco(root, "val2017")
    assert ("val2017/caf\\xe9.jpg", "name is no image id") in [(r.item, r.reason) for r in rejects]
    assert not any("._" in reject.item for reject in rejects)
    write_parquet(tmp_path / "rejects.parquet", rejects, Reject)


def test_maps_of_mmsegmentation_are_named_where_they_lie(tmp_path):
    """They were said to lie among the pictures, and the pictures' folder to be one too deep."""
    root = make_coco(tmp_path)
    place = "stuffthingmaps/val2017"
    for path in list((root / place).iterdir()):
        path.rename(path.with_name(f"{path.stem}_labelTrainIds.png"))
    _, rejects = read_coco(root, "val2017", "dataset")
    named = {r.item: r.detail for r in rejects if r.reason == "name is no image id"}
    detail = "expected a number such as 000000000139; a map of mmsegmentation has other numbers"
    assert named == {
        f"{place}/{number:012d}_labelTrainIds.png": f"{detail}, take COCO-Stuff's own"
        for number in (1, 3)
    }
    assert not any("too deep" in r.reason for r in rejects)


def test_label_maps_one_folder_too_deep_are_said_to_be(tmp_path):
    root = make_coco(tmp_path)
    folder = root / "stuffthingmaps" / "val2017"
    folder.rename(root / "moved")
    folder.mkdir()
    (root / "moved").rename(folder / "val2017")
    _, rejects = read_coco(root, "val2017")
    [reject] = [r for r in rejects if r.reason == "unpacked one folder too deep"]
    assert reject.item == "stuffthingmaps/val2017"
    assert reject.detail.startswith("stuffthingmaps/val2017/val2017 is there: move it to stuff")
