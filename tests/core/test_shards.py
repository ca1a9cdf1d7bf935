import io
import json
import os
import re
import shutil
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline.core import shards
from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.records import NounRecord, Reject, write_parquet
from pipeline.core.shards import read_shards, run_shards, shard_files
from pipeline.core.totals import collect_rejects, total_counts

NAMES = ["part.parquet", "rejects.parquet"]


def make_nouns(items, folder):
    """One noun record per item; odd items are rejected."""
    kept = [NounRecord(i, i, f"noun {i}", "x", 0) for i in items if i % 2 == 0]
    rejects = [Reject("test", str(i), "odd", "") for i in items if i % 2]
    write_parquet(folder / "part.parquet", kept, NounRecord)
    write_parquet(folder / "rejects.parquet", rejects, Reject)
    return {"nouns": len(kept), "rejected": {"odd": len(rejects)}}


class Counting:
    def __init__(self, fail_at=None):
        self.calls, self.fail_at = [], fail_at

    def __call__(self, items, folder):
        if self.fail_at in items:
            (folder / "part.parquet").write_bytes(b"half")
            raise RuntimeError("killed")
        self.calls.append(list(items))
        return make_nouns(items, folder)


def run(out, items=range(10), make=make_nouns, stamp="a", **options):
    return run_shards(
        out, list(items), 3, make, {"params": stamp}, "testing", names=NAMES, **options
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_items_are_cut_into_shards_with_a_manifest_each(tmp_path):
    shards = run(tmp_path)
    assert [s.index for s in shards] == [0, 1, 2, 3]
    assert total_counts(shards) == {"nouns": 5, "rejected": {"odd": 5}}
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [f"{stem}-{i:05d}.parquet" for stem in ("part", "rejects") for i in range(4)] + ["manifest"]
    )
    manifest = json.loads((tmp_path / "manifest" / "00003.json").read_text())
    assert manifest["counts"] == {"nouns": 0, "rejected": {"odd": 1}}
    assert set(manifest["files"]) == {"part-00003.parquet", "rejects-00003.parquet"}
    assert [r.image_id for r in read_shards(tmp_path, "part", NounRecord)] == [0, 2, 4, 6, 8]


def test_a_second_run_makes_nothing_and_counts_the_same(tmp_path):
    first, make = run(tmp_path), Counting()
    before = contents(tmp_path)
    second = run(tmp_path, make=make)
    assert make.calls == [] and all(s.kept for s in second)
    assert total_counts(first) == total_counts(second)
    assert contents(tmp_path) == before


def test_a_killed_run_resumes_to_the_bytes_of_an_uninterrupted_one(tmp_path):
    with pytest.raises(RuntimeError, match="killed"):
        run(tmp_path / "killed", make=Counting(fail_at=7))
    assert not list((tmp_path / "killed").glob(".*"))
    make = Counting()
    run(tmp_path / "killed", make=make)
    assert make.calls == [[6, 7, 8], [9]]
    run(tmp_path / "whole")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_what_a_power_cut_leaves_is_made_again(tmp_path):
    run(tmp_path / "cut")
    run(tmp_path / "whole")
    (tmp_path / "cut" / "manifest" / "00000.json").unlink()  # files are there, manifest is not
    (tmp_path / "cut" / "manifest" / "00001.json").write_text("{")
    (tmp_path / "cut" / "part-00002.parquet").write_bytes(b"short")
    (tmp_path / "cut" / ".making-00003.7-0a0a0a0a-0b0b0b0b.tmp").mkdir()
    make = Counting()
    run(tmp_path / "cut", make=make)
    assert make.calls == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def altered(manifest: Path, change) -> None:
    """Change a manifest as if it had been written so."""
    about = json.loads(manifest.read_text())
    change(about)
    about.pop("sha256")
    shards._write_manifest(manifest.parents[1], manifest.stem, about)


def test_a_manifest_that_lacks_a_file_is_not_finished(tmp_path):
    """What two writers left behind: the third run kept such a shard, and failed for good."""
    run(tmp_path / "third")
    altered(tmp_path / "third/manifest/00001.json", lambda a: a["files"].pop("part-00001.parquet"))
    (tmp_path / "third/part-00001.parquet").unlink()
    make = Counting()
    run(tmp_path / "third", make=make)
    assert make.calls == [[3, 4, 5]]
    run(tmp_path / "whole")
    assert contents(tmp_path / "third") == contents(tmp_path / "whole")


