"""Tars of pairs that the tests pack themselves."""

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.core.shards import run_shards


def tar_of(path, members):
    """Write a tar. members: name to bytes, or to a TarInfo for what is no file, or such pairs."""
    with tarfile.open(path, "w") as tar:
        for name, data in members.items() if isinstance(members, dict) else members:
            if isinstance(data, tarfile.TarInfo):
                tar.addfile(data)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


GOOD = {"a.txt": b"dog", "a.json": b'{"image_id": 3}'}


def stored(folder, members) -> Path:
    """A folder whose one shard has these members: bytes, or a TarInfo for what is no file."""

    def make(items, made):
        tar_of(made / "pairs.tar", members)
        return {}

    run_shards(folder, [0], 1, make, {"members": repr(members)}, "", names=["pairs.tar"])
    return folder


def pictures(height=3, width=4):
    """A black crop of 3 x 4 and a full mask of this size, under the key a."""
    return {
        "a.png": saved(np.zeros((3, 4, 3), np.uint8)),
        "a.mask.png": saved(np.full((height, width), 255, "B")),
    }


def own(folder, *shards) -> Path:
    """A folder of tars that somebody packed: no manifests."""
    for number, members in enumerate(shards):
        tar_of(folder / f"{number}.tar", members)
    return folder


def pair(key, noun="dog", number=3) -> list[tuple[str, bytes]]:
    """The members of a whole pair; number: its image id."""
    files = pictures() | GOOD | {"a.txt": noun.encode(), "a.json": b'{"image_id": %d}' % number}
    return [(key + name.removeprefix("a"), data) for name, data in files.items()]


def saved(pixels, kind="PNG") -> bytes:
    """Bytes of a file of Pillow's picture or of pixels."""
    buffer = io.BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(buffer, kind)
    return buffer.getvalue()
