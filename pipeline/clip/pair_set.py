"""Random access to the stored mask-category pairs, for training.

The `pairs` stage writes WebDataset shards: in each tar a pair is four members that share a key,

    <key>.png       the raw crop, RGB        <key>.txt   the noun, UTF-8
     or .jpg
    <key>.mask.png  its mask, 0 or 255       <key>.json  at least {"image_id": int}

One pass over the tar headers notes where each member lies. After that any pair is one read away,
so an epoch is a true permutation of all pairs and a resumed run goes on at the very next one.
"""

import io
import json
import os
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from pipeline import runtime
from pipeline.clip.decoded import DecodedPairs
from pipeline.errors import MissingFileError, UserError
from pipeline.progress import counting

MEMBERS = ("png", "mask.png", "txt", "json")
DECODED_BUDGET = 2 * 1024**3
"""Bytes of decoded pairs that a process keeps for itself and its loader's processes together; pairs
beyond it are read when needed."""
DECODED_TOGETHER = 64
"""Pairs that are decoded side by side, beyond the budget."""


@dataclass(frozen=True)
class Pair:
    """crop: uint8 (h, w, 3) RGB as in the picture, background too; mask: bool (h, w)."""

    crop: np.ndarray
    mask: np.ndarray


class PairSet:
    """All pairs of a folder, in the order of its shards.

    nouns: the different nouns, sorted. noun_ids: (N,) int64, index into `nouns`.
    image_ids: (N,) int64, of the picture each pair was cut from.
    """

    def __init__(self, folder: Path | str, decoded_budget: int = DECODED_BUDGET) -> None:
        """MissingFileError without shards; UserError for a broken shard or no pairs at all."""
        self.folder = Path(folder)
        self._shards = sorted(self.folder.glob("*.tar"))
        if not self._shards:
            raise MissingFileError(
                f"{self.folder}: no *.tar in it, expected the shards of the stage `pairs`"
            )
        entries = [
            (shard, *entry) for shard, path in enumerate(self._shards) for entry in _index(path)
        ]
        if not entries:
            raise UserError(
                f"{self.folder}: its {len(self._shards)} shards hold no pairs; look at the counts "
                "and rejects of the stage `pairs` (is pairs.min_similarity too high?)"
            )
        shards, places, nouns, image_ids = zip(*entries, strict=True)
        self._shard_of = np.array(shards, np.int32)
        self._places = np.array(places, np.int64)  # (N, 4): offset, size of crop and of mask
        self.image_ids = np.array(image_ids, np.int64)
        self.nouns = sorted(set(nouns))
        row = {noun: i for i, noun in enumerate(self.nouns)}
        self.noun_ids = np.array([row[noun] for noun in nouns], np.int64)
        self._decoded = DecodedPairs(len(entries), decoded_budget)

    def __len__(self) -> int:
        return len(self._shard_of)

    def __getitem__(self, index: int) -> Pair:
        """One pair. UserError, naming the shard, when its pictures cannot be read."""
        kept = self._decoded.get(index)
        return self._read(index) if kept is None else Pair(*kept)

    def decode(self, advance: Callable[[int], None] = lambda pairs: None) -> int:
        """Decode pairs ahead, from the first, as long as the budget allows; processes that are
        spawned later have them too.

        advance: told how many more are done. Returns how many are kept.
        """
        with ThreadPoolExecutor(runtime.workers()) as pool:
            for start in range(0, len(self), DECODED_TOGETHER):
                chunk = range(start, min(start + DECODED_TOGETHER, len(self)))
                for index, pair in zip(chunk, pool.map(self._read, chunk), strict=True):
                    if not self._decoded.put(index, pair.crop, pair.mask):
                        return len(self._decoded)
                advance(len(chunk))
        return len(self._decoded)

    def _read(self, index: int) -> Pair:
        path = self._shards[self._shard_of[index]]
        crop_at, crop_size, mask_at, mask_size = (int(v) for v in self._places[index])
        file = os.open(path, os.O_RDONLY)
        try:
            crop, mask = os.pread(file, crop_size, crop_at), os.pread(file, mask_size, mask_at)
        finally:
            os.close(file)
        try:
            with Image.open(io.BytesIO(crop)) as picture:
                pixels = np.array(picture.convert("RGB"))
            with Image.open(io.BytesIO(mask)) as picture:
                foreground = np.array(picture.convert("L")) > 0
        except (OSError, UnidentifiedImageError) as error:
            raise UserError(f"{path}: pair {index} cannot be read as PNG: {error}") from error
        if pixels.shape[:2] != foreground.shape:
            raise UserError(
                f"{path}: pair {index} has a crop of {pixels.shape[:2]} and a mask of "
                f"{foreground.shape} pixels, expected the same size"
            )
        return Pair(pixels, foreground)


def _index(path: Path) -> list[tuple[tuple[int, int, int, int], str, int]]:
    """Per pair of one shard: the places of crop and mask, the noun, the image id."""
    pairs: dict[str, dict[str, tarfile.TarInfo]] = {}
    entries = []
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, extension = member.name.partition(".")
                pairs.setdefault(key, {})[extension] = member
            for key, members in pairs.items():
                members.setdefault("png", members.get("jpg"))  # either may hold the crop
                missing = [name for name in MEMBERS if not members.get(name)]
                if missing:
                    raise UserError(
                        f"{path}: pair {key} has no .{', .'.join(missing)}, expected the members "
                        f".{', .'.join(MEMBERS)}; rerun the stage `pairs`"
                    )
                crop, mask = members["png"], members["mask.png"]
                noun = tar.extractfile(members["txt"]).read().decode("utf-8").strip()
                image_id = json.loads(tar.extractfile(members["json"]).read())["image_id"]
                places = (crop.offset_data, crop.size, mask.offset_data, mask.size)
                entries.append((places, noun, int(image_id)))
    except (tarfile.TarError, json.JSONDecodeError, KeyError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: not a readable shard of pairs ({error!r}); rerun the stage `pairs`"
        ) from error
    return entries


def open_pairs(folder: Path | str, decoded_budget: int = DECODED_BUDGET) -> PairSet:
    """The pairs of a folder, as many of them decoded as the budget (bytes) allows."""
    pairs = PairSet(folder, decoded_budget)
    with counting(len(pairs), "reading pairs") as advance:
        pairs.decode(advance)
    return pairs
