"""Collect the nouns of every caption of a data set, in shards, with every drop and its reason.

There are two passes, since rare nouns are known only after all captions have been read: first the
nouns of each shard of pictures, in `candidates/`, then the same shards without the rare ones.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from nltk.tag.perceptron import PerceptronTagger

from pipeline.core.files.atomic import write_text
from pipeline.core.fingerprint import of_code, of_file
from pipeline.core.records import ImageRecord, NounRecord, Reject, iterate_parquet, write_parquet
from pipeline.core.shards import ShardInfo, run_shards, shard_files
from pipeline.core.totals import collect_rejects, total_counts
from pipeline.data.dataset import read_split
from pipeline.nouns.nouns import caption_nouns
from pipeline.nouns.params import NounRules, NounsParams
from pipeline.nouns.tagger import load_tagger, weights_stamp

STAGE = "nouns"
RARE = "rarer than min_count"
FILES = ("nouns.parquet", "drops.parquet", "rejects.parquet")
"""Files of a shard, in both passes."""
_COMMONEST = 40


def collect_nouns(dataset: Path, out: Path, settings: NounsParams) -> dict[str, Any]:
    """Find the nouns of every caption of a split; returns the metrics.

    dataset: folder of the stage `dataset`. Writes into `out` the shards nouns-00000.parquet
    (NounRecord) and drops-00000.parquet (Reject: caption id, reason, word) and so on,
    rejects.parquet (captions that have no noun), vocabulary.csv and plots/commonest_nouns.csv.
    """
    pictures = [record for record in read_split(dataset, settings.split) if record.captions]
    code = of_code(__file__) + _tags_stamp()
    folder = out / "candidates"
    make = partial(make_candidates, settings)
    fingerprint = {"code": code, "settings": settings.model_dump(exclude={"min_count"})}
    shard_size = settings.shard_size
    many = len(pictures) > 4 * shard_size  # starting a process costs what 10,000 captions do
    first = run_shards(
        folder, pictures, shard_size, make, fingerprint, STAGE, names=FILES, processes=many
    )
    counts = count_captions(folder)
    rare = frozenset(noun for noun, n in counts.items() if n < settings.min_count)
    files = [(info.index, *map(of_file, info.files)) for info in first]
    fingerprint = {"code": code, "rare": sorted(rare)}
    shards = run_shards(
        out, files, 1, partial(drop_rare, folder, rare), fingerprint, "shards without rare nouns",
        names=FILES,
    )  # fmt: skip
    kept = Counter({noun: n for noun, n in counts.items() if noun not in rare})
    write_text(out / "vocabulary.csv", vocabulary(kept))
    write_text(out / "plots" / "commonest_nouns.csv", vocabulary(kept, _COMMONEST))
    rejects = collect_rejects(out, out / "rejects.parquet")
    read = {"pictures": 0, "captions": 0} | total_counts(first)
    return read | metrics_of(shards, kept) | {"rejects": rejects}


def make_candidates(
    rules: NounRules, pictures: Sequence[ImageRecord], folder: Path
) -> dict[str, Any]:
    """Make one shard of the first pass: nouns.parquet and drops.parquet."""
    nouns: list[NounRecord] = []
    drops: list[Reject] = []
    empty: list[Reject] = []
    captions = 0
    for picture in pictures:
        for caption in picture.captions:
            captions += 1
            kept, dropped = caption_nouns(caption.text, _tagger(), rules)
            nouns += (
                NounRecord(picture.image_id, caption.id, n.noun, n.surface, n.position)
                for n in kept
            )
            drops += [Reject(STAGE, str(caption.id), reason, word) for word, reason in dropped]
            if not kept:
                empty.append(Reject(STAGE, str(caption.id), "no noun", caption.text))
    write_parquet(folder / "nouns.parquet", nouns, NounRecord)
    write_parquet(folder / "drops.parquet", drops, Reject)
    write_parquet(folder / "rejects.parquet", empty, Reject)
    return {"pictures": len(pictures), "captions": captions}


def drop_rare(
    source: Path, rare: frozenset[str], files: Sequence[tuple], folder: Path
) -> dict[str, Any]:
    """Make one shard of the second pass. source: the first pass's folder; files: one tuple, the
    index of a shard there and its files' hashes."""
    index = files[0][0]

    def read(stem: str, record_type: type) -> Iterator:
        return iterate_parquet(source / f"{stem}-{index:05d}.parquet", record_type)

    nouns = list(read("nouns", NounRecord))
    drops = list(read("drops", Reject))
    rejects = list(read("rejects", Reject))
    kept = [record for record in nouns if record.noun not in rare]
    dropped = [record for record in nouns if record.noun in rare]
    drops += [Reject(STAGE, str(n.caption_id), RARE, n.surface) for n in dropped]
    without = {n.caption_id for n in dropped} - {n.caption_id for n in kept}
    rejects += [Reject(STAGE, str(caption), "only rare nouns", "") for caption in sorted(without)]
    write_parquet(folder / "nouns.parquet", kept, NounRecord)
    write_parquet(folder / "drops.parquet", drops, Reject)
    write_parquet(folder / "rejects.parquet", rejects, Reject)
    return {
        "pictures_with_nouns": len({record.image_id for record in kept}),
        "nouns": len(kept),
        "dropped": len(drops),
        "drops": dict(Counter(drop.reason for drop in drops)),
    }


def count_captions(folder: Path) -> Counter[str]:
    """Count the captions in which each noun occurs; a caption counts once for a noun."""
    counts: Counter[str] = Counter()
    for path in shard_files(folder, "nouns"):
        counts.update(record.noun for record in iterate_parquet(path, NounRecord))
    return counts


def vocabulary(counts: Counter[str], max_nouns: int | None = None) -> str:
    """Return a CSV of nouns and their numbers of captions, most frequent first, then by name."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("noun", "captions"))
    writer.writerows(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:max_nouns])
    return stream.getvalue()


def metrics_of(shards: Sequence[ShardInfo], counts: Counter[str]) -> dict[str, Any]:
    """Sum up the whole run; drops by reason, the most frequent reason first."""
    empty: dict[str, Any] = {"pictures_with_nouns": 0, "nouns": 0, "dropped": 0, "drops": {}}
    total = empty | total_counts(shards)
    drops = sorted(total.pop("drops").items(), key=lambda item: (-item[1], item[0]))
    return total | {"unique_nouns": len(counts), "drops": dict(drops)}


@cache
def _tagger() -> PerceptronTagger:
    """Load the tagger once per process."""
    return load_tagger()


@cache
def _tags_stamp() -> str:
    return weights_stamp(_tagger())
