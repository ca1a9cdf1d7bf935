"""A merge conflict in dvc.lock, as two branches with a run of each leave it: what DVC says, and
that what docs/reliability.md advises gets out of it."""

import os
import subprocess
import sys
from pathlib import Path

DAG = "stages:\n  copy:\n    cmd: cp {name} out\n    deps: [{name}]\n    outs: [out]\n"
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@localhost")


def run(folder: Path, *command: str, status: int = 0) -> str:
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "DVC_TEST": "true"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == status, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def dvc(folder: Path, *arguments: str, status: int = 0) -> str:
    return run(folder, sys.executable, "-m", "dvc", *arguments, status=status)


def record_run(folder: Path, text: str) -> None:
    """Commit an input and the dvc.lock of a run with it."""
    (folder / "a.txt").write_text(text)
    dvc(folder, "repro", "--quiet")
    run(folder, *GIT, "add", ".")
    run(folder, *GIT, "commit", "--quiet", "--message", text)


def test_a_merge_conflict_in_the_lock_is_named_and_the_advice_gets_out(tmp_path):
    run(tmp_path, "git", "init", "--quiet", "--initial-branch", "ours")
    dvc(tmp_path, "init", "--quiet")
    (tmp_path / "dvc.yaml").write_text(DAG.format(name="a.txt"))
    record_run(tmp_path, "start\n")
    run(tmp_path, "git", "switch", "--quiet", "--create", "theirs")
    record_run(tmp_path, "theirs\n")
    run(tmp_path, "git", "switch", "--quiet", "ours")
    record_run(tmp_path, "ours\n")
    run(tmp_path, *GIT, "merge", "theirs", status=1)
    lines = (tmp_path / "dvc.lock").read_text().splitlines()
    first = next(i for i, line in enumerate(lines, start=1) if line.startswith("<<<<<<<"))

    said = dvc(tmp_path, "repro", status=255)
    assert "dvc.lock' is invalid (possible merge conflicts)" in said and f"line {first}," in said

    (tmp_path / "a.txt").write_text("both\n")
    run(tmp_path, "git", "checkout", "--quiet", "--ours", "dvc.lock")
    dvc(tmp_path, "repro", "--quiet")
    assert (tmp_path / "out").read_text() == "both\n"
    assert "up to date" in dvc(tmp_path, "status")
