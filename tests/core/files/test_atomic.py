import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.errors import UserError, user_message
from pipeline.core.files import atomic
from pipeline.core.files.lock import only_writer
from pipeline.core.shards import make_shard
from pipeline.params.file import read_yaml

ROOT = Path(__file__).resolve().parents[3]


def test_a_finished_file_replaces_the_old_one(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    atomic.write_text(path, "old")
    atomic.write_text(path, "neu ü")
    assert path.read_text(encoding="utf-8") == "neu ü"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def temporary_of(pid: int, name: str, machine: str | None = None) -> str:
    return f".{name}.{pid}-{machine or atomic._machine()}-0a0a0a0a.tmp"


@pytest.fixture(scope="module")
def dead() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_process_left_is_removed(tmp_path, dead):
    """Else it would lie among the outputs, and DVC would count it as one of them."""
    left = [temporary_of(dead, "a.txt"), temporary_of(dead, "[b].txt"), ".gitignore", "c.tmp"]
    for name in left:
        (tmp_path / name).write_text("half")
    atomic.write_text(tmp_path / "a.txt", "whole")
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", *left[1:]}
    atomic.write_text(tmp_path / "[b].txt", "whole")
    (tmp_path / temporary_of(dead, "folder")).mkdir()
    atomic.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "a.txt", "[b].txt", ".gitignore", "c.tmp",
    }  # fmt: skip


def test_what_a_living_process_writes_stays(tmp_path, dead):
    """A second process used to remove the file that the first was writing."""
    living = [temporary_of(1, "a.txt"), temporary_of(os.getppid(), "a.txt")]
    elsewhere = temporary_of(dead, "a.txt", "0" * 8)
    for name in (*living, elsewhere):
        (tmp_path / name).write_text("half")
    atomic.write_text(tmp_path / "a.txt", "whole")
    atomic.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", *living, elsewhere}
    atomic.clear(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt"}


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a.txt"
    with atomic.replacing(path) as first, atomic.replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


WRITERS = {
    "text": "atomic.write_text(out, 'x' * 10**6)",
    "parquet": "write_parquet(out, (Reject('', str(i**9), '', '') for i in range(10**5)), Reject)",
    "torch": "\n".join((
        "with atomic.replacing(out) as temporary:",
        "    torch.save({'a': torch.rand(10**6)}, temporary)",
    )),
    "tensors": "save_tensors(out, {'a': torch.rand(10**6)})",
    "shard": "make_shard(out.parent, make, '', [], 0, [1])",
}  # fmt: skip
LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
import torch
from pipeline.core.files import atomic
from pipeline.clip.store import save_tensors
from pipeline.core.errors import UserError, user_message
from pipeline.core.records import Reject, write_parquet
from pipeline.core.shards import make_shard

def make(items, folder):
    np.savez(folder / "counts.npz", a=np.zeros(10**6))
    return {}

resource.setrlimit(resource.RLIMIT_FSIZE, (10**5, 10**5))
out = Path(sys.argv[1])
for number, writer in enumerate(sys.argv[2:]):
    try:
        exec(writer)
    except Exception as error:
        print(user_message(error))
"""


def test_a_file_that_grows_too_large_is_told_with_its_path(tmp_path):
    """As on a full disk, the error comes in the middle of writing and names no file; torch.save
    does not even say what it was."""
    out = tmp_path / "out.bin"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(out), *WRITERS.values()],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    places = {name: tmp_path if name == "shard" else out for name in WRITERS}
    expected = [f"{place}: File too large" for place in places.values()]
    assert done.stdout.splitlines() == expected, done.stderr
    assert not any(path.is_file() for path in tmp_path.iterdir())


def test_a_full_disk_is_told_with_its_path(tmp_path):
    with (
        pytest.raises(OSError, match="No space left") as error,
        atomic.replacing(tmp_path / "a.txt") as temporary,
    ):
        temporary.symlink_to("/dev/full")
        temporary.write_text("x")
    assert user_message(error.value) == f"{tmp_path / 'a.txt'}: No space left on device"


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """Run the test without root's rights; gives a folder that is read-only then."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "params.yaml").write_text("dataset: {}")
        (folder / "params.yaml").chmod(0o600)
        folder.chmod(0o755)
        os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(0)


def test_a_read_only_folder_and_unreadable_params_are_told(as_nobody):
    folder = as_nobody
    for act, path in (
        (lambda: atomic.write_text(folder / "a.txt", "x"), folder / "a.txt"),
        (lambda: atomic.write_text(folder / "b/a.txt", "x"), folder / "b"),
        (lambda: make_shard(folder, dict, "", [], 0, []), folder),
        (lambda: read_yaml(folder / "params.yaml"), folder / "params.yaml"),
    ):
        with pytest.raises(PermissionError) as error:
            act()
        assert user_message(error.value) == f"{path}: Permission denied"
    with pytest.raises(UserError, match=r"out: cannot be locked .*\.out\.lock beside it cannot be"):
        only_writer(folder / "out").__enter__()


def test_a_fault_of_ours_while_writing_keeps_its_kind(tmp_path):
    for error in (RuntimeError("ours"), FileNotFoundError(2, "none", "elsewhere")):
        with pytest.raises(type(error)) as caught, atomic.replacing(tmp_path / "a") as temporary:
            temporary.write_text("half")
            raise error
        assert caught.value is error