def test_a_shard_that_lacks_a_file_is_a_fault_of_the_program(tmp_path):
    def forgets(items, folder):
        make_nouns(items, folder)
        (folder / "part.parquet").unlink()
        return {}

    with pytest.raises(AssertionError, match=r"shard 0 lacks \['part.parquet'\]"):
        run(tmp_path, make=forgets)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest"]


def test_two_tasks_for_one_shard_do_not_meet(tmp_path):
    """Ray starts a task again that it believes lost, while the first goes on."""
    together = threading.Barrier(2, timeout=30)

    def make(items, folder):
        (folder / "begun.txt").write_text(str(folder))
        together.wait()
        assert (folder / "begun.txt").read_text() == str(folder)
        (folder / "begun.txt").unlink()
        counts = make_nouns(items, folder)
        together.wait()
        return counts

    def task(_):
        return shards.make_shard(tmp_path / "out", make, "stamp", NAMES, 0, [0, 1, 2])

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(task, range(2))
    assert first == second and first.counts == {"nouns": 2, "rejected": {"odd": 1}}
    shards.make_shard(tmp_path / "alone", make_nouns, "stamp", NAMES, 0, [0, 1, 2])
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")


def test_readers_see_only_what_a_manifest_names(tmp_path):
    run(tmp_path)
    for name in ("part-00004.parquet", "part-00000 (copy).parquet", "part-1.parquet"):
        shutil.copy(tmp_path / "part-00000.parquet", tmp_path / name)
    paths = shard_files(tmp_path, "part")
    assert [path.name for path in paths] == [f"part-{i:05d}.parquet" for i in range(4)]


def test_a_killed_stage_is_not_read_as_a_whole_one(tmp_path):
    with pytest.raises(RuntimeError, match="killed"):
        run(tmp_path, make=Counting(fail_at=7))
    with pytest.raises(UserError, match="unfinished, not all shards are made; run its stage"):
        shard_files(tmp_path, "part")


def test_a_missing_or_exchanged_shard_is_named(tmp_path):
    run(tmp_path)
    (tmp_path / "part-00002.parquet").rename(tmp_path / "part-00001.parquet")
    with pytest.raises(UserError, match="part-00001.parquet: its content is not what its"):
        shard_files(tmp_path, "part")
    (tmp_path / "part-00001.parquet").unlink()
    with pytest.raises(MissingFileError, match="part-00001.parquet: not there, though its"):
        shard_files(tmp_path, "part")
    (tmp_path / "manifest/00000.json").unlink()
    with pytest.raises(MissingFileError, match="manifest/00000.json: not there"):
        shard_files(tmp_path, "part")


def make_kinds(items, folder):
    """A file of every kind that stages keep in shards."""
    rng = np.random.default_rng(items)
    make_nouns(items, folder)
    np.savez_compressed(folder / "counts.npz", cell=np.arange(20), pixels=rng.integers(9, size=20))
    with tarfile.open(folder / "pairs.tar", "w") as tar:
        info = tarfile.TarInfo("a.txt")
        info.size = 700
        tar.addfile(info, io.BytesIO(rng.bytes(700)))
    return {"bits": 17}


KINDS = ["part.parquet", "counts.npz", "pairs.tar"]


@pytest.mark.parametrize("name", [*KINDS, "manifest/00000.json", "manifest/whole.json"])
def test_no_flipped_bit_goes_unseen(tmp_path, name):
    run_shards(tmp_path, [0, 2], 1, make_kinds, {}, "testing", names=KINDS)
    stem, _, suffix = (name if name in KINDS else "part.parquet").partition(".")
    path = tmp_path / (f"{stem}-00001.{suffix}" if name in KINDS else name)
    whole = path.read_bytes()
    for bit in np.random.default_rng(0).choice(8 * len(whole), 300):
        flip(path, whole, bit)
        with pytest.raises(UserError, match=re.escape(str(path))):
            shard_files(tmp_path, stem, suffix)
    path.write_bytes(whole)
    assert len(shard_files(tmp_path, stem, suffix)) == 2


def flip(path: Path, whole: bytes, bit: int) -> None:
    """Write `whole` to `path` with one bit flipped."""
    data = bytearray(whole)
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def test_another_fingerprint_makes_everything_again(tmp_path):
    run(tmp_path)
    make = Counting()
    run(tmp_path, make=make, stamp="b")
    assert len(make.calls) == 4


