"""Read captions in COCO's format, and decide whether a text is a caption.

{"images": [{"id": 1, "file_name": "x.jpg", "height": 480, "width": 640}],
 "annotations": [{"id": 7, "image_id": 1, "caption": "A dog on a sofa."}]}
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.records import Caption, Reject
from pipeline.data.coco_json import Fault, numbers, other_id, read_document, wrong_entry


@dataclass(frozen=True)
class CaptionsFile:
    """The content of a COCO captions file, by image id."""

    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    """(height, width) of the images whose size the file states."""
    file_names: dict[int, str] = field(default_factory=dict)
    captions: dict[int, list[Caption]] = field(default_factory=dict)
    """In file order."""
    rejects: list[Reject] = field(default_factory=list)
    """Entries with missing keys, duplicate ids, empty captions, captions of unlisted images."""


def read_captions(
    path: Path, stage: str = "dataset", *, source: str | None = None, sized: bool = True
) -> CaptionsFile:
    """Parse a COCO captions file, leaving out what is wrong in it.

    source: where to get an official file, for messages. sized: require height and width of every
    image, as in COCO's files; otherwise a file name is enough. MissingFileError without the file;
    UserError, saying what is wrong where, if it is not COCO captions or has no valid caption.
    """
    document = read_document(
        path, "captions", ("images", "annotations"), "annotations_trainval2017.zip", source
    )
    read = CaptionsFile()
    for index, image in enumerate(document["images"]):
        where = f'{path.name} "images"[{index}]'
        if fault := _add_image(read, image, sized):
            read.rejects.append(Reject(stage, where, *fault))
    ids: set[int] = set()
    for index, entry in enumerate(document["annotations"]):
        where = f'{path.name} "annotations"[{index}]'
        if fault := _add_caption(read, entry, ids):
            read.rejects.append(Reject(stage, where, *fault))
    if read.rejects and not read.captions:
        first = read.rejects[0]
        raise UserError(
            f"{path.parent / first.item}: {first.reason}; {first.detail} (and no other caption "
            f"is right: {len(read.rejects)} faults)"
        )
    return read


def caption_fault(text: str) -> Fault | None:
    """Return reason and detail why a text is not a caption, None if it is one."""
    try:
        text.encode()
    except UnicodeEncodeError as error:  # JSON may escape half a character
        return "caption is no text", f"half a character ({text[error.start]!a}) in {text[:80]!r}"
    if not text.strip():
        return "empty caption", "expected a sentence"
    if not any(character.isalpha() for character in text):
        return "caption without words", f"found {text[:80]!r}; expected letters"
    return None


def _add_image(read: CaptionsFile, image: Any, sized: bool) -> Fault | None:
    stated = isinstance(image, dict) and any(image.get(k) is not None for k in ("height", "width"))
    keys = ("id", "height", "width") if sized or stated else ("id",)
    found = numbers(image, *keys)
    if found is None or not (sized or isinstance(image.get("file_name"), str)):
        return wrong_entry(image, ", ".join(keys if sized else ("file_name", *keys)))
    image_id, *size = found
    if sized and (fault := other_id(image, image_id)):
        return fault
    if image_id in read.file_names:
        detail = f"id {image_id} is already that of {read.file_names[image_id]!r}"
        return "two images of one id", detail
    read.file_names[image_id] = str(image.get("file_name", f"{image_id:012d}.jpg"))
    if size:
        read.sizes[image_id] = (size[0], size[1])
    return None


def _add_caption(read: CaptionsFile, entry: Any, ids: set[int]) -> Fault | None:
    found = numbers(entry, "image_id", "id")
    if found is None or not isinstance(entry.get("caption"), str):
        return wrong_entry(entry, "image_id, id, caption")
    (image_id, caption_id), text = found, entry["caption"].strip()
    if image_id not in read.file_names:
        return "caption without image", f"image {image_id} is not in the file's images"
    if fault := caption_fault(text):
        return fault
    if caption_id in ids:  # nouns and pairs would mix them up
        return "two captions of one id", f"id {caption_id} is already that of another caption"
    ids.add(caption_id)
    read.captions.setdefault(image_id, []).append(Caption(caption_id, text))
    return None
