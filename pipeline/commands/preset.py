"""`ovseg preset`: the parameters of a ready-made experiment."""

from pathlib import Path
from typing import Any

from tyro.conf import Positional

from pipeline.core.errors import MissingFileError


def preset(name: Positional[str | None] = None, params: Path = Path("params.yaml")) -> None:
    """Write the parameters of an experiment to params.yaml, or list the experiments.

    Everything in params.yaml is replaced; `dvc params diff` shows what that changed, and
    `dvc repro` runs it. Says what the experiment needs that is not there yet.

    Args:
        name: of the preset; without it they are listed.
        params: the file to write.
    """
    from pipeline.params.presets import about, params_of, preset_names

    if name is None:
        for each in preset_names():
            print(f"{each:22} {about(each)}")
        return
    from pipeline.core.files.atomic import write_text
    from pipeline.core.files.places import check_file
    from pipeline.evaluate.summary import flat
    from pipeline.params.file import read_yaml
    from pipeline.params.sections import load_all

    text = params_of(name)
    check_file(params, "--params")
    try:
        content = read_yaml(params) if params.is_file() else {}
        before = flat(content) if isinstance(content, dict) else {}
    except (ValueError, TypeError, RecursionError):  # what is broken there is replaced
        before = {}
    write_text(params, text)
    after = flat(read_yaml(params))
    changed = sum(
        before.get(key, ...) != after.get(key, ...) for key in before.keys() | after.keys()
    )
    print(f"{params}: preset {name}, {changed} values changed; `dvc params diff` shows them")
    for line in needs(load_all(params)):
        print(line)


def needs(params: Any) -> list[str]:
    """Return what the parameters ask for that is not there: data sets, ImageNet weights."""
    from pipeline.data.benchmarks import BENCHMARKS
    from pipeline.data.check import require
    from pipeline.data.coco import STUFF_SOURCE, coco_paths
    from pipeline.data.root import data_root
    from pipeline.weights.model_zoo import find_weights

    own, coco = (params.dataset.source == source for source in ("own", "coco"))
    root, lines = data_root(None if own else params.dataset.root), []
    if own and not (Path(params.dataset.root) / "images").is_dir():
        lines.append(
            f"missing: {params.dataset.root}/images (your pictures); pipeline/data/own.py says "
            f"what belongs beside it, `ovseg check --own {params.dataset.root}` goes through it all"
        )
    benchmarks = [name for name in params.dataset.sets if name in BENCHMARKS]
    try:
        if benchmarks or coco:
            require(benchmarks, root, coco)
    except MissingFileError as error:
        lines.append(str(error))
    if params.segmenter.source == "train":
        maps = coco_paths(root / "coco", "train2017")["labels"]
        if coco and not maps.is_dir():
            lines.append(f"missing: {maps} (label maps) for the segmenter; from {STUFF_SOURCE}")
        try:
            if params.segmenter.warm_start:
                find_weights(params.segmenter.warm_start)
        except MissingFileError as error:
            lines.append(f"missing: {error}")
    return lines
