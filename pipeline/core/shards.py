"""Work cut into shards that survive a killed run.

Items are cut into shards of `shard_size`. A function makes the files of one shard in a temporary
folder; they are flushed and renamed into the stage's folder, then their manifest is written,
`manifest/00007.json`. When every shard is there, `manifest/whole.json` is written last:

    {"fingerprint": hash, "items": hash, "counts": {...}, "files": {name: {"sha256", "bytes"}},
     "sha256": of all the rest}
    {"shards": number, "sha256": of all the rest}

A rerun keeps every shard whose manifest names the same fingerprint (inputs, params, code), the
same items and all files that a shard must have, if these files still have the hashes in the
manifest; it makes the other shards and deletes stale ones. So a resumed run ends with the same
bytes as an uninterrupted one. Readers see only files that a manifest names, checked by hash. One
process at a time writes: it locks the folder (core/files/lock.py). The same function runs in this
process, in local processes, or as Ray tasks (core/processes/cluster.py); on a cluster the folder
must be shared.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pipeline.core.errors import RERUN, MissingFileError, UserError
from pipeline.core.files import atomic
from pipeline.core.files.lock import only_writer
from pipeline.core.fingerprint import of_file, of_value
from pipeline.core.processes import runtime
from pipeline.core.progress import counting
from pipeline.core.records import iterate_parquet

T = TypeVar("T")
Make = Callable[[list[T], Path], dict[str, Any]]
WHOLE = "whole"
"""Name of the manifest that marks the folder as complete."""


@dataclass(frozen=True)
class ShardInfo:
    """A finished shard. index: 0 up; files: paths, by name; counts: what `make` returned;
    kept: True if it is from an earlier run."""

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
    *,
    names: Sequence[str],
    processes: bool = False,
) -> list[ShardInfo]:
    """Make all shards of `items` in folder `out`, in order of index.

    make(items of one shard, temporary folder) writes files such as `part.parquet`, which becomes
    `part-00007.parquet`, and returns JSON-able counts. It must depend on nothing but its
    arguments and what `fingerprint` describes, and be picklable for processes or a cluster.
    names: the files that `make` writes for every shard; it may write others beside them.
    With `processes`, local shards run in OVSEG_WORKERS processes; without, which suits models, in
    this one or, where there are several GPUs, in a process for each. No items: no shards, and an
    empty folder. An exception in `make` ends the run; finished shards stay. UserError when another
    process is writing to `out`.
    """
    if shard_size < 1:
        raise UserError(f"shard_size = {shard_size}: expected at least 1 item in a shard")
    out = Path(out)
    with only_writer(out):
        (out / "manifest").mkdir(parents=True, exist_ok=True)
        for folder in (out, out / "manifest"):
            atomic.clear(folder)
        stamp = of_value(fingerprint)
        work = {
            index: list(items[start : start + shard_size])
            for index, start in enumerate(range(0, len(items), shard_size))
        }
        kept = {
            index: info
            for index, part in work.items()
            if (info := _finished(out, index, stamp, part, names))
        }
        _delete_stale(out, kept, names)
        missing = {index: part for index, part in work.items() if index not in kept}
        if kept:
            description += f" ({len(kept)} of {len(work)} shards kept)"
        made = {}
        with counting(sum(map(len, missing.values())), description) as advance:
            for info in _run(partial(make_shard, out, make, stamp, names), missing, processes):
                made[info.index] = info
                advance(len(missing[info.index]))
        _write_manifest(out, WHOLE, {"shards": len(work)})
    done = kept | made
    return [done[index] for index in sorted(done)]


def make_shard(
    out: Path, make: Make[T], stamp: str, names: Sequence[str], index: int, items: list[T]
) -> ShardInfo:
    """Make one shard and publish it: its files first, its manifest last.

    Two calls for the same shard, as when Ray retries a task, do not collide: each has its own
    temporary folder, and both publish the same bytes.
    """
    folder = atomic.temporary_name(out / f"making-{index:05d}")
    try:
        with atomic.naming(out, folder):
            folder.mkdir(parents=True)
            counts = make(items, folder)
        made = {source.name for source in folder.iterdir()}
        assert made >= set(names), f"shard {index} lacks {sorted(set(names) - made)}"
        files = {}
        for source in sorted(folder.iterdir()):
            name = _file_of(source.name, index)
            files[name] = {"sha256": of_file(source), "bytes": source.stat().st_size}
            atomic.move(source, out / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    about = {"fingerprint": stamp, "items": of_value(items), "counts": counts, "files": files}
    counts = _write_manifest(out, f"{index:05d}", about)["counts"]
    return ShardInfo(index, tuple(out / name for name in files), counts, False)


def has_manifests(folder: Path | str) -> bool:
    """Return whether the shards of a folder were written, or are being written, by run_shards."""
    return (Path(folder) / "manifest").is_dir()


def shard_files(folder: Path | str, stem: str, suffix: str = "parquet") -> list[Path]:
    """Return the files `stem-00000.suffix`, `stem-00001.suffix` ... that the manifests of a folder
    name, in order, after checking their hashes.

    MissingFileError when `folder` was not written by run_shards or a file is not there; UserError
    when not all shards are made, or when a file or manifest is damaged.
    """
    folder = Path(folder)
    if not has_manifests(folder):
        raise MissingFileError(
            f"{folder}: no manifest folder, expected shards {stem}-*.{suffix}; "
            "run the stage that writes them"
        )
    if not _manifest(folder, WHOLE).is_file():
        raise UserError(f"{folder}: unfinished, not all shards are made; run its stage to the end")
    named = {}
    for index in range(_read_manifest(folder, WHOLE)["shards"]):
        name = _file_of(f"{stem}.{suffix}", index)
        about = _read_manifest(folder, f"{index:05d}")["files"].get(name)
        if about is not None:
            named[folder / name] = about
    with ThreadPoolExecutor(runtime.workers()) as pool:
        right = pool.map(lambda path: _has_content(path, named[path]), named)
        for path, is_right in zip(named, right, strict=True):
            if not path.is_file():
                raise MissingFileError(f"{path}: not there, though its manifest names it; {RERUN}")
            if not is_right:
                raise UserError(
                    f"{path}: its content is not what its manifest says, so it was damaged or "
                    f"exchanged after it was written; {RERUN}"
                )
    return list(named)


def of_shards(folder: Path | str, stem: str, suffix: str = "parquet") -> str:
    """Hash the files that `shard_files` returns, by the hashes in their manifests.

    Damaged or missing manifests raise as there. The files are not read: their readers check them.
    """
    folder = Path(folder)
    digests = []
    for index in range(_read_manifest(folder, WHOLE)["shards"]):
        files = _read_manifest(folder, f"{index:05d}")["files"]
        digests.append(files.get(_file_of(f"{stem}.{suffix}", index)))
    return of_value(digests)


def read_shards(folder: Path | str, stem: str, record_type: type[T]) -> Iterator[T]:
    """Yield the records of all `stem-*.parquet` in order; errors as in `shard_files`."""
    for path in shard_files(folder, stem):
        yield from iterate_parquet(path, record_type)


def _run(
    make: Callable[[int, list[T]], ShardInfo], missing: dict[int, list[T]], processes: bool
) -> Iterator[ShardInfo]:
    if not missing:
        return
    if runtime.engine() == "ray":
        from pipeline.core.processes import cluster  # needs the extra `cluster`

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


def _file_of(name: str, index: int) -> str:
    """Name of shard `index`'s file: `part.parquet` becomes `part-00007.parquet`."""
    stem, _, suffix = name.partition(".")
    return f"{stem}-{index:05d}.{suffix}"


