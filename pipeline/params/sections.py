"""params.yaml, checked: one model per section, so that a wrong or unknown parameter stops a stage
at once with its name, its value and what is allowed.

The models have no defaults: what a run depends on stands in params.yaml, where `dvc params diff`
sees it. (Only segmenter.architecture may leave keys out: they are the published model's.) The
comments there say what each key means.

Every number has a largest value too. It lies beyond any use we can think of, and is there so that
a slip of the hand (1e8 for 1e-8) stops the first stage instead of filling the memory of a later
one or training a model to NaN.
"""

import importlib.util
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.clip.synonyms import Synonyms
from pipeline.clip.view import Fill
from pipeline.core.errors import UserError
from pipeline.maskformer.config import MasksOf, SegmenterConfig
from pipeline.params.errors import describe
from pipeline.params.file import read_yaml

Share = Annotated[float, Field(ge=0, le=1)]
Probability = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]  # steps, pictures, captions
CountOrNone = Annotated[int, Field(ge=0, le=10_000_000)]  # 0: none
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]  # what numpy takes
Side = Annotated[int, Field(ge=1, le=16_384)]  # of a picture, pixels
Area = Annotated[int, Field(ge=1, le=16_384**2)]  # pixels
Batch = Annotated[int, Field(ge=1, le=100_000)]
Contrast = Annotated[int, Field(ge=2, le=100_000)]  # a batch whose members are told apart
ShardSize = Annotated[int, Field(ge=1, le=1_000_000)]  # pictures
Masks = Annotated[int, Field(ge=1, le=10_000)]  # of a picture
Rate = Annotated[float, Field(gt=0, le=10)]  # of learning
Decay = Annotated[float, Field(ge=0, le=10)]
Weight = Annotated[float, Field(ge=0, le=1_000_000)]  # of a loss
Expand = Annotated[float, Field(ge=1, le=100)]
Templates = Literal["vild", "bare"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _need(key: str, value: str | None, why: str) -> None:
    if not value:
        raise UserError(f"{key} = null: must be given when {why}")


class DatasetParams(Section):
    source: Literal["openmoji", "coco", "own"]
    root: str | None
    sets: list[str]
    watch: list[str]
    seed: Seed
    train_scenes: Count
    val_scenes: Count
    side: Annotated[int, Field(ge=32, le=4096)]
    min_objects: Annotated[int, Field(ge=1, le=30)]
    max_objects: Annotated[int, Field(ge=1, le=30)]
    closed_share: Share

    @model_validator(mode="after")
    def _fits(self) -> "DatasetParams":
        if self.source == "own":
            _need("root", self.root, "dataset.source is own")
        for key in ("sets", "watch"):
            names = getattr(self, key)
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise UserError(f"{key} names {', '.join(twice)} more than once")
        if self.min_objects > self.max_objects:
            raise UserError(
                f"min_objects = {self.min_objects} is above max_objects = {self.max_objects}"
            )
        return self


class PretrainClipParams(Section):
    pictures: Count
    steps: Count
    batch: Contrast
    learning_rate: Rate
    weight_decay: Decay
    warmup: CountOrNone
    seed: Seed


class BaseClipParams(Section):
    source: Literal["shipped", "open_clip", "checkpoint"]
    name: str | None
    pretrained: str | None
    checkpoint: str | None

    @model_validator(mode="after")
    def _source_is_described(self) -> "BaseClipParams":
        needed = {"open_clip": ("name", "pretrained"), "checkpoint": ("name", "checkpoint")}
        for key in needed.get(self.source, ()):
            _need(key, getattr(self, key), f"base_clip.source is {self.source}")
        return self


class SegmenterTraining(Section):
    classes: Literal["all", "seen"]
    steps: Count
    batch_size: Batch
    learning_rate: Rate
    backbone_factor: Annotated[float, Field(ge=0, le=100)]
    weight_decay: Decay
    warmup_steps: CountOrNone
    clip_gradient: Annotated[float, Field(gt=0, le=1e9)]
    class_weight: Weight
    mask_weight: Weight
    dice_weight: Weight
    no_object_weight: Weight
    count_ignored: bool
    crop: Annotated[int, Field(ge=1, le=4096)]
    least_short_side: Side
    most_short_side: Side
    long_side: Side
    flip: bool
    colour: bool
    most_of_one_class: Annotated[float, Field(gt=0, le=1)]
    templates: Templates
    bfloat16: bool
    seed: Seed

    @model_validator(mode="after")
    def _sides_are_in_order(self) -> "SegmenterTraining":
        if self.least_short_side > self.most_short_side:
            raise UserError(
                f"least_short_side = {self.least_short_side} is above most_short_side = "
                f"{self.most_short_side}"
            )
        return self


class PretrainSegmenterParams(Section):
    steps: Count
    learning_rate: Rate
    warmup_steps: CountOrNone


class SegmenterMeasure(Section):
    masks_of: MasksOf
    most_masks: Masks
    short_side: Side | None
    long_side: Side | None
    mask_threshold: Probability
    overlap: Annotated[float, Field(gt=0, le=1)]


class SegmenterParams(Section):
    source: Literal["train", "checkpoint"]
    checkpoint: str | None
    warm_start: str | None
    architecture: SegmenterConfig
    training: SegmenterTraining
    measure: SegmenterMeasure

    @model_validator(mode="after")
    def _source_is_described(self) -> "SegmenterParams":
        if self.source == "checkpoint":
            _need("checkpoint", self.checkpoint, "segmenter.source is checkpoint")
        return self


class ProposalsParams(Section):
    split: Literal["train", "val"]
    masks_of: MasksOf
    most_masks: Masks
    mask_threshold: Probability
    min_area: Area
    short_side: Side | None
    long_side: Side | None
    image_batch: Batch
    shard_size: ShardSize


class NounsParams(Section):
    split: Literal["train", "val"]
    multiword: bool
    tag_rules: bool
    stop_list: bool
    min_count: Count
    shard_size: ShardSize


class PairsParams(Section):
    split: Literal["train", "val"]
    captions_per_image: Annotated[int, Field(ge=1, le=5)]
    masks: Literal["proposals", "ground_truth"]
    names: Literal["captions", "ground_truth"]
    direction: Literal["noun_to_mask", "mask_to_noun"]
    top_k: Masks
    min_similarity: Annotated[float, Field(ge=-1, le=1)]
    templates: Templates
    fill: Fill
    crop_format: Literal["png", "jpg"]
    expand: Expand
    crop_batch: Batch
    bfloat16: bool
    shard_size: ShardSize


class FinetuneStep(Section):
    train: Literal["weights", "prompts", "both", "nothing"]
    loss: Literal["unique_nouns", "plain"]
    templates: Templates
    fill: Fill
    prompt_depth: Annotated[int, Field(ge=1, le=100)]
    learning_rate: Rate
    prompt_learning_rate: Rate
    weight_decay: Decay
    epochs: Annotated[float, Field(gt=0, le=10_000)]
    batch_size: Contrast
    warmup_steps: CountOrNone
    min_crop: Annotated[float, Field(gt=0, le=1)]
    bfloat16: bool
    seed: Seed


class FinetuneParams(Section):
    first: FinetuneStep
    second: FinetuneStep


class EvaluateCommon(Section):
    ensemble_weight: Share
    mask_threshold: Probability
    sweep_weights: list[Share]
    sweep_thresholds: list[Probability]
    fill: Fill
    expand: Expand
    templates: Templates
    synonyms: Synonyms
    short_side: Side | None
    long_side: Side | None
    bfloat16: bool
    boundary_iou: bool
    overlays: CountOrNone


class EvaluateParams(Section):
    """sets: by name, each the common values with its own laid over them."""

    common: EvaluateCommon
    sets: dict[str, EvaluateCommon]

    @model_validator(mode="before")
    @classmethod
    def _common_to_all(cls, content: Any) -> Any:
        if not isinstance(content, dict) or not isinstance(content.get("sets"), dict):
            return content
        common = content.get("common")
        if not isinstance(common, dict):
            return content
        return content | {
            "sets": {
                name: common | (own or {}) if isinstance(own, dict | None) else own
                for name, own in content["sets"].items()
            }
        }


class Params(Section):
    """All of params.yaml."""

    dataset: DatasetParams
    pretrain_clip: PretrainClipParams
    base_clip: BaseClipParams
    pretrain_segmenter: PretrainSegmenterParams
    segmenter: SegmenterParams
    proposals: ProposalsParams
    nouns: NounsParams
    pairs: PairsParams
    finetune: FinetuneParams
    evaluate: EvaluateParams

    @model_validator(mode="after")
    def _pairs_find_what_they_need(self) -> "Params":
        pairs = self.pairs
        for stage, split, needed in (
            ("proposals", self.proposals.split, pairs.masks == "proposals"),
            ("nouns", self.nouns.split, pairs.names == "captions"),
        ):
            if needed and split != pairs.split:
                raise UserError(
                    f"{stage}.split = {split}, but pairs.split = {pairs.split}: pairs would find "
                    f"no {stage} of their pictures; set both to the same"
                )
        return self

    @model_validator(mode="after")
    def _prompts_fit_the_tower(self) -> "Params":
        blocks = tower_blocks(self.base_clip.source, self.base_clip.name)
        tower = "the shipped CLIP" if self.base_clip.source == "shipped" else self.base_clip.name
        for name in ("first", "second"):
            step: FinetuneStep = getattr(self.finetune, name)
            trained = step.train in ("prompts", "both")
            if trained and blocks is not None and step.prompt_depth > blocks:
                raise UserError(
                    f"finetune.{name}.prompt_depth = {step.prompt_depth}: allowed 1..{blocks}, the "
                    f"blocks of the image tower of {tower}"
                )
        return self


def tower_blocks(source: str, name: str | None) -> int | None:
    """How many blocks the image tower of the base CLIP has, by its configuration alone: no model
    is built, nothing is downloaded. None where that does not say."""
    if source == "shipped":
        file = Path(__file__).parents[1] / "clip/miniature/clip.json"
        config = json.loads(file.read_text(encoding="utf-8"))["model_cfg"]
    else:
        package = importlib.util.find_spec("open_clip")  # finds it without importing torch
        assert package and package.origin, "open_clip is a dependency"
        file = Path(package.origin).parent / f"model_configs/{str(name).replace('/', '-')}.json"
        config = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    layers = config.get("vision_cfg", {}).get("layers")
    return layers if isinstance(layers, int) else None


def from_scratch(wanted: SegmenterParams, recipe: PretrainSegmenterParams) -> SegmenterParams:
    """The section `segmenter` with a longer training laid over it and no weights to start from:
    what the frozen stage `pretrain_segmenter` runs."""
    training = wanted.training.model_copy(update=recipe.model_dump())
    return wanted.model_copy(update={"source": "train", "warm_start": None, "training": training})


def load_params(path: Path | str, section: str) -> Any:
    """One section of params.yaml as its model, e.g. load_params("params.yaml", "pairs").

    "finetune.first" gives a part of a section. The whole file is checked, so that a mistake in the
    section of a later stage is told before a training and not after it; errors as in `load_all`.
    """
    chosen: Any = load_all(path)
    for key in section.split("."):
        chosen = getattr(chosen, key)
    return chosen


def load_all(path: Path | str) -> Params:
    """Every section of params.yaml. MissingFileError without the file; UserError as in
    `check_all`."""
    return check_all(read_yaml(Path(path)), Path(path))


def check_all(content: Any, path: Path) -> Params:
    """The parsed file as its model. UserError names the file and the first wrong, missing or
    unknown key, its value and what is allowed, or the sets to evaluate that are not prepared."""
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected the sections {', '.join(Params.model_fields)}")
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path}: {describe(error, Params)}") from None
    unprepared = [name for name in params.evaluate.sets if name not in params.dataset.sets]
    if unprepared:
        raise UserError(
            f"{path}: evaluate.sets has {', '.join(unprepared)}, which dataset.sets "
            f"({', '.join(params.dataset.sets)}) does not prepare: add it there or remove it here"
        )
    return params
