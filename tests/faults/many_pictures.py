"""A data set of many small pictures, and one stage on it in a process that tells its peak memory.

    python -m tests.faults.many_pictures nouns|proposals|pairs FOLDER

FOLDER as `make_folder` leaves it. The last line of the output is the greatest resident memory of
the process in KiB (VmHWM: unlike getrusage's, it does not count what the parent process had).
"""

import os
import re
import sys
from dataclasses import replace
from pathlib import Path

from pipeline.clip.store import save_clip
from pipeline.data.dataset import read_dataset, read_split, write_dataset
from pipeline.maskformer.store import save_segmenter
from pipeline.nouns.collect import collect_nouns
from pipeline.pairs.collect import collect_pairs
from pipeline.proposals.collect import collect_proposals
from tests.ovseg.tiny import tiny_clip, tiny_segmenter
from tests.shipped import section
from tests.toy import make_toy

DIFFERENT = 19
PROPOSALS = section(
    "proposals", mask_layers="last", max_masks=6, mask_threshold=0.3, min_area=4,
    image_batch=8,
    shard_size=500,
)  # fmt: skip
PAIRS = section(
    "pairs", captions_per_image=2, mask_source="proposals", name_source="captions",
    direction="noun_to_mask", top_k=1, min_similarity=-1.0,
    fill="mean", expand=1.0, crop_format="png", crop_batch=64, bfloat16=False,
    templates="bare", shard_size=500,
)  # fmt: skip


def make_folder(folder: Path, pictures: int) -> None:
    """Write dataset/, segmenter/ and clip/: 48 px pictures with a label map and two captions.

    There are `DIFFERENT` of them, under as many names (hard links) and ids as it takes.
    """
    make_toy(folder / "dataset", DIFFERENT + 1)
    dataset, drawn = read_dataset(folder / "dataset"), read_split(folder / "dataset", "train")
    records = []
    for number in range(1, pictures + 1):
        record = drawn[number % DIFFERENT]  # never the last, which is broken
        path, label_path = f"p{number}.png", f"p{number}_label.png"
        os.link(dataset.root / record.path, dataset.root / path)
        os.link(dataset.root / record.label_path, dataset.root / label_path)
        records.append(replace(record, image_id=number, path=path, label_path=label_path))
    write_dataset(folder / "dataset", dataset, records, [], root="coco")
    save_segmenter(folder / "segmenter", tiny_segmenter())
    save_clip(folder / "clip", tiny_clip(), "tiny")


def main(stage: str, folder: Path) -> None:
    made = {name: folder / name for name in ("dataset", "segmenter", "clip", "nouns", "proposals")}
    dataset, segmenter, clip, nouns, proposals = made.values()
    if stage == "nouns":
        collect_nouns(dataset, nouns, section("nouns", shard_size=500))
    elif stage == "proposals":
        collect_proposals(dataset, segmenter, proposals, PROPOSALS)
    else:
        collect_pairs(dataset, proposals, nouns, clip, folder / "pairs", PAIRS)
    status = Path("/proc/self/status").read_text()
    print(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
