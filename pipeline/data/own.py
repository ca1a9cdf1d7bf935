"""Your own data: a folder of pictures with captions, and label maps if you have them.

    images/            pictures (JPEG, PNG, BMP, WebP, TIFF), in subfolders if you like
    captions.jsonl     one caption a line: {"image": "x.jpg", "caption": "A dog on a sofa."}
                       several lines may name the same picture; or
    captions.json      the same in COCO's captions format ("images" with "id" and "file_name",
                       "annotations" with "id", "image_id" and "caption"; where "height" and "width"
                       are stated, they are checked); not read where captions.jsonl is there
    masks/x.png        optional: label map of images/x.jpg, class ids, 255 = not labelled; not all
                       pictures need one, but without it none in val.txt is evaluated
    classes.txt        needed with masks: one class name a line; the first line is class 0
    val.txt            optional: pictures, one a line, kept from training and used to evaluate

The names in captions and val.txt are paths below images/. Every line that is wrong becomes a reject
that says where, what was found and what was expected; the rest of the folder is used.
"""

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.data.images import read_image
from pipeline.data.index import index_picture, read_headers
from pipeline.data.labels import read_label
from pipeline.data.own_text import CAPTION_LINE, Names, read_all_captions, read_classes, read_names
from pipeline.errors import MissingFileError, UserError
from pipeline.records import ImageRecord, Reject

IGNORE = 255
STAGE = "dataset"
_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
_SYSTEM = {"Thumbs.db", "desktop.ini"}
_SHOWN_VALUES = 10


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
        MissingFileError: no images/ or no captions and no masks; says what is expected.
        UserError: classes.txt is missing beside masks/ or has a wrong line, captions.json is not
            COCO captions, no line of the captions is right, or val.txt lists every picture; names
            every wrong line.
    """
    root = Path(root)
    files, unread = _files(root / "images")
    if not files:
        raise MissingFileError(f"{root / 'images'}: no pictures; expected a folder with .jpg files")
    formats = f"expected one of {', '.join(sorted(_PICTURES))}"
    rejects = [Reject(STAGE, f"images/{name}", "format not read", formats) for name in unread]
    names = Names(files, unread)
    masks = _masks(root, files, rejects)
    captions = read_all_captions(root, names, rejects)
    if not captions.texts and not masks:
        _refuse(root, captions.file, rejects)
    classes = read_classes(root / "classes.txt", needed=bool(masks))
    held_out = read_names(root / "val.txt", names, rejects)
    if held_out == set(files):
        raise UserError(f"{root / 'val.txt'}: lists every picture, so none is left to learn from")

    def read(item: tuple[int, str]) -> tuple[ImageRecord | None, list[Reject]]:
        number, name = item
        mask, faults = masks.get(name), []
        if mask and (fault := mask_fault(root / mask, len(classes))):
            faults, mask = [Reject(STAGE, mask, *fault)], None
        record, refused = index_picture(
            root,
            number,
            f"images/{name}",
            mask,
            captions.texts.get(name, ()),
            STAGE,
            captions.sizes.get(name),
        )
        lacks = {"no caption", "no label map"}
        missing = {r.reason for r in refused} & lacks
        faults += [r for r in refused if r.reason not in lacks]
        if record is None and missing == lacks:  # one of both is enough
            detail = "has no caption" + ("" if faults else " and no label map")
            faults.append(Reject(STAGE, f"images/{name}", "nothing to learn from", detail))
        elif masks and name in held_out and "no label map" in missing and not faults:
            detail = "held out by val.txt, but without one not evaluated"
            faults.append(Reject(STAGE, f"images/{name}", "no label map", detail))
        return record, faults

    data = OwnData(Dataset(root.name, root.resolve(), classes, [True] * len(classes), IGNORE))
    items = list(enumerate(files, start=1))
    for (_, name), (record, faults) in read_headers(items, read, f"reading {root.name}"):
        rejects.extend(faults)
        if record is not None:
            (data.val if name in held_out else data.train).append(record)
    data.rejects = rejects
    return data


def broken_pictures(data: OwnData) -> list[Reject]:
    """The indexed pictures that cannot be decoded, such as files cut short. Decodes them all."""
    root = data.dataset.root

    def fault(record: ImageRecord) -> Reject | None:
        try:
            read_image(root / record.path)
        except UserError as error:
            return Reject(STAGE, record.path, "unreadable picture", str(error))
        return None

    records = data.train + data.val
    found = [broken for _, broken in read_headers(records, fault, "decoding pictures")]
    return [broken for broken in found if broken is not None]


def mask_fault(path: Path, classes: int) -> tuple[str, str] | None:
    """Reason and detail why a label map cannot be used, None when it can."""
    try:
        values = np.unique(read_label(path)).tolist()
    except UserError as error:
        return "unreadable label map", str(error)
    wrong = [v for v in values if not 0 <= v < classes and v != IGNORE]
    if wrong:
        more = f" and {len(wrong) - _SHOWN_VALUES} more" * (len(wrong) > _SHOWN_VALUES)
        found = ", ".join(map(str, wrong[:_SHOWN_VALUES])) + more
        detail = f"found {found}; expected 0..{classes - 1} (classes.txt) or {IGNORE}"
        return "unknown class in label map", detail
    return None


def _masks(root: Path, files: list[str], rejects: list[Reject]) -> dict[str, str]:
    """The label map, as a path below `root`, of each picture that has one of its own."""
    pictures = defaultdict(list)
    for name in files:
        pictures[_stem(name)].append(name)
    found = {}
    for mask in sorted(sum(_files(root / "masks"), [])):
        stem, item = _stem(mask), f"masks/{mask}"
        owners = pictures.get(stem, [])
        if not mask.lower().endswith(".png"):
            detail = f"expected masks/{stem}.png, other formats may change class ids"
            rejects.append(Reject(STAGE, item, "mask is no PNG", detail))
        elif not owners:
            detail = f"expected images/{stem}.jpg or another picture so named"
            if (above := stem.partition("/")[2]) in pictures:
                detail += f"; or is it one folder too deep? Then move it to masks/{above}.png"
            rejects.append(Reject(STAGE, item, "mask without picture", detail))
        elif len(owners) > 1:
            detail = f"images/ has {' and '.join(owners)}; rename all but one"
            rejects.append(Reject(STAGE, item, "mask of more than one picture", detail))
        else:
            found[owners[0]] = item
    return found


def _refuse(root: Path, captions: Path | None, rejects: list[Reject]) -> None:
    if captions is None:
        raise MissingFileError(
            f"{root}: neither captions nor masks; expected captions.jsonl, one caption a line, "
            f"{CAPTION_LINE}"
        )
    lines = [f"  {r.item}: {r.reason}; {r.detail}" for r in rejects]
    raise UserError("\n".join([f"{captions}: no caption in it can be used, and no mask", *lines]))


def _stem(name: str) -> str:
    return Path(name).with_suffix("").as_posix()


def _files(folder: Path) -> tuple[list[str], list[str]]:
    """Paths below `folder`, sorted, of pictures and of all other files; links are followed, what
    the system keeps there (.DS_Store, Thumbs.db) is passed over."""
    found = sorted(
        (Path(below) / name).relative_to(folder).as_posix()
        for below, _, names in os.walk(folder, followlinks=True)
        for name in names
        if not name.startswith(".") and name not in _SYSTEM
    )
    pictures = [name for name in found if Path(name).suffix.lower() in _PICTURES]
    return pictures, sorted(set(found) - set(pictures))
