"""Your own data: a folder of pictures with captions, and label maps if you have them.

    images/            pictures of any common format, in subfolders if you like
    captions.jsonl     one caption a line: {"image": "x.jpg", "caption": "A dog on a sofa."}
                       several lines may name the same picture; or
    captions.json      the same in COCO's captions format ("images" with "file_name", "annotations")
    masks/x.png        optional: label map of images/x.jpg, class ids, 255 = not labelled; not all
                       pictures need one, but without it none in val.txt is evaluated
    classes.txt        needed with masks: one class name a line; the first line is class 0
    val.txt            optional: pictures, one a line, kept from training and used to evaluate

The names in captions and val.txt are paths below images/. Every line that is wrong becomes a reject
that says where, what was found and what was expected; the rest of the folder is used.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.data.coco import read_captions
from pipeline.data.dataset import Dataset
from pipeline.data.index import index_picture, read_headers
from pipeline.data.labels import read_label
from pipeline.records import Caption, ImageRecord, Reject

IGNORE = 255
STAGE = "dataset"
_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
_LINE = 'expected {"image": "x.jpg", "caption": "A dog on a sofa."}'


@dataclass
class OwnData:
    """What a folder holds. Pictures are numbered 1, 2, 3 ... in order of their names."""

    dataset: Dataset
    train: list[ImageRecord] = field(default_factory=list)
    val: list[ImageRecord] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def read_own(root: str | Path) -> OwnData:
    """Read and check a folder as described above, decoding label maps but no pictures.

    Raises:
        FileNotFoundError: no images/ or no captions and no masks; says what is expected.
        ValueError: classes.txt is missing beside masks/ or has a wrong line, or captions.json is
            not COCO captions.
    """
    root = Path(root)
    rejects: list[Reject] = []
    files = _files(root / "images", _PICTURES)
    if not files:
        raise FileNotFoundError(
            f"{root / 'images'}: no pictures; expected a folder with .jpg files"
        )
    masks = {
        Path(name).with_suffix("").as_posix(): name for name in _files(root / "masks", {".png"})
    }
    captions = _captions(root, set(files), rejects)
    if not captions and not masks:
        raise FileNotFoundError(
            f"{root}: neither captions nor masks; expected captions.jsonl, one caption a line, "
            f"{_LINE.removeprefix('expected ')}"
        )
    classes = read_classes(root / "classes.txt", needed=bool(masks))
    held_out = _held_out(root / "val.txt", set(files), rejects)
    stems = {Path(name).with_suffix("").as_posix() for name in files}
    for stem in sorted(set(masks) - stems):
        detail = f"expected images/{stem}.jpg or another picture so named"
        rejects.append(Reject(STAGE, f"masks/{masks[stem]}", "mask without picture", detail))

    def read(item: tuple[int, str]) -> tuple[ImageRecord | None, list[Reject]]:
        number, name = item
        mask = masks.get(Path(name).with_suffix("").as_posix())
        label_path, faults = f"masks/{mask}" if mask else None, []
        if mask and (fault := mask_fault(root / "masks" / mask, len(classes))):
            faults, label_path = [Reject(STAGE, f"masks/{mask}", *fault)], None
        record, refused = index_picture(
            root, number, f"images/{name}", label_path, captions.get(name, ()), STAGE
        )
        return record, faults + refused

    data = OwnData(Dataset(root.name, root.resolve(), classes, [True] * len(classes), IGNORE))
    items = list(enumerate(files, start=1))
    for (_, name), (record, refused) in read_headers(items, read, f"reading {root.name}"):
        needs_mask = bool(masks) and name in held_out  # to be evaluated; else one of both is enough
        fine = {"no caption", *(() if needs_mask else ("no label map",))}
        rejects.extend(r for r in refused if record is None or r.reason not in fine)
        if record is not None:
            (data.val if name in held_out else data.train).append(record)
    data.rejects = rejects
    return data


def read_classes(path: Path, needed: bool = True) -> list[str]:
    """Class names of a classes.txt, one a line. ValueError names every wrong line."""
    if not path.is_file():
        if needed:
            raise ValueError(f"{path}: missing; with masks/ it names the classes, one a line")
        return []
    names = [line.strip() for line in _lines(path)]
    faults = []
    for number, name in enumerate(names, start=1):
        first = names.index(name) + 1
        if not name:
            faults.append(f"{path}:{number}: empty; expected the name of class {number - 1}")
        elif first < number:
            faults.append(f"{path}:{number}: {name!r} is already in line {first}")
    if faults:
        raise ValueError("\n".join(faults))
    if len(names) > IGNORE:
        raise ValueError(f"{path}: {len(names)} classes; label maps have room for {IGNORE}")
    return names


def mask_fault(path: Path, classes: int) -> tuple[str, str] | None:
    """Reason and detail why a label map cannot be used, None when it can."""
    try:
        values = set(read_label(path).reshape(-1).tolist())
    except (ValueError, FileNotFoundError) as error:
        return "unreadable label map", str(error)
    wrong = sorted(v for v in values if v >= classes and v != IGNORE)
    if wrong:
        detail = f"value {wrong[0]}; expected 0..{classes - 1} (classes.txt) or {IGNORE}"
        return "unknown class in label map", detail
    return None


def _captions(root: Path, files: set[str], rejects: list[Reject]) -> dict[str, list[Caption]]:
    """Captions by picture name, from captions.jsonl or else captions.json; none without either."""
    if (root / "captions.jsonl").is_file():
        return _from_lines(root / "captions.jsonl", files, rejects)
    if not (root / "captions.json").is_file():
        return {}
    content = read_captions(root / "captions.json", STAGE)
    rejects.extend(content.rejects)
    found = {}
    for image_id, captions in content.captions.items():
        name = content.file_names[image_id]
        if name in files:
            found[name] = captions
        else:
            rejects.append(_unknown(f"captions.json, image {image_id}", name))
    return found


def _from_lines(path: Path, files: set[str], rejects: list[Reject]) -> dict[str, list[Caption]]:
    found: dict[str, list[Caption]] = {}
    for number, line in enumerate(_lines(path), start=1):
        where = f"{path.name}:{number}"
        if not line.strip():
            continue
        try:
            entry: Any = json.loads(line)
        except json.JSONDecodeError as error:
            detail = f"not JSON ({error.msg} at column {error.colno}): {line[:80]!r}; {_LINE}"
            rejects.append(Reject(STAGE, where, "wrong line", detail))
            continue
        if not isinstance(entry, dict) or not all(
            isinstance(entry.get(key), str) for key in ("image", "caption")
        ):
            rejects.append(Reject(STAGE, where, "wrong line", f"found {line[:80]!r}; {_LINE}"))
        elif entry["image"] not in files:
            rejects.append(_unknown(where, entry["image"]))
        elif not entry["caption"].strip():
            rejects.append(Reject(STAGE, where, "empty caption", "expected a sentence"))
        else:
            caption = Caption(number, entry["caption"].strip())
            found.setdefault(entry["image"], []).append(caption)
    return found


def _held_out(path: Path, files: set[str], rejects: list[Reject]) -> set[str]:
    if not path.is_file():
        return set()
    names = set()
    for number, line in enumerate(_lines(path), start=1):
        if name := line.strip():
            names.add(name)
            if name not in files:
                rejects.append(_unknown(f"{path.name}:{number}", name))
    return names


def _unknown(where: str, name: str) -> Reject:
    return Reject(STAGE, where, "no such picture", f"{name!r} is not in images/")


def _files(folder: Path, suffixes: set[str]) -> list[str]:
    """Paths below `folder`, sorted, of the files with these endings."""
    if not folder.is_dir():
        return []
    paths = (p for p in folder.rglob("*") if p.suffix.lower() in suffixes)
    return sorted(p.relative_to(folder).as_posix() for p in paths)


def _lines(path: Path) -> list[str]:
    """The lines of a text file, without a byte order mark and without empty ones at the end.

    Parted at line ends alone: str.splitlines would part a caption at a U+2028 or a form feed.
    """
    try:
        text = path.read_text(encoding="utf-8-sig").rstrip()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from error
    return text.split("\n") if text else []
