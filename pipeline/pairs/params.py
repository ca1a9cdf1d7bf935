"""The section `pairs`."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.clip.params import TemplateName
from pipeline.clip.view import Fill
from pipeline.core.section import Batch, Expand, Masks, Section, ShardSize, Split

Direction = Literal["noun_to_mask", "mask_to_noun"]
CropFormat = Literal["png", "jpg"]


class PairsParams(Section):
    """Section `pairs`."""

    split: Split
    """captioned pictures to collect pairs from: train | val"""
    captions_per_image: Annotated[int, Field(ge=1, le=5)]
    """captions of each picture that are used, in their order; 1..5"""
    mask_source: Literal["proposals", "ground_truth"]
    """proposals | ground_truth (class regions of the label maps)"""
    name_source: Literal["captions", "ground_truth"]
    """captions (their nouns) | ground_truth (class names of the label maps)"""
    direction: Direction
    """noun_to_mask (each noun takes its best masks) | mask_to_noun"""
    top_k: Masks
    """how many best masks a noun takes (or nouns a mask takes); at least 1"""
    min_similarity: Annotated[float, Field(ge=-1, le=1)]
    """pairs below this cosine are dropped; -1..1, -1 keeps all"""
    templates: TemplateName
    """prompts around nouns for matching: vild (the 14 of ViLD, averaged) | bare"""
    fill: Fill
    """background of a region shown to CLIP for matching: mean | zero | preserve"""
    crop_format: CropFormat
    """how crops are stored: png (as they are) | jpg (quality 95: a third of the bytes)"""
    expand: Expand
    """factor on the sides of a mask's tight box; from 1"""
    crop_batch: Batch
    """regions in one pass of CLIP: speed and memory; at least 1"""
    bfloat16: bool
    """CLIP's image tower in bfloat16 where the device has it; true | false"""
    shard_size: ShardSize
    """pictures in a shard; at least 1"""
