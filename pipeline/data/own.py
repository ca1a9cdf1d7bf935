"""Your own data: a folder of pictures with captions, and label maps if you have them.

    images/            pictures (JPEG, PNG, BMP, WebP, TIFF), in subfolders if you like
    captions.jsonl     one caption a line: {"image": "x.jpg", "caption": "A dog on a sofa."}
                       several lines may name the same picture; or
    captions.json      the same in COCO's captions format ("images" with "id" and "file_name",
                       "annotations" with "id", "image_id" and "caption"; where "height" and "width"
                       are stated, they are checked); not read where captions.jsonl is there
    masks/x.png        optional: label map of images/x.jpg, class ids, 255 = not labelled; not all
                       pictures need one, but those in val.txt do: they are evaluated
    classes.txt        needed with masks: one class name a line; the first line is class 0
    val.txt            optional: pictures, one a line, kept from training and used to evaluate

The names in captions and val.txt are paths below images/. Every wrong line becomes a reject that
says where it is, what was found and what was expected; the rest of the folder is used. Entries of
the folder that are not read are named; one that is nearly called like something missing ("mask/")
is a reject.
"""

import difflib
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.records import ImageRecord, Reject
from pipeline.data.dataset import Dataset
from pipeline.data.index import index_picture, read_all
from pipeline.data.label_values import IGNORE, Occurrences, read_values, value_faults
from pipeline.data.names import Hints, is_utf8, lookalikes, printable, visible
from pipeline.data.overview import reasons_line
from pipeline.data.own_text import CAPTION_LINE, Names, read_all_captions, read_classes, read_names

STAGE = "dataset"
_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
_READ = ("images", "masks", "captions.jsonl", "captions.json", "classes.txt", "val.txt")
_FOLDERS = {"images": "images", "masks": "masks"}
_TEXTS = {
    "captions": "captions.jsonl", "metadata": "captions.jsonl",
    "classes": "classes.txt", "labels": "classes.txt", "val": "val.txt",
}  # fmt: skip
"""What an entry of the folder may be meant for, by the start of its name up to the first dot."""
_NEARLY = 0.75
_SYSTEM = {"Thumbs.db", "desktop.ini"}


@dataclass
class OwnData:
    """What a folder holds. Pictures are numbered 1, 2, 3 ... in order of their names.

    occurrences: how often the classes occur in the usable label maps; unread: the other entries of
    the folder.
    """

    dataset: Dataset
    train: list[ImageRecord] = field(default_factory=list)
    val: list[ImageRecord] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    occurrences: Occurrences = field(default_factory=Occurrences)
    unread: list[str] = field(default_factory=list)


