"""Class-agnostic masks for every captioned picture (paper section 3.2, step 1 of collecting pairs).

The trained segmenter proposes one mask a query; its class scores are ignored. Written are shards
of ProposalRecord; a query whose mask is empty or too small is counted, a picture that cannot be
read or has no mask at all is rejected.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from pipeline.core.fingerprint import of_code, of_contents, of_files, of_models
from pipeline.core.processes import runtime
from pipeline.core.records import ImageRecord, ProposalRecord, Reject, write_parquet
from pipeline.core.shards import run_shards
from pipeline.core.totals import collect_rejects, total_counts
from pipeline.data.dataset import read_dataset, read_split
from pipeline.data.pictures import read_pictures
from pipeline.data.rle import areas, encode_masks, overlaps, to_rle
from pipeline.data.truth import CLOSED, NEVER_LABELLED, Truth, objects_file, read_truth
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.masks import MaskChoice
from pipeline.maskformer.propose import propose, resize_input
from pipeline.maskformer.store import load_segmenter
from pipeline.proposals.params import ProposalsParams

STAGE = "proposals"
FOUND = 0.5
"""Intersection over union from which a proposal counts as having found an object."""


@dataclass(frozen=True)
class MakeProposals:
    """Makes the shard of some pictures, for `run_shards`; loads the models where it runs.

    dataset, segmenter: folders of those stages; stamp: changes whenever the folders do.
    """

    dataset: Path
    segmenter: Path
    settings: ProposalsParams
    stamp: str

    def __call__(self, records: list[ImageRecord], folder: Path) -> dict[str, Any]:
        model, truth, root = _load(self)
        rejects: list[Reject] = []
        counts: Counter[str] = Counter(pictures=len(records))
        found: dict[int, list[ProposalRecord]] = {}
        for batch in batches(records, self.settings.image_batch):
            pictures = list(read_pictures(root, batch, STAGE, rejects))
            proposed = propose_records(model, pictures, self.settings, counts)
            for (record, _), masks in zip(pictures, proposed, strict=True):
                found[record.image_id] = masks
                if not masks:
                    rejects.append(Reject(STAGE, record.path, "no mask", ""))
                true = read_truth(truth, record, STAGE, rejects)
                count_found(true or {}, truth.groups, masks, counts)
        kept = [p for record in records for p in found.get(record.image_id, ())]
        order = {
            item: place
            for place, record in enumerate(records)
            for item in (record.label_path, record.path)
        }
        rejects.sort(key=lambda reject: order[reject.item])
        write_parquet(folder / "proposals.parquet", kept, ProposalRecord)
        write_parquet(folder / "rejects.parquet", rejects, Reject)
        return dict(counts + Counter(proposals=len(kept), rejected=len(rejects)))


def collect_proposals(
    dataset: Path,
    segmenter: Path,
    out: Path,
    settings: ProposalsParams,
) -> dict[str, Any]:
    """Propose masks on every captioned picture of a split; returns the metrics.

    Folders as in `MakeProposals`. Writes the shards `out/proposals-00000.parquet`
    ... and `out/rejects.parquet`.
    """
    records = [record for record in read_split(dataset, settings.split) if record.captions]
    about = read_dataset(dataset)
    files = [path for record in records for path in (record.path, record.label_path)]
    files.append(objects_file(settings.split))
    models = of_models(segmenter)
    stamp = of_files([dataset / "dataset.json"]) + models + of_contents(about.root, files)
    make = MakeProposals(dataset, segmenter, settings, stamp)
    code = of_code(__file__)
    fingerprint = {"inputs": stamp, "code": code, "settings": settings}
    shards = run_shards(
        out, records, settings.shard_size, make, fingerprint, STAGE,
        names=("proposals.parquet", "rejects.parquet"),
    )  # fmt: skip
    rejects = collect_rejects(out, out / "rejects.parquet")
    return metrics_of(total_counts(shards), rejects)


def batches(records: Sequence[ImageRecord], size: int) -> Iterator[list[ImageRecord]]:
    """Yield pictures of equal height and width together, at most `size` at a time.

    Padding one picture to another's size would change its masks, so sizes are never mixed.
    """

    def shape(record: ImageRecord) -> tuple[int, int]:
        return record.height, record.width

    for _, group in groupby(sorted(records, key=shape), key=shape):
        alike = list(group)
        yield from (alike[start : start + size] for start in range(0, len(alike), size))


def propose_records(
    model: MaskFormer,
    pictures: Sequence[tuple[ImageRecord, np.ndarray]],
    settings: ProposalsParams,
    counts: Counter[str],
) -> list[list[ProposalRecord]]:
    """Propose masks for same-size images, in input order. Dropped masks are added to `counts`, by
    reason."""
    if not pictures:
        return []
    images = [resize_input(image, settings.short_side, settings.long_side) for _, image in pictures]
    found = propose(
        model, images, out_hw=pictures[0][1].shape[:2],
        choice=MaskChoice(settings.mask_layers, settings.max_masks),
    )  # fmt: skip
    return [
        to_records(record.image_id, masks.masks, settings, counts)
        for (record, _), masks in zip(pictures, found, strict=True)
    ]


def to_records(
    image_id: int,
    probabilities: Tensor,
    settings: ProposalsParams,
    counts: Counter[str],
) -> list[ProposalRecord]:
    """Binarise probabilities (Q, H, W) in 0..1; a pixel is in the mask strictly above the
    threshold."""
    masks = probabilities > settings.mask_threshold
    rles = encode_masks(masks.cpu().numpy())
    height, width = masks.shape[1:]
    records = []
    for query, (rle, area) in enumerate(zip(rles, areas(rles).tolist(), strict=True)):
        if area < settings.min_area:
            counts["masks_empty" if area == 0 else "masks_too_small"] += 1
            continue
        records.append(ProposalRecord(image_id, query, height, width, rle["counts"]))
    return records


def count_found(
    true: dict[str, np.ndarray],
    groups: dict[str, str],
    masks: Sequence[ProposalRecord],
    counts: Counter[str],
) -> None:
    """Add a picture's true masks, and how many of them some proposal covers, to `counts`.

    true, groups: see `Truth`.
    """
    if not true:
        return
    best = overlaps(encode_masks(np.stack(list(true.values()))), [to_rle(m) for m in masks])
    for name, overlap in zip(true, best.max(axis=1, initial=0), strict=True):
        counts[f"objects_{groups[name]}"] += 1
        counts[f"found_{groups[name]}"] += int(overlap >= FOUND)


def metrics_of(counts: dict[str, int], rejects: dict[str, int]) -> dict[str, Any]:
    """Compute the stage's metrics from the summed counts of all shards and the rejects by reason.

    Recall is the share of true masks (one a class and picture) that some proposal overlaps by
    at least one half; None where nothing was labelled.
    """
    pictures, proposals = counts.get("pictures", 0), counts.get("proposals", 0)
    metrics: dict[str, Any] = {
        "pictures": pictures,
        "proposals": proposals,
        "proposals_per_picture": proposals / pictures if pictures else 0.0,
        "masks_empty": counts.get("masks_empty", 0),
        "masks_too_small": counts.get("masks_too_small", 0),
        "rejects": rejects,
    }
    for group in (CLOSED, NEVER_LABELLED):
        objects = counts.get(f"objects_{group}", 0)
        metrics[f"objects_{group}"] = objects
        metrics[f"recall_{group}"] = counts.get(f"found_{group}", 0) / objects if objects else None
    return metrics


@lru_cache(maxsize=1)
def _load(work: MakeProposals) -> tuple[MaskFormer, Truth, Path]:
    """Load the inputs, once a process and not once a shard."""
    dataset = read_dataset(work.dataset)
    model = load_segmenter(work.segmenter, runtime.device())
    return model, Truth(dataset, work.settings.split), dataset.root