def _manifest(out: Path, name: str) -> Path:
    return out / "manifest" / f"{name}.json"


def _write_manifest(out: Path, name: str, about: dict[str, Any]) -> dict[str, Any]:
    """Write a manifest with its own checksum; returns `about` as it will be read."""
    read_back = json.loads(json.dumps(about, sort_keys=True))
    text = json.dumps(read_back | {"sha256": _sha256(read_back)}, indent=1, sort_keys=True)
    atomic.write_text(_manifest(out, name), text + "\n")
    return read_back


def _read_manifest(out: Path, name: str) -> dict[str, Any]:
    """Return a manifest without its checksum. UserError when it is not there or was altered."""
    path = _manifest(out, name)
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        if about.pop("sha256") == _sha256(about):
            return about
    except FileNotFoundError:
        raise MissingFileError(f"{path}: not there; {RERUN}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # not JSON, or not an object with a checksum
    raise UserError(f"{path}: damaged, it does not have its checksum; {RERUN}")


def _sha256(about: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _has_content(path: Path, about: dict[str, Any]) -> bool:
    """Return whether a file is there with the size and hash that its manifest says."""
    return (
        path.is_file()
        and path.stat().st_size == about["bytes"]
        and of_file(path) == about["sha256"]
    )


def _finished(
    out: Path, index: int, stamp: str, items: list[T], names: Sequence[str]
) -> ShardInfo | None:
    """Return the finished shard, None if it must be made (again)."""
    try:
        manifest = _read_manifest(out, f"{index:05d}")
    except UserError:
        return None
    files = manifest["files"]
    if manifest["fingerprint"] != stamp or manifest["items"] != of_value(items):
        return None
    if not files.keys() >= {_file_of(name, index) for name in names}:
        return None
    if not all(_has_content(out / name, about) for name, about in files.items()):
        return None
    return ShardInfo(index, tuple(out / name for name in files), manifest["counts"], True)


def _delete_stale(out: Path, kept: dict[int, ShardInfo], names: Sequence[str]) -> None:
    """Delete the shards that are not kept: files that a manifest names, and files with a name that
    `make` gives to every shard. Other files are left alone.

    Manifests first: a shard without one counts as missing, whatever files lie there.
    """
    current = {path for info in kept.values() for path in info.files}
    current |= {_manifest(out, f"{index:05d}") for index in kept}
    ours = {re.sub(r"^([^.]*)", r"\1-00000", name) for name in names}
    named: set[Path] = set()
    for path in (out / "manifest").glob("*.json"):
        if path not in current:
            named |= _named_by(path, out)
            path.unlink()
    for path in out.iterdir():
        is_ours = re.sub(r"-\d{5}\.", "-00000.", path.name, count=1) in ours
        if (is_ours or path in named) and path not in current:
            path.unlink(missing_ok=True)


def _named_by(manifest: Path, out: Path) -> set[Path]:
    """Return the files that a manifest names, also a manifest of an earlier layout."""
    try:
        files = json.loads(manifest.read_text(encoding="utf-8"))["files"]
        return {out / Path(name).name for name in files}
    except (ValueError, KeyError, TypeError):
        return set()
