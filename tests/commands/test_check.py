"""What `ovseg check` prints of a data root and of a folder of one's own, and its exit code."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.commands.check import check
from tests.commands.checked import checked
from tests.data.benchmarks.roots import (
    make_ade150,
    make_voc,
)
from tests.data.folders import make_coco, make_own, save_label, save_picture, write_json


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
