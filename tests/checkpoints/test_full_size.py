"""The released checkpoints at their full size: random weights under every key of the key lists,
imported, and a picture run through."""

import json
import os

import numpy as np
import open_clip
import pytest
import torch

from pipeline.checkpoints.export import CLIP_FILE, export_clip, original_layout
from pipeline.checkpoints.import_ import import_checkpoint
from pipeline.checkpoints.layout import CLASS_WEIGHTS, CLIP_SIGN, COLOURS
from pipeline.clip.sources import model_config
from pipeline.clip.store import build_from_config
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import RegionView
from pipeline.ovseg import OVSeg
from pipeline.weights.read import read_tensors
from tests.checkpoints.released import KEY_LISTS, plain_maskformer, random_state
from tests.goldens import FOLDER

NAMES = ["saturn V", "blossom"]
IMAGE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
BYTES_NEEDED = 3.5
"""Of free memory per byte of checkpoint: the file's tensors, the model, and what it computes."""

pytestmark = pytest.mark.skipif(not KEY_LISTS, reason=f"no key lists in {FOLDER}")


def written(tmp_path, key_list, change=lambda state: state):
    """A checkpoint file with these keys, and its size on disk."""
    path = tmp_path / f"{key_list.stem}.pth"
    state = change(random_state(key_list))
    torch.save({"model": state}, path)
    if available_memory() < BYTES_NEEDED * path.stat().st_size:
        pytest.skip(f"{available_memory() / 2**30:.1f} GiB of memory are too few for {path.name}")
    return path, state


def available_memory() -> int:
    """Bytes that a process can still get, disk cache included; without /proc, all there are."""
    try:
        fields = dict(line.split(":") for line in open("/proc/meminfo"))
        return int(fields["MemAvailable"].split()[0]) * 1024
    except OSError:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def look_at_one_region(model: OVSeg) -> None:
    """A whole look, with the threshold at which a single mask is valid: CLIP is the slow part."""
    vocabulary = model.predictor.vocabulary(NAMES)
    picture = torch.from_numpy(IMAGE).permute(2, 0, 1)
    with torch.inference_mode():
        masks = model.segmenter([picture], vocabulary.segmenter).pred_masks.sigmoid()
    peaks = masks.flatten(2).amax(2)[0].sort(descending=True).values
    threshold = float((peaks[0] + peaks[1]) / 2)
    one = OVSeg(model.segmenter, model.clip, view=RegionView(threshold=threshold))
    one.predictor.vocabulary = lambda _: vocabulary  # encoded already
    for mode in ("ensemble", "free-text"):
        labels = one.segment(IMAGE, NAMES, mode).labels
        assert labels.shape == IMAGE.shape[:2]


def is_clip(key_list) -> bool:
    return f"module.{CLIP_SIGN}\t" in key_list.read_text()


@pytest.mark.parametrize("key_list", [k for k in KEY_LISTS if not is_clip(k)], ids=lambda k: k.stem)
def test_a_released_checkpoint(tmp_path, key_list):
    path, state = written(tmp_path, key_list)
    found = import_checkpoint(read_tensors(path), path)
    path.unlink()
    assert found.left_over.keys() == {CLASS_WEIGHTS} and not found.filled
    assert {*found.used, CLASS_WEIGHTS} == state.keys()
    own = found.segmenter.state_dict()
    assert all(torch.equal(own[key], state[key]) for key in own)
    assert torch.equal(found.clip.prompts, state["clip_adapter.clip_model.visual.mask_embedding"])
    again = original_layout(found.segmenter, found.clip, classes=len(state[CLASS_WEIGHTS]) - 1)
    assert {k: (v.dtype, v.shape) for k, v in again.items()} == {
        k: (v.dtype, v.shape) for k, v in state.items()
    }
    assert all(torch.allclose(again[key], state[key], rtol=1e-6) for key in COLOURS)
    moved = [key for key in state if not torch.equal(again[key], state[key])]
    assert CLASS_WEIGHTS in moved and {*moved} <= {CLASS_WEIGHTS, *COLOURS}
    del state, own, again
    look_at_one_region(OVSeg(found.segmenter, found.clip))


@torch.inference_mode()
@pytest.mark.parametrize("key_list", [k for k in KEY_LISTS if is_clip(k)], ids=lambda k: k.stem)
def test_a_mask_adapted_clip(tmp_path, key_list):
    path, state = written(tmp_path, key_list)
    found = import_checkpoint(read_tensors(path), path)
    path.unlink()
    assert not found.left_over and len(found.used) == len(state)
    clip: MaskClip = found.clip
    image = torch.randn(1, 3, clip.image_size, clip.image_size)
    mask = torch.zeros(1, clip.image_size, clip.image_size)
    mask[:, 50:90] = 1
    features = clip.encode_image(image, mask)
    assert features.isfinite().all() and not torch.equal(features, clip.encode_image(image))
    assert json.dumps(clip.model_cfg)  # what clip.json will hold


@pytest.mark.parametrize(
    "key_list", [k for k in KEY_LISTS if "r101c" in k.stem], ids=lambda k: k.stem
)
def test_a_plain_maskformer(tmp_path, key_list):
    path, state = written(tmp_path, key_list, plain_maskformer)
    found = import_checkpoint(read_tensors(path), path, clip_dim=512)
    path.unlink()
    assert found.clip is None and len(found.used) + len(found.left_over) == len(state)
    picture = torch.from_numpy(IMAGE).permute(2, 0, 1)
    with torch.inference_mode():
        output = found.segmenter([picture], torch.nn.functional.normalize(torch.randn(3, 512)))
    assert output.pred_masks.std() > 0 and not output.pred_logits.any()


@torch.inference_mode()
def test_open_clip_loads_an_exported_clip_by_its_name(tmp_path):
    clip = build_from_config(model_config("ViT-B-16-quickgelu")).eval()
    name, known = export_clip(tmp_path, clip)
    assert (name, known) == ("ViT-B-16-quickgelu", True)
    model = open_clip.create_model(name, pretrained=str(tmp_path / CLIP_FILE)).eval()
    (tmp_path / CLIP_FILE).unlink()
    image = torch.randn(1, 3, clip.image_size, clip.image_size)
    assert torch.equal(model.encode_image(image), clip.encode_image(image))