def read_own(root: str | Path) -> OwnData:
    """Read and check a folder as described above, decoding label maps and pictures.

    Raises:
        MissingFileError: no images/, or neither captions nor masks; says what is expected.
        UserError: classes.txt is missing beside masks/ or has a wrong line; captions.json is not
            COCO captions; no line of the captions is valid; val.txt lists every picture, or no
            other picture can be used. Names every wrong line.
    """
    root = Path(root).expanduser()
    if not is_utf8(str(root.absolute())):
        raise UserError(f"{printable(str(root))}: the folder's name is not UTF-8; rename it")
    rejects, unread = _other_entries(root)
    files, left_out = _pictures(root / "images", rejects)
    if not files:
        raise MissingFileError(
            f"{root / 'images'}: no pictures; expected a folder with .jpg files{_deeper(root)}"
            + _listed(rejects)
        )
    names = Names(files, left_out)
    masks = _masks(root, files, left_out, rejects)
    captions = read_all_captions(root, names, rejects)
    if not captions.texts and not masks:
        _refuse(root, captions.file, rejects)
    class_list = root / "classes.txt"
    if masks and not class_list.is_file():
        expected = "with masks/ it names the classes, one a line"
        raise UserError(f"{class_list}: missing; {expected}{_listed(rejects)}")
    classes = read_classes(class_list) if class_list.is_file() else []
    if masks and not classes:
        raise UserError(f"{class_list}: empty; expected the names of the classes in masks/")
    folders = [name for name in unread if name.endswith("/")]
    if classes and not masks and folders:
        detail = f"names classes, but masks/ has no map; are they in {' or '.join(folders)}?"
        rejects.append(
            Reject(STAGE, class_list.name, "no label maps", f"{detail} rename it masks/")
        )
    held_out = read_names(root / "val.txt", names, rejects)
    if held_out == set(files):
        raise UserError(f"{root / 'val.txt'}: lists every picture, so none is left to learn from")
    ids = {class_id: class_id for class_id in range(len(classes))}
    values, refused_masks = read_values(
        root, list(masks.values()), f"reading label maps of {root.name}"
    )
    expected = f"0..{len(classes) - 1} (classes.txt) or {IGNORE}"
    refused_masks |= value_faults(values, ids.keys(), {IGNORE}, expected)

    def read(item: tuple[int, str]) -> tuple[ImageRecord | None, list[Reject]]:
        number, name = item
        mask, faults = masks.get(name), []
        if mask in refused_masks:
            faults, mask = [Reject(STAGE, mask, *refused_masks[mask])], None
        record, refused = index_picture(
            root,
            number,
            f"images/{name}",
            mask,
            captions.texts.get(name, ()),
            STAGE,
            captions.sizes.get(name),
            decode=True,
        )
        lacks = {"no caption", "no label map"}
        missing = {r.reason for r in refused} & lacks
        faults += [r for r in refused if r.reason not in lacks]
        if record is None and missing == lacks:  # one of both is enough
            detail = "has no caption" + ("" if faults else " and no label map")
            faults.append(Reject(STAGE, f"images/{name}", "nothing to learn from", detail))
        elif masks and name in held_out and "no label map" in missing and not faults:
            mask = f"masks/{Path(name).with_suffix('.png').as_posix()}"
            detail = f"val.txt lists it to be evaluated; expected {mask}"
            faults.append(Reject(STAGE, f"images/{name}", "held out without a label map", detail))
        return record, faults

    data = OwnData(Dataset(root.name, root.resolve(), classes, [True] * len(classes), IGNORE))
    items = list(enumerate(files, start=1))
    for (_, name), (record, faults) in read_all(items, read, f"reading {root.name}"):
        rejects.extend(faults)
        if record is not None:
            (data.val if name in held_out else data.train).append(record)
            if record.label_path is not None:
                data.occurrences.add(values[record.label_path], ids)
    if masks and not held_out and (root / "val.txt").is_file():  # without it nothing is asked for
        detail = (
            "expected some pictures that have a mask, as the evaluation set own is made of them"
        )
        rejects.append(Reject(STAGE, "val.txt", "nothing held out", detail))
    if not data.train:
        raise UserError(f"{root}: no picture to learn from can be used: {reasons_line(rejects)}")
    data.rejects, data.unread = rejects, unread
    return data


def _pictures(folder: Path, rejects: list[Reject]) -> tuple[list[str], dict[str, str]]:
    """Return the pictures below images/, by name, and all other files with the reason why they are
    left out."""
    files, others = _files(folder, rejects)
    formats = f"expected one of {', '.join(sorted(_PICTURES))}"
    rejects += [Reject(STAGE, f"images/{name}", "format not read", formats) for name in others]
    left_out = dict.fromkeys(others, "format not read")
    for group in lookalikes(files):
        shown = " and ".join(map(ascii, group))
        detail = f"{shown}: a line that names one may mean another; rename all but one"
        reason = "names look the same"
        rejects += [Reject(STAGE, f"images/{name}", reason, detail) for name in group]
        left_out |= dict.fromkeys(group, reason)
    return [name for name in files if name not in left_out], left_out


def _masks(
    root: Path, files: list[str], left_out: Iterable[str], rejects: list[Reject]
) -> dict[str, str]:
    """Return the label map, as a path below `root`, of each picture that has one."""
    pictures, found = defaultdict(list), defaultdict(list)
    for name in files:
        pictures[_stem(name)].append(name)
    elsewhere = {_stem(name) for name in left_out}
    hints = Hints(pictures)
    for mask in sorted(sum(_files(root / "masks", rejects), [])):
        stem, item = _stem(mask), f"masks/{mask}"
        owners = pictures.get(stem, [])
        if not mask.lower().endswith(".png"):
            detail = f"expected masks/{stem}.png, other formats may change class ids"
            rejects.append(Reject(STAGE, item, "mask is no PNG", detail))
        elif stem in elsewhere and not owners:
            detail = f"images/{stem} is left out, see there"
            rejects.append(Reject(STAGE, item, "mask of a picture left out", detail))
        elif not owners:
            detail = f"expected images/{stem}.jpg or another picture so named"
            if meant := hints.meant(stem):
                detail += f"; if it is of images/{pictures[meant][0]}, name it masks/{meant}.png"
            rejects.append(Reject(STAGE, item, "mask without picture", detail))
        elif len(owners) > 1:
            detail = f"images/ has {' and '.join(owners)}; rename all but one"
            rejects.append(Reject(STAGE, item, "mask of more than one picture", detail))
        else:
            found[owners[0]].append(item)
    for owner, items in found.items():
        if len(items) > 1:
            detail = f"{' and '.join(map(ascii, items))} are both of images/{owner}; remove one"
            rejects += [Reject(STAGE, item, "two masks of one picture", detail) for item in items]
    return {owner: items[0] for owner, items in found.items() if len(items) == 1}


