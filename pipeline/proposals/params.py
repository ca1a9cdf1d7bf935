"""The section `proposals`."""

from pipeline.core.section import Area, Batch, Masks, Probability, Section, ShardSize, Side, Split
from pipeline.maskformer.config import MaskLayers


class ProposalsParams(Section):
    """Section `proposals`."""

    split: Split
    """captioned pictures to propose masks on: train | val"""
    mask_layers: MaskLayers
    """decoder layers that masks are taken from: last (the paper's) | all (no doubles)"""
    max_masks: Masks
    """of a picture, the surest of all layers or the first queries; at least 1"""
    mask_threshold: Probability
    """foreground probability above which a pixel is in a mask; between 0 and 1"""
    min_area: Area
    """smaller masks are dropped, pixels; at least 1"""
    short_side: Side | None
    """pictures are resized to this short side for the segmenter, px, at least 1; null: as is"""
    long_side: Side | None
    """longest side allowed by that, px, at least 1; null: any"""
    image_batch: Batch
    """pictures of one size segmented together: speed and memory; at least 1"""
    shard_size: ShardSize
    """pictures in a shard, the unit of work that survives a killed run; at least 1"""
