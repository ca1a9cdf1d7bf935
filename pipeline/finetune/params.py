"""The section `finetune`."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.clip.params import TemplateName
from pipeline.clip.view import Fill
from pipeline.core.section import Contrast, CountOrNone, Decay, Rate, Section, Seed, SomeShare

Trained = Literal["weights", "prompts", "both", "nothing"]


class FinetuneStep(Section):
    """What a step trains, how long and how fast."""

    train: Trained
    """weights (of the image tower) | prompts | both | nothing"""
    loss: Literal["unique_nouns", "plain"]
    """unique_nouns (equal nouns are no negatives) | plain"""
    templates: TemplateName
    """prompts around the noun: bare (the noun alone) | vild"""
    fill: Fill
    """background of the masked crop: mean | zero | preserve"""
    prompt_depth: Annotated[int, Field(ge=1, le=100)]
    """blocks that get mask prompts; at least 1, at most the tower's blocks"""
    learning_rate: Rate
    """peak, for weights; above 0"""
    prompt_learning_rate: Rate
    """peak, for prompts; above 0"""
    weight_decay: Decay
    """of weights (prompts have none); from 0"""
    epochs: Annotated[float, Field(gt=0, le=10_000)]
    """passes over the pairs; above 0"""
    batch_size: Contrast
    """pairs a step, over all processes together; at least 2"""
    warmup_steps: CountOrNone
    """of linear warm-up before the cosine schedule; from 0"""
    min_crop: SomeShare
    """least share of a crop's area that augmentation keeps; above 0 to 1"""
    bfloat16: bool
    """mixed precision where the device has it; true | false"""
    seed: Seed
    """of order, augmentation and prompts; from 0"""


class FinetuneParams(Section):
    """Section `finetune`."""

    first: FinetuneStep
    """the first training step starts from the base CLIP"""
    second: FinetuneStep
    """the second one starts from the first one's CLIP; keys as above"""
