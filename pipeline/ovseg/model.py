"""OVSeg: any class names in, a labelled picture out (paper figure 2).

One look at a picture (`OVSeg.look`) runs the segmenter once and CLIP once, and holds all that
every way of combining the two needs: segmenter only, CLIP only, ensemble at any weight, and the
free-text demo.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from pipeline.clip.store import load_clip
from pipeline.clip.text_bank import TextBank
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import LOOK_PIXELS
from pipeline.core.errors import UserError
from pipeline.core.modes import Mode, Precision
from pipeline.core.processes.runtime import device as runtime_device
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.predict import LEAST_PIXELS, at_test_size, propose
from pipeline.maskformer.store import load_segmenter
from pipeline.ovseg.clip_branch import RegionStyle, cut_regions, region_logits
from pipeline.ovseg.ensemble import clip_alone, clip_probabilities, ensemble
from pipeline.ovseg.free_text import checked_names, free_text_evidence
from pipeline.ovseg.inputs import Names, Picture, as_names, as_pixels
from pipeline.ovseg.result import Segmentation
from pipeline.ovseg.semantic import label_map, semantic_scores

MOST_SCORES = 2**29
"""Numbers that `OVSeg.scores` gives at most: 2 GiB."""


@dataclass(frozen=True)
class Evidence:
    """Both branches' view of one picture: Q masks, K names, at the size (h, w) of the look."""

    masks: Tensor
    """float32 `(Q, h, w)`, 0..1."""
    segmenter: Tensor
    """float32 `(Q, K)`: the segmenter's class probabilities."""
    valid: Tensor
    """bool `(Q,)`: masks with a pixel above the threshold, which CLIP could look at."""
    clip: Tensor
    """float32 `(Q, K)`: CLIP's class probabilities, 1 where not valid."""


