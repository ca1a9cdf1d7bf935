"""What `ovseg check` names is what stage dataset leaves out or cannot do, and nothing else."""

import json
import os
import re

import numpy as np
import pytest
from PIL import Image

from pipeline.commands.check import check
from pipeline.core.errors import UserError
from pipeline.core.records import Reject, read_parquet
from pipeline.data.overview import GAPS
from pipeline.data.prepare import prepare
from tests.commands.checked import checked
from tests.data.benchmarks.roots import (
    make_ade150,
    make_ade_full,
    make_context,
    make_panoptic,
    make_voc,
)
from tests.data.folders import WORLD, make_coco, make_own, save_label, save_picture, write_json


def test_masks_without_val_txt_are_to_learn_from_only_and_no_fault(tmp_path, capsys):
    root = make_own(tmp_path / "own")
    (root / "val.txt").unlink()
    check(own=root)
    printed = capsys.readouterr().out
    assert "no held-out picture has a label map: for the evaluation set own, list some" in printed
    assert printed.splitlines()[-1] == f"own: 0 faults in {root}"
    assert prepare("own", str(root), [], WORLD, tmp_path / "out")["rejects"] == {}


@pytest.mark.parametrize("names", ["a.jpg\n", ""])
def test_masks_of_no_held_out_picture_are_what_the_preset_cannot_use(tmp_path, capsys, names):
    root = make_own(tmp_path / "own")
    (root / "val.txt").write_text(names)
    printed = checked(capsys, own=root).splitlines()
    place = "images/a.jpg: held out without a label map" if names else "val.txt: nothing held out"
    assert [line for line in printed if line.startswith(f"{root}/{place}; ")]
    assert printed[-1] == f"own: 1 fault in {root}"
    with pytest.raises(UserError, match="needs held-out pictures with masks"):
        prepare("own", str(root), ["own"], WORLD, tmp_path / "out")


def lines_of(place, rejects) -> set[str]:
    return {f"{place}/{r.item}: {r.reason}" + f"; {r.detail}" * bool(r.detail) for r in rejects}


