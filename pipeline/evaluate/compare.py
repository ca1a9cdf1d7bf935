"""From one prediction of a picture to the class probabilities of every variant.

The segmenter runs once per picture and each CLIP once per region, whatever the number of class
lists that the pictures are labelled with; all else is arithmetic on (queries x classes) tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.clip.templates import TEMPLATES
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import RegionView
from pipeline.core.precision import tower_precision
from pipeline.data.sets import EvalSet
from pipeline.evaluate import variants as branch
from pipeline.evaluate.oracles import majority_names, paint_classes, present_classes
from pipeline.evaluate.params import EvaluateCommon
from pipeline.evaluate.variants import Variant, thresholds_of, weights_of
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.ovseg.ensemble import clip_alone, cosine_logits, ensemble
from pipeline.ovseg.predictor import Prediction, Predictor, Scores, TextStyle

CROP_BATCH = 64
"""Regions in one pass of CLIP: speed and memory; results in float32 are the same."""


@dataclass(frozen=True)
class LabelledPicture:
    """A picture with its ground truth by every class list."""

    name: str
    """The image id, for people and file names."""
    image: np.ndarray
    """uint8 RGB `(H, W, 3)`."""
    truths: tuple[np.ndarray | None, ...]
    """int32 `(H, W)` per class list: class id or the ignore label; None where it has none."""


@dataclass(frozen=True)
class Outcomes:
    """What every variant makes of one picture, with the names of one class list."""

    masks: Tensor
    """float32 `(Q, h, w)` in 0..1, at the size the segmenter looked at."""
    probabilities: dict[Variant, Tensor]
    """`(Q, K)` per variant; with the masks they make up its label map."""
    labels: dict[Variant, np.ndarray]
    """int32 `(H, W)` of the variants that have no use for the masks."""


class Comparison:
    """The models, ready for pictures that are labelled with one or more class lists.

    clips: name to CLIP, all compared in the same pass; the segmenter was trained with the text
    tower of the first. sets: evaluation sets of the same pictures.
    """

    def __init__(
        self,
        segmenter: MaskFormer,
        clips: dict[str, MaskClip],
        sets: Sequence[EvalSet],
        settings: EvaluateCommon,
    ) -> None:
        self.sets = list(sets)
        self.settings = settings
        precision = tower_precision(segmenter.mean.device, settings.bfloat16)
        self._views = {
            threshold: RegionView(
                fill=settings.fill, expand=settings.expand, threshold=threshold, precision=precision
            )
            for threshold in thresholds_of(settings)
        }
        templates = TEMPLATES[settings.templates]
        self.predictor = Predictor(
            segmenter,
            clips,
            list(self._views.values()),
            TextStyle(templates, templates, settings.synonyms),
            settings.short_side,
            settings.long_side,
            crop_batch=CROP_BATCH,
        )
        self._vocabularies = [self.predictor.vocabulary(each.classes) for each in self.sets]

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[LabelledPicture]) -> list[list[Outcomes | None]]:
        """The outcomes of every picture by every class list; None where it has no truth."""
        predictions = self.predictor.predict([picture.image for picture in pictures])
        names = self._names_of_true_masks(pictures)
        return [
            [
                self._outcomes(at, prediction, truth, named[at])
                for at, truth in enumerate(picture.truths)
            ]
            for picture, prediction, named in zip(pictures, predictions, names, strict=True)
        ]

    def _outcomes(
        self,
        at: int,
        prediction: Prediction,
        truth: np.ndarray | None,
        named: dict[str, dict[int, int]],
    ) -> Outcomes | None:
        """Compute the outcomes by class list number `at`. named: by CLIP, the name that each true
        class gets."""
        if truth is None:
            return None
        settings, eval_set = self.settings, self.sets[at]
        probabilities: dict[Variant, Tensor] = {}
        for threshold, view in self._views.items():
            scores = self.predictor.score(prediction, self._vocabularies[at], view)
            if threshold == settings.mask_threshold:
                probabilities[Variant(branch.SEGMENTER)] = scores.segmenter
            self._add_clips(probabilities, scores, threshold)
        oracle = Variant(branch.ORACLE_NAMES, threshold=settings.mask_threshold)
        probabilities[oracle] = majority_names(
            prediction.masks, truth, len(eval_set.classes), eval_set.ignore_label,
            settings.mask_threshold,
        )  # fmt: skip
        labels = {
            Variant(branch.ORACLE_MASKS, clip): paint_classes(truth, renamed)
            for clip, renamed in named.items()
        }
        return Outcomes(prediction.masks, probabilities, labels)

    def _add_clips(
        self, probabilities: dict[Variant, Tensor], scores: Scores, threshold: float
    ) -> None:
        for name, named in scores.clips.items():
            if threshold == self.settings.mask_threshold:
                alone = clip_alone(named, scores.valid)
                probabilities[Variant(branch.CLIP, name, threshold)] = alone
            for weight in weights_of(self.settings):
                variant = Variant(branch.ENSEMBLE, name, threshold, weight)
                probabilities[variant] = (
                    scores.segmenter if weight == 0 else ensemble(scores.segmenter, named, weight)
                )

    def _names_of_true_masks(
        self, pictures: Sequence[LabelledPicture]
    ) -> list[list[dict[str, dict[int, int]]]]:
        """Map, per picture and class list, by CLIP, each true class id to the class CLIP calls it.

        Each true class region of a picture is one mask for CLIP, at the picture's own size. Those
        that several class lists have in common are looked at once.
        """
        regions = [_true_regions(picture, self.sets) for picture in pictures]
        masked = [
            (torch.from_numpy(picture.image).permute(2, 0, 1), torch.from_numpy(found.masks))
            for picture, found in zip(pictures, regions, strict=True)
        ]
        view = self._views[self.settings.mask_threshold]
        encoded = self.predictor.encode(masked, view)
        result = []
        for found, by_clip in zip(regions, encoded, strict=True):
            named = []
            for vocabulary, rows in zip(self._vocabularies, found.rows, strict=True):
                named.append({
                    clip: _nearest(rows, each.features, vocabulary.clips[clip])
                    for clip, each in by_clip.items()
                })  # fmt: skip
            result.append(named)
        return result


@dataclass(frozen=True)
class _TrueRegions:
    """masks: bool `(U, H, W)`, the different class regions of a picture by all its class lists;
    rows: per list, true class id to its row there."""

    masks: np.ndarray
    rows: list[dict[int, int]]


def _true_regions(picture: LabelledPicture, sets: Sequence[EvalSet]) -> _TrueRegions:
    known: dict[bytes, int] = {}
    masks: list[np.ndarray] = []
    rows: list[dict[int, int]] = []
    for eval_set, truth in zip(sets, picture.truths, strict=True):
        found = {}
        present = [] if truth is None else present_classes(truth, eval_set.ignore_label)
        for class_id in present:
            mask = np.asarray(truth == class_id)
            key = np.packbits(mask).tobytes()
            if key not in known:
                known[key] = len(masks)
                masks.append(mask)
            found[class_id] = known[key]
        rows.append(found)
    none = np.zeros((0, *picture.image.shape[:2]), bool)
    return _TrueRegions(np.stack(masks) if masks else none, rows)


def _nearest(rows: dict[int, int], features: Tensor, text: Tensor) -> dict[int, int]:
    """Map each true class id to the class whose text is nearest to its region's feature."""
    if not rows:
        return {}
    best = cosine_logits(features[list(rows.values())], text).argmax(dim=1).tolist()
    return dict(zip(rows, best, strict=True))
