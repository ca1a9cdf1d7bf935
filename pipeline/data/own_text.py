"""The text files of one's own folder (pipeline/data/own.py): captions, classes, held-out names.

Only line ends separate lines: str.splitlines would also split a caption at a form feed.
"""

import codecs
import json
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.files.conflict import refuse_conflict
from pipeline.core.files.utf8 import refuse_other_encodings
from pipeline.core.records import Caption, Reject
from pipeline.data.captions import caption_fault, read_captions
from pipeline.data.class_list import line_faults
from pipeline.data.names import Hints

STAGE = "dataset"
CAPTION_LINE = '{"image": "x.jpg", "caption": "A dog on a sofa."}'
SHOWN_FAULTS = 10
SHOWN_KEYS = 3
MAX_CLASSES = 255  # label maps are 8-bit, 255 is the ignore label


class Names:
    """Finds the pictures below images/ by the names that people write. `left_out`: the other files
    there, with the reason why they are not used."""

    def __init__(self, files: Collection[str], left_out: Mapping[str, str] | None = None) -> None:
        self._left_out = {
            unicodedata.normalize("NFC", name): reason for name, reason in (left_out or {}).items()
        }
        self._exact = {unicodedata.normalize("NFC", name): name for name in files}
        self._hints = Hints(files)

    def find(self, name: str) -> str | None:
        """Return the file of that name; accents may be composed (Linux) or not (macOS)."""
        return self._exact.get(unicodedata.normalize("NFC", name))

    def unknown(self, where: str, name: str) -> Reject:
        """Make the reject for an unknown picture, with the name that may be meant."""
        if reason := self._left_out.get(unicodedata.normalize("NFC", name)):
            return Reject(STAGE, where, reason, f"{name!r} is in images/, see there")
        meant = self._hints.meant(name)
        hint = f"; did you mean {meant!r}? Names are paths below images/" if meant else ""
        return Reject(STAGE, where, "no such picture", f"{name!r} is not in images/{hint}")


@dataclass
class Captions:
    """file: the file that was read, None if there is none; texts: captions by picture name; sizes:
    (height, width) that the file states, by picture name."""

    file: Path | None = None
    texts: dict[str, list[Caption]] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)


def read_all_captions(root: Path, names: Names, rejects: list[Reject]) -> Captions:
    """Read captions.jsonl or else captions.json; wrong lines and entries go to `rejects`.

    UserError if the file as a whole is not what its name says.
    """
    lines, coco = root / "captions.jsonl", root / "captions.json"
    if lines.is_file():
        if coco.is_file():
            detail = "captions.jsonl is there and wins; remove one of both"
            rejects.append(Reject(STAGE, coco.name, "captions not read", detail))
        return _from_lines(lines, names, rejects)
    return _from_coco(coco, names, rejects) if coco.is_file() else Captions()


def read_classes(path: Path) -> list[str]:
    """Read the class names of a classes.txt. UserError names the first ten wrong lines."""
    undecoded: list[Reject] = []
    names = [line.strip() for line in _lines(path, undecoded)]
    faults = [f"{path.parent / r.item}: {r.reason}; {r.detail}" for r in undecoded]
    strange = line_faults(names)
    for number, name in enumerate(names, start=1):
        first = names.index(name) + 1
        if not name and not undecoded:
            faults.append(f"{path}:{number}: empty; expected the name of class {number - 1}")
        elif name and first < number:
            faults.append(f"{path}:{number}: {name!r} is already in line {first}")
        elif number in strange:
            faults.append(f"{path}:{number}: {strange[number]}")
    if len(faults) > SHOWN_FAULTS:
        faults[SHOWN_FAULTS:] = [f"{path}: and {len(faults) - SHOWN_FAULTS} more lines are wrong"]
    if faults:
        raise UserError("\n".join(faults))
    if len(names) > MAX_CLASSES:
        raise UserError(f"{path}: {len(names)} classes; label maps have room for {MAX_CLASSES}")
    return names


