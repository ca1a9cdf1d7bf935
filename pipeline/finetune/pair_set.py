"""Random access to the stored mask-category pairs, for training.

The `pairs` stage writes WebDataset shards: in each tar that its manifests name (other tars do not
count, see pipeline/core/shards.py) a pair is four members that share a key,

    <key>.png       the raw crop, RGB        <key>.txt   the noun, UTF-8
     or .jpg
    <key>.mask.png  its mask, 0 or 255       <key>.json  at least {"image_id": int}

Crops are read as every picture here (pipeline/data/images.py): upright, 8 bits. Masks lie on the
upright crop, and their pixels count as stored. A mask is a PNG of

    gray      of 1, 2, 4, 8 or 16 bits: any value above 0 is the object
    palette   any index above 0 is the object, whatever its colour
    RGB       of 8 bits, where all three channels are equal: as gray
    alpha     as without it, where every pixel is opaque

and has at least one pixel of the object. Any other is refused by name.

A folder without manifests holds somebody's own pairs: all its *.tar (also *.TAR) in the order of
their names, read and checked in the same way; compressed ones are refused, since members are read
by their place. Their nouns are also checked as a line of classes.txt is
(pipeline/data/class_list.py), and no two of them may read alike. A key is WebDataset's: the path
up to the first dot of the file's name, and a suffix may be in capitals. Folders and what macOS
packs beside each file (._*) do not count, other suffixes neither; any other member that is no plain
file is an error, and so are bytes behind the end of the tar, which no reader of tars would see.

One pass over the tars checks their contents and notes where each member lies. After that any pair
is one read away, so an epoch is a true permutation of all pairs and a resumed run goes on at the
very next one.
"""

import json
import os
import posixpath
import re
import tarfile
import unicodedata
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch.distributed as dist
from PIL import Image

from pipeline.core.errors import UserError
from pipeline.core.fingerprint import of_file, of_value
from pipeline.core.processes import runtime
from pipeline.core.progress import counting, report
from pipeline.core.shards import has_manifests, of_shards, shard_files
from pipeline.data.class_list import name_fault, name_faults
from pipeline.data.images import decoded_image, open_picture
from pipeline.finetune.decoded import DecodedPairs

MEMBERS = ("png", "mask.png", "txt", "json")
CROPS = ("png", "jpg", "jpeg")
"""Suffixes of the crop, one of which a pair has."""
SEEN = "LNPS"
"""Kinds of characters that are seen: letters, numbers, punctuation, symbols."""
DEEP_COLOURS = {2: "RGB", 4: "gray with alpha", 6: "RGBA"}
"""Kinds of PNG of which Pillow keeps 8 of 16 bits, by the number in their header."""
BLOCK = tarfile.BLOCKSIZE
COMPRESSED = re.compile(r"(?i)\.(?:tar\.(?:gz|bz2|xz|zst|lz4|z)|tgz|tbz2?|txz|tzst)$")
PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")
"""First bytes of gzip, bzip2, xz, zstd and zip."""
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

    has_manifests: False for a folder of own tars, which nothing says the content of.
    nouns: the different nouns, sorted. noun_ids: (N,) int64, index into `nouns`.
    image_ids: (N,) int64, of the picture each pair was cut from.
    """

    def __init__(self, folder: Path | str, decoded_budget: int = DECODED_BUDGET) -> None:
        """MissingFileError where the stage `pairs` has not written and no tar is; UserError where
        it has not finished, for a broken shard or no pairs at all."""
        self.folder = Path(folder)
        own = [] if has_manifests(self.folder) else _own_tars(self.folder)
        self.has_manifests = not own
        self._shards = shard_files(self.folder, "pairs", "tar") if self.has_manifests else own
        entries = [
            (shard, *entry)
            for shard, path in enumerate(self._shards)
            for entry in _index(path, is_own=not self.has_manifests)
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
        if not self.has_manifests and (faults := name_faults(self.nouns, "in a pair each")):
            raise UserError(f"{self.folder}: of the nouns of its tars {faults[min(faults)]}")
        row = {noun: i for i, noun in enumerate(self.nouns)}
        self.noun_ids = np.array([row[noun] for noun in nouns], np.int64)
        self._decoded = DecodedPairs(len(entries), decoded_budget)

    def __len__(self) -> int:
        return len(self._shard_of)

    def digest(self) -> str:
        """Hash of the bytes of all shards, in their order: as their manifests state them, or of
        own tars as they are read here."""
        if self.has_manifests:
            return of_shards(self.folder, "pairs", "tar")
        return of_value([of_file(path) for path in self._shards])

    def __getitem__(self, index: int) -> Pair:
        """One pair. UserError, naming the shard, when its pictures cannot be read."""
        kept = self._decoded.get(index)
        return self._read(index) if kept is None else Pair(*kept)

    def decode(self, advance: Callable[[int], None] = lambda pairs: None) -> int:
        """Decode pairs ahead, from the first, as long as the budget allows; processes that are
        spawned later have them too.

        advance: called with the number of newly decoded pairs. Returns how many are kept.
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
        try:
            return self._decode(index)
        except UserError as error:
            names = " and ".join(map(repr, self._member_names(index)))
            raise UserError(f"{error} (members {names})") from error

    def _member_names(self, index: int) -> list[str]:
        """Return the names of the crop and the mask of a pair, for messages."""
        crop_at, _, mask_at, _ = self._places[index]
        with tarfile.open(self._shards[self._shard_of[index]], "r:") as tar:
            names = {member.offset_data: member.name for member in tar}
        at = [names.get(int(place), "") for place in (crop_at, mask_at)]
        return [name.encode("utf-8", "backslashreplace").decode() for name in at]

    def _decode(self, index: int) -> Pair:
        path = self._shards[self._shard_of[index]]
        crop_at, crop_size, mask_at, mask_size = (int(v) for v in self._places[index])
        file = os.open(path, os.O_RDONLY)
        try:
            crop, mask = os.pread(file, crop_size, crop_at), os.pread(file, mask_size, mask_at)
        finally:
            os.close(file)
        pixels = decoded_image(crop, f"{path}: pair {index}, its crop")
        name = f"{path}: pair {index}, its mask"
        with open_picture(name, data=mask) as picture:
            foreground = _foreground(picture, mask, name)
        if pixels.shape[:2] != foreground.shape:
            raise UserError(
                f"{path}: pair {index} has a crop of {pixels.shape[:2]} and a mask of "
                f"{foreground.shape} pixels, expected the same size"
            )
        return Pair(pixels, foreground)


