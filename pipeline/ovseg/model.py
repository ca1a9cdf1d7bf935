"""OVSeg: any class names in, a labelled picture out (paper figure 2).

`OVSeg.predict` runs the segmenter once and CLIP once, `OVSeg.score` compares what they found with
class names. That is all that every way of combining the two needs: segmenter only, CLIP only,
ensemble at any weight, and the free-text demo.
"""

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from pipeline.clip.store import load_clip
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import MAX_INPUT_PIXELS, RegionView, region_view
from pipeline.core.errors import UserError
from pipeline.core.modes import Mode, Precision
from pipeline.core.processes.runtime import device as runtime_device
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.propose import MIN_PIXELS
from pipeline.maskformer.store import load_segmenter
from pipeline.ovseg.ensemble import clip_alone, ensemble
from pipeline.ovseg.free_text import checked_names, free_text_scores
from pipeline.ovseg.inputs import Names, Picture, as_names, as_pixels
from pipeline.ovseg.predictor import Prediction, Predictor, Scores, TextStyle
from pipeline.ovseg.result import Segmentation
from pipeline.ovseg.semantic import label_map, semantic_scores

CLIP = "clip"
"""What a predictor calls its CLIP where it has only one."""
MAX_SCORES = 2**29
"""Numbers that `OVSeg.scores` gives at most: 2 GiB."""