def own_with_every_fault(root):
    """One of each that leaves the rest usable."""
    make_own(root)
    picture = (root / "images/a.jpg").read_bytes()
    (root / "images/cut.jpg").write_bytes(picture[:-40])
    (root / "images/empty.jpg").write_bytes(b"")
    (root / "images/film.gif").write_bytes(picture)
    (root / "images" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(picture)
    for name in (
        "bare.jpg",
        "twin.jpg",
        "tw\u200bin.jpg",
        "alone.jpg",
        "held.jpg",
        "one.jpg",
        "one.png",
    ):
        save_picture(root / "images" / name)
    names = [
        "a.jpg",
        "cut.jpg",
        "twin.jpg",
        "sub%2Fb.png",
        "b.png",
        "film.gif",
        "none.jpg",
        "bare.jpg",
    ]
    lines = [json.dumps({"image": name, "caption": "A dog."}) for name in (*names, "held.jpg")]
    lines += ["oops", '{"image": 3}', '{"image": "a.jpg", "caption": " "}']
    lines += ['{"image": "a.jpg", "caption": "?"}', '{"image": "a.jpg", "caption": "\\ud83d"}']
    with open(root / "captions.jsonl", "ab") as file:
        file.write("\n".join(lines).encode() + b'\n{"image": "a.jpg", "caption": "caf\xe9"}\n')
    (root / "captions.json").write_text("{}")
    (root / "val.txt").write_text("c.jpg\nheld.jpg\nbare.jpg\nnowhere.jpg\n")
    save_label(root / "masks/a.png", np.full((6, 8), 3, np.uint8))
    save_label(root / "masks/held.png", np.zeros((3, 3), np.uint8))
    for name in ("one.png", "alone.PNG", "alone.png", "deeper/c.png", "cut.jpg", "twin.png"):
        save_label(root / "masks" / name, np.zeros((6, 8), np.uint8))
    return root


def test_the_stage_leaves_out_of_an_own_folder_what_check_named_and_nothing_else(tmp_path, capsys):
    root = own_with_every_fault(tmp_path / "own")
    printed = checked(capsys, own=root).splitlines()
    prepare("own", str(root), ["own"], WORLD, tmp_path / "out")
    rejects = read_parquet(tmp_path / "out" / "rejects.parquet", Reject)
    assert {line for line in printed if line.startswith(f"{root}/")} == lines_of(root, rejects)
    assert printed[-1] == f"own: {len(rejects)} faults in {root}"
    assert {reject.reason for reject in rejects} == {
        "caption is no text", "caption without words", "captions not read", "empty caption",
        "format not read", "held out without a label map", "label map size differs",
        "mask is no PNG", "mask of a picture left out", "mask of more than one picture",
        "mask without picture", "name is not UTF-8", "names look the same", "no such picture",
        "not UTF-8", "nothing to learn from", "two masks of one picture",
        "unknown class in label map", "unreadable picture", "wrong line",
    }  # fmt: skip


def paint(label: np.ndarray) -> np.ndarray:
    """A mask of one object, as drawing programs save it."""
    return np.where(label == 255, 0, 255).astype(np.uint8)


def count_from_one(label: np.ndarray) -> np.ndarray:
    """The numbers of a tool that keeps 0 for what is not labelled."""
    return np.where(label == 255, 0, label + 1).astype(np.uint8)


def recode(root, folder, recoded) -> int:
    """Store all label maps below a folder in other numbers; return how many there are."""
    maps = sorted((root / folder).rglob("*.png"))
    for path in maps:
        save_label(path, recoded(np.asarray(Image.open(path)).astype(int)))
    return len(maps)


WHOLE = [(paint, "label maps painted 0 and 255"), (count_from_one, "label maps numbered otherwise")]


@pytest.mark.parametrize(("recoded", "reason"), WHOLE)
def test_maps_that_mean_something_else_are_left_out_as_check_named_them(
    tmp_path, capsys, recoded, reason
):
    """Of an own folder and of COCO: every map of the set, and nothing but maps."""
    own, root = make_own(tmp_path / "own"), tmp_path / "root"
    maps = recode(own, "masks", recoded)
    printed = checked(capsys, own=own).splitlines()
    prepare("own", str(own), [], WORLD, tmp_path / "out")
    rejects = read_parquet(tmp_path / "out" / "rejects.parquet", Reject)
    assert {line for line in printed if line.startswith(f"{own}/")} == lines_of(own, rejects)
    reasons = [reject.reason for reject in rejects]
    assert reasons.count(reason) == maps > 1 and not any("picture" in each for each in reasons)

    for split in ("train2017", "val2017"):
        make_coco(root / "coco", split)
    maps = recode(root, "coco/stuffthingmaps", recoded)
    printed = checked(capsys, root=root).splitlines()
    prepare("coco", str(root), [], WORLD, tmp_path / "out2")
    rejects = read_parquet(tmp_path / "out2" / "rejects.parquet", Reject)
    faults = [reject for reject in rejects if reject.reason not in GAPS]
    named = {line for line in printed if line.startswith(f"{root}/")}
    assert named == lines_of(root / "coco", faults) and len(faults) == maps > 1
    assert {fault.reason for fault in faults} == {reason}


def root_with_every_fault(root):
    """COCO and every benchmark, one fault of each kind in each."""
    make_ade150(root)
    make_ade_full(root)
    make_context(root)
    make_voc(root)
    make_panoptic(root)
    coco = root / "coco"
    for split in ("train2017", "val2017"):
        make_coco(coco, split)
        picture = (coco / split / "000000000001.jpg").read_bytes()
        (coco / split / "000000000004.jpg").write_bytes(picture[:-40])
        (coco / split / "dog.jpg").write_bytes(picture)
        (coco / split / "2.jpg").write_bytes(picture)
        save_picture(coco / split / "000000000005.jpg")
        for number, value in ((4, 1), (5, 182)):
            label = coco / "stuffthingmaps" / split / f"{number:012d}.png"
            save_label(label, np.full((6, 8), value, np.uint8))
        path = coco / f"annotations/captions_{split}.json"
        content = json.loads(path.read_text())
        content["images"] += [{"id": 9, "height": 6, "width": 8}, {"id": "x"}]
        content["annotations"] += [{"id": 11, "image_id": 2, "caption": "Again 11."}, "caption"]
        write_json(path, content)
    polygon = [1, 1, 5, 1, 5, 5, 1, 5]
    entries = [
        {"image_id": image, "category_id": category, "segmentation": segmentation}
        for image, category, segmentation in (
            (1, 17, [polygon]), (1, 17, [polygon[:4]]), (1, 99, [polygon]), (8, 17, [polygon]),
            (3, 17, [polygon]),
        )
    ]  # fmt: skip
    sizes = [{"id": 1, "height": 6, "width": 8}, {"id": 3, "height": 8, "width": 6}]
    content = {"images": sizes, "categories": [{"id": 17, "name": "dog"}], "annotations": entries}
    write_json(coco / "annotations/instances_val2017.json", content)
    path = coco / "annotations/panoptic_val2017.json"
    content = json.loads(path.read_text())
    content["annotations"].append({"file_name": "000000000002.png", "segments_info": [{"id": 7}]})
    write_json(path, content)
    ade = root / "ADEChallengeData2016/annotations/validation/ADE_val_00000001.png"
    save_label(ade, np.full((6, 8), 151, np.uint8))
    voc = root / "VOCdevkit/VOC2012"
    save_label(voc / "SegmentationClass/2007_000033.png", np.full((5, 8), 1, np.uint8))
    (root / "VOCdevkit/VOC2010/trainval/2008_000003.mat").write_bytes(b"no mat")
    full = root / "ADE20K_2021_17_01/images/ADE/validation/bedroom/ADE_val_00000002_seg.png"
    full.write_bytes(full.read_bytes()[:60])
    return root


def test_the_stage_leaves_out_of_a_data_root_what_check_named_and_nothing_else(tmp_path, capsys):
    root = root_with_every_fault(tmp_path / "root")
    printed = checked(capsys, root=root)
    sets = ["ade150", "ade847", "pc59", "voc20", "cocostuff171", "cocopanoptic"]
    prepare("coco", str(root), sets, WORLD, tmp_path / "out")
    rejects = read_parquet(tmp_path / "out" / "rejects.parquet", Reject)
    named = {line for line in printed.splitlines() if line.startswith(f"{root}/")}
    faults = [reject for reject in rejects if reject.reason not in GAPS]
    coco = root / "coco"  # of its splits the items are paths below it
    for reject in faults:
        assert (lines_of(root, [reject]) | lines_of(coco, [reject])) & named, reject
    assert named <= lines_of(root, faults) | lines_of(coco, faults)
    assert {reject.reason for reject in faults} == {
        "label map not converted", "label map size differs", "name is no image id",
        "object without image", "two captions of one id", "two files of one image id",
        "unknown category", "unknown class in label map", "unreadable picture",
        "unreadable picture or label map", "unusable instances", "unusable segmentation",
        "wrong entry",
    }  # fmt: skip
    assert "instances: 2 usable objects: dog 2" in printed
    assert "not all there: no caption: 2, no label map: 1, picture missing: 1" in printed


def broken_panoptic(root):
    make_panoptic(root)
    path = root / "coco/annotations/panoptic_val2017.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segments_info"][0]["category_id"] = 999
    write_json(path, content)


