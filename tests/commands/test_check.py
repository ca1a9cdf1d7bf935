import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.commands.check import check
from pipeline.core.errors import UserError
from pipeline.core.records import Reject, read_parquet
from pipeline.data.overview import GAPS
from pipeline.data.prepare import prepare
from tests.data.benchmarks.roots import (
    make_ade150,
    make_ade_full,
    make_context,
    make_panoptic,
    make_voc,
)
from tests.data.folders import WORLD, make_coco, make_own, save_label, save_picture, write_json


def test_table_of_a_root(tmp_path, capsys):
    make_voc(tmp_path)
    check(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert any("voc20" in line and "yes, 2 of 1,449" in line for line in lines)
    assert any("ade150" in line and "no, missing" in line for line in lines)
    assert any(line.startswith(f"missing: {tmp_path}/ADEChallengeData2016") for line in lines)


def test_each_missing_path_has_its_line_and_an_absent_root_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit, match="1"):
        check(tmp_path / "nowhere")
    lines = capsys.readouterr().out.splitlines()
    path = "ADEChallengeData2016/annotations/validation"
    assert any(line.strip("│ ") == path for line in lines)
    assert any("nothing is there (no such folder; set the environment" in line for line in lines)


def test_a_root_without_a_picture_is_exit_code_1(tmp_path, capsys):
    (tmp_path / "coco").mkdir()
    with pytest.raises(SystemExit, match="1"):
        check(tmp_path)


def test_the_name_of_a_root_is_no_markup(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="1"):
        check(Path("my[/i] [bold]data"))
    assert "my[/i] [bold]data" in " ".join(capsys.readouterr().out.split())


def test_a_system_without_utf8_is_served(tmp_path):
    """LC_ALL=C with UTF-8 mode off: texts are UTF-8 still, and what is printed is escaped."""
    root = make_own(tmp_path / "own")
    (root / "classes.txt").write_text("Käfer\nsofa\n", encoding="utf-8")
    with open(root / "captions.jsonl", "a", encoding="utf-8") as file:
        file.write('{"image": "Käse.jpg", "caption": "Ein Käse."}\n')
    save_picture(root / "images" / "über.txt.png", height=6)
    (root / "images" / "Grüße.pdf").write_bytes(b"x")
    environment = os.environ | {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    environment.pop("PYTHONIOENCODING", None)
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline", "check", "--own", str(root)],
        env=environment,
        capture_output=True,
        cwd=Path(__file__).parents[2],
    )
    assert b"Traceback" not in ran.stderr and b"K\\xe4fer" in ran.stdout, ran
    assert ran.returncode in (0, 1)


