"""How often CLIP names a picture right, by hand and by what it is shown."""

from unittest import mock

import numpy as np
import torch

from pipeline.clip.zero_shot import top1_accuracy, zero_shot_accuracy
from tests.clip.tiny import tiny_clip


def test_top1_by_hand():
    texts = torch.eye(3)
    features = torch.tensor([[2.0, 1, 0], [0, 5, 4], [3, 2, 1], [0, 0, 0.1]])
    assert top1_accuracy(features, texts, torch.tensor([0, 2, 0, 2])) == 0.75
    assert np.isnan(top1_accuracy(features[:0], texts, torch.zeros(0).long()))


def test_zero_shot_sees_masks_only_where_given():
    clip = tiny_clip(depth=1)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (9 + i, 12, 3), dtype=np.uint8) for i in range(70)]
    names = ["cat", "dog", "tree"]
    shown = zero_shot_accuracy(clip, images, None, ["cat"] * 70, names)
    others = [zero_shot_accuracy(clip, images, None, [n] * 70, names) for n in names[1:]]
    assert abs(shown + sum(others) - 1) < 1e-6
    everything = [np.ones(image.shape[:2], bool) for image in images]
    assert zero_shot_accuracy(clip, images, everything, ["cat"] * 70, names) == shown
    assert np.isnan(zero_shot_accuracy(clip, [], None, [], names))
    white = [np.full((24, 24, 3), 255, np.uint8) for _ in range(2)]
    corner = [np.zeros((24, 24), bool) for _ in white]
    for mask in corner:
        mask[:8, :8] = True
    with mock.patch.object(clip, "encode_image", wraps=clip.encode_image) as encode:
        zero_shot_accuracy(clip, white, corner, ["cat"] * 2, names)
        zero_shot_accuracy(clip, white, None, ["cat"] * 2, names)
    (masked, cut), (whole, none) = (call.args for call in encode.call_args_list)
    assert none is None and cut.sum() == 2 * 8 * 8
    assert torch.equal(masked[:, :, :8, :8], whole[:, :, :8, :8])
    assert (masked[:, :, 8:, 8:] == 0).all() and (whole[:, :, 8:, 8:] != 0).all()
