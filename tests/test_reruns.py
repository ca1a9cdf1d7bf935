"""What may change x what must follow: redone, resumed or kept, for everything that is resumable.

A sharded stage is represented by the keys under which its shards are kept (fingerprint and items),
a training by the identity under which its checkpoint is resumed. Both must change with every input
file, every parameter, all code that decides the result, record schemas and library releases, and
with nothing else.
"""

import copy
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import BaseModel

from pipeline.clip.store import load_clip, save_clip
from pipeline.core import fingerprint
from pipeline.core.errors import UserError
from pipeline.core.fingerprint import of_value
from pipeline.core.records import ImageRecord, read_parquet, write_parquet
from pipeline.core.section import Section
from pipeline.core.shards import run_shards
from pipeline.data.benchmarks import convert as converting
from pipeline.data.benchmarks.benchmark import Conversion, Listing
from pipeline.data.dataset import read_dataset, read_split
from pipeline.data.labels import read_label
from pipeline.data.sets import save_eval_set
from pipeline.evaluate import count as counting
from pipeline.finetune import train as finetuning
from pipeline.finetune.pair_set import PairSet
from pipeline.maskformer.store import save_segmenter
from pipeline.nouns import collect as noun_collecting
from pipeline.pairs import collect as pairing
from pipeline.proposals import collect as proposing
from pipeline.segmenter import fit as fitting
from tests.changed_shards import recolour, state_in_manifest
from tests.clip.tiny import write_pairs
from tests.evaluate.small_set import small_set
from tests.ovseg.tiny import tiny_clip, tiny_segmenter
from tests.pairs.inputs import make_nouns, make_proposals
from tests.segmenter.tiny import config, text, training
from tests.shipped import section
from tests.toy import make_toy


class Asked(Exception):
    """Raised in the place of `run_shards`, with the keys of all shards."""


def keys_of(
    module: Any, collect: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, passes: int = 1
) -> list[str]:
    """The keys under which the last of a stage's passes would keep its shards, without making
    them; earlier passes are made."""
    waiting = [None] * (passes - 1)

    def ask(out, items, shard_size, make, fingerprint, *rest, **options):
        if waiting:
            waiting.pop()
            return run_shards(out, items, shard_size, make, fingerprint, *rest, **options)
        parts = [list(items[i : i + shard_size]) for i in range(0, len(items), shard_size)]
        raise Asked([of_value([fingerprint, part]) for part in parts])

    with monkeypatch.context() as patch, pytest.raises(Asked) as asked:
        patch.setattr(module, "run_shards", ask)
        collect()
    return asked.value.args[0]


@dataclass(frozen=True)
class Case:
    """Something that is resumed. module: whose code it is; keys(folder, **settings): what it is
    known by; settings: its parameters by name; inputs: patterns below the folder of all files it
    reads."""

    module: Any
    keys: Callable[..., list[str]]
    settings: dict[str, Any]
    inputs: tuple[str, ...]


def proposals(folder: Path, patch, settings: Section) -> list[str]:
    places = (folder / name for name in ("dataset", "segmenter"))
    run = partial(proposing.collect_proposals, *places, folder / "out", settings)
    return keys_of(proposing, run, patch)


def nouns(folder: Path, patch, settings: Section) -> list[str]:
    run = partial(noun_collecting.collect_nouns, folder / "dataset", folder / "out", settings)
    return keys_of(noun_collecting, run, patch)


def rare_nouns(folder: Path, patch, min_count) -> list[str]:
    """The second pass, which drops nouns of fewer captions than `min_count`."""
    settings = section("nouns", min_count=min_count, shard_size=2)
    with TemporaryDirectory() as out:
        run = partial(noun_collecting.collect_nouns, folder / "dataset", Path(out), settings)
        return keys_of(noun_collecting, run, patch, passes=2)


def pairs(folder: Path, patch, settings: Section) -> list[str]:
    places = (folder / name for name in ("dataset", "proposals", "nouns", "clip"))
    run = partial(pairing.collect_pairs, *places, folder / "out", settings)
    return keys_of(pairing, run, patch)


def evaluation(folder: Path, patch, settings: Section) -> list[str]:
    clips = {"base": folder / "clip", "first": folder / "prompted"}
    run = partial(
        counting.count_sets, [folder / "set.json"], folder / "segmenter", clips, settings,
        folder / "out",
    )  # fmt: skip
    return keys_of(counting, run, patch)