def _foreground(picture: Image.Image, file: bytes, name: str) -> np.ndarray:
    """Return the object of a mask, bool (h, w), as the head of this module says; UserError for
    others."""
    instead = "expected a PNG in gray or with a palette, above 0 (index 0) on the object alone"
    if picture.format != "PNG":
        raise UserError(f"{name}: is a {picture.format} file; {instead}")
    depth, kind = file[24], file[25]  # of the header, which Pillow has checked
    if depth == 16 and kind in DEEP_COLOURS:
        raise UserError(f"{name}: is {DEEP_COLOURS[kind]} of 16 bits; {instead}")
    values = np.asarray(picture)
    if values.ndim == 3:
        has_alpha = picture.mode in ("LA", "RGBA")
        if has_alpha and (values[..., -1] < 255).any():
            raise UserError(f"{name}: has alpha below 255, so its object cannot be told; {instead}")
        colours = values[..., :-1] if has_alpha else values
        if (colours != colours[..., :1]).any():
            raise UserError(f"{name}: has colours; {instead}")
        values = values[..., 0]
    if not (foreground := values > 0).any():
        raise UserError(f"{name}: is 0 everywhere, a pair without an object; {instead}")
    return foreground


def _own_tars(folder: Path) -> list[Path]:
    """Return the tars of a folder, in the order of their names. UserError for a file in its place,
    and for tars that are compressed."""
    if folder.is_file():
        raise UserError(
            f"{folder}: a file, expected the folder with the tars; give {folder.parent}"
        )
    files = sorted(path for path in folder.glob("[!.]*") if path.is_file())
    if packed := [path.name for path in files if COMPRESSED.search(path.name)]:
        raise UserError(
            f"{folder}: {', '.join(packed[:3])}: compressed, {len(packed)} in all; expected tars as"
            " they are, whose members can be read by their place: unpack them (gunzip, unxz, "
            "zstd -d) to .tar"
        )
    return [path for path in files if path.suffix.lower() == ".tar"]


def _index(path: Path, is_own: bool) -> list[tuple[tuple[int, int, int, int], str, int]]:
    """Return, per pair of one shard, the places of crop and mask, the noun, the image id."""
    entries = []
    try:
        with tarfile.open(path, "r:") as tar:  # not compressed: members are read by their place
            for key, members in _members(tar).items():
                crop, mask = _crop(key, members), members["mask.png"]
                if empty := [member.name for member in (crop, mask) if not member.size]:
                    raise _Odd(f"member {empty[0]!r} of pair {key} is empty, 0 bytes")
                noun = _noun(key, _content(tar, members["txt"]), is_own)
                image_id = _image_id(key, _content(tar, members["json"]))
                places = (crop.offset_data, crop.size, mask.offset_data, mask.size)
                entries.append((places, noun, image_id))
            _check_end(path, tar.offset)
    except (tarfile.TarError, _Odd) as error:
        with open(path, "rb") as file:
            is_packed = file.read(6).startswith(PACKED)
        reason = "it is compressed, whatever its name says: unpack it" if is_packed else error
        raise UserError(
            f"{path}: not a readable shard of pairs: {reason}; expected the members "
            f".{', .'.join(MEMBERS)} of every pair; rerun the stage `pairs`, or pack the tar again "
            "where it is your own"
        ) from error
    return entries


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file, f"{member.name}: a plain file, see `_members`"
    return file.read()


