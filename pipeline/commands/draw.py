"""`ovseg draw`: look at the labels of a data set before anything is trained on them."""

from pathlib import Path


def draw(
    dataset: Path = Path("data/dataset"), out: Path = Path("labels"), pictures: int = 6
) -> None:
    """Paint the label maps of every split and evaluation set over their pictures.

    Writes <out>/train/, <out>/val/ and <out>/<evaluation set>/, a PNG for each picture drawn: the
    picture, its labels in colour, and a legend of the class names. What is wrong with ids, sizes
    or orientation shows at a glance.

    Args:
        dataset: folder that the stage `dataset` wrote.
        out: folder to write to.
        pictures: how many of each, spread evenly over it.
    """
    from pipeline.data.dataset import SPLITS, read_dataset, read_split
    from pipeline.data.sets import EvalImage, EvalSet, load_eval_set
    from pipeline.progress import report

    if pictures < 1:
        raise ValueError(f"--pictures {pictures}: expected at least 1")
    closed = read_dataset(dataset)
    sets = [load_eval_set(path) for path in sorted((dataset / "sets").glob("*.json"))]
    for split in SPLITS:
        labelled = [r for r in read_split(dataset, split) if r.label_path is not None]
        entries = [
            EvalImage(r.image_id, r.path, str(r.label_path), r.width, r.height) for r in labelled
        ]
        sets.append(
            EvalSet(
                split,
                closed.root,
                closed.classes,
                entries,
                ignore_label=closed.ignore_label,
                label_map=closed.label_map,
            )  # fmt: skip
        )
    for drawn in sets:
        count = _draw_set(drawn, out / drawn.name, pictures)
        report(
            f"{drawn.name}: {count} of {len(drawn.images)} label maps drawn in {out / drawn.name}"
        )


def _draw_set(eval_set, folder: Path, most: int) -> int:
    """Draw some pictures of an EvalSet; returns how many. Those that cannot be read are told."""
    from dataclasses import replace

    from pipeline.evaluation.run import readable_pictures
    from pipeline.evaluation.sheets import classes_to_show, spread
    from pipeline.ovseg.panel import Column, save_sheet, sheet
    from pipeline.progress import report
    from pipeline.records import Reject

    chosen = [eval_set.images[i] for i in spread(len(eval_set.images), most)]
    rejects: list[Reject] = []
    count = 0
    for picture in readable_pictures(replace(eval_set, images=chosen), rejects):
        shown = classes_to_show(picture.truth, [], len(eval_set.classes))
        columns = [Column("picture", None), Column("labels", picture.truth)]
        folder.mkdir(parents=True, exist_ok=True)
        page = sheet(picture.image, columns, eval_set.classes, shown)
        save_sheet(page, folder / f"{picture.name.replace('/', '_')}.png")
        count += 1
    for reject in rejects:
        report(f"{eval_set.name}: {reject.item}: {reject.reason}; {reject.detail}")
    return count
