"""params.yaml, checked: the sections of all rooms together, so that a wrong or unknown parameter
stops a stage at once with its name, its value and what is allowed."""

import importlib.util
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from pipeline.clip.params import BaseClipParams
from pipeline.core.errors import UserError
from pipeline.core.section import Section, first_fault
from pipeline.data.params import DatasetParams
from pipeline.evaluate.params import EvaluateParams
from pipeline.finetune.params import FinetuneParams, FinetuneStep
from pipeline.nouns.params import NounsParams
from pipeline.pairs.params import PairsParams
from pipeline.params.file import read_yaml
from pipeline.params.renamed import renamed_keys
from pipeline.proposals.params import ProposalsParams
from pipeline.segmenter.params import PretrainSegmenterParams, SegmenterParams
from pipeline.world.params import PretrainClipParams


class Params(Section):
    """What the pipeline computes. Every stage reads its own section and is rerun when that changes.
    Numbers also have a largest value, beyond any use; the error of a larger one names it.
    Where it runs (device, processes, cluster) are environment variables:
    `pipeline/core/processes/runtime.py`.
    """

    dataset: DatasetParams
    pretrain_clip: PretrainClipParams
    """the recipe of the shipped miniature CLIP; a frozen stage"""
    base_clip: BaseClipParams
    pretrain_segmenter: PretrainSegmenterParams
    """the recipe of the shipped segmenter weights; a frozen stage. Everything
    else is as in the section segmenter, from scratch."""
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
            ("proposals", self.proposals.split, pairs.mask_source == "proposals"),
            ("nouns", self.nouns.split, pairs.name_source == "captions"),
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
    """Return how many blocks the image tower of the base CLIP has, by its configuration alone: no
    model is built, nothing is downloaded. None where that does not say."""
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


def load_params(path: Path | str, section: str) -> Any:
    """Load one section of params.yaml as its model, e.g. load_params("params.yaml", "pairs").

    "finetune.first" gives a part of a section. The whole file is checked, so that a mistake in a
    later stage's section is reported before a training and not after it; errors as in `load_all`.
    """
    chosen: Any = load_all(path)
    for key in section.split("."):
        chosen = getattr(chosen, key)
    return chosen


def load_all(path: Path | str) -> Params:
    """Load every section of params.yaml. MissingFileError without the file; UserError as in
    `check_all`."""
    return check_all(read_yaml(Path(path)), Path(path))


def check_all(content: Any, path: Path) -> Params:
    """Check the parsed file; returns it as its model. UserError names the file and all keys that
    were renamed, or the first wrong, missing or unknown key, its value and what it should be, or
    the sets to evaluate that are not prepared."""
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected the sections {', '.join(Params.model_fields)}")
    if renamed := renamed_keys(content):
        raise UserError(f"{path}: {'; '.join(renamed)}")
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path}: {first_fault(error, content)}") from None
    unprepared = [name for name in params.evaluate.sets if name not in params.dataset.sets]
    if unprepared:
        raise UserError(
            f"{path}: evaluate.sets has {', '.join(unprepared)}, which dataset.sets "
            f"({', '.join(params.dataset.sets)}) does not prepare: add it there or remove it here"
        )
    return params
