"""The golden tolerance is wide enough for float32 and far too tight for another convention.

Every convention of docs/conventions.md that the pipeline's code decides is broken once, by changing
a few characters of one function, and the goldens of our own reference must notice. Two are below
the noise of float32 and must pass.
"""

import inspect
import textwrap
from dataclasses import dataclass

import pytest
import torch

from pipeline.clip import regions, text, tower
from pipeline.evaluate import metrics
from pipeline.maskformer import maskformer
from pipeline.maskformer import masks as inference
from pipeline.ovseg import ensemble, semantic
from pipeline.segmenter import criterion, matcher
from tests.golden_checks import clip, original
from tests.golden_checks.all import check
from tests.goldens import ABSOLUTE, OWN, RELATIVE, Golden, allowed, assert_close


@dataclass(frozen=True)
class Broken:
    """A convention by number, the function that follows it, the golden that must notice, and what
    to write for what."""

    convention: str
    function: object
    golden: str
    written: str
    instead: str
    written_too: str = ""
    instead_too: str = ""


REGION, MODEL, TRAINING = "c_regions", "e_both_tiny", "g_training"
BROKEN = [
    Broken("1 pads, then normalises", maskformer.MaskFormer.prepare, MODEL,
           "(image.to(self.mean) - self.mean) / self.std", "image.to(self.mean)",
           ").tensor", ").tensor.sub(self.mean).div(self.std)"),
    Broken("2 a mask at the threshold is valid", regions.cut_regions, REGION,
           "masks > view.threshold", "masks >= view.threshold"),
    Broken("2 squashes, then enlarges", inference.Masks.probabilities, MODEL,
           "self.logits[None]", "self.logits[None].sigmoid()", "].sigmoid()\n", "]\n"),
    Broken("2 corners aligned", inference.Masks.probabilities, MODEL,
           "align_corners=False", "align_corners=True"),
    Broken("3 x2 and y2 one further", regions.masks_to_boxes, REGION,
           "flip(1).argmax(dim=1)", "flip(1).argmax(dim=1).sub(1)"),
    Broken("3 rounds expanded boxes", regions.expand_boxes, REGION, ".trunc()", ".round()"),
    Broken("4 antialiases", regions.region_of_crop, REGION,
           'mode="bicubic", align', 'mode="bicubic", antialias=True, align'),
    Broken("4 clamps what bicubic overshoots", regions.region_of_crop, REGION,
           "align_corners=False)[0]", "align_corners=False)[0].clamp(pixels.min(), pixels.max())"),
    Broken("4 bilinear pictures", regions.region_of_crop, REGION, '"bicubic"', '"bilinear"'),
    Broken("4 nearest masks by their centres", regions.region_of_crop, REGION,
           "mask[None, None].float(), (size, size))",
           'mask[None, None].float(), (size, size), mode="nearest-exact")'),
    Broken("4 OpenAI's colour as whole numbers", regions.region_of_crop, REGION,
           "mean.view(3, 1, 1) * 255 if", "(mean.view(3, 1, 1) * 255).round() if"),
    Broken("5 exact GELU", clip.clip_from, "a_towers", "quick_gelu: bool = True",
           "quick_gelu: bool = False"),
    Broken("5 heads of 64, or one", original.open_clip_config, "a_towers",
           'width // described.get("vision_heads", described.get("heads"))', "min(width, 64)"),
    Broken("5 CLIP's own temperature, about 100", ensemble.cosine_logits, MODEL,
           "TEMPERATURE", "99.9"),
    Broken("6 drops no object before the segmenter's softmax",
           maskformer.MaskFormer.class_probabilities, MODEL,
           ".softmax(-1)[..., :-1]", "[..., :-1].softmax(-1)"),
    Broken("6 clip = 0 where a mask is invalid", ensemble.clip_probabilities, MODEL,
           "new_ones", "new_zeros"),
    Broken("6 makes the ensemble sum to 1", ensemble.ensemble, MODEL,
           "return segmenter ** (1.0 - weight) * clip**weight",
           "p = segmenter ** (1.0 - weight) * clip**weight\n    return p / p.sum(1, keepdim=True)"),
    Broken("6 CLIP alone counts invalid masks", ensemble.clip_alone, MODEL,
           "probabilities * valid[:, None]", "probabilities"),
    Broken("7 adds up cut masks", semantic.semantic_scores, MODEL,
           "class_probabilities, resized)", "class_probabilities, (resized > 0.5).float())"),
    Broken("7 resizes with corners aligned", semantic._neighbours, MODEL,
           "+ 0.5) * (size / output) - 0.5", ") * ((size - 1) / max(output - 1, 1))"),
    Broken("8 dice without its 1", criterion.dice_loss, TRAINING,
           "(overlap + 1) / (probability.sum(1) + truth.sum(1) + 1)",
           "overlap / (probability.sum(1) + truth.sum(1))"),
    Broken("8 focal balance the other way", criterion.focal_loss, TRAINING,
           "FOCAL_ALPHA * truth + (1 - FOCAL_ALPHA)", "(1 - FOCAL_ALPHA) * truth + FOCAL_ALPHA"),
    Broken("8 no-object weight not in the divisor", criterion.class_loss, TRAINING,
           "_average(weight[truth].sum())", "truth.numel()"),
    Broken("8 divides by the masks of a picture", criterion.losses, TRAINING,
           "sum(len(target.labels) for target in targets)", "len(targets[-1].labels) + 1"),
    Broken("8 matches against the class", matcher.match, TRAINING,
           "-weights.class_weight *", "weights.class_weight *"),
    Broken("legacy mIoU is the current one", metrics._mean_ious, "h_metrics",
           "int(in_either.sum()) if", "int(in_truth.sum()) if"),
    Broken("sentences averaged as they come", text._features_of, "d_text",
           "F.normalize(encoded, dim=-1)", "encoded"),
    Broken("a patch is shown only where all of it is", tower.patch_mask, "a_towers",
           "F.max_pool2d(planes, patch_size)", "-F.max_pool2d(-planes, patch_size)"),
    Broken("prompts at the first block only", tower.MaskClip.encode_image, "a_towers",
           "0 < depth <", "depth < 0 <"),
    Broken("prompts after the position", tower.MaskClip.encode_image, "a_towers",
           "torch.where(keep, tokens, self.prompts[0].to(tokens.dtype))",
           "torch.where(keep, tokens, self.prompts[0] - visual.positional_embedding[1:])"),
]  # fmt: skip
NOISE = [
    Broken("4 mean fill exactly 0, not -1e-7", regions.region_of_crop, REGION,
           "pixels = (pixels / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)",
           "pixels = (pixels / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)\n"
           "    pixels = pixels.masked_fill(pixels.abs() < 2e-7, 0)"),
    Broken("4 resizes, then normalises", regions.region_of_crop, REGION,
           "    pixels = (pixels / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)\n", "",
           "align_corners=False)[0]", "align_corners=False)[0]\n"
           "    image = (image / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)"),
]  # fmt: skip