def conversion(folder: Path, patch, short_side) -> list[str]:
    root = folder / "dataset/coco"
    images = {str(i): f"{i}.png" for i in range(1, 5)}
    labels = {str(i): f"{i}_label.png" for i in range(1, 5)}
    how = Conversion("toy", read_label, short_side)
    run = partial(converting.convert, root, folder / "out", Listing(images, labels), how)
    return keys_of(converting, run, patch)


def segmenter(folder: Path, patch, start_from=None, **settings) -> list[str]:
    dataset = read_dataset(folder / "dataset")
    records = read_split(folder / "dataset", "train")
    closed = fitting.ClosedSet(dataset, records, [0, 1], dataset.classes, text(2))
    start = start_from and folder / start_from
    return [fitting.run_identity(closed=closed, start_from=start, **settings)]


def finetuning_run(folder: Path, patch, recipe: Section) -> list[str]:
    try:
        clip = load_clip(folder / "prompted")
    except UserError:  # by the hashes of its weights
        return ["refused"]
    return [finetuning.run_identity(clip, PairSet(folder / "pairs"), recipe)]


CLIP = ("clip/clip.json", "clip/clip.safetensors")
PROMPTED = ("prompted/clip.json", "prompted/clip.safetensors", "prompted/prompts.safetensors")
SEGMENTER = ("segmenter/segmenter.json", "segmenter/segmenter.safetensors")
PICTURES = ("dataset/coco/*.png",)
INDEX = ("dataset/dataset.json", "dataset/train.parquet")
OBJECTS = ("dataset/coco/annotations/instances_all_train2017.json",)

