"""Make the evaluation set of a downloaded benchmark, or say why that is not possible."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.records import Reject
from pipeline.core.shards import read_shards
from pipeline.data.benchmarks import BENCHMARKS
from pipeline.data.benchmarks.benchmark import STAGE, Benchmark, Listing
from pipeline.data.benchmarks.convert import Converted, convert
from pipeline.data.classes import load_class_list
from pipeline.data.images import image_size
from pipeline.data.index import decoded_size, read_all
from pipeline.data.label_values import Occurrences, read_values, value_faults
from pipeline.data.labels import LabelMap
from pipeline.data.names import is_utf8, printable
from pipeline.data.overview import reasons_line
from pipeline.data.root import data_root, written_root
from pipeline.data.sets import EvalImage, EvalSet, save_eval_set


def build_benchmark(
    name: str, configured_root: str | None, out: Path, occurrences: Occurrences | None = None
) -> list[Reject]:
    """Write `sets/<name>.json` and, where needed, the converted label maps under `labels/`.

    Args:
        name: one of BENCHMARKS; its files exist (pipeline/data/check.py checks this first).
        configured_root: data root as in params.yaml (see pipeline/data/root.py).
        out: the data-set folder.
        occurrences: receives the counts of the classes in the usable label maps.

    Returns:
        What was left out, with reasons.

    Raises:
        UserError: no picture is usable; the message gives reasons.
    """
    benchmark, root = BENCHMARKS[name], data_root(configured_root)
    listing, rejects = _writable(benchmark.list_pictures(root))
    rejects += [*listing.rejects, *_one_sided(benchmark, listing)]
    out = Path(out)
    stated = {"root": written_root(configured_root)}
    folder = root
    triples = [(n, listing.images[n], listing.labels[n]) for n in listing.complete]
    label_root: Path | None = None
    if benchmark.conversion is not None:
        label_root = out / "labels" / benchmark.conversion.folder
        converted = convert(root, label_root, listing, benchmark.conversion)
        rejects += read_shards(label_root, "rejects", Reject)
        triples = [(c.name, _image_of(c, listing), c.label.name) for c in converted]
        relative = os.path.relpath(label_root, out / "sets")
        if benchmark.conversion.short_side is None:
            stated["label_root"] = relative
        else:
            folder, stated["root"], label_root = label_root, relative, None
    images = _measured(benchmark, folder, label_root or folder, triples, rejects)
    classes = load_class_list(benchmark.class_list)
    if benchmark.unlabelled is not None or occurrences is not None:
        images = _valued(
            benchmark, label_root or folder, images, classes.label_map, rejects, occurrences
        )
    if not images:
        raise UserError(f"{name}: no usable picture under {root}: {reasons_line(rejects)}")
    eval_set = EvalSet(
        name=name,
        root=folder,
        classes=classes.names,
        images=images,
        ignore_label=benchmark.ignore_label,
        label_map=classes.label_map,
        seen=classes.seen if benchmark.has_split else None,
        label_root=label_root,
    )
    save_eval_set(out / "sets" / f"{name}.json", eval_set, **stated)
    return rejects


def _image_of(converted: Converted, listing: Listing) -> str:
    return listing.images[converted.name] if converted.image is None else converted.image.name


def _measured(
    benchmark: Benchmark,
    image_root: Path,
    label_root: Path,
    triples: list[tuple[str, str, str]],
    rejects: list[Reject],
) -> list[EvalImage]:
    """Return the pictures that have the size of their label map; add the others to `rejects`."""
    ours = benchmark.conversion is not None and benchmark.conversion.short_side is not None
    size = image_size if ours else decoded_size  # ours were decoded before they were written

    def sizes(triple: tuple[str, str, str]) -> tuple | Exception:
        try:
            return size(image_root / triple[1]), image_size(label_root / triple[2], False)
        except UserError as error:
            return error

    images = []
    for (name, image, label), found in read_all(triples, sizes, f"reading {benchmark.name}"):
        if isinstance(found, Exception):
            rejects.append(Reject(STAGE, image, "unreadable picture or label map", str(found)))
        elif found[0] != found[1]:
            detail = f"picture {found[0]}, label map {found[1]} (H, W)"
            rejects.append(Reject(STAGE, image, "label map size differs", detail))
        else:
            height, width = found[0]
            images.append(EvalImage(name, image, label, width, height))
    return images


def _valued(
    benchmark: Benchmark,
    label_root: Path,
    images: list[EvalImage],
    label_map: LabelMap,
    rejects: list[Reject],
    occurrences: Occurrences | None,
) -> list[EvalImage]:
    """Return the pictures whose label maps hold valid values; add the others to `rejects`."""
    maps = [image.label_path for image in images]
    values, faults = read_values(label_root, maps, f"reading label maps of {benchmark.name}")
    if benchmark.unlabelled is not None:
        expected = f"classes {min(label_map)}..{max(label_map)} of {benchmark.title}, or not "
        expected += f"labelled, {' or '.join(map(str, sorted(benchmark.unlabelled)))}"
        faults |= value_faults(values, label_map.keys(), benchmark.unlabelled, expected)
    rejects += [Reject(STAGE, path, *fault) for path, fault in faults.items()]
    if occurrences is not None:
        for path in set(values) - set(faults):
            occurrences.add(values[path], label_map)
    return [image for image in images if image.label_path not in faults]


def _writable(listing: Listing) -> tuple[Listing, list[Reject]]:
    """Split a listing into the files whose names are UTF-8 and rejects for the others."""
    rejects = []
    kept: list[dict[str, str]] = []
    for files in (listing.images, listing.labels):
        kept.append({name: path for name, path in files.items() if is_utf8(path)})
        for path in sorted(set(files.values()) - set(kept[-1].values())):
            detail = "expected UTF-8; rename it"
            rejects.append(Reject(STAGE, printable(path), "name is not UTF-8", detail))
    return replace(listing, images=kept[0], labels=kept[1]), rejects


def _one_sided(benchmark: Benchmark, listing: Listing) -> list[Reject]:
    def rejects(files: dict[str, str], others: Iterable[str], reason: str) -> list[Reject]:
        return [
            Reject(STAGE, files[n], reason, benchmark.name) for n in sorted(set(files) - {*others})
        ]

    return rejects(listing.images, listing.labels, "no label map") + rejects(
        listing.labels, listing.images, "picture missing"
    )
