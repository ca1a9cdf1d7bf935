"""The tiny models of the goldens, the original's and our own reference's, as checkpoint files:
imported, they are what the golden tests compare."""

import pytest
import torch
import yaml

from pipeline.checkpoints.import_ import import_checkpoint
from pipeline.checkpoints.layout import CLASS_MLP, NO_OBJECT
from pipeline.clip.store import load_clip, save_clip
from pipeline.commands.cli import main
from pipeline.maskformer.store import load_segmenter
from pipeline.weights.read import ABOUT, read_tensors
from tests.checkpoints.released import plain_maskformer
from tests.clip.tiny import tiny_clip
from tests.golden_checks.original import load_original
from tests.goldens import FOLDER, OWN, Golden, index

WHOLE = [
    pytest.param(folder, name, id=name)
    for folder in (FOLDER, OWN)
    for name, about in index(folder).items()
    if "MODEL" in about.get("config", {})
]


@pytest.mark.parametrize("folder, name", WHOLE)
def test_imported_with_its_yaml(tmp_path, folder, name):
    golden = Golden(name, folder)
    segmenter, clip = load_original(folder, name)
    about = {"clip": {"model_cfg": clip.model_cfg}}  # its heads are no published CLIP's
    state = {key: golden.tensor(key) for key in golden}
    torch.save({"model": state, ABOUT: about}, tmp_path / "model.pth")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(golden.about["config"]))
    save_clip(tmp_path / "data/base_clip", tiny_clip(), "of another width")
    main([
        "import", str(tmp_path / "model.pth"), "--out", str(tmp_path / "data"),
        "--config", str(tmp_path / "config.yaml"),
    ])  # fmt: skip
    ours = load_segmenter(tmp_path / "data/segmenter")
    assert ours.config == segmenter.config
    assert same(ours, segmenter)
    named = load_clip(tmp_path / "data/finetune/second")
    assert named.model_cfg == clip.model_cfg and same(named, clip)


@pytest.mark.parametrize("folder, name", WHOLE)
def test_a_plain_maskformer_with_its_yaml(tmp_path, folder, name):
    golden = Golden(name, folder)
    segmenter, clip = load_original(folder, name)
    plain = plain_maskformer({key: golden.tensor(key) for key in golden})
    torch.save({"model": plain}, tmp_path / "plain.pth")
    model = golden.about["config"]["MODEL"]
    ours = {"EMBEDDING_DIM", "EMBED_HIDDEN_DIM", "EMBED_LAYERS"}
    head = {key: value for key, value in model["SEM_SEG_HEAD"].items() if key not in ours}
    width = segmenter.config.clip_dim
    found = import_checkpoint(
        read_tensors(tmp_path / "plain.pth"),
        tmp_path / "plain.pth",
        architecture={"MODEL": {**model, "SEM_SEG_HEAD": head}},
        clip_dim=width,
    )
    own, theirs = found.segmenter.state_dict(), segmenter.state_dict()
    assert {key for key in own if key.startswith(CLASS_MLP) or key == NO_OBJECT} == {*found.filled}
    assert all(torch.equal(own[key], theirs[key]) for key in own.keys() - {*found.filled})


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)