class OVSeg:
    """A segmenter and a mask-adapted CLIP, used as their folders record (pipeline/clip/view.py).

    view, threshold, short_side, long_side and templates, where given, replace what is recorded.

    weight: of CLIP in the ensemble, 0..1.
    view: how masks are cut out and shown to CLIP. threshold: this alone of it, between 0 and 1.
    prompts: this alone of it: use the mask prompts where `clip` has some.
    short_side, long_side: size in pixels that pictures are resized to first; 0 sets no such limit,
    and both 0 keep pictures as they are. A long_side alone makes larger pictures smaller.
    max_pixels: larger pictures are made smaller to be looked at, whatever the sides say, so that
    memory is bounded; labels have the picture's size all the same. 0 sets no limit.
    templates: sentences around class names, for both branches.
    crop_batch: regions in one CLIP pass.
    precision: of both networks while they look at a picture; text is always float32.
    UserError for a number outside its range.
    """

    def __init__(
        self,
        segmenter: MaskFormer,
        clip: MaskClip,
        *,
        weight: float = 0.7,
        view: RegionView | None = None,
        threshold: float | None = None,
        prompts: bool | None = None,
        short_side: int | None = None,
        long_side: int | None = None,
        max_pixels: int = MAX_INPUT_PIXELS,
        templates: tuple[str, ...] | None = None,
        crop_batch: int = 32,
        precision: Precision | None = None,
    ) -> None:
        view = view or region_view(clip.view)
        _check("weight", weight, 0 <= weight <= 1, "0 to 1")
        if threshold is not None:
            _check("threshold", threshold, 0 < threshold < 1, "between 0 and 1")
            view = replace(view, threshold=threshold)
        if prompts is not None:
            view = replace(view, prompts=prompts)
        if precision is not None:
            if precision not in get_args(Precision):
                raise UserError(
                    f"precision is {precision!r}; expected one of {', '.join(get_args(Precision))}"
                )
            view = replace(view, precision=precision)
        recorded = segmenter.view
        short_side = recorded.short_side if short_side is None else short_side
        long_side = recorded.long_side if long_side is None else long_side
        for name, side in (("short_side", short_side), ("long_side", long_side)):
            _check(name, side, side is None or side >= 0, "1 or more pixels, or 0")
        _check(
            "max_pixels",
            max_pixels,
            not 0 < max_pixels < MIN_PIXELS and max_pixels >= 0,
            f"{MIN_PIXELS} or more, or 0",
        )
        self.segmenter = segmenter
        self.clip = clip
        self.weight = weight
        self.view = view
        self.predictor = Predictor(
            segmenter,
            {CLIP: clip},
            [view],
            TextStyle(templates or clip.view.templates, templates or recorded.templates),
            short_side or None,
            long_side or None,
            max_pixels or None,
            view.precision,
            crop_batch,
        )

    @classmethod
    def load(
        cls,
        root: str | Path = "data",
        clip: str = "finetune/second",
        device: torch.device | None = None,
        **options,
    ) -> "OVSeg":
        """Load the model that the pipeline left under `root`.

        clip: which CLIP, as a folder under `root`: "base_clip", "finetune/first",
        "finetune/second". It is used as the folders record (pipeline/clip/view.py), but for the
        options, which are those of `OVSeg`.
        Raises MissingFileError naming the missing folder.
        """
        root = Path(root)
        place = device or runtime_device()
        segmenter = load_segmenter(root / "segmenter", place)
        return cls(segmenter, load_clip(root / clip, place), **options)

    def with_choices(self, weight: float, threshold: float) -> "OVSeg":
        """Return this model with another ensemble weight and mask threshold; weights and the text
        features of known names are shared. UserError as for `OVSeg`."""
        _check("weight", weight, 0 <= weight <= 1, "0 to 1")
        _check("threshold", threshold, 0 < threshold < 1, "between 0 and 1")
        other = copy(self)
        other.weight, other.view = weight, replace(self.view, threshold=threshold)
        other.predictor = copy(self.predictor)
        other.predictor.views = [other.view]
        return other

    def predict(self, image: Picture) -> Prediction:
        """Run both networks on a picture. image: see `segment`, also for the errors."""
        [found] = self.predictor.predict([as_pixels(image)])
        return found

    def score(self, prediction: Prediction, names: Names) -> Scores:
        """Compute class probabilities of the masks; any number of names from one, used as they
        stand. UserError for no name."""
        given = as_names(names)
        if not given:
            raise UserError("no class names; expected at least one")
        return self.predictor.score(prediction, self.predictor.vocabulary(given))

    def combine(
        self, prediction: Prediction, scores: Scores, mode: Mode, named: int
    ) -> tuple[Tensor, Tensor]:
        """Return class probabilities `(Q, K)` and masks `(Q, h, w)` whose products make up the map.

        named: the number of leading names that may take a query in mode "free-text". UserError for
        another mode.
        """
        masks, clip = prediction.masks, scores.clips[CLIP]
        if mode == "segmenter":
            return scores.segmenter, masks
        if mode == "clip":
            return clip_alone(clip, scores.valid), masks
        if mode == "ensemble":
            return ensemble(scores.segmenter, clip, self.weight), masks
        if mode == "free-text":
            return free_text_scores(clip, scores.valid, masks, self.view.threshold, named)
        raise UserError(f"mode is {mode!r}; expected one of {', '.join(get_args(Mode))}")

    @torch.inference_mode()
    def scores(
        self,
        image: Picture,
        names: Names,
        mode: Mode = "ensemble",
        output_hw: tuple[int, int] | None = None,
    ) -> Tensor:
        """Compute the semantic map: float32 `(K, H, W)`, at `output_hw`, by default the
        picture's size. Arguments as for `segment`. UserError for more than `MAX_SCORES` numbers."""
        pixels, given = as_pixels(image), as_names(names)
        scored = checked_names(given)
        height, width = output_hw or pixels.shape[:2]
        if len(scored) * height * width > MAX_SCORES:
            raise UserError(
                f"the scores of {len(scored)} names at {height} x {width} pixels are more than the "
                f"{MAX_SCORES:,} numbers that are made at once; ask for a smaller output_hw, or "
                "use segment, which keeps only the best name of each pixel"
            )
        prediction = self.predict(pixels)
        scores = self.score(prediction, scored)
        classes, masks = self.combine(prediction, scores, mode, len(given))
        return semantic_scores(classes, masks, (height, width))

    @torch.inference_mode()
    def segment(self, image: Picture, names: Names, mode: Mode = "free-text") -> Segmentation:
        """Find `names` in a picture.

        image: uint8 RGB `(H, W, 3)`, RGBA or gray; a Pillow image; or a file. Pictures of the
        latter two are put upright first (EXIF), and the labels are those of the upright one.
        names: strings, or a single one with commas between the names.
        Mode "free-text" gives each name its best mask and leaves the rest unnamed; the others
        give every pixel one of the names. A single name is compared with "others". Raises
        UserError for a picture or names that are not as said.
        """
        pixels, given = as_pixels(image), as_names(names)
        scored = checked_names(given)
        prediction = self.predict(pixels)
        scores = self.score(prediction, scored)
        height, width = prediction.masks.shape[1:]
        classes, masks = self.combine(prediction, scores, mode, len(given))
        del prediction  # its masks are half of the memory in mode free-text
        labels = label_map(classes, masks, pixels.shape[:2])
        return Segmentation(
            names=tuple(scored),
            labels=labels.numpy(),
            scores=classes.amax(dim=0).cpu().numpy(),
            looked_at=(height, width),
        )


def _check(name: str, value: float | None, right: bool, allowed: str) -> None:
    if not right:
        raise UserError(f"{name} is {value}; expected {allowed}")
