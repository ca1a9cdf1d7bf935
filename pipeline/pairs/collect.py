"""The stage `pairs` as a whole: shards, the index over all of them, metrics and plots."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.files.atomic import write_text
from pipeline.core.fingerprint import of_code, of_contents, of_files, of_models
from pipeline.core.records import PairRecord, iterate_parquet, write_parquet
from pipeline.core.shards import ShardInfo, of_shards, run_shards
from pipeline.core.totals import collect_rejects, total_counts
from pipeline.data.dataset import read_dataset, read_split
from pipeline.data.truth import Truth, objects_file
from pipeline.pairs.make import FILES, MakePairs
from pipeline.pairs.measure import PairStatistics
from pipeline.pairs.params import PairsParams


def collect_pairs(
    dataset: Path,
    proposals: Path,
    nouns: Path,
    clip: Path,
    out: Path,
    settings: PairsParams,
) -> dict[str, Any]:
    """Collect the pairs of a split's captioned pictures; returns the metrics.

    Folders as in `MakePairs`. Writes `out/pairs-00000.tar` ..., `out/index.parquet`,
    `out/rejects.parquet` and `out/plots/*.csv`. UserError when not one pair was made.
    """
    records = [record for record in read_split(dataset, settings.split) if record.captions]
    about = read_dataset(dataset)
    files = [path for record in records for path in (record.path, record.label_path)]
    inputs = [
        of_files([dataset / "dataset.json"]),
        of_models(clip),
        of_contents(about.root, [*files, objects_file(settings.split)]),
        of_shards(proposals, "proposals") if settings.mask_source == "proposals" else "",
        of_shards(nouns, "nouns") if settings.name_source == "captions" else "",
    ]
    make = MakePairs(dataset, proposals, nouns, clip, settings, "".join(inputs))
    code = of_code(__file__)
    fingerprint = {"inputs": inputs, "code": code, "settings": settings}
    shards = run_shards(out, records, settings.shard_size, make, fingerprint, "pairs", names=FILES)
    statistics = PairStatistics(Truth(about, settings.split).groups)
    write_parquet(out / "index.parquet", _index(shards, statistics), PairRecord)
    for name, rows, columns in (
        ("pairs_per_noun", statistics.pairs_per_noun(), ("pairs_per_noun", "nouns", "pairs")),
        ("similarity", statistics.precision_by_similarity(), ("similarity", "pairs", "precision")),
        ("nouns", statistics.nouns(), ("noun", "group", "pairs", "precision", "similarity")),
    ):
        write_text(out / "plots" / f"{name}.csv", _csv(rows, columns))
    rejects = collect_rejects(out, out / "rejects.parquet")
    counts = {"pictures": 0, "pictures_with_pairs": 0} | total_counts(shards)
    counts |= statistics.metrics() | {"rejects": rejects}
    if not counts["pairs"]:
        raise UserError(
            f"none of the {len(records)} captioned pictures of the {settings.split} split gave a "
            "pair, so there is nothing to adapt CLIP with. pairs.name_source: captions needs "
            "captions with nouns, pairs.mask_source: proposals needs proposals, and "
            f"pairs.min_similarity may refuse all; {out / 'rejects.parquet'} has the reasons"
        )
    return counts


def _index(shards: Sequence[ShardInfo], statistics: PairStatistics) -> Iterator[PairRecord]:
    """Yield every pair of every shard, counted as it passes."""
    for shard in shards:
        files = {path.name.partition("-")[0]: path for path in shard.files}
        for pair in iterate_parquet(files["index"], PairRecord):
            statistics.add(pair)
            yield replace(pair, shard=files["pairs"].name)


def _csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
