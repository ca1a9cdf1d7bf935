import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.commands.cli import main
from pipeline.commands.preset import preset
from pipeline.core.errors import MissingFileError
from pipeline.params.presets import params_of, preset_names
from stages.dataset import main as dataset_stage
from stages.provenance import main as provenance_stage
from tests.data.folders import make_own

ROOT = Path(__file__).parents[2]
PAPER = [name for name in preset_names() if name.startswith("coco")]


def test_without_a_name_the_presets_are_listed(capsys):
    main(["preset"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == preset_names()


def test_a_preset_depends_on_nothing_but_its_name(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "absent"))
    path = tmp_path / "params.yaml"
    for name in ("coco-swinb-vitl14", "coco156-r101c-vitb16", "openmoji"):
        preset(name, params=path)
        assert path.read_text() == params_of(name)
    preset("openmoji", params=path)
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .startswith(f"{path}: preset openmoji, 0 values changed")
    )


@pytest.mark.parametrize("name", PAPER)
def test_what_is_not_there_yet_is_said_at_once(name, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "absent"))
    monkeypatch.chdir(tmp_path)
    preset(name)
    said = capsys.readouterr().out
    assert f"{tmp_path}/absent/coco/train2017 (118,287 pictures)" in said
    assert f"{tmp_path}/absent/coco/stuffthingmaps/train2017 (label maps)" in said
    assert "missing: data/weights/" in said and "it is at https://" in said


def test_your_own_folder_goes_through_without_another_change(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    preset("own")
    assert "missing: mydata/images (your pictures)" in capsys.readouterr().out
    make_own(tmp_path / "mydata")
    preset("own")
    assert "mydata" not in capsys.readouterr().out
    found = Path("data/provenance/dataset.json")
    with pytest.raises(MissingFileError, match=r"dataset.json: not there; .*stages.provenance"):
        dataset_stage(tmp_path / "out", tmp_path / "metrics.json", watched=found)
    provenance_stage(Path("data/provenance"))
    dataset_stage(tmp_path / "out", tmp_path / "metrics.json", watched=found)
    assert list(json.loads((tmp_path / "out/watched.json").read_text())) == ["own"]
    counts = json.loads((tmp_path / "metrics.json").read_text())
    assert (counts["train"]["pictures"], counts["sets"]) == (2, {"own": 1})


@pytest.mark.parametrize("content", ["a: [1,", "- a", "5", "", "1: {2: 3}", "a: &x {b: *x}"])
def test_a_preset_mends_a_broken_file(tmp_path, capsys, content):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    preset("openmoji", params=path)
    assert path.read_text() == params_of("openmoji")
    assert "preset openmoji" in capsys.readouterr().out


def test_an_unknown_name_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["preset", "coco", "--params", str(tmp_path / "params.yaml")])
    assert capsys.readouterr().err.startswith("ovseg: no preset 'coco'; there are openmoji")
    assert not (tmp_path / "params.yaml").exists()


@pytest.mark.parametrize("name", PAPER)
def test_a_run_without_the_data_ends_in_one_message(name, tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "absent"))
    (tmp_path / "params.yaml").write_text(params_of(name))
    params, found = tmp_path / "params.yaml", tmp_path / "provenance"
    provenance_stage(found, params, tmp_path / "digests.sqlite")
    with pytest.raises(MissingFileError) as error:
        dataset_stage(tmp_path / "out", tmp_path / "m.json", params, found / "dataset.json")
    message = str(error.value)
    assert message.startswith(f"under {tmp_path}/absent there is not all that is needed")
    for users in ("coco train2017", "ade150", "ade847", "pc59, pc459", "voc20"):
        assert f"for {users}; from" in message or f" {users}, " in message, users
    assert all("from http" in line for line in message.splitlines() if "missing:" in line)
    assert "Ready there: nothing" in message and "evaluate.sets" in message
    assert not (tmp_path / "out").exists()


def test_the_stage_itself_shows_no_stack_trace(tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "absent"))
    (tmp_path / "params.yaml").write_text(params_of(PAPER[0]))
    params = tmp_path / "params.yaml"
    provenance_stage(tmp_path / "provenance", params, tmp_path / "digests.sqlite")
    flags = {
        "out": "out", "metrics": "metrics.json", "params": "params.yaml",
        "watched": "provenance/dataset.json",
    }  # fmt: skip
    arguments = [word for key, value in flags.items() for word in (f"--{key}", tmp_path / value)]
    command = [sys.executable, "-W", "ignore", "-m", "stages.dataset", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: under ") and "Traceback" not in done.stderr
