"""Turn class names into text features, encoding each name once."""

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.clip.synonyms import Synonyms, read_name
from pipeline.clip.text import class_features
from pipeline.clip.tower import MaskClip


class TextBank:
    """Text features by name, computed when a name is first asked for.

    A name costs one pass through the text tower per template, which for ViT-L/14 on a CPU is
    0.4 s a name: too much to repeat for every picture.

    synonyms: how a class of several names is read (`synonyms.py`); averaged ones are the normalised
    mean of the features of its names.
    """

    def __init__(
        self, clip: MaskClip, templates: tuple[str, ...], synonyms: Synonyms = "joined"
    ) -> None:
        self._clip = clip
        self._templates = templates
        self._synonyms = synonyms
        self._known: dict[str, Tensor] = {}

    @torch.inference_mode()
    def __call__(self, names: list[str]) -> Tensor:
        """`(K, D)` float32, unit norm, one row per name in the order asked for."""
        readings = [read_name(name, self._synonyms) for name in names]
        every = dict.fromkeys(read for reading in readings for read in reading)
        new = [name for name in every if name not in self._known]
        if new:
            features = class_features(self._clip, new, self._templates)
            self._known.update(zip(new, features, strict=True))
        return torch.stack([self._mean(reading) for reading in readings])

    def _mean(self, reading: list[str]) -> Tensor:
        features = [self._known[name] for name in reading]
        if len(features) == 1:
            return features[0]  # of unit norm to the last digit
        return F.normalize(torch.stack(features).mean(dim=0), dim=-1)


def same_text_tower(a: MaskClip, b: MaskClip) -> bool:
    """Return whether both CLIPs encode text with equal weights, so that one bank serves both."""
    left, right = _text_weights(a), _text_weights(b)
    return left.keys() == right.keys() and all(
        left[key].shape == right[key].shape and torch.equal(left[key], right[key]) for key in left
    )


def _text_weights(clip: MaskClip) -> dict[str, Tensor]:
    """Return the CLIP's weights without the image tower and the unused temperature."""
    return {
        key: value
        for key, value in clip.clip.state_dict().items()
        if not key.startswith("visual.") and key != "logit_scale"
    }