def panoptic_of_other_pictures(root):
    make_panoptic(root)
    path = root / "coco/annotations/panoptic_val2017.json"
    path.write_text(path.read_text().replace("000000000001.png", "000000000002.png"))


def ade_of_other_names(root):
    make_ade150(root)
    folder = root / "ADEChallengeData2016/annotations/validation"
    for path in folder.iterdir():
        path.rename(folder / f"label-{path.name}")


def voc_with_another_list(root):
    make_voc(root)
    (root / "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt").write_text("2009_000001\n")


def voc_with_wrong_sizes(root):
    make_voc(root)
    for path in (root / "VOCdevkit/VOC2012/SegmentationClass").iterdir():
        save_label(path, np.zeros((3, 3), np.uint8))


def coco_of_other_pictures(root):
    """Captions and pictures of which none go together: gaps in a download, each of them."""
    make_coco(root / "coco")
    for path in (root / "coco/val2017").iterdir():
        path.rename(path.with_stem(f"{int(path.stem) + 70:012d}"))


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (broken_panoptic, "cocopanoptic", "no other entry is right"),
        (panoptic_of_other_pictures, "cocopanoptic", "1 entries, none for the segment maps there"),
        (ade_of_other_names, "ade150", "no picture with its label map"),
        (voc_with_another_list, "voc20", "none of the 1 names in the validation list, such as"),
        (
            voc_with_wrong_sizes,
            "voc20",
            "no usable picture under .*label map size differs: 2",
        ),
        (coco_of_other_pictures, "coco val2017", "no picture can be used: .*picture missing: 2"),
    ],
)
def test_a_set_of_which_nothing_can_be_used_is_an_error(tmp_path, capsys, make, name, words):
    make(tmp_path)
    make_ade_full(tmp_path)
    printed = checked(capsys, root=tmp_path)
    assert re.search(rf"(?m)^{name}:\n(  .*\n)*.*{words}", printed)
    assert "ade847: 0 faults" in printed
    with pytest.raises(UserError, match=f"(?s){words}"):
        if name == "coco val2017":
            make_coco(tmp_path / "coco", "train2017")
            prepare("coco", str(tmp_path), [], WORLD, tmp_path / "out")
        else:
            prepare("openmoji", str(tmp_path), [name], WORLD, tmp_path / "out")
