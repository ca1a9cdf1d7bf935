"""A checksum inside a file, over every byte of it."""

import hashlib
import io

import pytest

from pipeline.core.errors import UserError
from pipeline.core.files import checksum

PLACE = checksum.METADATA["checksum"].encode()


def test_a_sealed_file_is_whole_and_any_other_is_not(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"head" + PLACE + b"tail")
    checksum.seal(path)
    whole = path.read_bytes()
    digest = hashlib.sha256(b"head" + PLACE + b"tail").hexdigest().encode()
    assert whole == b"headsha256:" + digest + b"tail"
    with open(path, "rb") as file:
        checksum.verify(file, path)
        assert file.tell() == 0
    for wrong in (b"Head" + whole[4:], whole + b"x", whole[1:], whole[:11] + b"0" * 64 + b"tail"):
        with pytest.raises(UserError, match="a: its content does not have its checksum"):
            checksum.verify(io.BytesIO(wrong), path)


@pytest.mark.parametrize("content", [b"", b"no place", PLACE[:-1], PLACE + bytes(64 * 1024)])
def test_a_file_without_a_checksum_near_its_end_is_named(tmp_path, content):
    with pytest.raises(UserError, match="a: no checksum found"):
        checksum.verify(io.BytesIO(content), tmp_path / "a")
