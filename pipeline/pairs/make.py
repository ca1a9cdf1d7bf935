"""One shard of pairs: from the records of some pictures to a tar, its index and its rejects."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.clip.encode import Masked, RegionFeatures, encode_regions
from pipeline.clip.store import load_clip
from pipeline.clip.templates import TEMPLATES
from pipeline.clip.text_bank import TextBank
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import RegionView
from pipeline.core.lookup import Lookup, lookup
from pipeline.core.precision import tower_precision
from pipeline.core.processes import runtime
from pipeline.core.records import (
    ImageRecord,
    NounRecord,
    PairRecord,
    ProposalRecord,
    Reject,
    write_parquet,
)
from pipeline.data.dataset import read_dataset
from pipeline.data.pictures import read_pictures
from pipeline.data.truth import Truth, closed_of, read_truth
from pipeline.pairs.match import best_matches, cosines
from pipeline.pairs.nouns import Name, names_in_captions, names_in_truth
from pipeline.pairs.params import PairsParams
from pipeline.pairs.regions import (
    Candidates,
    candidates_from_proposals,
    candidates_from_truth,
)
from pipeline.pairs.truth import covers
from pipeline.pairs.write import TAR, PairWriter, pair_key

STAGE = "pairs"
FILES = (TAR, "index.parquet", "rejects.parquet")
"""Of a shard."""
READ_TOGETHER = 32
"""Pictures that are read at once, by threads."""


@dataclass(frozen=True)
class MakePairs:
    """Makes the shard of some pictures, for `run_shards`; loads what it needs where it runs.

    dataset, proposals, nouns, clip: folders (of shards, for proposals and nouns); stamp:
    changes whenever the folders do.
    """

    dataset: Path
    proposals: Path
    nouns: Path
    clip: Path
    settings: PairsParams
    stamp: str

    def __call__(self, records: list[ImageRecord], folder: Path) -> dict[str, Any]:
        inputs = _load(self)
        rejects: list[Reject] = []
        found: list[PairRecord] = []
        waiting: deque[PictureToMatch] = deque()  # read, not yet through CLIP: about one batch

        def masked() -> Iterator[Masked]:
            for picture in self._to_match(inputs, records, rejects):
                waiting.append(picture)
                image = torch.from_numpy(picture.image).permute(2, 0, 1)
                yield image, torch.from_numpy(picture.candidates.masks)

        with PairWriter(folder, self.settings.fill, self.settings.crop_format) as writer:
            for regions in encode_regions(
                inputs.clip, masked(), inputs.view, self.settings.crop_batch
            ):
                picture = waiting.popleft()
                for pair, mask in self._pairs(inputs, picture, regions, rejects):
                    writer.write(pair, picture.record, picture.image, mask)
                    found.append(pair)
        write_parquet(folder / "index.parquet", found, PairRecord)
        write_parquet(folder / "rejects.parquet", rejects, Reject)
        with_pairs = len({pair.image_id for pair in found})
        return {"pictures": len(records), "pictures_with_pairs": with_pairs, "pairs": len(found)}

    def _to_match(
        self, inputs: "Inputs", records: list[ImageRecord], rejects: list[Reject]
    ) -> Iterator["PictureToMatch"]:
        """Yield the pictures that have names and masks; the others are rejected."""
        ids = [record.image_id for record in records]
        proposals = inputs.proposals.of(ids) if self.settings.mask_source == "proposals" else {}
        nouns = inputs.nouns.of(ids) if self.settings.name_source == "captions" else {}
        for start in range(0, len(records), READ_TOGETHER):
            part = records[start : start + READ_TOGETHER]
            for record, image in read_pictures(inputs.root, part, STAGE, rejects):
                true = read_truth(inputs.truth, record, STAGE, rejects)
                labels = closed_of(true or {}, inputs.truth.groups)
                if self.settings.name_source == "captions":
                    names = names_in_captions(
                        record.captions, nouns[record.image_id], self.settings.captions_per_image
                    )
                else:
                    names = names_in_truth(labels)
                size = (record.height, record.width)
                if self.settings.mask_source == "proposals":
                    candidates = candidates_from_proposals(proposals[record.image_id], *size)
                else:
                    candidates = candidates_from_truth(labels, *size)
                if not names or not candidates.queries:
                    missing = "no mask" if names else "no noun"
                    rejects.append(Reject(STAGE, record.path, missing, ""))
                    continue
                yield PictureToMatch(record, image, names, candidates, true)

    def _pairs(
        self,
        inputs: "Inputs",
        picture: "PictureToMatch",
        regions: RegionFeatures,
        rejects: list[Reject],
    ) -> Iterator[tuple[PairRecord, np.ndarray]]:
        """Yield the pairs of a picture with their masks; nouns that got none are rejected."""
        record, names, masks = picture.record, picture.names, picture.candidates.masks
        assert bool(regions.valid.all()), "a candidate mask without a pixel"
        nouns = inputs.text_features([name.noun for name in names])
        similarity = cosines(nouns, regions.features.cpu().numpy())
        settings = self.settings
        if settings.mask_source == settings.name_source == "ground_truth":  # nothing to match
            matches = [
                (i, i) for i in range(len(names)) if similarity[i, i] >= settings.min_similarity
            ]
        else:
            matches = best_matches(
                similarity, settings.direction, settings.top_k, settings.min_similarity
            )
        matched = {noun for noun, _ in matches}
        for noun, name in enumerate(names):
            if noun not in matched:
                low = similarity[noun].max() < settings.min_similarity
                reason = "below min_similarity" if low else "no mask chose the noun"
                rejects.append(Reject(STAGE, record.path, reason, name.noun))
        for number, (noun, mask) in enumerate(matches):
            name = names[noun]
            yield (
                PairRecord(
                    key=pair_key(record.image_id, number),
                    shard=TAR,
                    image_id=record.image_id,
                    caption_id=name.caption_id,
                    noun=name.noun,
                    box_xyxy=tuple(regions.boxes_xyxy[mask].tolist()),
                    area=int(masks[mask].sum()),
                    similarity=float(similarity[noun, mask]),
                    query=picture.candidates.queries[mask],
                    covers=covers(masks[mask], name.noun, picture.true, inputs.truth.groups),
                ),
                masks[mask],
            )


@dataclass(frozen=True)
class PictureToMatch:
    """A picture that can be matched. image: uint8 (H, W, 3); true: what it really shows, see
    `Truth`, None where nobody labelled it."""

    record: ImageRecord
    image: np.ndarray
    names: list[Name]
    candidates: Candidates
    true: dict[str, np.ndarray] | None


@dataclass(frozen=True)
class Inputs:
    """What a process has loaded once and needs for every shard."""

    clip: MaskClip
    view: RegionView
    text: TextBank
    truth: Truth
    root: Path
    proposals: Lookup[ProposalRecord]
    nouns: Lookup[NounRecord]

    def text_features(self, nouns: list[str]) -> np.ndarray:
        """Encode nouns: (N, D) float32, unit norm. They go through the tower one at a time, so that
        a feature does not depend on what else was asked for: a resumed run has the same bytes."""
        return torch.cat([self.text([noun]) for noun in nouns]).cpu().numpy()


@lru_cache(maxsize=1)
def _load(work: MakePairs) -> Inputs:
    """Load the inputs, once a process and not once a shard."""
    clip = load_clip(work.clip, runtime.device())
    dataset = read_dataset(work.dataset)
    view = RegionView(
        fill=work.settings.fill,
        expand=work.settings.expand,
        precision=tower_precision(clip.mean.device, work.settings.bfloat16),
    )
    return Inputs(
        clip,
        view,
        TextBank(clip, TEMPLATES[work.settings.templates]),
        Truth(dataset, work.settings.split),
        dataset.root,
        lookup(work.proposals, "proposals", ProposalRecord),
        lookup(work.nouns, "nouns", NounRecord),
    )
