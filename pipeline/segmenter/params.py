"""The sections `segmenter` and `pretrain_segmenter`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.clip.params import TemplateName
from pipeline.core.errors import UserError
from pipeline.core.section import (
    Batch,
    Count,
    CountOrNone,
    Decay,
    Masks,
    Probability,
    Rate,
    Section,
    Seed,
    Side,
    SomeShare,
    Weight,
    need,
)
from pipeline.maskformer.config import MaskLayers, SegmenterConfig


class LossWeights(Section):
    """Weights of the losses, which are also those of the matching costs."""

    class_weight: Weight
    """of the cross entropy; from 0"""
    mask_weight: Weight
    """of the focal loss; from 0"""
    dice_weight: Weight
    """of the dice loss; from 0"""
    no_object_weight: Weight
    """of the no-object class in the cross entropy; from 0"""


class Augmentation(Section):
    """How a picture becomes a training crop."""

    crop: Annotated[int, Field(ge=1, le=4096)]
    """side of the training crop in pixels; at least 1"""
    min_short_side: Side
    """pictures are scaled to a short side drawn from this (at least 1) ..."""
    max_short_side: Side
    """... to this, pixels; at least 1"""
    long_side: Side
    """longest side allowed after scaling, pixels; at least 1"""
    flip: bool
    """mirror half of the pictures; true | false"""
    colour: bool
    """vary brightness, contrast, saturation and hue; true | false"""
    single_category_max_area: SomeShare
    """redraw crops of which one class fills more than this share; above 0, to 1"""

    @model_validator(mode="after")
    def _sides_are_in_order(self) -> "Augmentation":
        if self.min_short_side > self.max_short_side:
            raise UserError(
                f"min_short_side = {self.min_short_side} is above max_short_side = "
                f"{self.max_short_side}"
            )
        return self


class SegmenterTraining(Augmentation, LossWeights):
    """What to train, how long and how fast."""

    classes: Literal["all", "seen"]
    """all | seen (zero-shot protocol: unseen classes are ignored; hIoU means it so)"""
    steps: Count
    """optimiser steps; at least 1"""
    batch_size: Batch
    """pictures a step, over all processes together; at least 1"""
    learning_rate: Rate
    """peak, for everything but the backbone; above 0"""
    backbone_multiplier: Annotated[float, Field(ge=0, le=100)]
    """learning rate of the backbone relative to the rest; from 0"""
    weight_decay: Decay
    """AdamW; from 0"""
    warmup_steps: CountOrNone
    """of linear warm-up before the poly schedule; from 0"""
    max_grad_norm: Annotated[float, Field(gt=0, le=1e9)]
    """largest norm of the whole gradient; above 0"""
    ignored_as_background: bool
    """true: ignored pixels are background to the mask losses; false: left out"""
    templates: TemplateName
    """prompts around class names: vild (the 14 of ViLD, averaged) | bare"""
    bfloat16: bool
    """mixed precision where the device has it; true | false"""
    seed: Seed
    """of weights, order and augmentation; from 0"""


class PretrainSegmenterParams(Section):
    """Section `pretrain_segmenter`."""

    steps: Count
    """optimiser steps; at least 1"""
    learning_rate: Rate
    """peak; above 0"""
    warmup_steps: CountOrNone
    """of linear warm-up; from 0"""


class SegmenterMeasure(Section):
    """How mask recall is measured."""

    mask_layers: MaskLayers
    """last | all, as in proposals"""
    max_masks: Masks
    """of a picture, as in proposals; at least 1"""
    short_side: Side | None
    """pictures are resized to this short side, px, at least 1; null: as is"""
    long_side: Side | None
    """longest side allowed by that, px, at least 1; null: any"""
    mask_threshold: Probability
    """foreground probability above which a pixel is in a mask; between 0 and 1"""
    iou_threshold: SomeShare
    """intersection over union at which an object counts as found; above 0, to 1"""


class SegmenterParams(Section):
    """Section `segmenter`."""

    source: Literal["train", "checkpoint"]
    """train | checkpoint (import one instead of training)"""
    checkpoint: str | None
    """path; needed by checkpoint"""
    warm_start: str | None
    """weights file to start from, taken by name and shape; null: from scratch"""
    architecture: SegmenterConfig
    """what is not named here is as in the paper's R-101c, see maskformer/config.py"""
    training: SegmenterTraining
    measure: SegmenterMeasure
    """mask recall on held-out pictures"""

    @model_validator(mode="after")
    def _source_is_described(self) -> "SegmenterParams":
        if self.source == "checkpoint":
            need("checkpoint", self.checkpoint, "segmenter.source is checkpoint")
        return self


def from_scratch(segmenter: SegmenterParams, recipe: PretrainSegmenterParams) -> SegmenterParams:
    """Return the section `segmenter` with a longer training laid over it and no weights to start
    from: what the frozen stage `pretrain_segmenter` runs."""
    training = segmenter.training.model_copy(update=recipe.model_dump())
    return segmenter.model_copy(
        update={"source": "train", "warm_start": None, "training": training}
    )