class OVSeg:
    """A segmenter and a mask-adapted CLIP, used as their folders record (pipeline/clip/view.py).

    style, threshold, short_side, long_side and templates, where given, replace what is recorded.

    segmenter_clip: the CLIP whose text features the segmenter was trained with, where its text
    tower is another than `clip`'s.
    weight: of CLIP in the ensemble, 0..1.
    style: how masks are cut out for CLIP. threshold: this alone of it, between 0 and 1.
    short_side, long_side: size in pixels that pictures are resized to first; 0 sets no such limit,
    and both 0 keep pictures as they are. A long_side alone makes larger pictures smaller.
    max_pixels: larger pictures are made smaller to be looked at, whatever the sides say, so that
    memory is bounded; labels have the picture's size all the same. 0 sets no limit.
    templates: sentences around class names, for both branches.
    prompts: use the mask prompts where `clip` has some. crop_batch: regions in one CLIP pass.
    precision: of both networks while they look at a picture; text is always float32.
    UserError for a number outside its range.
    """

    def __init__(
        self,
        segmenter: MaskFormer,
        clip: MaskClip,
        segmenter_clip: MaskClip | None = None,
        *,
        weight: float = 0.7,
        style: RegionStyle | None = None,
        threshold: float | None = None,
        short_side: int | None = None,
        long_side: int | None = None,
        max_pixels: int = LOOK_PIXELS,
        templates: tuple[str, ...] | None = None,
        prompts: bool = True,
        crop_batch: int = 32,
        precision: Precision = "float32",
    ) -> None:
        seen, shown = clip.view, segmenter.view
        style = style or RegionStyle(seen.threshold, seen.fill, seen.expand)
        style = style if threshold is None else replace(style, threshold=threshold)
        short_side = shown.short_side if short_side is None else short_side
        long_side = shown.long_side if long_side is None else long_side
        _check("weight", weight, 0 <= weight <= 1, "0 to 1")
        _check("threshold", style.threshold, 0 < style.threshold < 1, "between 0 and 1")
        for name, side in (("short_side", short_side), ("long_side", long_side)):
            _check(name, side, side is None or side >= 0, "1 or more pixels, or 0")
        _check(
            "max_pixels",
            max_pixels,
            not 0 < max_pixels < LEAST_PIXELS and max_pixels >= 0,
            f"{LEAST_PIXELS} or more, or 0",
        )
        self.segmenter = segmenter.eval()
        self.clip = clip.eval()
        self.weight = weight
        self.style = style
        self.short_side = short_side or None
        self.long_side = long_side or None
        self.max_pixels = max_pixels or None
        self.prompts = prompts
        self.crop_batch = crop_batch
        self.precision = precision
        self._clip_text = TextBank(clip, templates or seen.templates)
        self._segmenter_text = self._clip_text
        if segmenter_clip is not None or (templates is None and seen.templates != shown.templates):
            self._segmenter_text = TextBank(segmenter_clip or clip, templates or shown.templates)

    @classmethod
    def load(
        cls,
        root: str | Path = "data",
        clip: str = "finetune/second",
        device: torch.device | None = None,
        **options,
    ) -> "OVSeg":
        """The model that the pipeline left under `root`.

        clip: which CLIP, as a folder under `root`: "base_clip", "finetune/first",
        "finetune/second". It is used as the folders record (pipeline/clip/view.py), but for the
        options, which are those of `OVSeg`.
        Raises MissingFileError naming the missing folder.
        """
        root = Path(root)
        place = device or runtime_device()
        segmenter = load_segmenter(root / "segmenter", place)
        return cls(segmenter, load_clip(root / clip, place), **options)

    @torch.inference_mode()
    def look(self, image: Picture, names: Names) -> Evidence:
        """Run both branches on a picture; any number of names from one, used as they stand.

        image, names: see `pipeline.ovseg.inputs`, also for the errors; UserError for no name.
        """
        names = as_names(names)
        if not names:
            raise UserError("no class names; expected at least one")
        picture = at_test_size(as_pixels(image), self.short_side, self.long_side, self.max_pixels)
        text = self._segmenter_text(names)
        [proposals] = propose(self.segmenter, [picture], text, self.precision)
        regions = cut_regions(self.clip, picture, proposals.masks, self.style)
        [logits] = region_logits(
            self.clip,
            [regions],
            self._clip_text(names),
            self.crop_batch,
            self.prompts,
            self.precision,
        )
        return Evidence(
            masks=proposals.masks,
            segmenter=proposals.classes,
            valid=regions.valid,
            clip=clip_probabilities(logits, regions.valid),
        )

    def combine(self, evidence: Evidence, mode: Mode, named: int) -> tuple[Tensor, Tensor]:
        """Class probabilities `(Q, K)` and masks `(Q, h, w)` whose products make up the map.

        named: the number of leading names that may take a query in mode "free-text".
        """
        if mode == "segmenter":
            return evidence.segmenter, evidence.masks
        if mode == "clip":
            return clip_alone(evidence.clip, evidence.valid), evidence.masks
        if mode == "ensemble":
            return ensemble(evidence.segmenter, evidence.clip, self.weight), evidence.masks
        if mode == "free-text":
            return free_text_evidence(
                evidence.clip, evidence.valid, evidence.masks, self.style.threshold, named
            )
        raise UserError(f"mode is {mode!r}; expected one of {', '.join(get_args(Mode))}")

    @torch.inference_mode()
    def scores(
        self,
        image: Picture,
        names: Names,
        mode: Mode = "ensemble",
        output_hw: tuple[int, int] | None = None,
    ) -> Tensor:
        """The semantic map: float32 `(K, H, W)`, at the picture's size unless told otherwise.
        Arguments as for `segment`. UserError for more than `MOST_SCORES` numbers."""
        pixels, given = as_pixels(image), as_names(names)
        scored = checked_names(given)
        height, width = output_hw or pixels.shape[:2]
        if len(scored) * height * width > MOST_SCORES:
            raise UserError(
                f"the scores of {len(scored)} names at {height} x {width} pixels are more than the "
                f"{MOST_SCORES:,} numbers that are made at once; ask for a smaller output_hw, or "
                "use segment, which keeps only the best name of each pixel"
            )
        evidence = self.look(pixels, scored)
        classes, masks = self.combine(evidence, mode, len(given))
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
        evidence = self.look(pixels, scored)
        height, width = evidence.masks.shape[1:]
        classes, masks = self.combine(evidence, mode, len(given))
        del evidence  # its masks are half of the memory in mode free-text
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
