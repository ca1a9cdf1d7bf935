"""The COCO 2017 folder, as downloaded: pictures, captions, COCO-Stuff label maps.

    train2017/ val2017/                         pictures, 000000000139.jpg
    annotations/captions_<split>.json           five captions a picture
    stuffthingmaps/<split>/000000000139.png     COCO-Stuff: category id - 1, 255 = unlabelled

Thing ids run to 90 with gaps and stuff ids from 92 to 182, so the maps hold 0..181 of which 171 are
used; `classes/cocostuff.tsv` maps them to 0..170 and marks the 15 unseen classes of the zero-shot
protocol (SPNet, ZS3Net). The embedded OpenMoji world is a folder of the same layout.
"""

from pathlib import Path

from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.records import ImageRecord, Reject
from pipeline.data.captions import read_captions
from pipeline.data.coco_json import Fault, whole
from pipeline.data.index import index_picture, read_all
from pipeline.data.label_values import IGNORE, Occurrences, Values, read_values, value_faults
from pipeline.data.labels import LabelMap
from pipeline.data.names import MAPS, PHOTOS, is_utf8, printable, stem_of
from pipeline.data.overview import reasons_line
from pipeline.data.root import too_deep

_SITE = "http://images.cocodataset.org"
SOURCES = {split: f"{_SITE}/zips/{split}.zip" for split in ("train2017", "val2017")}
CAPTIONS_SOURCE = f"{_SITE}/annotations/annotations_trainval2017.zip"
PANOPTIC_SOURCE = f"{_SITE}/annotations/panoptic_annotations_trainval2017.zip"
STUFF_SOURCE = (
    "http://calvin.inf.ed.ac.uk/wp-content/uploads/data/cocostuffdataset/"
    "stuffthingmaps_trainval2017.zip"
)


def coco_paths(root: str | Path, split: str) -> dict[str, Path]:
    """Return the paths of a split ("train2017", "val2017"): images, captions, labels."""
    root = Path(root)
    return {
        "images": root / split,
        "captions": root / "annotations" / f"captions_{split}.json",
        "labels": root / "stuffthingmaps" / split,
    }


def read_coco(
    root: str | Path,
    split: str,
    stage: str = "dataset",
    label_map: LabelMap | None = None,
    occurrences: Occurrences | None = None,
) -> tuple[list[ImageRecord], list[Reject]]:
    """Index a split of a COCO folder, and check it if it is not the one that we drew.

    A picture is indexed when its file is there, its size is the annotated one, and it has a caption
    or a label map. Whatever is missing or contradictory is rejected with its reason; of a
    kept picture, only the faulty part (a caption, the label map) is left out.

    Args:
        label_map: the values that label maps may hold, besides 255; pictures and maps are decoded.
            None reads only their headers.
        occurrences: receives the counts of the classes in the usable label maps.

    Returns:
        records in order of image id, paths relative to `root`; rejects in order of image id.

    Raises:
        MissingFileError: no picture folder or captions file; says what is expected and its source.
        UserError: the captions file is not COCO captions, or no picture can be used; says what is
            wrong.
    """
    root, paths = Path(root), coco_paths(root, split)
    if not paths["images"].is_dir():
        raise MissingFileError(
            f"{paths['images']}: no picture folder; expected COCO's {split}/ with .jpg files "
            f"under {root}, from {SOURCES.get(split, _SITE)}"
        )
    annotated = read_captions(paths["captions"], stage, source=CAPTIONS_SOURCE)
    rejects = annotated.rejects
    files = _files_by_id(root, split, PHOTOS, stage, rejects)
    place, labels = f"stuffthingmaps/{split}", {}
    if paths["labels"].is_dir():
        labels = _files_by_id(root, place, MAPS, stage, rejects)
    if not labels and (words := too_deep(root, place)):
        detail = words.removeprefix("; ")
        rejects.append(Reject(stage, place, "unpacked one folder too deep", detail))
    for image_id in sorted(set(annotated.sizes) - set(files)):
        rejects.append(
            Reject(stage, str(image_id), "picture missing", f"not in {paths['images'].name}/")
        )

    values: dict[str, Values] = {}
    refused_maps: dict[str, Fault] = {}
    if label_map is not None:
        maps = [f"{place}/{labels[i]}" for i in sorted(set(labels) & set(files))]
        values, refused_maps = read_values(root, maps, f"reading {place}")
        expected = f"COCO-Stuff's category ids less 1, 0..{max(label_map)}, or {IGNORE}"
        refused_maps |= value_faults(values, label_map.keys(), {IGNORE}, expected)

    def index(image_id: int) -> tuple[ImageRecord | None, list[Reject]]:
        return index_picture(
            root,
            image_id,
            f"{split}/{files[image_id]}",
            f"{place}/{labels[image_id]}" if image_id in labels else None,
            annotated.captions.get(image_id, ()),
            stage,
            annotated.sizes.get(image_id),
            label_map is not None,
            refused_maps,
        )

    records = []
    for _, (record, refused) in read_all(sorted(files), index, f"reading {split}"):
        rejects.extend(refused)
        if record is not None:
            records.append(record)
            found = values.get(record.label_path) if record.label_path else None
            if occurrences is not None and label_map is not None and found is not None:
                occurrences.add(found, label_map)
    if not records:
        raise UserError(f"{paths['images']}: no picture can be used: {reasons_line(rejects)}")
    return records, rejects


def _files_by_id(
    root: Path, place: str, suffixes: tuple[str, ...], stage: str, rejects: list[Reject]
) -> dict[int, str]:
    """Map image id -> file name in the folder `root / place`; COCO's file names are the ids.

    Other suffixes are skipped: label maps unpacked beside the pictures are not pictures.
    """
    found: dict[int, str] = {}
    for name in sorted(path.name for path in (root / place).iterdir()):
        if (stem := stem_of(name, suffixes)) is None:
            continue
        image_id, item = whole(stem), printable(f"{place}/{name}")
        if image_id is None or not is_utf8(name):
            detail = "expected a number such as 000000000139"
            if "_labelTrainIds" in name:
                detail += "; a map of mmsegmentation has other numbers, take COCO-Stuff's own"
            rejects.append(Reject(stage, item, "name is no image id", detail))
        elif image_id in found:
            detail = f"{found[image_id]} is of image {image_id} too, and used; remove one"
            rejects.append(Reject(stage, item, "two files of one image id", detail))
        else:
            found[image_id] = name
    return found
