"""Counting every variant on some pictures in one pass over them (paper section 4).

Memory is flat in the number of pictures: a batch of them is held at a time, label maps are made
and counted part by part, and what is kept is one confusion matrix per variant. (Where
boundaries count, each variant's label map of one picture is held whole.)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.records import Reject
from pipeline.data.images import read_image
from pipeline.data.sets import EvalSet, read_label
from pipeline.evaluate.boundary import boundary_confusion
from pipeline.evaluate.confusion import confusion_matrix, empty_confusion
from pipeline.evaluate.look import Looker, Picture, View
from pipeline.evaluate.variants import Variant, boundaries_of, main_variants
from pipeline.ovseg.semantic import Contest, mask_parts

STAGE = "evaluate"


@dataclass
class Evaluation:
    """What was counted."""

    confusions: dict[Variant, np.ndarray] = field(default_factory=dict)
    """int64 `(K, K + 1)` per variant, see `pipeline.evaluate.confusion`."""
    images: int = 0
    """Pictures counted."""
    rejects: list[Reject] = field(default_factory=list)
    """Pictures left out, with the reason."""


def evaluate(looker: Looker, eval_set: EvalSet) -> Evaluation:
    """Look at every picture of the set once and count all variants.

    A picture that cannot be read, or whose label map does not fit it, becomes a reject.
    """
    result = Evaluation()
    settings = looker.settings
    main = main_variants(list(looker.clips), settings.mask_threshold, settings.ensemble_weight)
    outlined = boundaries_of(main, settings)
    classes, ignored = len(eval_set.classes), eval_set.ignore_label
    pictures = readable_pictures(eval_set, result.rejects)
    while batch := list(islice(pictures, settings.image_batch)):
        for picture, view in zip(batch, looker(batch), strict=True):
            count(result.confusions, picture, view, classes, ignored, outlined)
            result.images += 1
    return result


def readable_pictures(eval_set: EvalSet, rejects: list[Reject]) -> Iterator[Picture]:
    """The set's pictures with their truth; the others are appended to `rejects`."""
    for entry in eval_set.images:
        try:
            image = read_image(eval_set.root / entry.path)
        except UserError as error:
            rejects.append(Reject(STAGE, entry.path, "unreadable picture", str(error)))
            continue
        try:
            truth = read_label(
                eval_set.root / entry.label_path, eval_set.label_map, eval_set.ignore_label
            )
        except UserError as error:
            rejects.append(Reject(STAGE, entry.label_path, "unreadable label map", str(error)))
            continue
        if fault := _misfit(image, truth, len(eval_set.classes), eval_set.ignore_label):
            rejects.append(Reject(STAGE, entry.label_path, *fault))
            continue
        yield Picture(str(entry.image_id), image, truth)


def count(
    confusions: dict[Variant, np.ndarray],
    picture: Picture,
    view: View,
    classes: int,
    ignore_label: int,
    outlined: dict[Variant, Variant],
) -> None:
    """Add one picture to the confusion matrices of all its variants.

    outlined: to a variant that of its boundaries, where they count; its label map is then kept
    whole until the picture is counted.
    """
    for variant in (*view.probabilities, *view.labels, *outlined.values()):
        confusions.setdefault(variant, empty_confusion(classes))
    whole = {variant: np.empty(picture.truth.shape, np.int32) for variant in outlined}
    for variant, labels in view.labels.items():
        confusions[variant] += confusion_matrix(labels, picture.truth, classes, ignore_label)
        if variant in whole:
            whole[variant][:] = labels
    contests = {v: Contest.between(p) for v, p in view.probabilities.items()}
    for part, masks in mask_parts(view.masks, picture.truth.shape, classes):
        truth = picture.truth[part]
        for variant, contest in contests.items():
            labels = contest.labels(masks).cpu().numpy()
            confusions[variant] += confusion_matrix(labels, truth, classes, ignore_label)
            if variant in whole:
                whole[variant][part] = labels
    for variant, labels in whole.items():
        confusions[outlined[variant]] += boundary_confusion(
            labels, picture.truth, classes, ignore_label
        )


def _misfit(
    image: np.ndarray, truth: np.ndarray, classes: int, ignore_label: int
) -> tuple[str, str] | None:
    """(reason, detail) where a label map cannot belong to the picture or to the class list."""
    if image.shape[:2] != truth.shape:
        return "size mismatch", f"picture {image.shape[:2]}, label map {truth.shape}"
    wrong = np.unique(truth[(truth != ignore_label) & ((truth < 0) | (truth >= classes))])
    if wrong.size:
        return "unknown label", f"labels {wrong.tolist()[:10]}, expected 0..{classes - 1}"
    return None