def _refuse(root: Path, captions: Path | None, rejects: list[Reject]) -> None:
    if captions is None:
        raise MissingFileError(
            f"{root}: neither captions nor masks; expected captions.jsonl, one caption a line, "
            f"{CAPTION_LINE}{_listed(rejects)}"
        )
    raise UserError(f"{captions}: no caption in it can be used, and no mask{_listed(rejects)}")


def _listed(rejects: list[Reject]) -> str:
    """Return what is wrong so far, each fault on a line of its own, to end a message."""
    return "".join(f"\n  {r.item}: {r.reason}; {r.detail}" for r in rejects)


def _other_entries(root: Path) -> tuple[list[Reject], list[str]]:
    """Return the entries of the folder that are not read: rejects for those that seem to be meant
    as something that is missing, and the names of the others."""
    rejects, others = [], []
    there = {path.name for path in root.iterdir()} if root.is_dir() else set()
    filled = {name for name in _READ if (root / name).exists()}
    filled |= {"captions.jsonl"} if "captions.json" in filled else set()  # one of both is enough
    for name in sorted(there.difference(_READ, _SYSTEM)):
        if name.startswith("."):
            continue
        is_folder = (root / name).is_dir()
        kinds = _FOLDERS if is_folder else _TEXTS
        stem = visible(name).strip().casefold().partition(".")[0]
        near = difflib.get_close_matches(stem, kinds, 1, _NEARLY)
        shown, slash = printable(name), "/" if is_folder else ""
        if near and (meant := kinds[near[0]]) not in filled:
            line = f", one caption a line, {CAPTION_LINE}" if meant == "captions.jsonl" else ""
            detail = f"did you mean {meant}{slash}? expected that name{line}"
            rejects.append(Reject(STAGE, f"{shown}{slash}", "not read", detail))
        else:
            others.append(f"{shown}{slash}")
    return rejects, others


def _deeper(root: Path) -> str:
    """Return a hint if the folder was unpacked one level too deep."""
    found = [path.parent for path in sorted(root.glob("*/images")) if path.is_dir()]
    return f"; did you mean {printable(str(found[0]))}?" if found else ""


def _stem(name: str) -> str:
    """Return the name without its suffix; accents may be composed (Linux) or not (macOS)."""
    return unicodedata.normalize("NFC", Path(name).with_suffix("").as_posix())


def _files(folder: Path, rejects: list[Reject]) -> tuple[list[str], list[str]]:
    """Return the sorted paths below `folder` of pictures and of all other files. Follows links and
    skips system files (.DS_Store, Thumbs.db). Links to a folder above themselves, which never end,
    and names that are not UTF-8, which no text file can hold, go to `rejects`."""
    found = []
    above = {str(folder): [folder.resolve()]}  # by folder as walked: where it and those above lie
    for below, folders, names in os.walk(folder, followlinks=True):
        for name in list(folders):
            path, chain = os.path.join(below, name), above[below]
            place = Path(path).resolve() if os.path.islink(path) else chain[-1] / name
            above[path] = [*chain, place]
            if any(other.is_relative_to(place) for other in chain):
                folders.remove(name)
                item = printable(f"{folder.name}/{Path(path).relative_to(folder).as_posix()}")
                detail = f"leads to {printable(str(place))}, and so into itself; remove it"
                rejects.append(Reject(STAGE, item, "link to a folder above it", detail))
        del above[below]
        found += [
            (Path(below) / name).relative_to(folder).as_posix()
            for name in names
            if not name.startswith(".") and name not in _SYSTEM
        ]
    found.sort()
    for name in found:
        if not is_utf8(name):
            item, detail = printable(f"{folder.name}/{name}"), "expected UTF-8; rename it"
            rejects.append(Reject(STAGE, item, "name is not UTF-8", detail))
    found = [name for name in found if is_utf8(name)]
    pictures = [name for name in found if Path(name).suffix.lower() in _PICTURES]
    return pictures, sorted(set(found) - set(pictures))