CASES = {
    "proposals": Case(
        proposing, proposals, {"settings": section("proposals", shard_size=2)},
        (*INDEX, *PICTURES, *OBJECTS, *SEGMENTER),
    ),
    "nouns": Case(
        noun_collecting, nouns, {"settings": section("nouns", shard_size=2)},
        ("dataset/train.parquet",),
    ),
    "rare nouns": Case(
        noun_collecting, rare_nouns, {"min_count": 12}, ("dataset/train.parquet",),
    ),
    "pairs": Case(
        pairing, pairs,
        {"settings": section("pairs", captions_per_image=5, shard_size=2)},
        (*INDEX, *PICTURES, *OBJECTS, *CLIP, "proposals/proposals-*.parquet",
         "nouns/nouns-*.parquet"),
    ),
    "evaluate": Case(
        counting, evaluation, {"settings": section("evaluate.common", sweep_weights=(0.2,))},
        ("set.json", "set/*.png", *SEGMENTER, *CLIP, *PROMPTED),
    ),
    "labels": Case(
        converting, conversion, {"short_side": None}, ("dataset/coco/[1-4]_label.png",),
    ),
    "segmenter": Case(
        fitting, segmenter,
        {"architecture": config(),
         "training": training(bfloat16=True),
         "start_from": "segmenter/segmenter.safetensors"},
        ("dataset/dataset.json", *PICTURES, "segmenter/segmenter.safetensors"),
    ),
    "finetune": Case(
        finetuning, finetuning_run,
        {"recipe": section(
            "finetune.first", train="weights", prompt_depth=2, learning_rate=1e-3, epochs=2.0,
            batch_size=16, warmup_steps=3, bfloat16=False,
        )},
        (*PROMPTED, "pairs/pairs-*.tar"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """What earlier stages leave, small."""
    folder = tmp_path_factory.mktemp("made")
    make_toy(folder / "dataset", pictures=6)
    run_shards(
        folder / "proposals",
        list(range(1, 7)),
        2,
        make_proposals,
        {},
        "proposals",
        names=["proposals.parquet"],
    )
    run_shards(
        folder / "nouns", list(range(1, 7)), 4, make_nouns, {}, "nouns", names=["nouns.parquet"]
    )
    save_clip(folder / "clip", tiny_clip(), "tiny")
    save_clip(folder / "prompted", tiny_clip(1, prompt_depth=1), "tiny")
    save_segmenter(folder / "segmenter", tiny_segmenter())
    (folder / "set").mkdir()
    save_eval_set(folder / "set.json", small_set(folder / "set"))
    write_pairs(folder / "pairs", 30, per_shard=20)
    return folder


@pytest.fixture
def known(made, monkeypatch) -> Callable[..., list[str]]:
    def keys(name: str, folder: Path = made, **changes) -> list[str]:
        case = CASES[name]
        return case.keys(folder, monkeypatch, **(case.settings | changes))

    return keys


@pytest.mark.parametrize("name", CASES)
def test_the_same_again_is_kept(name, known, tmp_path, made):
    assert known(name) == known(name)
    shutil.copytree(made, tmp_path / "moved")
    if name not in ("evaluate",):  # an evaluation set holds the absolute place of its pictures
        assert known(name, tmp_path / "moved") == known(name)


@pytest.mark.parametrize("name", CASES)
def test_every_input_file_counts_by_its_bytes(name, known, made, tmp_path):
    """Also a file whose size and time of change stay what they were."""
    folder = tmp_path / "made"
    shutil.copytree(made, folder)
    if name == "evaluate":
        listing = (folder / "set.json").read_text().replace(str(made), str(folder))
        (folder / "set.json").write_text(listing)
    before = known(name, folder)
    for pattern in CASES[name].inputs:
        files = sorted(folder.glob(pattern))
        assert files, pattern
        for file in files[:3]:
            with changed_bytes(file):
                assert known(name, folder) != before, f"{file.name} does not count"
            assert known(name, folder) == before


@contextmanager
def changed_bytes(file: Path) -> Iterator[None]:
    """Other content for a while; of the same size where nothing parses the file for the keys."""
    content, state = file.read_bytes(), file.stat()
    try:
        CHANGES.get(file.name, recolour if file.suffix == ".tar" else flip_a_bit)(file)
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
        state_in_manifest(file)
        yield
    finally:
        file.write_bytes(content)
        state_in_manifest(file)
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def with_other_text(old: str, new: str, file: Path) -> None:
    text = file.read_text()
    assert old in text, (file, old)
    file.write_text(text.replace(old, new, 1))


def with_another_caption(file: Path) -> None:
    first, *others = read_parquet(file, ImageRecord)
    caption = replace(first.captions[0], text="another caption")
    records = [replace(first, captions=[caption, *first.captions[1:]]), *others]
    write_parquet(file, records, ImageRecord)


CHANGES: dict[str, Callable[[Path], None]] = {
    "dataset.json": partial(with_other_text, '"ignore_label": 255', '"ignore_label": 254'),
    "train.parquet": with_another_caption,
    "set.json": partial(with_other_text, '"good0"', '"good9"'),
    "clip.json": partial(with_other_text, "0.26862955", "0.36862955"),
}
"""Files that are read for the keys, and how they change so that they can still be read."""


@pytest.mark.parametrize("name", CASES)
def test_every_parameter_counts(name, known):
    before, tried = known(name), 0
    for key, value in CASES[name].settings.items():
        for where, changed in variants(value):
            if (name, where) in ELSEWHERE:
                continue
            assert known(name, **{key: changed}) != before, f"{key}{where} does not count"
            tried += 1
    assert tried


ELSEWHERE = {("nouns", ".min_count"), ("evaluate", ".overlays")}
"""Parameters of a section that the case does not hang on: one is of the second pass, "rare nouns",
the other only says how much is drawn afterwards."""


def variants(value: Any, kind: Any = None) -> Iterator[tuple[str, Any]]:
    """(which part, the value with that part changed) for every part of a parameter."""
    if is_dataclass(value):
        kinds = get_type_hints(type(value))
        for field in fields(value):
            for where, changed in variants(getattr(value, field.name), kinds[field.name]):
                yield f".{field.name}{where}", unchecked(value, field.name, changed)
    elif isinstance(value, BaseModel):
        for field, about in type(value).model_fields.items():
            for where, changed in variants(getattr(value, field), about.annotation):
                yield f".{field}{where}", value.model_copy(update={field: changed})
    else:
        yield "", another(value, kind)


def unchecked(value: Any, field: str, changed: Any) -> Any:
    """A copy of a frozen dataclass with one field changed, whatever it checks."""
    other = copy.copy(value)
    object.__setattr__(other, field, changed)
    return other


def another(value: Any, kind: Any) -> Any:
    choices = [choice for choice in get_args(kind) if isinstance(choice, str) and choice != value]
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if choices:
            return choices[0]
        case str():
            return "clip/clip.safetensors" if value.endswith("safetensors") else value + "x"
        case tuple():
            return (*value, value[0] if value else 0.25)
        case None:
            return 7
    raise AssertionError(f"no other value for {value!r}")


@pytest.mark.parametrize("name", CASES)
def test_all_code_counts_that_decides_the_result(name, known, monkeypatch):
    file = Path(CASES[name].module.__file__)
    closure = fingerprint.code_of(file)
    before, of_source = known(name), fingerprint._of_source
    stamp = fingerprint.of_code(file)
    for changed in closure:
        with monkeypatch.context() as patch:
            patch.setattr(
                fingerprint, "_of_source",
                lambda path, c=changed: "other" if path == c else of_source(path),
            )  # fmt: skip
            assert fingerprint.of_code(file) != stamp, changed
    with monkeypatch.context() as patch:
        patch.setattr(fingerprint, "_of_source", lambda path: "other")
        assert known(name) != before
    assert known(name) == before
    used = {path.relative_to(fingerprint.ROOT).as_posix() for path in closure}
    if name != "finetune":  # it writes no records
        assert "pipeline/core/records.py" in used, "a changed schema must not keep shards"
    if name not in ("nouns", "rare nouns", "labels"):
        assert "pipeline/core/precision.py" in used, "autocast and attention decide digits"


def test_what_only_runs_and_shows_does_not_count():
    for name, case in CASES.items():
        for path in fingerprint.code_of(case.module.__file__):
            room = path.relative_to(fingerprint.ROOT).with_suffix("").parts[1:]
            assert not fingerprint._is_neutral(list(room)), (name, path)


@pytest.mark.parametrize("name", CASES)
def test_the_releases_of_the_libraries_count_and_where_it_runs_does_not(name, known, monkeypatch):
    before, release = known(name), fingerprint._release
    calculates = name not in ("nouns", "rare nouns", "labels")
    for library, counts in (("torch", calculates), ("numpy", True), ("rich", False)):
        with monkeypatch.context() as patch:
            patch.setattr(
                fingerprint, "_release",
                lambda which, changed=library: "9.9" if which == changed else release(which),
            )  # fmt: skip
            assert (known(name) != before) == counts, library
    monkeypatch.setenv("OVSEG_WORKERS", "3")
    monkeypatch.setenv("OVSEG_TRAINING_PROCESSES", "2")
    monkeypatch.setenv("OVSEG_DEVICE", "cpu")
    assert known(name) == before


@pytest.mark.parametrize("name", CASES)
def test_no_file_is_read_that_does_not_count(name, known, made, tmp_path):
    """A run for real: every file that Python opens below the data is among the inputs."""
    if name not in RUNS:
        pytest.skip("a training: its inputs are what `ClosedSet` and `PairSet` hold")
    opened: set[str] = set()
    run = RUNS[name]
    with watching(made, opened):
        run(made, tmp_path / "out")
    files = {path for path in opened if (made / path).is_file()}
    counted = {
        file.relative_to(made).as_posix()
        for pattern in CASES[name].inputs
        for file in made.glob(pattern)
    }
    manifests = {path for path in files if "/manifest/" in path}  # they list the shards' bytes
    assert files - manifests <= counted
    assert files or name == "nouns"  # Arrow opens what it reads by itself


def run_proposals(folder: Path, out: Path) -> None:
    settings = CASES["proposals"].settings
    places = (folder / name for name in ("dataset", "segmenter"))
    proposing.collect_proposals(*places, out, settings["settings"])


def run_nouns(folder: Path, out: Path) -> None:
    noun_collecting.collect_nouns(folder / "dataset", out, section("nouns", shard_size=2))


def run_pairs(folder: Path, out: Path) -> None:
    settings = CASES["pairs"].settings
    places = (folder / name for name in ("dataset", "proposals", "nouns", "clip"))
    pairing.collect_pairs(*places, out, settings["settings"])


def run_evaluation(folder: Path, out: Path) -> None:
    clips = {"base": folder / "clip", "first": folder / "prompted"}
    settings = CASES["evaluate"].settings["settings"]
    counting.count_sets([folder / "set.json"], folder / "segmenter", clips, settings, out)


RUNS = {
    "proposals": run_proposals, "nouns": run_nouns, "pairs": run_pairs, "evaluate": run_evaluation,
}  # fmt: skip

WATCHED: list[tuple[str, set[str]]] = []


def _note(event: str, arguments: tuple) -> None:
    if WATCHED and event == "open" and isinstance(arguments[0], str | Path):
        root, opened = WATCHED[-1]
        path = os.path.abspath(arguments[0])
        if path.startswith(root):
            opened.add(path.removeprefix(root))


sys.addaudithook(_note)  # can never be taken away again


@contextmanager
def watching(root: Path, opened: set[str]) -> Iterator[None]:
    WATCHED.append((f"{root}/", opened))
    try:
        yield
    finally:
        WATCHED.pop()


# What it means: a killed training goes on only if nothing has changed.
