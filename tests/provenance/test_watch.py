"""A survey changes when the files do, and only then."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.params.presets import params_of
from pipeline.provenance.digests import Digests
from pipeline.provenance.watch import NAMES, Survey, survey
from tests.data.benchmarks.roots import make_ade150, make_voc
from tests.data.folders import REPOSITORY, make_coco, make_own, save_picture
from tests.through_dvc import dvc


@pytest.fixture(autouse=True)
def digests(tmp_path_factory):
    """Remembers nothing from one test to the next."""
    with Digests(tmp_path_factory.mktemp("digests") / "digests.sqlite") as known:
        yield known


@pytest.fixture
def own(digests) -> Callable[[Path], Survey]:
    return lambda root: survey("own", str(root), "own", digests)


def test_a_copy_elsewhere_is_the_same_and_looking_changes_nothing(tmp_path, own):
    make_own(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    found = own(tmp_path / "a")
    assert found == own(tmp_path / "a") == own(tmp_path / "b")
    files = [f for f in (tmp_path / "a").rglob("*") if f.is_file()]
    assert (found.files, found.size) == (len(files), sum(f.stat().st_size for f in files))


def change_a_letter(root):
    text = (root / "captions.jsonl").read_text()
    (root / "captions.jsonl").write_text(text.replace("A ", "B ", 1))


def other_pixels_in_as_many_bytes(root):
    file = next((root / "images").rglob("*.*"))
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    "change",
    (
        change_a_letter,
        lambda root: save_picture(root / "images/deep/down/new.png"),
        lambda root: save_picture(next((root / "images").glob("*")), 30, 40),
        lambda root: next((root / "masks").glob("*")).unlink(),
        other_pixels_in_as_many_bytes,
        lambda root: next((root / "images").glob("*")).rename(root / "images/other.jpg"),
    ),
)
def test_every_change_shows(tmp_path, change, own):
    make_own(tmp_path)
    before = own(tmp_path)
    change(tmp_path)
    assert own(tmp_path).digest != before.digest


def test_files_that_no_stage_reads_do_not_matter(tmp_path, own):
    make_own(tmp_path)
    before = own(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    assert own(tmp_path) == before


def test_a_set_sees_its_own_parts_alone(tmp_path, monkeypatch, digests):
    make_ade150(tmp_path)
    make_coco(tmp_path / "coco", "train2017")
    before = {name: survey(name, str(tmp_path), "coco", digests) for name in NAMES if name != "own"}
    assert before["ade150"].files and before["coco"].files and not before["voc20"].files
    make_voc(tmp_path)
    after = {name: survey(name, str(tmp_path), "coco", digests) for name in before}
    assert {name for name in before if before[name] != after[name]} == {"voc20"}
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    assert survey("voc20", "mydata", "own", digests) == after["voc20"]
    assert survey("voc20", None, "coco", digests) == after["voc20"]


def test_nothing_there_is_left_to_the_dataset_stage_and_a_wrong_name_is_said(
    tmp_path, own, digests
):
    assert own(tmp_path / "absent").files == 0
    with pytest.raises(
        ValueError, match=r"dataset.watch: no data set 'ade'; there are coco, own, "
    ):
        survey("ade", None, "coco", digests)


def test_through_dvc_a_changed_file_makes_the_data_set_new(tmp_path):
    """With the preset `own`, `dvc repro` follows the folder that params.yaml names."""
    for name in ("pipeline", "stages"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    shutil.copy(REPOSITORY / "dvc.yaml", tmp_path)
    (tmp_path / "params.yaml").write_text(params_of("own"))
    make_own(tmp_path / "mydata")
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    assert "Running stage 'dataset'" in dvc(tmp_path, "repro", "dataset")
    said = dvc(tmp_path, "repro", "dataset")
    assert "Running stage 'provenance'" in said and "Stage 'dataset' didn't change" in said
    change_a_letter(tmp_path / "mydata")
    before = (tmp_path / "data/dataset/watched.json").read_text()
    assert "Running stage 'dataset'" in dvc(tmp_path, "repro", "dataset")
    assert (tmp_path / "data/dataset/watched.json").read_text() != before


def test_names_of_other_bytes_are_looked_at_too(tmp_path, digests):
    """They are rejects of stage `dataset`; here they are files like others."""
    root = make_own(tmp_path / "own")
    before = survey("own", str(root), "own", digests)
    save_picture(root / "images" / "x.jpg")
    (root / "images" / "x.jpg").rename(root / "images" / os.fsdecode(b"caf\xe9.jpg"))
    with Digests(tmp_path / "digests.sqlite") as known:
        after = survey("own", str(root), "own", known)
    assert (after.files, after.digest == before.digest) == (before.files + 1, False)
    with Digests(tmp_path / "digests.sqlite") as known:
        assert survey("own", str(root), "own", known) == after
