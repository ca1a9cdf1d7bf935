"""Parameters of the room: the size of the world, and the section `pretrain_clip`."""

from typing import Annotated

from pydantic import Field, model_validator

from pipeline.core.errors import UserError
from pipeline.core.section import Contrast, Count, CountOrNone, Decay, Rate, Section, Seed, Share


class WorldParams(Section):
    """How many scenes are drawn and what is in them; part of the section `dataset`."""

    seed: Seed
    """of all scenes of the openmoji world, which the following keys are about too; from 0"""
    train_scenes: Count
    """pictures with captions to learn from; at least 1"""
    val_scenes: Count
    """pictures to evaluate on; at least 1"""
    side: Annotated[int, Field(ge=32, le=4096)]
    """height and width of a picture in pixels; at least 32"""
    min_objects: Annotated[int, Field(ge=1, le=30)]
    """fewest objects in a scene; at least 1, at most max_objects"""
    max_objects: Annotated[int, Field(ge=1, le=30)]
    """most objects in a scene; at least min_objects, at most 30"""
    closed_share: Share
    """chance that an object of a training scene is of the closed set; 0..1"""

    @model_validator(mode="after")
    def _objects_are_in_order(self) -> "WorldParams":
        if self.min_objects > self.max_objects:
            raise UserError(
                f"min_objects = {self.min_objects} is above max_objects = {self.max_objects}"
            )
        return self


class PretrainClipParams(Section):
    """Section `pretrain_clip`."""

    pictures: Count
    """object-centred pictures drawn, each seen several times; at least 1"""
    steps: Count
    """optimiser steps; at least 1"""
    batch_size: Contrast
    """pictures a step, all of different nouns; at least 2"""
    learning_rate: Rate
    """peak, cosine to 0; above 0"""
    weight_decay: Decay
    """AdamW; from 0"""
    warmup_steps: CountOrNone
    """of linear warm-up before the cosine schedule; from 0"""
    seed: Seed
    """of pictures, weights and order; from 0"""