class _Odd(Exception):
    """A member is not what the stage `pairs` writes; the text says which and why."""


def _members(tar: tarfile.TarFile) -> dict[str, dict[str, tarfile.TarInfo]]:
    """Return the members of each pair, by key and extension in small letters."""
    pairs: dict[str, dict[str, tarfile.TarInfo]] = {}
    for member in tar:
        folder, name = posixpath.split(posixpath.normpath(member.name))
        stem, _, extension = name.partition(".")
        extension = extension.lower()
        if member.isdir() and extension not in (*MEMBERS, *CROPS):
            continue
        if not stem and (name.startswith("._") or name == ".DS_Store"):
            continue
        if not member.isreg() or member.issparse():
            raise _Odd(f"member {member.name!r} is not a plain file")
        key = posixpath.join(folder, stem).encode("utf-8", "backslashreplace").decode()
        there = pairs.setdefault(key, {})
        if extension in there:
            first = there[extension].name
            also = f", also as {first!r}" if first != member.name else ""
            raise _Odd(f"member {member.name!r} is there twice{also}")
        there[extension] = member
    return pairs


def _check_end(path: Path, end: int) -> None:
    """Raise _Odd unless from the byte `end`, where the members stop, a tar has nothing but zeros:
    at least a block of them, which tells that it was not cut short."""
    with open(path, "rb") as file:
        file.seek(end)
        rest = 0
        while part := file.read(2**20):
            if part.strip(b"\0"):
                raise _Odd(
                    f"its members end at byte {end} of {path.stat().st_size}, and others lie "
                    "behind (a tar appended to a tar with cat, or damage)"
                )
            rest += len(part)
    if rest < BLOCK:
        raise _Odd(f"it has no end after its last member at byte {end}: it was cut short")


def _noun(key: str, text: bytes, is_own: bool) -> str:
    """Return the noun of a pair; that of an own tar is held to the rules of a line of
    classes.txt."""
    try:
        noun = text.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise _Odd(f"pair {key}: its .txt is not UTF-8 ({error})") from error
    if not any(unicodedata.category(letter)[0] in SEEN for letter in noun):
        raise _Odd(f"pair {key} has an empty noun")
    if is_own and (fault := name_fault(noun)):
        raise _Odd(f"pair {key}: its .txt {fault}")
    return noun


def _crop(key: str, members: dict[str, tarfile.TarInfo]) -> tarfile.TarInfo:
    """Return the member that holds the crop of a whole pair."""
    crops = [name for name in CROPS if name in members]
    missing = [name for name in MEMBERS[1:] if name not in members]
    if not crops or missing:
        others = [f".{name}" for name in members if name not in (*MEMBERS, *CROPS)]
        has = f" but {', '.join(others)}: a key ends at its first dot" if others else ""
        raise _Odd(f"pair {key} has no .{', .'.join([*([] if crops else ['png']), *missing])}{has}")
    if len(crops) > 1:
        raise _Odd(f"pair {key} has two crops, .{' and .'.join(crops)}")
    return members[crops[0]]


def _image_id(key: str, text: bytes) -> int:
    try:
        about = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise _Odd(f"pair {key}: its .json is not JSON ({error})") from error
    image_id = about.get("image_id") if isinstance(about, dict) else None
    if type(image_id) is not int or not 0 <= image_id < 2**63:
        raise _Odd(
            f"pair {key}: its .json is {text[:60]!r}, expected an object with image_id, a whole "
            "number from 0"
        )
    return image_id


def _object(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    """Parse a JSON object; ValueError on a repeated key."""
    found = dict(entries)
    if len(found) < len(entries):
        repeated = next(name for name, n in Counter(k for k, _ in entries).items() if n > 1)
        raise ValueError(f"{repeated} is there twice")
    return found


def open_pairs(folder: Path | str, decoded_budget: int = DECODED_BUDGET) -> PairSet:
    """Open the pairs of a folder, as many of them decoded as the budget (bytes) allows; says where
    there are no manifests to check them by."""
    pairs = PairSet(folder, decoded_budget)
    if not pairs.has_manifests and not (dist.is_initialized() and dist.get_rank() != 0):
        report(
            f"{folder}: your own pairs, all its *.tar; there is no manifest to check them by, as "
            "the stage `pairs` writes one"
        )
    with counting(len(pairs), "reading pairs") as advance:
        pairs.decode(advance)
    return pairs
