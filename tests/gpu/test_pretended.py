"""Both networks, their trainings and the evaluation on a pretended CUDA device."""

import dataclasses

import numpy as np
import pytest
import torch

from pipeline.clip.finetune import finetune
from pipeline.clip.pair_set import PairSet
from pipeline.clip.text import class_features
from pipeline.clip.zero_shot import zero_shot_accuracy
from pipeline.evaluation.look import Looker, Picture
from pipeline.evaluation.run import count
from pipeline.evaluation.settings import EvaluationSettings
from pipeline.ovseg import OVSeg
from pipeline.ovseg.clip_branch import RegionStyle
from pipeline.segmenter.data import TrainingSet
from pipeline.segmenter.inference import MaskChoice
from pipeline.segmenter.maskformer import MaskFormer
from pipeline.segmenter.propose import propose
from pipeline.segmenter.train import train
from tests.clip.test_finetune import RECIPE
from tests.clip.tiny import tiny_clip as pairs_clip
from tests.clip.tiny import write_pairs
from tests.gpu.pretend import pretended_device
from tests.ovseg.tiny import tiny_clip, tiny_segmenter
from tests.segmenter.test_train import VARIED, recipe
from tests.segmenter.tiny import config, swin, text, world

NAMES = ["cat", "dog", "polar bear"]
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def cuda():
    with pretended_device() as device:
        yield device


def test_devices_do_not_mix(cuda):
    there, here = torch.ones(3, device=cuda), torch.ones(3)
    assert there.device == cuda and (there * 2 + torch.tensor(1)).tolist() == [3, 3, 3]
    assert there[torch.tensor([0])].device == cuda
    for wrong in (lambda: there + here, lambda: here[there.long()], lambda: there.numpy(),
                  lambda: torch.cat([there, here]), lambda: np.asarray(there)):  # fmt: skip
        with pytest.raises((RuntimeError, TypeError)):
            wrong()
    assert there.cpu().numpy().sum() == 3


@pytest.mark.parametrize("mode", ["free-text", "ensemble", "clip", "segmenter"])
@pytest.mark.parametrize("precision", ["float32"])
def test_a_picture(cuda, mode, precision):
    style = RegionStyle(threshold=0.5)
    segmenter, clip = tiny_segmenter(), tiny_clip(prompt_depth=2)
    model = OVSeg(segmenter.to(cuda), clip.to(cuda), style=style, precision=precision)
    result = model.segment(IMAGE, NAMES, mode)
    assert result.labels.shape == IMAGE.shape[:2]
    if precision == "float32":
        here = OVSeg(tiny_segmenter(), tiny_clip(prompt_depth=2), style=style)
        assert np.array_equal(here.segment(IMAGE, NAMES, mode).labels, result.labels)


@pytest.mark.parametrize("changes", [{}, {"backbone": swin()}, {"query_kind": "anchored",
                                                                "queries": 9}])  # fmt: skip
def test_masks_of_all_layers(cuda, changes):
    torch.manual_seed(0)
    segmenter = MaskFormer(config(**changes)).eval().to(cuda)
    images = [torch.from_numpy(IMAGE).permute(2, 0, 1)] * 2
    choice = MaskChoice("all_layers", 12)
    found = propose(segmenter, images, text().to(cuda), choice=choice)
    assert found[0].masks.device == cuda and found[0].masks.shape[1:] == IMAGE.shape[:2]


@pytest.mark.parametrize("train_what", ["weights", "both"])
@pytest.mark.parametrize("bfloat16", [False])
def test_fine_tuning_and_its_resume(cuda, tmp_path, train_what, bfloat16):
    pairs = PairSet(write_pairs(tmp_path / "pairs", 40))
    how = dataclasses.replace(RECIPE, train=train_what, bfloat16=bfloat16, epochs=1.0)
    for loss in ("unique_nouns", "plain"):
        clip = pairs_clip().to(cuda)
        metrics = finetune(clip, pairs, dataclasses.replace(how, loss=loss), tmp_path / "state.pt")
        assert np.isfinite(metrics["loss"]) and clip.mean.device == cuda


@pytest.mark.parametrize("changes", [{}, {"backbone": swin()}, {"query_kind": "anchored",
                                                                "queries": 9}])  # fmt: skip
@pytest.mark.parametrize("count_ignored", [False, True])
def test_training_a_segmenter(cuda, tmp_path, changes, count_ignored):
    dataset, records = world(tmp_path / "world", 4)
    data = TrainingSet(dataset, records, [0, 1, 2], VARIED, 0, count_ignored)
    torch.manual_seed(0)
    model = MaskFormer(config(**changes)).to(cuda)
    result = train(model, data, text(), recipe(steps=2, bfloat16=False), tmp_path / "checkpoints")
    assert np.isfinite(result.losses["total_loss"])


def test_evaluating(cuda):
    settings = EvaluationSettings(
        sweep_weights=(0.2,), sweep_thresholds=(0.6,), boundary_iou=True, bfloat16=False
    )
    clips = {"base": tiny_clip().to(cuda), "second": tiny_clip(prompt_depth=1).to(cuda)}
    looker = Looker(tiny_segmenter().to(cuda), clips["base"], clips, NAMES, 255, settings)
    truth = np.zeros(IMAGE.shape[:2], np.int32)
    truth[20:] = 2
    picture = Picture("1", IMAGE, truth)
    [view] = looker([picture])
    confusions = {}
    count(confusions, picture, view, len(NAMES), 255, {})
    assert confusions and all(matrix.sum() == truth.size for matrix in confusions.values())


def test_naming_whole_pictures_and_cut_ones(cuda):
    clip = tiny_clip(prompt_depth=1).to(cuda)
    assert class_features(clip, []).device == cuda
    mask = np.zeros(IMAGE.shape[:2], bool)
    mask[:20] = True
    for masks in (None, [mask, mask]):
        share = zero_shot_accuracy(clip, [IMAGE] * 2, masks, NAMES[:2], NAMES, ("{}",))
        assert 0 <= share <= 1
