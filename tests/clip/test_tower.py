import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clip.store import build_from_config
from pipeline.clip.tower import patch_mask
from tests.clip.tiny import CONFIG, tiny_clip


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, 24, 24, generator=torch.Generator().manual_seed(seed))


def test_a_patch_is_foreground_when_any_of_its_pixels_is():
    mask = torch.zeros(1, 24, 24)
    mask[0, 15, 16] = 1e-20  # last row of patch row 1, first column of patch column 2
    expected = torch.zeros(1, 9, dtype=torch.bool)
    expected[0, 5] = True
    assert torch.equal(patch_mask(mask, 8), expected)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0005, 0.05))
def test_the_patch_mask_is_the_rounded_up_mean(seed, share):
    mask = (torch.rand(2, 24, 24, generator=torch.Generator().manual_seed(seed)) < share).float()
    mean = torch.nn.functional.avg_pool2d(mask[:, None], 8)
    assert torch.equal(patch_mask(mask, 8), mean.ceil().flatten(1).bool())


@torch.no_grad()
def test_one_object_serves_pictures_and_masked_crops():
    plain, prompted = tiny_clip(), tiny_clip(depth=3)
    images = pictures(2)
    assert torch.equal(prompted.encode_image(images), plain.clip.encode_image(images))
    everything = torch.ones(2, 24, 24, dtype=torch.bool)
    assert torch.equal(prompted.encode_image(images, everything), plain.encode_image(images))
    nothing = prompted.encode_image(images, ~everything)
    assert not torch.allclose(nothing, plain.encode_image(images), atol=1e-3)
    assert torch.equal(nothing[0], nothing[1])  # no patch is left to tell the pictures apart


@torch.no_grad()
def test_prompts_cost_nothing_but_themselves():
    """Both towers are one: the base's weights, and nothing of them is copied or changed."""
    clip = tiny_clip()
    base = {key: value.clone() for key, value in clip.clip.state_dict().items()}
    before = {id(parameter) for parameter in clip.parameters()}
    whole = clip.encode_image(pictures(2))
    clip.set_prompts(torch.randn(2, *clip.prompt_shape))
    assert {id(p) for p in clip.parameters()} - before == {id(clip.prompts)}
    assert all(torch.equal(value, base[key]) for key, value in clip.clip.state_dict().items())
    assert torch.equal(clip.encode_image(pictures(2)), whole)  # bit for bit
    tokens = clip.tokenize(["cat", "dog"])
    assert torch.equal(clip.encode_text(tokens), tiny_clip().encode_text(tokens))

    masks = torch.zeros(2, 24, 24)
    masks[:, :8] = 1
    crops = clip.encode_image(pictures(2), masks)
    clip.clip.visual.proj.data *= 2  # a change of the one weight shows on both sides
    assert torch.allclose(clip.encode_image(pictures(2)), 2 * whole)
    assert torch.allclose(clip.encode_image(pictures(2), masks), 2 * crops)


@torch.no_grad()
def test_masks_without_prompts_change_nothing():
    clip = tiny_clip()
    masks = torch.zeros(2, 24, 24, dtype=torch.bool)
    assert torch.equal(clip.encode_image(pictures(2), masks), clip.encode_image(pictures(2)))


@torch.no_grad()
def test_prompts_replace_tokens_at_the_input_of_their_block():
    clip = tiny_clip(depth=2)
    masks = torch.ones(1, 24, 24)
    masks[:, :8, :8] = 0  # patch 0 is background
    seen = []
    for block in clip.clip.visual.transformer.resblocks:
        block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    first = clip.encode_image(pictures(1, 1), masks)
    second = clip.encode_image(pictures(1, 2), masks)
    assert not torch.equal(first, second)
    once, again = seen[:3], seen[3:]
    visual = clip.clip.visual
    embedded = visual.ln_pre(clip.prompts[0, 0] + visual.positional_embedding[1])
    assert torch.allclose(once[0][0, 1], embedded, atol=1e-6)
    assert torch.equal(once[1][0, 1], clip.prompts[1, 0])
    assert torch.equal(once[1][0, 1], again[1][0, 1])
    assert not torch.equal(once[2][0, 1], again[2][0, 1])  # depth 2: block 2 is left alone
    assert not torch.equal(once[1][0, 0], again[1][0, 0])  # the class token always is


@torch.no_grad()
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_batches_do_not_matter(depth):
    clip = tiny_clip(depth=depth)
    images, masks = pictures(5), torch.rand(5, 24, 24) < 0.02
    together = clip.encode_image(images, masks)
    single = torch.cat([clip.encode_image(images[i : i + 1], masks[i : i + 1]) for i in range(5)])
    assert torch.allclose(together, single, atol=1e-5)
    assert clip.encode_image(images[:0], masks[:0]).shape == (0, 16)
    assert torch.equal(clip.encode_image(images, masks[:, None].float()), together)


@torch.no_grad()
def test_autocast_stays_near():
    clip = tiny_clip(depth=3)
    images, masks = pictures(4), torch.rand(4, 24, 24) < 0.02
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = clip.encode_image(images, masks).float()
    assert torch.cosine_similarity(low, clip.encode_image(images, masks)).min() > 0.999


def test_only_prompts_get_gradients_where_only_they_are_asked():
    clip = tiny_clip(depth=2)
    clip.clip.requires_grad_(False)
    masks = torch.ones(1, 24, 24)
    masks[:, :8, :8] = 0
    clip.encode_image(pictures(1), masks).sum().backward()
    moved = clip.prompts.grad.abs().sum(dim=2) > 0
    assert moved[:, 0].all() and not moved[:, 1:].any()  # only the background patch's


def test_deepening_keeps_what_is_there():
    clip = tiny_clip(depth=2)
    before = clip.prompts.detach().clone()
    clip.deepen_prompts(3, torch.Generator().manual_seed(9))
    assert torch.equal(clip.prompts[:2], before)
    assert 0.005 < float(clip.prompts[2].detach().std()) < 0.04
    clip.deepen_prompts(1)
    assert torch.equal(clip.prompts, before[:1])
    clip.deepen_prompts(0)
    assert clip.prompts is None and clip.prompt_depth == 0
    with pytest.raises(ValueError, match="has 3 blocks, allowed 0..3"):
        clip.deepen_prompts(4)
    with pytest.raises(ValueError, match=r"expected \(depth, 9, 32\)"):
        clip.set_prompts(torch.zeros(1, 4, 32))


@torch.no_grad()
def test_short_text_is_encoded_as_the_padded_one():
    clip = tiny_clip()
    tokens = clip.tokenize(["dog", "a photo of a very small dog in the scene", ""])
    assert torch.allclose(clip.encode_text(tokens), clip.clip.encode_text(tokens), atol=1e-6)
    assert clip.encode_text(tokens[:0]).shape == (0, 16)


def test_long_text_keeps_its_end():
    clip = tiny_clip()
    tokens = clip.tokenize(["dog " * 100])
    assert tokens.shape == (1, 12) and tokens[0, -1] == tokens.max() == 49407


def test_a_convolutional_tower_is_refused():
    config = copy.deepcopy(CONFIG)
    config["vision_cfg"] = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16}
    with pytest.raises(ValueError, match="ModifiedResNet.*VisionTransformer"):
        build_from_config(config)