def break_it(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the function the code of its changed source, wherever it has been imported to."""
    function = inspect.unwrap(broken.function)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(broken.written) >= 1, f"{broken.convention}: the code was rewritten"
    changed: dict = {}
    source = source.replace(broken.written, broken.instead)
    if broken.written_too:
        assert broken.written_too in source, f"{broken.convention}: the code was rewritten"
        source = source.replace(broken.written_too, broken.instead_too)
    exec(source, vars(inspect.getmodule(function)), changed)
    [other] = [value for key, value in changed.items() if key == function.__name__]
    other = inspect.unwrap(getattr(other, "fget", other))
    monkeypatch.setattr(function, "__code__", other.__code__)
    monkeypatch.setattr(function, "__defaults__", other.__defaults__)


@pytest.fixture(autouse=True)
def models_of_their_own():
    """Models made by unbroken code stay in the cache otherwise, and broken ones too."""
    original.load_original.cache_clear()
    yield
    original.load_original.cache_clear()


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.convention)
def test_a_broken_convention_is_noticed(broken, monkeypatch):
    break_it(broken, monkeypatch)
    with pytest.raises(AssertionError):
        check(Golden(broken.golden, OWN))


@pytest.mark.parametrize("broken", NOISE, ids=lambda broken: broken.convention)
def test_what_is_below_the_noise_is_not(broken, monkeypatch):
    break_it(broken, monkeypatch)
    check(Golden(broken.golden, OWN))


def test_the_tolerance_grows_with_the_largest_number():
    golden = torch.tensor([67.0, 3.0, -0.1])
    most = allowed(golden)
    assert most == pytest.approx(67 * RELATIVE + ABSOLUTE)
    assert_close(golden + 0.9 * most, golden)
    with pytest.raises(AssertionError, match="a logit: .* allowed"):
        assert_close(golden + torch.tensor([0, 1.1 * most, 0]), golden, "a logit")


def test_losses_and_gradients_have_no_absolute_share():
    golden = torch.tensor([1e-6, -4e-7])
    assert_close(golden + 1e-7, golden)
    with pytest.raises(AssertionError):
        assert_close(golden + 1e-7, golden, unit=False)


def test_neither_nan_nor_another_shape_is_close():
    golden = torch.ones(3)
    for other in (torch.tensor([1.0, float("nan"), 1.0]), torch.ones(1), torch.ones(3, 1)):
        with pytest.raises(AssertionError):
            assert_close(other, golden)
    assert_close(torch.zeros(0, 4), torch.zeros(0, 4))
