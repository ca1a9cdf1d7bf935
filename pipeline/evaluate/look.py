"""One look at a few pictures gives the class probabilities of every variant.

The segmenter runs once per picture, each CLIP once per region; regions of all pictures of a
batch go through CLIP together. Everything else is arithmetic on (queries x classes) tables.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.clip.regions import Regions
from pipeline.clip.text_bank import TextBank, same_text_tower
from pipeline.clip.tower import MaskClip
from pipeline.core.modes import Precision
from pipeline.core.precision import has_bfloat16
from pipeline.evaluate import variants as branch
from pipeline.evaluate.oracles import majority_names, paint_classes, present_classes
from pipeline.evaluate.settings import EvaluationSettings
from pipeline.evaluate.variants import Variant
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.predict import Proposals, at_test_size, propose
from pipeline.ovseg.clip_branch import RegionStyle, cut_regions, cuts_alike, region_logits
from pipeline.ovseg.ensemble import clip_alone, clip_probabilities, ensemble


@dataclass(frozen=True)
class Picture:
    """A picture with its ground truth."""

    name: str
    """The image id, for people and file names."""
    image: np.ndarray
    """uint8 RGB `(H, W, 3)`."""
    truth: np.ndarray
    """int32 `(H, W)`: class id or the ignore label."""


@dataclass(frozen=True)
class View:
    """What was seen in one picture."""

    masks: Tensor
    """float32 `(Q, h, w)` in 0..1, at the size the segmenter saw."""
    probabilities: dict[Variant, Tensor]
    """`(Q, K)` per variant; with the masks they make up its label map."""
    labels: dict[Variant, np.ndarray]
    """int32 `(H, W)` of the variants that have no use for the masks."""


class Looker:
    """The models, ready to look at pictures of one evaluation set.

    clips: name to CLIP, all compared in the same pass. segmenter_clip: the CLIP whose text
    features the segmenter was trained with.
    """

    def __init__(
        self,
        segmenter: MaskFormer,
        segmenter_clip: MaskClip,
        clips: dict[str, MaskClip],
        classes: list[str],
        ignore_label: int,
        settings: EvaluationSettings,
    ) -> None:
        self.segmenter = segmenter.eval()
        self.clips = {name: clip.eval() for name, clip in clips.items()}
        self.ignore_label = ignore_label
        self.settings = settings
        self._text, *texts = _text_features([segmenter_clip, *clips.values()], classes, settings)
        self._texts = dict(zip(clips, texts, strict=True))
        self._groups = _groups_alike(self.clips)
        fast = settings.bfloat16 and has_bfloat16(self._text.device)
        self._precision: Precision = "bfloat16" if fast else "float32"

    @torch.inference_mode()
    def __call__(self, pictures: list[Picture]) -> list[View]:
        """Look at a batch of pictures."""
        settings = self.settings
        images = [
            at_test_size(picture.image, settings.short_side, settings.long_side)
            for picture in pictures
        ]
        proposals = propose(self.segmenter, images, self._text)
        views = [
            View(found.masks, self._without_clip(found, picture), {})
            for found, picture in zip(proposals, pictures, strict=True)
        ]
        for threshold in settings.thresholds:
            self._add_clip_branches(views, images, proposals, threshold)
        self._add_oracle_masks(views, pictures)
        return views

    def _without_clip(self, found: Proposals, picture: Picture) -> dict[Variant, Tensor]:
        threshold = self.settings.mask_threshold
        return {
            Variant(branch.SEGMENTER): found.classes,
            Variant(branch.ORACLE_NAMES, threshold=threshold): majority_names(
                found.masks, picture.truth, found.classes.shape[1], self.ignore_label, threshold
            ),
        }

    def _add_clip_branches(
        self,
        views: list[View],
        images: list[Tensor],
        proposals: list[Proposals],
        threshold: float,
    ) -> None:
        style = self.settings.style(threshold)
        for group in self._groups:
            cutter = self.clips[group[0]]
            regions = [
                cut_regions(cutter, image, found.masks, style)
                for image, found in zip(images, proposals, strict=True)
            ]
            for name in group:
                logits = self._logits(name, regions)
                for seen in zip(views, proposals, regions, logits, strict=True):
                    self._add_clip(name, threshold, *seen)

    def _add_clip(
        self,
        name: str,
        threshold: float,
        view: View,
        found: Proposals,
        cut: Regions,
        logits: Tensor,
    ) -> None:
        named = clip_probabilities(logits, cut.valid)
        if threshold == self.settings.mask_threshold:
            alone = clip_alone(named, cut.valid)
            view.probabilities[Variant(branch.CLIP, name, threshold)] = alone
        for weight in self.settings.weights:
            variant = Variant(branch.ENSEMBLE, name, threshold, weight)
            view.probabilities[variant] = ensemble(found.classes, named, weight)

    def _add_oracle_masks(self, views: list[View], pictures: list[Picture]) -> None:
        """Each true class region of a picture is one mask for CLIP, at the picture's own size."""
        style = self.settings.style(0.5)
        present = [present_classes(picture.truth, self.ignore_label) for picture in pictures]
        for group in self._groups:
            regions = [
                self._cut_truth(self.clips[group[0]], picture, class_id, style)
                for picture, ids in zip(pictures, present, strict=True)
                for class_id in ids
            ]
            for name in group:
                named = iter(self._logits(name, regions) if regions else [])
                for view, picture, ids in zip(views, pictures, present, strict=True):
                    renamed = {class_id: int(next(named).argmax()) for class_id in ids}
                    painted = paint_classes(picture.truth, renamed)
                    view.labels[Variant(branch.ORACLE_MASKS, name)] = painted

    def _cut_truth(
        self, clip: MaskClip, picture: Picture, class_id: int, style: RegionStyle
    ) -> Regions:
        mask = torch.from_numpy(picture.truth == class_id)[None].to(self._text.device)
        return cut_regions(clip, at_test_size(picture.image, None, max_pixels=None), mask, style)

    def _logits(self, name: str, regions: list[Regions]) -> list[Tensor]:
        settings = self.settings
        return region_logits(
            self.clips[name],
            regions,
            self._texts[name],
            settings.crop_batch,
            precision=self._precision,
        )


def _groups_alike(clips: dict[str, MaskClip]) -> list[list[str]]:
    """Names of CLIPs that want their regions cut alike, so that each region is cut once."""
    groups: list[list[str]] = []
    for name, clip in clips.items():
        alike = [group for group in groups if cuts_alike(clips[group[0]], clip)]
        alike[0].append(name) if alike else groups.append([name])
    return groups


def _text_features(
    clips: list[MaskClip], classes: list[str], settings: EvaluationSettings
) -> list[Tensor]:
    """`(K, D)` of each CLIP; CLIPs with the same text tower share the work."""
    features: list[Tensor] = []
    for i, clip in enumerate(clips):
        twin = next((j for j in range(i) if same_text_tower(clips[j], clip)), None)
        known = None if twin is None else features[twin]
        if known is None:
            known = TextBank(clip, settings.templates, settings.synonyms)(classes)
        features.append(known)
    return features
