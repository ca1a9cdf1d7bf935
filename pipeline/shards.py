"""Work cut into shards that survive a killed run.

Items are cut into runs of `shard_size`; a function makes the files of one run in a temporary
folder; these are then flushed and renamed into the stage's folder, and last of all
`manifest/00007.json` is written:

    {"fingerprint": hash, "items": hash, "counts": {...}, "files": {name: {"sha256", "bytes"}}}

A rerun keeps every shard whose manifest names the same fingerprint (inputs, params, code) and the
same items and whose files are there, makes the others, and deletes what is stale. So a resumed
run ends with the same bytes as an uninterrupted one. The same function runs in this process, in
local processes, or as Ray tasks (pipeline/cluster.py); on a cluster the folder must be shared.
"""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pipeline import atomic, runtime
from pipeline.errors import MissingFileError, UserError
from pipeline.fingerprint import of_file, of_value
from pipeline.progress import counting
from pipeline.records import Reject, iterate_parquet, write_parquet

T = TypeVar("T")
Make = Callable[[list[T], Path], dict[str, Any]]
SHARD_FILE = re.compile(r".+-(\d{5,})\.[^-]+")


@dataclass(frozen=True)
class ShardInfo:
    """A finished shard. index: 0 up; files: paths, by name; counts: what `make` returned;
    kept: True when it was there from an earlier run."""

    index: int
    files: tuple[Path, ...]
    counts: dict[str, Any]
    kept: bool


def run_shards(
    out: Path | str,
    items: Sequence[T],
    shard_size: int,
    make: Make[T],
    fingerprint: dict[str, Any],
    description: str,
    processes: bool = False,
) -> list[ShardInfo]:
    """Make all shards of `items` in folder `out`, in order of index.

    make(items of one shard, temporary folder) writes files such as `part.parquet`, which becomes
    `part-00007.parquet`, and returns JSON-able counts. It must depend on nothing but its
    arguments and what `fingerprint` describes, and be picklable for processes or a cluster.
    With `processes`, local shards run in OVSEG_WORKERS processes; without, which suits models, in
    this one or, where there are several GPUs, in a process for each. No items: no shards, and an
    empty folder. An exception in `make` ends the run; finished shards stay.
    """
    if shard_size < 1:
        raise UserError(f"shard_size = {shard_size}: expected at least 1 item in a shard")
    out = Path(out)
    (out / "manifest").mkdir(parents=True, exist_ok=True)
    for folder in (out, out / "manifest"):
        atomic.sweep(folder)
    stamp = of_value(fingerprint)
    work = {
        index: list(items[start : start + shard_size])
        for index, start in enumerate(range(0, len(items), shard_size))
    }
    kept = {i: info for i, part in work.items() if (info := _finished(out, i, stamp, part))}
    _delete_stale(out, kept)
    missing = {index: part for index, part in work.items() if index not in kept}
    if kept:
        description += f" ({len(kept)} of {len(work)} shards kept)"
    made = {}
    with counting(sum(map(len, missing.values())), description) as advance:
        for info in _run(partial(make_shard, out, make, stamp), missing, processes):
            made[info.index] = info
            advance(len(missing[info.index]))
    done = kept | made
    return [done[index] for index in sorted(done)]


def make_shard(out: Path, make: Make[T], stamp: str, index: int, items: list[T]) -> ShardInfo:
    """Make one shard and publish it: its files first, its manifest last."""
    folder = out / f".making-{index:05d}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        counts = make(items, folder)
        files = {}
        for source in sorted(folder.iterdir()):
            stem, _, suffix = source.name.partition(".")
            name = f"{stem}-{index:05d}.{suffix}"
            files[name] = {"sha256": of_file(source)}
            atomic.move(source, out / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    manifest = {
        "fingerprint": stamp, "items": of_value(items), "counts": counts, "files": files,
    }  # fmt: skip
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    atomic.write_text(_manifest(out, index), text)
    return ShardInfo(index, tuple(out / name for name in files), json.loads(text)["counts"], False)


def total_counts(shards: Sequence[ShardInfo]) -> dict[str, Any]:
    """Counts summed over shards; nested counts (by reason, say) key by key."""
    total: dict[str, Any] = {}
    for shard in shards:
        _add(total, shard.counts)
    return total


def collect_rejects(shards: Path | str, target: Path | str) -> dict[str, int]:
    """Join `rejects-*.parquet` of a folder of shards into one file; counts by reason, sorted."""
    rejects = list(read_shards(shards, "rejects", Reject))
    write_parquet(target, rejects, Reject)
    return dict(sorted(Counter(reject.reason for reject in rejects).items()))


def shard_files(folder: Path | str, stem: str, suffix: str = "parquet") -> list[Path]:
    """The files `stem-00000.suffix`, `stem-00001.suffix` ... of a folder, in order.

    MissingFileError when `folder` was not written by run_shards.
    """
    folder = Path(folder)
    if not (folder / "manifest").is_dir():
        raise MissingFileError(
            f"{folder}: no manifest folder, expected shards {stem}-*.{suffix}; "
            "run the stage that writes them"
        )
    return sorted(folder.glob(f"{stem}-*.{suffix}"))


def read_shards(folder: Path | str, stem: str, record_type: type[T]) -> Iterator[T]:
    """The records of all `stem-*.parquet` in order; errors as in `shard_files`."""
    for path in shard_files(folder, stem):
        yield from iterate_parquet(path, record_type)


def _run(
    make: Callable[[int, list[T]], ShardInfo], missing: dict[int, list[T]], processes: bool
) -> Iterator[ShardInfo]:
    if not missing:
        return
    if runtime.engine() == "ray":
        from pipeline import cluster  # needs the extra `cluster`

        yield from cluster.run(make, missing)
        return
    places = runtime.workers() if processes else runtime.gpus()
    if places > 1 and len(missing) > 1:
        start = runtime.process_pool if processes else runtime.gpu_pool
        with start(len(missing), [f"shard {index}" for index in missing]) as pool:
            futures = [pool.submit(make, index, part) for index, part in missing.items()]
            yield from (future.result() for future in as_completed(futures))
    else:
        yield from (make(index, part) for index, part in missing.items())


def _manifest(out: Path, index: int) -> Path:
    return out / "manifest" / f"{index:05d}.json"


def _finished(out: Path, index: int, stamp: str, items: list[T]) -> ShardInfo | None:
    try:
        manifest = json.loads(_manifest(out, index).read_text(encoding="utf-8"))
        if manifest["fingerprint"] != stamp or manifest["items"] != of_value(items):
            return None
        files = {out / name: about["sha256"] for name, about in manifest["files"].items()}
        counts = manifest["counts"]
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if any(not path.is_file() or of_file(path) != digest for path, digest in files.items()):
        return None
    return ShardInfo(index, tuple(files), counts, True)


def _delete_stale(out: Path, kept: dict[int, ShardInfo]) -> None:
    """Manifests first: a shard without one counts as missing, whatever files lie there."""
    wanted = {path for info in kept.values() for path in info.files}
    for path in (out / "manifest").iterdir():
        if path not in {_manifest(out, index) for index in kept}:
            path.unlink()
    for path in out.iterdir():
        if path.name.startswith(".making-"):
            shutil.rmtree(path)
        elif SHARD_FILE.fullmatch(path.name) and path not in wanted:
            path.unlink()


def _add(total: dict[str, Any], counts: dict[str, Any]) -> None:
    for key, value in counts.items():
        if isinstance(value, dict):
            _add(total.setdefault(key, {}), value)
        else:
            total[key] = total.get(key, 0) + value
