"""`ovseg draw`: look at the labels of a data set before anything is trained on them."""

from dataclasses import replace
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.files.places import OutFolder

DRAWN = ".drawn-by-ovseg"
"""The file in the folder that lists what was drawn there, to be removed when it is drawn again."""


def draw(
    dataset: Path = Path("data/dataset"), out: OutFolder = Path("labels"), pictures: int = 6
) -> None:
    """Paint the label maps of every split and evaluation set over their pictures.

    Writes <out>/train/, <out>/val/ and <out>/<evaluation set>/, a PNG for each picture drawn: the
    picture, its labels in colour, and a legend of the class names. What is wrong with ids, sizes
    or orientation shows at a glance. What an earlier call drew there is removed.

    Args:
        dataset: folder that the stage `dataset` wrote.
        out: folder to write to.
        pictures: how many of each, spread evenly over it.
    """
    from pipeline.core.progress import report
    from pipeline.data.dataset import SPLITS, read_dataset, read_split
    from pipeline.data.sets import EvalImage, EvalSet, load_eval_set

    if pictures < 1:
        raise UserError(f"--pictures {pictures}: expected at least 1")
    if out.is_dir() and any(out.iterdir()) and not (out / DRAWN).is_file():
        raise UserError(f"{out}: holds what this command did not draw; name another --out")
    closed = read_dataset(dataset)
    sets = [load_eval_set(path) for path in sorted((dataset / "sets").glob("*.json"))]
    for split in SPLITS:
        labelled = [
            EvalImage(str(record.image_id), record.path, label, record.width, record.height)
            for record in read_split(dataset, split)
            if (label := record.label_path) is not None
        ]
        sets.append(
            EvalSet(
                split,
                closed.root,
                closed.classes,
                labelled,
                ignore_label=closed.ignore_label,
                label_map=closed.label_map,
            )  # fmt: skip
        )
    if not any(drawn.images for drawn in sets):
        raise UserError(f"{dataset}: no label maps in it, nothing to draw")
    _remove_drawn(out)
    for drawn in sets:
        folder = out / drawn.name
        count = _draw_set(drawn, folder, pictures)
        report(f"{drawn.name}: {count} of {len(drawn.images)} label maps drawn in {folder}")


def _remove_drawn(out: Path) -> None:
    """Remove what an earlier call drew in the folder, and nothing else; make it if need be."""
    out.mkdir(parents=True, exist_ok=True)
    listed = out / DRAWN
    for name in listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []:
        (out / name).unlink(missing_ok=True)
    listed.write_text("", encoding="utf-8")


def _draw_set(eval_set, folder: Path, max_pictures: int) -> int:
    """Draw some pictures of an EvalSet and report those that cannot be read; returns how many."""
    from pipeline.core.progress import report
    from pipeline.core.records import Reject
    from pipeline.evaluate.run import readable_pictures
    from pipeline.evaluate.sheets import classes_to_show, spread
    from pipeline.viz.panel import Column, save_sheet, sheet

    chosen = [eval_set.images[i] for i in spread(len(eval_set.images), max_pictures)]
    named = [replace(entry, image_id=_plain(entry.path)) for entry in chosen]
    rejects: list[Reject] = []
    count = 0
    for picture in readable_pictures([eval_set], [[entry] for entry in named], [rejects]):
        [truth] = picture.truths
        assert truth is not None, "the only set of its pictures"
        shown = classes_to_show(truth, [], len(eval_set.classes))
        columns = [Column("picture", None), Column("labels", truth)]
        folder.mkdir(parents=True, exist_ok=True)
        page = sheet(picture.image, columns, eval_set.classes, shown)
        with open(folder.parent / DRAWN, "a", encoding="utf-8") as drawn:
            drawn.write(f"{folder.name}/{picture.name}.png\n")
        save_sheet(page, folder / f"{picture.name}.png")
        count += 1
    for reject in rejects:
        report(f"{eval_set.name}: {reject.item}: {reject.reason}; {reject.detail}")
    return count


def _plain(path: str) -> str:
    """Return a picture's path as one name, by which people find it again:
    "val2017_000000000139.jpg"."""
    return path.replace("/", "_")
