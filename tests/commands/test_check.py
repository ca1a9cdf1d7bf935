import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.commands.check import check
from tests.data.benchmarks.roots import make_voc
from tests.data.test_own import make_own


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


def test_the_command_line_needs_no_torch():
    """`ovseg check` answers in seconds; importing torch alone takes ten on a slow machine."""
    code = "import sys, pipeline.cli, pipeline.data.check; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_reader_that_has_seen_enough_is_no_stack_trace(tmp_path):
    """As in `ovseg check | head -1`, the reader already gone."""
    reading, writing = os.pipe()
    os.close(reading)
    code = "from pipeline.cli import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, "check", str(tmp_path)], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (1, b"")


def test_own_folder_with_and_without_faults(tmp_path, capsys):
    root = make_own(tmp_path)
    (root / "masks" / "a.png").write_bytes((root / "masks" / "c.png").read_bytes())
    check(own=root)
    assert (
        "2 pictures to learn from, 1 held out, 4 captions, 3 label maps" in capsys.readouterr().out
    )
    with open(root / "captions.jsonl", "a") as file:
        file.write("oops\n")
    with pytest.raises(SystemExit, match="1"):
        check(own=root)
    assert f"{root}/captions.jsonl:5: wrong line; not JSON" in capsys.readouterr().out


def test_a_picture_cut_short_is_a_fault_of_an_own_folder(tmp_path, capsys):
    picture = make_own(tmp_path) / "images" / "a.jpg"
    picture.write_bytes(picture.read_bytes()[:-40])
    with pytest.raises(SystemExit, match="1"):
        check(own=tmp_path)
    assert f"{tmp_path}/images/a.jpg: unreadable picture; " in capsys.readouterr().out