def read_names(path: Path, names: Names, rejects: list[Reject]) -> set[str]:
    """Read the pictures that a val.txt lists, one a line; empty without the file."""
    found = set()
    for number, line in enumerate(_lines(path, rejects) if path.is_file() else [], start=1):
        name = line.strip()
        if name and (file := names.find(name)):
            found.add(file)
        elif name:
            rejects.append(names.unknown(f"{path.name}:{number}", name))
    return found


def _from_coco(path: Path, names: Names, rejects: list[Reject]) -> Captions:
    content = read_captions(path, STAGE, sized=False)
    rejects.extend(content.rejects)
    read = Captions(path)
    for image_id, name in content.file_names.items():
        captions, file = content.captions.get(image_id, []), names.find(name)
        if file is not None:
            size = content.sizes.get(image_id)
            if size and read.sizes.setdefault(file, size) != size:
                detail = f"{size[1]} x {size[0]}, before it {read.sizes[file][1]} x "
                detail += f"{read.sizes[file][0]}"
                where = f"{path.name}, image {image_id}"
                rejects.append(Reject(STAGE, where, "two sizes of one picture", detail))
            if captions:  # a file may have several entries
                read.texts.setdefault(file, []).extend(captions)
        else:
            rejects.append(names.unknown(f"{path.name}, image {image_id}", name))
    return read


def _from_lines(path: Path, names: Names, rejects: list[Reject]) -> Captions:
    read = Captions(path)
    for number, line in enumerate(_lines(path, rejects), start=1):
        where = f"{path.name}:{number}"
        if not line.strip():
            continue
        try:
            entry: Any = json.loads(line, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            fault = str(error).partition(": line")[0]
            if isinstance(error, json.JSONDecodeError):
                fault += f" at column {error.colno}"
            detail = f"not JSON ({fault}): {line[:80]!r}; expected {CAPTION_LINE}"
            rejects.append(Reject(STAGE, where, "wrong line", detail))
            continue
        if not isinstance(entry, dict) or not all(
            isinstance(entry.get(key), str) for key in ("image", "caption")
        ):
            detail = f"found {line[:80]!r}; expected {CAPTION_LINE}"
            rejects.append(Reject(STAGE, where, "wrong line", detail))
        elif (file := names.find(entry["image"])) is None:
            rejects.append(names.unknown(where, entry["image"]))
        elif wrong := caption_fault(entry["caption"]):
            rejects.append(Reject(STAGE, where, *wrong))
        else:
            caption = Caption(number, entry["caption"].strip())
            read.texts.setdefault(file, []).append(caption)
    return read


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object from its pairs; UserError on a duplicate key."""
    counts = Counter(key for key, _ in pairs)
    if twice := sorted(key for key, count in counts.items() if count > 1):
        more = f" and {len(twice) - SHOWN_KEYS} more" if len(twice) > SHOWN_KEYS else ""
        raise UserError(
            f"key {', '.join(repr(key[:80]) for key in twice[:SHOWN_KEYS])}{more} twice"
        )
    return dict(pairs)


def _lines(path: Path, rejects: list[Reject]) -> list[str]:
    """Read the lines of a text file, without a byte order mark and without empty lines at the end.

    Lines end as on Linux, Windows or, where no line does so, old Macs (CR). A line that is not
    UTF-8 goes to `rejects` and is empty in the result. UserError for UTF-16 and UTF-32, and
    for a merge conflict.
    """
    content = path.read_bytes()
    refuse_other_encodings(path, content)
    refuse_conflict(path, content)
    lines = []
    content = content.removeprefix(codecs.BOM_UTF8).rstrip()
    for number, line in enumerate(content.split(b"\n" if b"\n" in content else b"\r"), 1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError as error:
            lines.append("")
            detail = f"byte {error.start + 1} of {line[:80]!r}; save the file as UTF-8"
            rejects.append(Reject(STAGE, f"{path.name}:{number}", "not UTF-8", detail))
    return lines if lines != [""] else []
