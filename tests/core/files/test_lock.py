"""Two processes and one folder: the second is refused, and gets in once the first has ended."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pipeline.core.errors import UserError
from pipeline.core.files import lock
from pipeline.core.files.lock import only_writer
from tests.core.test_shards import contents, run

ROOT = Path(__file__).resolve().parents[3]
WRITER = """
    import sys, time
    from pathlib import Path
    from pipeline.core.stage import run_stage
    from tests.core.test_shards import make_nouns, run

    def slowly(items, folder):
        (folder / "part.parquet").write_bytes(b"begun")
        Path("begun").touch()
        while not Path("go").exists():
            time.sleep(0.02)
        return make_nouns(items, folder)

    def main(out: Path) -> None:
        run(out, make=slowly)

    if sys.argv.pop() == "stage":
        run_stage(main)
    else:
        main(Path("out"))
"""


def writer(folder: Path, how: str) -> subprocess.Popen:
    """A process that makes the shards of `folder/out`; it waits in each for the file `go`."""
    command = [sys.executable, "-c", textwrap.dedent(WRITER), "--out", "out", how]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    )  # fmt: skip


def wait_for(path: Path, process: subprocess.Popen) -> None:
    end = time.monotonic() + 300
    while not path.exists():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.02)


@pytest.mark.parametrize("how", ["stage", "library"])
def test_a_second_writer_is_refused_and_the_first_ends_whole(tmp_path, how):
    first = writer(tmp_path, how)
    wait_for(tmp_path / "begun", first)
    second = writer(tmp_path, how)
    errors = second.communicate(timeout=300)[1]
    if how == "stage":
        assert second.returncode == 2 and errors.count("\n") == 1
    refusal = errors.splitlines()[-1]
    assert f"out: locked by process {first.pid} on " in refusal
    assert "is writing there; wait until it ends or end it" in refusal
    (tmp_path / "go").touch()
    errors = first.communicate(timeout=300)[1]
    assert first.returncode == 0, errors
    run(tmp_path / "alone")
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")
    assert {path.name for path in tmp_path.iterdir()} == {"out", "alone", "begun", "go"}


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_after_a_killed_writer_the_next_gets_in_and_goes_on(tmp_path, end):
    run(tmp_path / "out", items=range(3))  # the first of the four shards
    first = writer(tmp_path, "stage")
    wait_for(tmp_path / "begun", first)
    first.send_signal(end)
    first.communicate(timeout=300)
    assert any(path.name.startswith(".making-00001") for path in (tmp_path / "out").iterdir())
    shards = run(tmp_path / "out")
    assert [shard.kept for shard in shards] == [True, False, False, False]
    run(tmp_path / "alone")
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")
    assert not list(tmp_path.glob(".*"))


def test_a_process_may_lock_again_what_it_holds(tmp_path):
    with only_writer(tmp_path / "a"), only_writer(tmp_path / "a"), only_writer(tmp_path / "a/b"):
        assert (tmp_path / ".a.lock").is_file() and not (tmp_path / "a").exists()
        with only_writer(tmp_path / "ab"):
            assert (tmp_path / ".ab.lock").is_file()
    assert list(tmp_path.iterdir()) == []


def refused(folder: Path) -> str:
    """What another process is told that locks `folder`; "" when it gets in."""
    code = (
        f"from pipeline.core.files.lock import only_writer\nwith only_writer({str(folder)!r}): pass"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    return done.stderr.splitlines()[-1] if done.returncode else ""


def test_other_spellings_of_a_folder_are_the_same_folder(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with only_writer(tmp_path / "link"):
        assert "is writing there" in refused(tmp_path / "real")
    assert refused(tmp_path / "real") == ""


def test_a_child_neither_holds_nor_frees_the_lock(tmp_path):
    """A forked reader of pictures may outlive a killed training, and must not block the next."""
    with only_writer(tmp_path / "a"):
        pid = os.fork()
        if not pid:
            try:
                with only_writer(tmp_path / "a"):
                    pass
            except UserError:
                os._exit(7)
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert "is writing there" in refused(tmp_path / "a")


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch, capsys):
    def no_locks(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "lockf", no_locks)
    run(tmp_path / "out")
    assert "out: no locks on this file system" in capsys.readouterr().out


def test_only_the_first_process_of_a_training_locks(tmp_path):
    """All are started with the same `--out`."""
    code = textwrap.dedent("""
        from pathlib import Path
        from pipeline.core.stage import run_stage

        def main(out: Path) -> None:
            print(sorted(path.name for path in out.parent.iterdir()))

        run_stage(main)
    """)
    for rank, expected in (("0", "['.out.lock']"), ("1", "[]")):
        environment = os.environ | {"TORCHELASTIC_RUN_ID": "x", "RANK": rank}
        done = subprocess.run(
            [sys.executable, "-c", code, "--out", str(tmp_path / "out")],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.stdout.strip() == expected, done.stderr


def test_a_lock_left_by_a_dead_process_holds_nobody_up(tmp_path):
    (tmp_path / ".a.lock").write_text("process 1 on gone, since 2020-01-01")
    with only_writer(tmp_path / "a"):
        assert f"process {os.getpid()} on " in (tmp_path / ".a.lock").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_was_removed_while_waiting_is_taken_anew(tmp_path, monkeypatch):
    """The holder removes the file and ends between our open and our lock."""
    path, real, calls = tmp_path / ".a.lock", fcntl.lockf, []

    def late(file, how):
        if not calls:
            path.unlink()
        calls.append(file)
        return real(file, how)

    monkeypatch.setattr(lock.fcntl, "lockf", late)
    with only_writer(tmp_path / "a"):
        assert len(calls) == 2 and "is writing there" in refused(tmp_path / "a")
