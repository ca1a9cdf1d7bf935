"""Small inputs of the stage pairs, and the stage run on them."""

from pathlib import Path

from pipeline.clip.store import save_clip
from pipeline.core.records import (
    NounRecord,
    ProposalRecord,
    write_parquet,
)
from pipeline.core.shards import run_shards
from pipeline.data.rle import encode_masks
from pipeline.pairs.collect import collect_pairs
from tests.ovseg.tiny import tiny_clip
from tests.shipped import section
from tests.toy import make_toy, shapes

SETTINGS = section(
    "pairs", captions_per_image=5, mask_source="proposals", name_source="captions",
    direction="noun_to_mask", top_k=1, min_similarity=-1.0,
    fill="mean", expand=1.0, crop_format="png", crop_batch=4, bfloat16=False,
    templates="bare",
)  # fmt: skip


def make_proposals(image_ids, folder):
    """The true masks of each picture, and none on picture 3."""
    records = []
    for image_id in image_ids:
        masks = [] if image_id == 3 else [m for m in shapes(image_id).values() if m.any()]
        for query, mask in enumerate(masks):
            rle = encode_masks(mask[None])[0]["counts"]
            records.append(ProposalRecord(image_id, query, 48, 48, rle))
    write_parquet(folder / "proposals.parquet", records, ProposalRecord)
    return {}


def make_nouns(image_ids, folder):
    """ "disc" and "red square" in both captions, "joy" in the second; none on picture 4."""
    records = [
        NounRecord(i, 10 * i + caption, noun, noun, place)
        for i in image_ids
        if i != 4
        for caption in (0, 1)
        for place, noun in enumerate(["disc", "red square", "joy"][: 2 + caption])
    ]
    write_parquet(folder / "nouns.parquet", records, NounRecord)
    return {}


def make_inputs(root: Path) -> Path:
    """Write the folders dataset, proposals, nouns and clip."""
    make_toy(root / "dataset", pictures=6)
    ids = list(range(1, 7))
    for stage, size, make in (("proposals", 2, make_proposals), ("nouns", 4, make_nouns)):
        run_shards(root / stage, ids, size, make, {}, stage, names=[f"{stage}.parquet"])
    save_clip(root / "clip", tiny_clip(), "tiny")
    return root


def collect(folders: Path, out: Path, shard_size: int = 2, **changes) -> dict:
    settings = SETTINGS.model_copy(update=changes | {"shard_size": shard_size})
    inputs = (folders / name for name in ("dataset", "proposals", "nouns", "clip"))
    return collect_pairs(*inputs, out, settings)