def test_only_shards_with_other_items_are_made_again_and_extra_ones_go(tmp_path):
    run(tmp_path)
    make = Counting()
    run(tmp_path, items=[0, 1, 2, 3, 4, 6], make=make)
    assert make.calls == [[3, 4, 6]]
    assert len(list(tmp_path.glob("part-*.parquet"))) == 2
    manifests = sorted(path.stem for path in (tmp_path / "manifest").iterdir())
    assert manifests == ["00000", "00001", "whole"]


def test_other_files_in_the_folder_stay(tmp_path):
    (tmp_path / "metrics.json").write_text("{}")
    (tmp_path / "rejects.parquet").write_text("")
    run(tmp_path)
    assert (tmp_path / "metrics.json").exists() and (tmp_path / "rejects.parquet").exists()


def test_no_items_leave_an_empty_readable_folder(tmp_path):
    assert run(tmp_path, items=[]) == []
    assert total_counts([]) == {}
    assert collect_rejects(tmp_path, tmp_path / "rejects.parquet") == {}
    assert list(read_shards(tmp_path, "part", NounRecord)) == []


def test_processes_make_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("OVSEG_WORKERS", "2")
    shards = run(tmp_path / "many", processes=True)
    assert [s.index for s in shards] == [0, 1, 2, 3]
    run(tmp_path / "one")
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


def test_user_errors(tmp_path):
    with pytest.raises(ValueError, match="shard_size = 0"):
        run_shards(tmp_path, [1], 0, make_nouns, {}, "testing", names=NAMES)
    with pytest.raises(FileNotFoundError, match="no manifest folder"):
        list(read_shards(tmp_path / "absent", "part", NounRecord))


def device_of(started: Path, processes: int, items: list[int], folder: Path) -> dict:
    """Counts the device of this process, once `processes` of them are at work."""
    device = os.environ["OVSEG_DEVICE"]
    (started / device.replace(":", "-")).touch()
    patience = time.monotonic() + 300
    while len(list(started.iterdir())) < processes:
        assert time.monotonic() < patience, f"only {device} is at work"
        time.sleep(0.01)
    (folder / "part.txt").write_text(str(sum(items)))
    return {device: 1}


def test_several_gpus_have_a_process_each(tmp_path, monkeypatch):
    monkeypatch.setenv("OVSEG_DEVICE", "cuda")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    both, one = tmp_path / "both", tmp_path / "one"
    both.mkdir()
    one.mkdir()
    out, names = tmp_path / "out", ["part.txt"]
    work = partial(device_of, both, 2)
    shards = run_shards(out, list(range(8)), 2, work, {}, "test", names=names)
    assert [shard.files[0].read_text() for shard in shards] == ["1", "5", "9", "13"]
    assert set(total_counts(shards)) == {"cuda:0", "cuda:1"}
    monkeypatch.setenv("OVSEG_DEVICE", "cuda:1")
    work = partial(device_of, one, 1)
    shards = run_shards(out, list(range(9)), 3, work, {}, "test", names=names)
    assert total_counts(shards) == {"cuda:1": 3}


def test_what_is_not_ours_stays_whatever_its_name(tmp_path):
    """Only names of shards' files, or what a manifest names, are ours to delete."""
    run(tmp_path)
    mine = [
        "notes-20241128.md", "IMG-12345.jpg", "run-00001.log", ".draft.mine.tmp", "other-00001.tar",
    ]  # fmt: skip
    for name in mine:
        (tmp_path / name).write_text("precious")
    run(tmp_path, items=range(4), stamp="b")
    assert all((tmp_path / name).read_text() == "precious" for name in mine)
    assert len(list(tmp_path.glob("part-*.parquet"))) == 2


def test_a_shards_extra_files_go_with_it(tmp_path):
    def with_extra(items, folder):
        (folder / f"picture{items[0]}.png").write_bytes(b"x")
        return make_nouns(items, folder)

    run(tmp_path, make=with_extra)
    assert (tmp_path / "picture9-00003.png").is_file()
    run(tmp_path, items=range(4), make=with_extra)
    assert not (tmp_path / "picture9-00003.png").exists()
    assert (tmp_path / "picture0-00000.png").is_file()
