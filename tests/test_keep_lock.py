"""A run's own dvc.lock does not show in git, unless the user has committed one."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / ".ci/keep_lock_local.sh"
EMPTY = "schema: '2.0'\nstages: {}\n"
FULL = "schema: '2.0'\nstages:\n  a:\n    cmd: 'true'\n"


def git(folder: Path, *arguments: str) -> str:
    author = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    done = subprocess.run(
        ["git", *author, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("committed, shown", [(EMPTY, ""), (FULL, " M dvc.lock\n")])
def test_only_a_lock_that_is_nobodys_is_hidden(tmp_path, committed, shown):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "dvc.lock").write_text(committed)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "lock")
    subprocess.run([SCRIPT], cwd=tmp_path, check=True)
    (tmp_path / "dvc.lock").write_text(FULL + "    desc: run\n")
    assert git(tmp_path, "status", "--short") == shown
    git(tmp_path, "update-index", "--no-skip-worktree", "dvc.lock")
    assert git(tmp_path, "status", "--short") == " M dvc.lock\n"


def test_whoever_has_a_branch_with_a_lock_sees_it_everywhere(tmp_path):
    """Hidden changes would keep git from going to that branch, without saying why."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    (tmp_path / "dvc.lock").write_text(EMPTY)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "empty")
    subprocess.run([SCRIPT], cwd=tmp_path, check=True)
    git(tmp_path, "checkout", "--quiet", "-b", "mine")
    git(tmp_path, "update-index", "--no-skip-worktree", "dvc.lock")
    (tmp_path / "dvc.lock").write_text(FULL)
    git(tmp_path, "commit", "--quiet", "--all", "--message", "my run")
    git(tmp_path, "checkout", "--quiet", "main")
    subprocess.run([SCRIPT], cwd=tmp_path, check=True)
    (tmp_path / "dvc.lock").write_text(FULL + "    desc: run\n")
    assert git(tmp_path, "status", "--short") == " M dvc.lock\n"
    git(tmp_path, "checkout", "--", "dvc.lock")
    git(tmp_path, "checkout", "--quiet", "mine")


def test_without_git_nothing_happens(tmp_path):
    subprocess.run(
        [SCRIPT],
        cwd=tmp_path,
        check=True,
        env={"GIT_CEILING_DIRECTORIES": "/", "PATH": "/usr/bin:/bin"},
    )
