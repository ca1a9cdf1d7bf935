import os
from pathlib import Path

import pytest

from pipeline.core.fingerprint import of_file
from pipeline.provenance import digests
from pipeline.provenance.digests import Digests


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The names of files that are read to hash them."""
    names: list[str] = []

    def hashed(path: Path) -> str:
        names.append(path.name)
        return of_file(path)

    monkeypatch.setattr(digests, "of_file", hashed)
    return names


def test_a_file_is_read_again_only_when_it_changed(tmp_path, read):
    file, database = tmp_path / "a.bin", tmp_path / "deep/digests.sqlite"
    file.write_bytes(b"one")
    with Digests(database) as known:
        assert known.of(file) == known.of(file) == of_file(file)
    with Digests(database) as known:
        assert known.of(file) == of_file(file)
    assert read == ["a.bin"]
    state = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    with Digests(database) as known:
        assert known.of(file) == of_file(file)
    assert read == ["a.bin", "a.bin"]


def test_a_file_put_in_the_place_of_another_is_another(tmp_path):
    """As `mv` does it: same size, an old time of change."""
    file, other = tmp_path / "a.bin", tmp_path / "b.bin"
    file.write_bytes(b"one")
    other.write_bytes(b"two")
    state = file.stat()
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    with Digests(tmp_path / "d.sqlite") as known:
        known.of(file)
        os.replace(other, file)
        assert known.of(file) == of_file(file)


def test_other_bytes_with_the_old_time_of_change_are_seen(tmp_path):
    """As archives and `cp -p` leave them: weights of one architecture have one size, too."""
    file = tmp_path / "a.bin"
    file.write_bytes(b"one")
    state = file.stat()
    with Digests(tmp_path / "d.sqlite") as known:
        known.of(file)
    file.unlink()
    file.write_bytes(b"two")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    with Digests(tmp_path / "d.sqlite") as known:
        assert known.of(file) == of_file(file)


def test_a_damaged_memory_is_begun_again(tmp_path, read):
    file, database = tmp_path / "a.bin", tmp_path / "d.sqlite"
    file.write_bytes(b"one")
    database.write_bytes(b"no database" * 100)
    for _ in range(2):
        with Digests(database) as known:
            assert known.of(file) == of_file(file)
    assert read == ["a.bin"]
