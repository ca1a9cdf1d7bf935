"""The section `dataset`."""

from typing import Literal

from pydantic import model_validator

from pipeline.core.errors import UserError
from pipeline.core.section import need
from pipeline.world.params import WorldParams


class DatasetParams(WorldParams):
    """Section `dataset`; the rest of its keys are those of the world."""

    source: Literal["openmoji", "coco", "own"]
    """openmoji (the embedded world) | coco (official COCO 2017) | own (your folder)"""
    root: str | None
    """folder of the official data sets, null: $DETECTRON2_DATASETS; own: your folder"""
    sets: list[str]
    """to evaluate on; of openmoji: world-closed, world-open; of own:
    own; benchmarks: ade150, ade150-synonyms, ade847, pc59, pc459, voc20, cocostuff171,
    cocostuff156, cocopanoptic (`ovseg check` says which of them are ready)"""
    watch: list[str]
    """data sets whose files every `dvc repro` looks through for changes: own, coco, benchmarks"""

    @model_validator(mode="after")
    def _names_are_given_once(self) -> "DatasetParams":
        if self.source == "own":
            need("root", self.root, "dataset.source is own")
        for key in ("sets", "watch"):
            names = getattr(self, key)
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise UserError(f"{key} names {', '.join(twice)} more than once")
        return self
