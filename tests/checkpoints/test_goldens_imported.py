"""The original's own tiny models, as checkpoint files: imported, they are what the golden tests
compare with the original's tensors."""

import pytest
import torch
import yaml

from pipeline.checkpoints.file import ABOUT
from pipeline.cli import main
from pipeline.clip.store import load_clip
from pipeline.segmenter.store import load_segmenter
from tests.golden_checks.original import load_original
from tests.goldens import FOLDER, Golden, index

WHOLE = [name for name, about in index(FOLDER).items() if "MODEL" in about.get("config", {})]


@pytest.mark.skipif(not WHOLE, reason=f"no goldens at {FOLDER}: set OVSEG_GOLDENS")
@pytest.mark.parametrize("name", WHOLE)
def test_imported_with_its_yaml(tmp_path, name):
    golden = Golden(name, FOLDER)
    segmenter, clip = load_original(FOLDER, name)
    about = {"clip": {"model_cfg": clip.model_cfg}}  # its heads are no published CLIP's
    state = {key: golden.tensor(key) for key in golden}
    torch.save({"model": state, ABOUT: about}, tmp_path / "model.pth")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(golden.about["config"]))
    main([
        "import", str(tmp_path / "model.pth"), "--out", str(tmp_path / "data"),
        "--config", str(tmp_path / "config.yaml"),
    ])  # fmt: skip
    ours = load_segmenter(tmp_path / "data/segmenter")
    assert ours.config == segmenter.config
    assert same(ours, segmenter)
    named = load_clip(tmp_path / "data/finetune/second")
    assert named.model_cfg == clip.model_cfg and same(named, clip)


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)
