"""`ovseg segment`: find what you name in a picture of your own."""

import json
import os
from pathlib import Path

from tyro.conf import Positional

from pipeline.clip.view import MAX_INPUT_PIXELS
from pipeline.core.files.places import OutFolder
from pipeline.core.modes import Mode, Precision


def segment(
    picture: Positional[Path],
    classes: str,
    out: OutFolder = Path("."),
    model: Path = Path("data"),
    clip: str = "finetune/second",
    mode: Mode = "free-text",
    weight: float = 0.7,
    threshold: float | None = None,
    short_side: int | None = None,
    long_side: int | None = None,
    max_pixels: int = MAX_INPUT_PIXELS,
    precision: Precision = "float32",
) -> None:
    """Segment a picture by names you choose.

    Writes <picture>-overlay.png (classes in colour, with a legend), <picture>-labels.png (a label
    map: the position of the class in your list, 255 where nothing was named; 16 bits and 65535
    from 255 names on) and <picture>-classes.json (area and score of every class).

    Args:
        picture: an image file of any common format.
        classes: names separated by commas, such as "saturn V, blossom"; or a file NAME.txt with
            one name a line.
        out: folder to write to.
        model: folder that the pipeline wrote (segmenter/, finetune/, base_clip/).
        clip: which CLIP inside it: finetune/second, finetune/first or base_clip.
        mode: free-text (each name takes its best mask, the rest of the picture stays unnamed),
            ensemble, clip or segmenter (every pixel gets one of the names).
        weight: of CLIP in the ensemble, 0 to 1.
        threshold: probability above which a pixel belongs to a mask, 0 to 1; default: as the
            CLIP's folder records.
        short_side: resize the picture's short side to this many pixels first; 0: do not; default:
            as the segmenter's folder records.
        long_side: but keep the long side at or below this; 0: any; default: as recorded. Alone,
            only larger pictures shrink.
        max_pixels: larger pictures are made smaller for the networks, whatever the sides say, so
            that memory is bounded; the label map has the picture's size all the same. 0: no limit.
        precision: of both networks; bfloat16 and float16 are faster on some machines.
    """
    import numpy as np

    from pipeline.core.files.atomic import write_text
    from pipeline.core.progress import report
    from pipeline.data.images import read_image
    from pipeline.data.labels import write_label
    from pipeline.ovseg import OVSeg
    from pipeline.ovseg.free_text import checked_names
    from pipeline.viz.panel import Column, save_sheet, sheet

    given = _names(_text(classes))
    checked_names(given)
    image = read_image(picture)
    loaded = OVSeg.load(
        model,
        clip,
        weight=weight,
        threshold=threshold,
        short_side=short_side,
        long_side=long_side,
        max_pixels=max_pixels,
        precision=precision,
    )
    result = loaded.segment(image, given, mode)

    out.mkdir(parents=True, exist_ok=True)
    names = list(result.names)
    columns = [Column("picture", None), Column(mode, result.labels)]
    save_sheet(sheet(image, columns, names, result.order), out / f"{picture.stem}-overlay.png")
    unnamed = 255 if len(names) < 255 else 65535
    labels = result.labels.astype(np.uint8 if unnamed == 255 else np.uint16)  # -1 becomes unnamed
    write_label(out / f"{picture.stem}-labels.png", labels, unnamed)
    summary = {"picture": str(picture), "mode": mode, "names": names, "unnamed_label": unnamed}
    text = json.dumps(summary | result.summary(), ensure_ascii=False, indent=1)
    write_text(out / f"{picture.stem}-classes.json", text + "\n")
    _print(result)
    if result.resized:
        report(result.resized)
    for name in ("-overlay.png", "-labels.png", "-classes.json"):
        report(str(out / f"{picture.stem}{name}"))


def _names(classes: str) -> list[str]:
    """Return the names that were typed, or those in the file that was named."""
    from pipeline.data.own_text import read_classes
    from pipeline.ovseg.inputs import as_names

    if classes.endswith(".txt") and "," not in classes and Path(classes).is_file():
        return read_classes(Path(classes))
    return as_names(classes)


def _text(classes: str) -> str:
    """Return what was typed, read as UTF-8 whatever the terminal is set to; UserError where it is
    not."""
    from pipeline.core.errors import UserError

    try:
        return os.fsencode(classes).decode()
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"--classes {classes!a}: character {error.start + 1} is not UTF-8; expected names in "
            "UTF-8, set the terminal to it"
        ) from None


def _print(result) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("class", "share", "score")
    for region in (result.regions[i] for i in result.order):
        table.add_row(Text(region.name), f"{region.share:.1%}", f"{region.score:.2f}")
    Console().print(table)
