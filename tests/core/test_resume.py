"""Checkpoints: kept, found, refused when damaged."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from pipeline.core.errors import user_message
from pipeline.core.fingerprint import of_file
from pipeline.core.resume import Checkpoints, alone

ROOT = Path(__file__).resolve().parents[2]

WEIGHTS = {"a": torch.arange(4.0), "b": torch.ones(2, 3)}


def saved(folder: Path, step: int = 3, identity: str = "this run") -> Checkpoints:
    checkpoints = Checkpoints(folder, identity)
    checkpoints.save(step, WEIGHTS, {"curves": [step]})
    return checkpoints


def test_what_was_saved_last_is_found(tmp_path, capsys):
    assert Checkpoints(tmp_path, "this run").load(WEIGHTS) is None
    saved(tmp_path)
    found = saved(tmp_path, step=5).load(WEIGHTS)
    assert (found.step, found.state) == (5, {"curves": [5]})
    assert all(torch.equal(found.weights[name], WEIGHTS[name]) for name in WEIGHTS)
    files = {path.name for path in (tmp_path / "this run").iterdir()}
    assert files == {"last.json", "step-00000005.pt"}
    assert capsys.readouterr().out == ""


def test_another_run_removes_it_and_starts_from_its_beginning(tmp_path, capsys):
    saved(tmp_path)
    (tmp_path / "this run/.step-00000007.pt.123.tmp").write_bytes(b"half")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/precious.pt").write_bytes(b"of the user's")
    assert Checkpoints(tmp_path, "other run").load(WEIGHTS) is None
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "precious.pt"]
    assert capsys.readouterr().out == ""  # nothing is wrong


def killed(*_):
    raise KeyboardInterrupt


def test_killed_between_the_file_and_its_name_the_one_before_counts(tmp_path, monkeypatch):
    saved(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(
            "pipeline.core.resume.write_text", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        saved(tmp_path, step=5)
    assert Checkpoints(tmp_path, "this run").load(WEIGHTS).step == 3


def spoil(folder: Path, how: str) -> None:
    """Damage the one checkpoint of a folder."""
    [path], last = folder.glob("step-*.pt"), folder / "last.json"
    data = path.read_bytes()
    if how == "a bit flips":  # in the middle of a tensor: torch.load reads it without a word
        place = data.index(torch.arange(4.0).numpy().tobytes()) + 7
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    elif how in ("cut short", "empty", "random"):
        contents = {"cut short": data[:-100], "empty": b"", "random": os.urandom(len(data))}
        path.write_bytes(contents[how])
    elif how == "names nothing":
        path.unlink()
    else:
        last.write_bytes(
            {"no name": b"", "odd name": b"\xff", "a list": b"[1]", "null": b"null"}[how]
        )


DAMAGE = ("a bit flips", "cut short", "empty", "random", "names nothing", "no name", "odd name",
          "a list", "null")  # fmt: skip


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_one_starts_again_and_says_so_in_one_line(tmp_path, capsys, how):
    checkpoints = saved(tmp_path)
    spoil(tmp_path / "this run", how)
    assert checkpoints.load(WEIGHTS) is None
    [line] = capsys.readouterr().out.splitlines()
    assert "no usable checkpoint" in line and "starts again from its beginning" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [{"step": 3}, [1, 2], {"step": 3, "weights": {"a": torch.ones(4)}, "state": {}}]
)
def test_one_with_other_keys_starts_again(tmp_path, capsys, content):
    folder = tmp_path / "this run"
    folder.mkdir()
    torch.save(content, folder / "step-00000003.pt")
    last = {"file": "step-00000003.pt", "sha256": of_file(folder / "step-00000003.pt")}
    (folder / "last.json").write_text(json.dumps(last))
    assert Checkpoints(tmp_path, "this run").load(WEIGHTS) is None
    assert capsys.readouterr().out.count("\n") == 1


def test_nothing_of_it_is_executed(tmp_path, capsys):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "executed"),))

    checkpoints = Checkpoints(tmp_path, "this run")
    checkpoints.save(1, WEIGHTS, {"curves": Evil()})
    assert checkpoints.load(WEIGHTS) is None
    assert not (tmp_path / "executed").exists()
    assert "no usable checkpoint" in capsys.readouterr().out


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_is_an_error_of_the_users(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "pipeline.core.resume.replacing", lambda path: nullcontext(Path("/dev/full"))
    )
    with pytest.raises(OSError, match="No space") as raised:
        Checkpoints(tmp_path, "run").save(1, {"a": torch.ones(1_000_000)}, {})
    assert user_message(raised.value) == "No space left on device"


def test_the_checkpoints_of_a_stage_are_for_one_training_at_a_time(tmp_path):
    """Another process, with another --out, would remove them."""
    script = (
        "import sys; from pathlib import Path; from pipeline.core.resume import alone\n"
        "with alone(Path(sys.argv[1])): print('alone')"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "segmenter")]
    with alone(tmp_path / "segmenter"):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert "locked by process" in done.stderr and "alone\n" not in done.stdout
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "alone\n"
