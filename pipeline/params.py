"""params.yaml, checked: one model per section, so that a wrong or unknown parameter stops a stage
at once with its name, its value and what is allowed.

The models have no defaults: what a run depends on stands in params.yaml, where `dvc params diff`
sees it. (Only segmenter.architecture may leave keys out: they are the published model's.) The
comments there say what each key means.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.clip.templates import VILD_TEMPLATES
from pipeline.data.classes import Synonyms
from pipeline.errors import UserError
from pipeline.param_errors import describe
from pipeline.params_file import read_yaml
from pipeline.segmenter.config import MasksOf, SegmenterConfig
from pipeline.views import Fill

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Templates = Literal["vild", "bare"]
TEMPLATES: dict[str, tuple[str, ...]] = {"vild": VILD_TEMPLATES, "bare": ("{}",)}


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
    seed: Natural
    train_scenes: Count
    val_scenes: Count
    side: Annotated[int, Field(ge=32)]
    min_objects: Count
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
    batch: Annotated[int, Field(ge=2)]
    learning_rate: Positive
    weight_decay: NonNegative
    warmup: Natural
    seed: Natural


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
    steps: Natural
    batch_size: Count
    learning_rate: Positive
    backbone_factor: NonNegative
    weight_decay: NonNegative
    warmup_steps: Natural
    clip_gradient: Positive
    class_weight: NonNegative
    mask_weight: NonNegative
    dice_weight: NonNegative
    no_object_weight: NonNegative
    count_ignored: bool
    crop: Count
    least_short_side: Count
    most_short_side: Count
    long_side: Count
    flip: bool
    colour: bool
    most_of_one_class: Annotated[float, Field(gt=0, le=1)]
    templates: Templates
    bfloat16: bool
    seed: Natural

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
    learning_rate: Positive
    warmup_steps: Natural


class SegmenterMeasure(Section):
    masks_of: MasksOf
    most_masks: Count
    short_side: Count | None
    long_side: Count | None
    mask_threshold: Annotated[float, Field(gt=0, lt=1)]
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
    most_masks: Count
    mask_threshold: Annotated[float, Field(gt=0, lt=1)]
    min_area: Count
    short_side: Count | None
    long_side: Count | None
    image_batch: Count
    shard_size: Count


class NounsParams(Section):
    split: Literal["train", "val"]
    multiword: bool
    tag_rules: bool
    stop_list: bool
    min_count: Count
    shard_size: Count


class PairsParams(Section):
    split: Literal["train", "val"]
    captions_per_image: Annotated[int, Field(ge=1, le=5)]
    masks: Literal["proposals", "ground_truth"]
    names: Literal["captions", "ground_truth"]
    direction: Literal["noun_to_mask", "mask_to_noun"]
    top_k: Count
    min_similarity: Annotated[float, Field(ge=-1, le=1)]
    templates: Templates
    fill: Fill
    crop_format: Literal["png", "jpg"]
    expand: Annotated[float, Field(ge=1)]
    crop_batch: Count
    bfloat16: bool
    shard_size: Count


class FinetuneStep(Section):
    train: Literal["weights", "prompts", "both", "nothing"]
    loss: Literal["unique_nouns", "plain"]
    templates: Templates
    fill: Fill
    prompt_depth: Count
    learning_rate: Positive
    prompt_learning_rate: Positive
    weight_decay: NonNegative
    epochs: Positive
    batch_size: Annotated[int, Field(ge=2)]
    warmup_steps: Natural
    min_crop: Annotated[float, Field(gt=0, le=1)]
    bfloat16: bool
    seed: Natural


class FinetuneParams(Section):
    first: FinetuneStep
    second: FinetuneStep


class EvaluateCommon(Section):
    ensemble_weight: Share
    mask_threshold: Annotated[float, Field(gt=0, lt=1)]
    sweep_weights: list[Share]
    sweep_thresholds: list[Annotated[float, Field(gt=0, lt=1)]]
    fill: Fill
    expand: Annotated[float, Field(ge=1)]
    templates: Templates
    synonyms: Synonyms
    short_side: Count | None
    long_side: Count | None
    bfloat16: bool
    boundary_iou: bool
    overlays: Natural


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
    """Every section of params.yaml.

    MissingFileError without the file; UserError names the first wrong, missing or unknown key,
    its value and what is allowed, or the sets to evaluate that are not prepared.
    """
    path = Path(path)
    content = read_yaml(path)
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
