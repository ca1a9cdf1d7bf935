import json
import shutil
from dataclasses import replace

import pytest
import yaml

from pipeline.clip.store import save_clip
from pipeline.core.errors import UserError
from pipeline.data.sets import save_eval_set
from pipeline.evaluate import count
from pipeline.evaluate.run import evaluate
from pipeline.maskformer.store import save_segmenter
from stages.evaluate import main
from tests import shipped
from tests.evaluate.small_set import small_set
from tests.ovseg.tiny import tiny_clip, tiny_segmenter


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    """A data folder with tiny models and a small set, and the stage's flags for it."""
    data = tmp_path_factory.mktemp("data")
    (data / "pictures").mkdir()
    save_eval_set(data / "dataset" / "sets" / "small.json", small_set(data / "pictures"))
    save_segmenter(data / "segmenter", tiny_segmenter())
    for i, name in enumerate(("base", "first", "second")):
        save_clip(data / name, tiny_clip(i, prompt_depth=i), name)
    params = yaml.safe_load(shipped.PARAMS.read_text(encoding="utf-8"))
    params["dataset"]["sets"] = ["small"]
    params["evaluate"]["sets"] = {"small": {"overlays": 2, "ensemble_weight": 0.55}}
    (data / "params.yaml").write_text(yaml.safe_dump(params))
    flags = {name: data / name for name in ("dataset", "segmenter", "base", "first", "second")}
    return flags | {
        "out": data / "evaluate" / "small",
        "metrics": data / "metrics.json",
        "params": data / "params.yaml",
        "counts": data / "counts",
    }


def test_the_stage_writes_all_it_promises(flags, capsys):
    main(set="small", **flags)
    out = flags["out"]
    written = {path.name for path in out.iterdir()}
    tables = {"classes.csv", "branches.csv", "sweep.csv", "grid.csv"}
    assert written == tables | {"rejects.parquet", "overlays"}
    assert len(list((out / "overlays").glob("*.png"))) == 2
    metrics = json.loads(flags["metrics"].read_text())
    assert {"base", "first", "second"} < set(metrics)
    assert "0.55" in (out / "sweep.csv").read_text()
    assert "ensemble" in capsys.readouterr().out


def test_a_killed_run_goes_on_to_the_same_result(flags, monkeypatch):
    def everything():
        shards = sorted((flags["counts"] / "small").glob("*.npz"))
        assert shards
        return [path.read_bytes() for path in (flags["metrics"], *shards)]

    monkeypatch.setattr(count, "SHARD_PICTURES", 2)
    main(set="small", **flags)
    whole = everything()
    evaluated = []

    def dying(comparison, entries):
        if len(evaluated) == 2:
            raise KeyboardInterrupt
        evaluated.append(len(entries))
        return evaluate(comparison, entries)

    shutil.rmtree(flags["counts"])
    monkeypatch.setattr(count, "evaluate", dying)
    with pytest.raises(KeyboardInterrupt):
        main(set="small", **flags)
    evaluated.append("killed")
    main(set="small", **flags)
    assert evaluated == [2, 2, "killed", 1]
    assert everything() == whole


def test_an_unknown_set_is_refused(flags):
    with pytest.raises(ValueError, match="nothere.*small"):
        main(set="nothere", **flags)


def test_a_set_whose_pictures_are_gone_is_an_error(flags, tmp_path):
    gone = small_set(tmp_path)
    save_eval_set(flags["dataset"] / "sets" / "small.json", replace(gone, root=tmp_path / "gone"))
    with pytest.raises(FileNotFoundError, match="gone: no such folder, but the pictures of"):
        main(set="small", **flags)
    (tmp_path / "gone").mkdir()
    with pytest.raises(ValueError, match="no picture could be evaluated.*gone"):
        main(set="small", **flags)


@pytest.mark.parametrize("other", ["without a right label map", "not prepared"])
def test_a_set_does_not_fail_with_another_of_its_pictures(flags, tmp_path, other):
    root = tmp_path / "pictures"
    root.mkdir()
    right = small_set(root)
    save_eval_set(tmp_path / "dataset/sets/small.json", right)
    lost = [replace(image, label_path="none.png") for image in right.images]
    if other == "without a right label map":
        save_eval_set(
            tmp_path / "dataset/sets/other.json", replace(right, name="other", images=lost)
        )
    params = yaml.safe_load(flags["params"].read_text())
    params["dataset"]["sets"] = ["small", "other"]
    params["evaluate"]["sets"] = {"other": {"overlays": 0}, "small": {"overlays": 0}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    places = {"dataset": tmp_path / "dataset", "params": tmp_path / "params.yaml"}
    places |= {"out": tmp_path / "out", "counts": tmp_path / "counts"}
    main(set="small", **flags | places)
    with pytest.raises(UserError, match="other.json: no (picture could be evaluated|such eval)"):
        main(set="other", **flags | places)
