"""Counting every variant on some pictures in one pass over them (paper section 4).

Memory is flat in the number of pictures: a batch of them is held at a time, label maps are made
and counted part by part, and what is kept is one confusion matrix per variant. (Where
boundaries count, each variant's label map of one picture is held whole.)
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.records import Reject
from pipeline.data.images import read_image
from pipeline.data.sets import EvalImage, EvalSet, read_label
from pipeline.evaluate.boundary import boundary_confusion
from pipeline.evaluate.compare import Comparison, LabelledPicture, Outcomes
from pipeline.evaluate.confusion import confusion_matrix, empty_confusion
from pipeline.evaluate.variants import Variant, boundaries_of, main_variants
from pipeline.ovseg.semantic import Contest, mask_parts

STAGE = "evaluate"
IMAGE_BATCH = 8
"""Pictures predicted together: speed and memory; results in float32 are the same."""


@dataclass
class Evaluation:
    """What was counted."""

    confusions: dict[Variant, np.ndarray] = field(default_factory=dict)
    """int64 `(K, K + 1)` per variant, see `pipeline.evaluate.confusion`."""
    images: int = 0
    """Pictures counted."""
    rejects: list[Reject] = field(default_factory=list)
    """Pictures left out, with the reason."""


def evaluate(comparison: Comparison, entries: Sequence[Sequence[EvalImage]]) -> list[Evaluation]:
    """Predict every picture once and count all variants by every class list of `comparison`.

    entries: the pictures, each as its evaluation sets list it, one entry per set. A picture that
    cannot be read becomes a reject of every set, one whose label map does not fit of that set.
    """
    sets, settings = comparison.sets, comparison.settings
    results = [Evaluation() for _ in sets]
    clips = list(comparison.predictor.clips)
    main = main_variants(clips, settings.mask_threshold, settings.ensemble_weight)
    outlined = boundaries_of(main, settings)
    pictures = readable_pictures(sets, entries, [result.rejects for result in results])
    while batch := list(islice(pictures, IMAGE_BATCH)):
        for picture, outcomes in zip(batch, comparison(batch), strict=True):
            for result, eval_set, truth, outcome in zip(
                results, sets, picture.truths, outcomes, strict=True
            ):
                if truth is not None and outcome is not None:
                    count(result.confusions, truth, outcome, eval_set, outlined)
                    result.images += 1
    return results


def readable_pictures(
    sets: Sequence[EvalSet],
    entries: Iterable[Sequence[EvalImage]],
    rejects: Sequence[list[Reject]],
) -> Iterator[LabelledPicture]:
    """Yield the pictures that can be read and have truth in at least one of the sets. What cannot
    be used is appended to `rejects` of its set."""
    for entry in entries:
        first = entry[0]
        try:
            image = read_image(sets[0].root / first.path)
        except UserError as error:
            for into in rejects:
                into.append(Reject(STAGE, first.path, "unreadable picture", str(error)))
            continue
        truths = tuple(
            _read_truth(image, eval_set, each, into)
            for eval_set, each, into in zip(sets, entry, rejects, strict=True)
        )
        if any(truth is not None for truth in truths):
            yield LabelledPicture(str(first.image_id), image, truths)


def _read_truth(
    image: np.ndarray, eval_set: EvalSet, entry: EvalImage, rejects: list[Reject]
) -> np.ndarray | None:
    try:
        truth = read_label(
            eval_set.root / entry.label_path, eval_set.label_map, eval_set.ignore_label
        )
    except UserError as error:
        rejects.append(Reject(STAGE, entry.label_path, "unreadable label map", str(error)))
        return None
    if fault := _misfit(image, truth, len(eval_set.classes), eval_set.ignore_label):
        rejects.append(Reject(STAGE, entry.label_path, *fault))
        return None
    return truth


def count(
    confusions: dict[Variant, np.ndarray],
    truth: np.ndarray,
    outcomes: Outcomes,
    eval_set: EvalSet,
    outlined: dict[Variant, Variant],
) -> None:
    """Add one picture to the confusion matrices of all its variants.

    outlined: to a variant that of its boundaries, where they count; its label map is then kept
    whole until the picture is counted.
    """
    classes, ignored = len(eval_set.classes), eval_set.ignore_label
    for variant in (*outcomes.probabilities, *outcomes.labels, *outlined.values()):
        confusions.setdefault(variant, empty_confusion(classes))
    whole = {variant: np.empty(truth.shape, np.int32) for variant in outlined}
    for variant, labels in outcomes.labels.items():
        confusions[variant] += confusion_matrix(labels, truth, classes, ignored)
        if variant in whole:
            whole[variant][:] = labels
    alike: dict[int, list[Variant]] = {}  # weight 0 is the segmenter, of whichever CLIP
    for variant, probabilities in outcomes.probabilities.items():
        alike.setdefault(id(probabilities), []).append(variant)
    contests = [
        (variants, Contest.between(outcomes.probabilities[variants[0]]))
        for variants in alike.values()
    ]
    for part, masks in mask_parts(outcomes.masks, truth.shape, classes):
        for variants, contest in contests:
            labels = contest.labels(masks).cpu().numpy()
            counted = confusion_matrix(labels, truth[part], classes, ignored)
            for variant in variants:
                confusions[variant] += counted
                if variant in whole:
                    whole[variant][part] = labels
    for variant, labels in whole.items():
        confusions[outlined[variant]] += boundary_confusion(labels, truth, classes, ignored)


def _misfit(
    image: np.ndarray, truth: np.ndarray, classes: int, ignore_label: int
) -> tuple[str, str] | None:
    """Return (reason, detail) where a label map cannot belong to the picture or to the class
    list."""
    if image.shape[:2] != truth.shape:
        return "size mismatch", f"picture {image.shape[:2]}, label map {truth.shape}"
    wrong = np.unique(truth[(truth != ignore_label) & ((truth < 0) | (truth >= classes))])
    if wrong.size:
        return "unknown label", f"labels {wrong.tolist()[:10]}, expected 0..{classes - 1}"
    return None
