"""A small data root of real pictures: links into the samples, annotations cut down to them."""

import json
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image
from scipy.io import savemat

CAPTIONED, LABELLED = (30752, 37666), (10008, 10012, 10014)
"""Real training pictures; the samples have none with both, which nothing needs."""
GRAY, CROWD = 7888, 12639
"""Of the validation pictures: one stored without colour (captioned), one with a crowd (captioned
and labelled). They are lent to the training split, which has neither."""
VAL = (139, 10092, 14038)
"""Validation pictures with captions, instances and label maps; the last has a crowd."""
PANOPTIC = (139, 5586)
"""Validation pictures with panoptic segments; the last has a crowd and no label map."""
STREET = "ADE_train_00016869"
"""The picture of ade847."""
AEROPLANE = "2007_000033"
"""The picture of VOC 2012 that stands for PASCAL-Context."""
TURNED = 37666
"""The captioned training picture that is stored lying on its side, as a turned camera does, with
the EXIF orientation that says so. So is the first picture of ade150."""


def make_root(samples: Path, root: Path) -> Path:
    """Put what every benchmark of `SETS` in test_real_data.py and training need under `root`."""
    coco = samples / "coco"
    train = [("train2017", i) for i in (*CAPTIONED, *LABELLED)]
    train += [("val2017", i) for i in (GRAY, CROWD)]
    val = [("val2017", i) for i in (*VAL, *PANOPTIC[1:])]
    for split, pictures in (("train2017", train), ("val2017", val)):
        for source, image_id in pictures:
            put = turn if image_id == TURNED else link
            put(coco / source / f"{image_id:012d}.jpg", root / "coco" / split)
            link(
                coco / "stuffthingmaps" / source / f"{image_id:012d}.png",
                root / "coco" / "stuffthingmaps" / split,
            )
        for kind in ("captions", "instances"):
            write_part(coco, root / "coco", kind, split, pictures)
    for image_id in PANOPTIC:
        segments = coco / "annotations/panoptic_val2017" / f"{image_id:012d}.png"
        link(segments, root / "coco/annotations/panoptic_val2017")
    write_part(coco, root / "coco", "panoptic", "val2017", [("val2017", i) for i in PANOPTIC])
    ade = "ADEChallengeData2016"
    for put, picture in zip((turn, link, link), ade_pictures(samples), strict=True):
        put(picture, root / ade / "images/validation")
        label = samples / ade / "annotations/validation" / f"{picture.stem}.png"
        link(label, root / ade / "annotations/validation")
    full, place = "ADE20K_2021_17_01/images/ADE", "urban/street"  # training pictures, lent
    for suffix in (".jpg", ".json", "_seg.png"):
        file = samples / full / "training" / place / f"{STREET}{suffix}"
        link(file, root / full / "validation" / place)
    link(samples / "VOCdevkit/VOC2012", root / "VOCdevkit")
    write_context(samples / "VOCdevkit/VOC2012", root / "VOCdevkit/VOC2010")
    return root


def write_context(voc: Path, context: Path) -> None:
    """PASCAL-Context of a real picture. The samples have none of its label maps: the aeroplanes of
    VOC's map are written as a `.mat` in the official layout, between sky above and road below."""
    link(voc / "JPEGImages" / f"{AEROPLANE}.jpg", context / "JPEGImages")
    (context / "pascalcontext_val.txt").write_text(AEROPLANE + "\n")
    planes = np.array(Image.open(voc / "SegmentationClass" / f"{AEROPLANE}.png")) == 1
    (context / "trainval").mkdir()
    label = np.full(planes.shape, 360, np.uint16)  # sky of labels.txt
    label[len(label) // 2 :] = 324  # road
    label[planes] = 2  # aeroplane
    label[:2] = 0  # not labelled
    savemat(context / "trainval" / f"{AEROPLANE}.mat", {"LabelMap": label})


def ade_pictures(samples: Path) -> list[Path]:
    """The three pictures of ade150 that are taken."""
    return sorted((samples / "ADEChallengeData2016/images/validation").glob("*.jpg"))[:3]


def turn(picture: Path, folder: Path) -> None:
    """The picture in `folder` with its pixels a quarter turned to the left, and the orientation
    that turns them back."""
    folder.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    with Image.open(picture) as image:
        lying = image.convert("RGB").transpose(Image.Transpose.ROTATE_90)
        lying.save(folder / picture.name, exif=exif, quality=95)


def link(target: Path, folder: Path) -> None:
    """A link to `target` in `folder`, if there is such a file."""
    if target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / target.name).symlink_to(target.resolve())


def write_part(
    source: Path, root: Path, kind: str, split: str, pictures: list[tuple[str, int]]
) -> None:
    """`annotations/<kind>_<split>.json` of these pictures, (split they come from, id)."""
    part: dict = {"images": [], "annotations": [], "categories": []}
    for origin in sorted({origin for origin, _ in pictures}):
        ids = {image_id for whence, image_id in pictures if whence == origin}
        content = json.loads((source / "annotations" / f"{kind}_{origin}.json").read_text())
        part["images"] += [i for i in content["images"] if i["id"] in ids]
        part["annotations"] += [a for a in content["annotations"] if a["image_id"] in ids]
        part["categories"] = content.get("categories", [])
    path = root / "annotations" / f"{kind}_{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(part))