LOCALES = {
    "utf-8": {"PYTHONUTF8": "1"},
    "ascii": {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
}


def test_names_and_texts_are_read_alike_under_every_locale(tmp_path):
    """Under LC_ALL=C without UTF-8 mode every "Käse.jpg" was called "not UTF-8"."""
    root = make_own(tmp_path / "own")
    save_picture(root / "images" / "Käse.jpg")
    with open(root / "captions.jsonl", "ab") as file:
        file.write('{"image": "Käse.jpg", "caption": "Ein Käse."}\n'.encode())
        file.write('{"image": "Küche.jpg", "caption": "A kitchen."}\n'.encode())
        file.write('{"image": "Käse.jpg", "caption": "café"}\n'.encode("latin-1"))
    said = {}
    for name, locale in LOCALES.items():
        ran = subprocess.run(
            [sys.executable, "-m", "pipeline", "check", "--own", str(root)],
            env={k: v for k, v in os.environ.items() if k != "PYTHONIOENCODING"} | locale,
            capture_output=True,
            cwd=Path(__file__).parents[2],
        )
        assert ran.returncode == 1, ran.stderr
        shown = ran.stdout.decode().encode("ascii", "backslashreplace").decode()
        said[name] = [line for line in shown.splitlines() if line.startswith(str(root))]
    assert said["ascii"] == said["utf-8"]
    reasons = [line.split(": ")[1].split(";")[0] for line in said["utf-8"]]
    assert reasons == ["not UTF-8", "no such picture"]


def test_a_picture_too_large_has_one_message(tmp_path):
    """Pillow warned on standard error as well."""
    from tests.data.test_images import promising

    root = make_own(tmp_path)
    promising(root / "images" / "d.png", 20_000, 15_000)
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline", "check", "--own", str(root)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert "Decompression" not in ran.stderr + ran.stdout
    assert "20000 x 15000" in ran.stdout + ran.stderr


def test_the_command_line_needs_no_torch():
    """`ovseg check` answers in seconds; importing torch alone takes ten on a slow machine."""
    code = (
        "import sys, pipeline.commands.cli, pipeline.data.check; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_reader_that_has_seen_enough_is_no_stack_trace(tmp_path):
    """As in `ovseg check | head -1`, the reader already gone."""
    reading, writing = os.pipe()
    os.close(reading)
    code = "from pipeline.commands.cli import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, "check", str(tmp_path)], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (1, b"")


def test_own_folder_with_and_without_faults(tmp_path, capsys):
    root = make_own(tmp_path)
    (root / "masks" / "a.png").write_bytes((root / "masks" / "c.png").read_bytes())
    hint = "then add it as the first line of classes.txt"
    check(own=root)
    assert (
        capsys.readouterr().out
        == f"""own:
  to learn from: 2 pictures of 8 x 6 pixels, 3 captions of 2 pictures, 2 label maps
  held out: 1 picture of 8 x 6 pixels, 1 caption of 1 picture, 1 label map
  2 of 2 classes occur; label maps that hold them and share of labelled pixels: cat 3 (66.7%), sofa
    3 (33.3%)
  class 0 (cat) is in every label map: is 0 your background? {hint}
own: 0 faults in {root}
"""
    )
    with open(root / "captions.jsonl", "a") as file:
        file.write("oops\n")
    with pytest.raises(SystemExit, match="1"):
        check(own=root)
    assert f"{root}/captions.jsonl:5: wrong line; not JSON" in capsys.readouterr().out


def test_what_is_doubtful_or_not_read_is_in_the_summary_of_an_own_folder(tmp_path, capsys):
    root = make_own(tmp_path)
    (root / "classes.txt").write_text("__ignore__\n#2 pencil\n12\n+\n")
    (root / "notes").mkdir()
    check(own=root)
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        "look at: '__ignore__' (a class like any other: pixels without a label are 255 in label "
        "maps), '#2 pencil' (has a number, which its place in the list gives), '12' (a number) and "
        "1 more" in printed
    )
    assert "not read: notes/" in printed and "own: 0 faults" in printed


def test_classes_without_label_maps_are_told(tmp_path, capsys):
    root = make_own(tmp_path)
    shutil.rmtree(root / "masks")
    check(own=root)
    assert "classes.txt names classes, but there is no label map in masks/" in (
        capsys.readouterr().out
    )


def test_doubtful_categories_of_instances_are_in_the_summary(tmp_path, capsys):
    make_coco(tmp_path / "coco")
    images = [{"id": 1, "height": 6, "width": 8}]
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "void"}, {"id": 3, "name": "Cat"}]
    write_json(
        tmp_path / "coco/annotations/instances_val2017.json",
        {"images": images, "categories": categories, "annotations": []},
    )
    with pytest.raises(SystemExit, match="1"):
        check(tmp_path)
    printed = " ".join(capsys.readouterr().out.split())
    assert "look at: 'void' (a class like any other" in printed
    assert "category 3: wrong category name; 'Cat' reads like 'cat', name 1" in printed


