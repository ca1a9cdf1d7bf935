"""One pass over a picture: predict without names, score with names (paper, section 3 and figure 2).

`Predictor.predict` runs the networks: the segmenter once per picture, each CLIP once per region.
What it gives, a `Prediction`, knows no class names, so that it is made once and then scored against
any number of vocabularies. `Predictor.score` compares it with the text features of one
`Vocabulary`; the rest (ensemble, semantic map, oracles, sweeps) is arithmetic on its tables.
`OVSeg.segment`, the web page and stage `evaluate` are these two and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from pipeline.clip.encode import Masked, RegionFeatures, encode_regions_by
from pipeline.clip.synonyms import Synonyms
from pipeline.clip.text_bank import TextBank, same_text_tower
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import MAX_INPUT_PIXELS, RegionView
from pipeline.core.modes import Precision
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.propose import propose, resize_input
from pipeline.ovseg.ensemble import clip_probabilities, cosine_logits


@dataclass(frozen=True)
class Prediction:
    """What the networks find in one picture: Q masks at the size (h, w) that they looked at."""

    masks: Tensor
    """float32 `(Q, h, w)`, 0..1."""
    class_embed: Tensor
    """float32 `(Q, D)`: the segmenter's class embeddings, any norm."""
    regions: Mapping[RegionView, Mapping[str, RegionFeatures]]
    """The masks' regions as each CLIP sees them, by way of looking and name of the CLIP."""


@dataclass(frozen=True)
class Vocabulary:
    """K class names as text features, `(K, D)` of unit norm each."""

    names: tuple[str, ...]
    segmenter: Tensor
    clips: Mapping[str, Tensor]
    """By name of the CLIP."""


@dataclass(frozen=True)
class Scores:
    """Both branches' opinion of the Q masks of one picture, seen in one way."""

    segmenter: Tensor
    """float32 `(Q, K)`: the segmenter's class probabilities."""
    valid: Tensor
    """bool `(Q,)`: masks with a pixel above the threshold, which CLIP could look at."""
    clips: Mapping[str, Tensor]
    """float32 `(Q, K)` by name of the CLIP: its class probabilities, 1 where not valid."""


@dataclass(frozen=True)
class TextStyle:
    """How class names become text features. templates: sentences with {} in the name's place, whose
    features are averaged, for the CLIPs and for the segmenter; synonyms: see `Synonyms`."""

    templates: tuple[str, ...]
    segmenter_templates: tuple[str, ...]
    synonyms: Synonyms = "joined"


@dataclass
class Predictor:
    """A segmenter and the CLIPs that are compared, in their one way through a picture.

    clips: by name; the text features of the first one go to the segmenter, too.
    views: the ways of looking at regions; each costs a pass of every CLIP.
    text: how names become text features.
    short_side, long_side, max_pixels: the size at which pictures are looked at, see
    `input_size`. precision: of the segmenter. crop_batch: regions in one pass of a CLIP.
    """

    segmenter: MaskFormer
    clips: Mapping[str, MaskClip]
    views: Sequence[RegionView]
    text: TextStyle
    short_side: int | None = None
    long_side: int | None = None
    max_pixels: int | None = MAX_INPUT_PIXELS
    precision: Precision = "float32"
    crop_batch: int = 32
    _banks: dict[str, TextBank] = field(init=False)

    def __post_init__(self) -> None:
        self.segmenter.eval()
        for clip in self.clips.values():
            clip.eval()
        self._banks = _text_banks(self.clips, self.text)
        first = next(iter(self.clips))
        templates = self.text.segmenter_templates
        self._segmenter_bank = (
            self._banks[first]
            if templates == self.text.templates
            else TextBank(self.clips[first], templates, self.text.synonyms)
        )

    @torch.inference_mode()
    def predict(self, pictures: Sequence[np.ndarray]) -> list[Prediction]:
        """Run the networks on pictures, uint8 RGB `(H, W, 3)`, their regions together."""
        shown = [
            resize_input(picture, self.short_side, self.long_side, self.max_pixels)
            for picture in pictures
        ]
        found = propose(self.segmenter, shown, self.precision)
        masked = [(picture, each.masks) for picture, each in zip(shown, found, strict=True)]
        encoded = {view: self.encode(masked, view) for view in self.views}
        return [
            Prediction(each.masks, each.class_embed, {v: encoded[v][i] for v in self.views})
            for i, each in enumerate(found)
        ]

    def encode(self, masked: Sequence[Masked], view: RegionView) -> list[dict[str, RegionFeatures]]:
        """Encode the masks of pictures with every CLIP: per picture, features by name."""
        return list(encode_regions_by(self.clips, masked, view, self.crop_batch))

    def vocabulary(self, names: Sequence[str]) -> Vocabulary:
        """Return the text features of class names, each name encoded once in the predictor's
        life."""
        listed = list(names)
        return Vocabulary(
            tuple(listed),
            self._segmenter_bank(listed),
            {clip: bank(listed) for clip, bank in self._banks.items()},
        )

    @torch.inference_mode()
    def score(
        self, prediction: Prediction, vocabulary: Vocabulary, view: RegionView | None = None
    ) -> Scores:
        """Compute class probabilities of the masks; view: one of `views`, the first by default."""
        regions = prediction.regions[view or self.views[0]]
        valid = next(iter(regions.values())).valid
        return Scores(
            segmenter=self.segmenter.class_probabilities(
                prediction.class_embed, vocabulary.segmenter
            ),
            valid=valid,
            clips={
                name: clip_probabilities(
                    cosine_logits(found.features, vocabulary.clips[name]), valid
                )
                for name, found in regions.items()
            },
        )


def _text_banks(clips: Mapping[str, MaskClip], text: TextStyle) -> dict[str, TextBank]:
    """Return a bank for every CLIP; those with the same text tower share one."""
    banks: dict[str, TextBank] = {}
    for name, clip in clips.items():
        same = next((other for other in banks if same_text_tower(clips[other], clip)), None)
        bank = TextBank(clip, text.templates, text.synonyms) if same is None else banks[same]
        banks[name] = bank
    return banks
