"""The network as a whole: shapes, padding, batches, what training adds."""

import pytest
import torch

from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.masks import Masks
from tests.segmenter.tiny import config, resnet, swin, text


def picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (3, height, width), generator=generator, dtype=torch.uint8)


def model(**changes) -> MaskFormer:
    torch.manual_seed(0)
    return MaskFormer(config(**changes)).eval()


@pytest.mark.parametrize("backbone", (resnet(), swin()))
@torch.inference_mode()
def test_shapes(backbone):
    output = model(backbone=backbone)([picture(33, 64), picture(64, 40)], text(5))
    assert output.padded_hw == (64, 64)
    assert output.pred_logits.shape == (2, 6, 6)
    assert output.pred_masks.shape == (2, 6, 16, 16)
    assert output.class_embed.shape == (2, 6, 16)
    assert output.aux == []


@torch.inference_mode()
def test_one_pixel_and_one_class():
    output = model()([picture(1, 1)], text(1))
    assert output.padded_hw == (32, 32)
    found = Masks(output.class_embed[0], output.pred_masks[0], output.padded_hw)
    assert found.probabilities((1, 1)).shape == (6, 1, 1)
    assert output.pred_logits.shape == (1, 6, 2)


@torch.inference_mode()
def test_a_picture_does_not_depend_on_its_neighbours():
    images = [picture(64, 64, seed) for seed in range(3)]
    network = model()
    together = network(images, text())
    for i, image in enumerate(images):
        alone = network([image], text())
        for name in ("pred_logits", "pred_masks", "class_embed"):
            ours, theirs = getattr(together, name)[i], getattr(alone, name)[0]
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-5)


@torch.inference_mode()
def test_padding_has_the_mean_colour():
    network = model()
    batch = network.prepare([picture(20, 40)])
    assert batch.shape == (1, 3, 32, 64)
    assert (batch[:, :, 20:] == 0).all() and (batch[:, :, :, 40:] == 0).all()
    grey = torch.tensor(network.config.pixel_mean).view(3, 1, 1).expand(3, 20, 40)
    assert network.prepare([grey]).abs().max() == 0


def test_training_gives_every_decoder_layer():
    network = model(decoder_layers=3).train()
    output = network([picture(64, 64)] * 2, text())
    assert len(output.aux) == 2
    assert all(layer.pred_masks.shape == output.pred_masks.shape for layer in output.aux)


@torch.inference_mode()
def test_text_of_another_clip_is_refused():
    with pytest.raises(ValueError, match="width 8.*width 16"):
        model()([picture(32, 32)], torch.zeros(3, 8))


@torch.inference_mode()
def test_logits_are_cosines_times_100_and_the_last_column_is_no_object():
    network = model()
    output = network([picture(32, 32)], text(4))
    embed = torch.nn.functional.normalize(output.class_embed, dim=-1)
    torch.testing.assert_close(output.pred_logits[..., :4], 100 * embed @ text(4).T)
    nothing = torch.nn.functional.normalize(network.clip_adapter.non_object_embedding, dim=-1)
    torch.testing.assert_close(output.pred_logits[..., 4:], 100 * embed @ nothing.T)
    classes = network.class_probabilities(output.class_embed, text(4))
    assert torch.allclose(classes.sum(-1), 1 - output.pred_logits.softmax(-1)[..., 4])


def test_masks_are_enlarged_cropped_and_squashed():
    logits = torch.tensor([[-20.0, 20.0], [-20.0, 20.0]]).expand(1, 3, 2, 2)
    found = Masks(torch.zeros(3, 4), logits[0], (8, 8))
    masks = found.probabilities((5, 7))
    assert masks.shape == (3, 5, 7)
    assert (masks[:, :, :2] < 1e-6).all() and (masks[:, :, 6:] > 1 - 1e-6).all()
    assert found.probabilities((5, 7), (10, 14)).shape == (3, 10, 14)