def test_a_picture_cut_short_is_a_fault_of_an_own_folder(tmp_path, capsys):
    picture = make_own(tmp_path) / "images" / "a.jpg"
    picture.write_bytes(picture.read_bytes()[:-40])
    with pytest.raises(SystemExit, match="1"):
        check(own=tmp_path)
    assert f"{tmp_path}/images/a.jpg: unreadable picture; " in capsys.readouterr().out


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


def test_captions_alone_need_no_label_maps_of_held_out_pictures(tmp_path, capsys):
    root = make_own(tmp_path)
    shutil.rmtree(root / "masks")
    check(own=root)
    assert "own: 0 faults" in capsys.readouterr().out


@pytest.mark.parametrize("first", ["background", "sofa"])
def test_no_hint_at_a_background_where_there_is_none_or_it_is_a_class(tmp_path, capsys, first):
    root = make_own(tmp_path)
    (root / "classes.txt").write_text(f"{first}\ncat\n")
    if first != "background":
        save_label(root / "masks/c.png", np.ones((6, 8), np.uint8))
    check(own=root)
    assert "is in every label map" not in capsys.readouterr().out


def checked(capsys, **of) -> str:
    """What is printed of data with faults."""
    with pytest.raises(SystemExit, match="1"):
        check(**of)
    return capsys.readouterr().out


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


def test_of_each_kind_of_fault_the_first_ten_are_shown(tmp_path, capsys):
    root = make_own(tmp_path)
    with open(root / "captions.jsonl", "a") as file:
        file.write("oops\n" * 25 + '{"image": "a.jpg", "caption": "?"}\n')
    printed = checked(capsys, own=root)
    assert printed.count("wrong line; not JSON") == 10
    assert f"{root}: wrong line: 15 more, 25 in all" in printed
    assert "captions.jsonl:30: caption without words" in printed
    assert f"own: 26 faults in {root}" in printed


def test_what_makes_a_whole_folder_unusable_is_exit_code_1_too(tmp_path, capsys):
    root = make_own(tmp_path)
    (root / "classes.txt").unlink()
    assert "classes.txt: missing; with masks/ it names the classes" in checked(capsys, own=root)
    assert "images: no pictures" in checked(capsys, own=tmp_path / "nowhere")


def test_a_root_in_seconds(tmp_path, capsys):
    make_voc(tmp_path)
    (tmp_path / "VOCdevkit/VOC2012/JPEGImages/2007_000032.jpg").write_bytes(b"")
    check(tmp_path, quick=True)
    assert "faults" not in capsys.readouterr().out
    assert "voc20: 1 fault in" in checked(capsys, root=tmp_path)


def test_a_file_that_cannot_be_used_at_all_is_a_fault_of_its_set(tmp_path, capsys):
    make_voc(tmp_path)
    make_coco(tmp_path / "coco")
    (tmp_path / "coco/annotations/captions_val2017.json").write_text("{")
    printed = checked(capsys, root=tmp_path)
    assert "captions_val2017.json:1: not JSON" in printed
    assert "voc20: 0 faults" in printed


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


def test_an_own_folder_of_which_nothing_can_be_used_is_an_error(tmp_path, capsys):
    root = make_own(tmp_path)
    for path in (root / "images").rglob("*.*"):
        path.write_bytes(b"")
    assert "no picture to learn from can be used: unreadable picture" in checked(capsys, own=root)


def test_sets_that_are_not_downloaded_are_no_error(tmp_path, capsys):
    make_voc(tmp_path)
    for path in ("ADEChallengeData2016/images/validation", "VOCdevkit/VOC2010/JPEGImages"):
        save_picture(tmp_path / path / "a.jpg")
    check(tmp_path)


def test_what_was_unpacked_one_folder_too_deep_is_found(tmp_path, capsys):
    make_ade150(tmp_path / "ADEChallengeData2016")
    with pytest.raises(SystemExit, match="1"):
        check(tmp_path)
    assert (
        "ADEChallengeData2016/ADEChallengeData2016/images/validation is there: move it to ADEC"
        in capsys.readouterr().out
    )
