import numpy as np
import pytest
import torch

from pipeline.clip.store import save_clip
from pipeline.clip.view import RegionView
from pipeline.core.errors import UserError
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.store import save_segmenter
from pipeline.ovseg import OVSeg
from pipeline.ovseg.semantic import label_map
from tests.ovseg.tiny import look, tiny_clip, tiny_segmenter
from tests.segmenter.tiny import config, resnet, swin

NAMES = ["cat", "dog", "grass"]
MODES = ["ensemble", "clip", "segmenter", "free-text"]


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model(image) -> OVSeg:
    """Untrained masks are near 0.5 everywhere: the threshold leaves a few pixels of each."""
    model = OVSeg(tiny_segmenter(), tiny_clip(prompt_depth=2))
    masks = look(model, image, NAMES).masks
    style = RegionView(threshold=masks.quantile(0.97).item())
    return OVSeg(model.segmenter, model.clip, view=style)


def with_valid_masks(model: OVSeg, image: np.ndarray, count: int) -> OVSeg:
    """The same model with the threshold at which exactly `count` masks are valid."""
    peaks = look(model, image, NAMES).masks.amax(dim=(1, 2)).sort(descending=True).values.tolist()
    peaks = [1.0, *peaks, 0.0]
    threshold = (peaks[count] + peaks[count + 1]) / 2
    return OVSeg(model.segmenter, model.clip, view=RegionView(threshold=threshold))


@pytest.mark.parametrize("mode", MODES)
def test_labels_are_the_best_of_the_scores(model, image, mode):
    result = model.segment(image, NAMES, mode)
    scores = model.scores(image, NAMES, mode)
    assert result.labels.shape == (50, 70)
    assert scores.shape == (3, 50, 70)
    named = result.labels >= 0
    assert (scores.argmax(dim=0).numpy()[named] == result.labels[named]).all()
    assert (scores.amax(dim=0).numpy()[~named] == 0).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [0, 1])
def test_no_valid_mask_and_exactly_one(model, image, mode, count):
    few = with_valid_masks(model, image, count)
    evidence = look(few, image, NAMES)
    assert int(evidence.valid.sum()) == count
    labels = few.segment(image, NAMES, mode).labels
    if mode in ("segmenter", "ensemble"):
        assert (labels >= 0).all()
    if count == 0 and mode in ("clip", "free-text"):
        assert (labels == -1).all()


def test_without_a_valid_mask_the_ensemble_is_the_segmenter_alone(model, image):
    blind = with_valid_masks(model, image, 0)
    evidence = look(blind, image, NAMES)
    classes, _ = blind.combine(evidence.prediction, evidence.scores, "ensemble", 3)
    assert torch.equal(classes, evidence.segmenter ** (1 - blind.weight))


@pytest.mark.parametrize("mode", MODES)
def test_a_single_class_is_compared_with_others(model, image, mode):
    result = model.segment(image, ["cat"], mode)
    assert result.names == ("cat", "others")


@pytest.mark.parametrize("mode", MODES)
def test_a_thousand_classes_and_an_endless_name(model, image, mode):
    names = [f"thing {i}" for i in range(999)] + ["very " * 500 + "long"]
    assert model.segment(image, names, mode).labels.max() < 1000


@pytest.mark.parametrize("mode", ["ensemble", "clip", "segmenter"])
def test_a_closed_set_of_one_class(model, image, mode):
    """An evaluation set may have a single class; it is not compared with "others"."""
    evidence = look(model, image, ["cat"])
    assert evidence.clip.shape == evidence.segmenter.shape == (6, 1)
    assert (evidence.clip == 1).all()
    classes, masks = model.combine(evidence.prediction, evidence.scores, mode, 1)
    labels = label_map(classes, masks, (50, 70))
    assert (labels == 0).all()


@pytest.mark.parametrize("mode", MODES)
def test_an_endless_name_is_cut_at_the_context(model, image, mode):
    long, longer = ("fire truck " * n + "end" for n in (40, 400))
    tokens = model.clip.tokenize([long, longer])
    assert (tokens[:, -1] == 49407).all()  # the end-of-text token, which CLIP reads, is kept
    results = [model.segment(image, [name, "dog"], mode).labels for name in (long, longer)]
    assert (results[0] == results[1]).all()


@pytest.mark.parametrize(
    "backbone",
    [
        swin(),
        resnet(depth=50, norm="GN", stem_channels=32, res2_channels=64, bottleneck_channels=32),
    ],
)
def test_a_picture_of_one_pixel_on_every_backbone(backbone):
    segmenter = MaskFormer(config(backbone=backbone)).eval()
    model = OVSeg(segmenter, tiny_clip(prompt_depth=1), view=RegionView(threshold=0.01))
    image = np.full((1, 1, 3), 7, dtype=np.uint8)
    for mode in MODES:
        assert model.segment(image, NAMES, mode).labels.shape == (1, 1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("hw", [(1, 1), (1, 300), (33, 1)])
def test_pictures_of_one_pixel_and_of_one_line(model, mode, hw):
    image = np.full((*hw, 3), 200, dtype=np.uint8)
    assert model.segment(image, NAMES, mode).labels.shape == hw


def test_the_result_does_not_depend_on_the_crop_batch(model, image):
    looks = [
        look(OVSeg(model.segmenter, model.clip, view=model.view, crop_batch=size), image, NAMES)
        for size in (1, 64)
    ]
    assert int(looks[0].valid.sum()) > 1
    torch.testing.assert_close(looks[0].clip, looks[1].clip, atol=1e-5, rtol=0)


def test_prompts_change_what_clip_sees_and_can_be_left_out(model, image):
    style, bare = model.view, tiny_clip(prompt_depth=0)
    plain = look(OVSeg(model.segmenter, model.clip, view=style, prompts=False), image, NAMES).clip
    assert not torch.allclose(plain, look(model, image, NAMES).clip, atol=1e-3)
    assert torch.equal(plain, look(OVSeg(model.segmenter, bare, view=style), image, NAMES).clip)


def test_larger_pictures_are_made_smaller_and_their_labels_are_not(model, image):
    limited = OVSeg(model.segmenter, model.clip, view=model.view, max_pixels=32 * 64)
    found = limited.segment(image, NAMES, "ensemble")
    assert found.labels.shape == image.shape[:2] == (50, 70)
    height, width = found.looked_at
    assert height <= 32 and width <= 64 and height / width == pytest.approx(50 / 70, 0.05)
    assert limited.scores(image, NAMES).shape[1:] == (50, 70)
    assert model.segment(image, NAMES).looked_at == (50, 70)
    free = OVSeg(model.segmenter, model.clip, view=model.view, max_pixels=0)
    assert free.segment(image, NAMES).looked_at == (50, 70)
    for wrong in (-1, 1, 1023):
        with pytest.raises(UserError, match=f"max_pixels is {wrong}; expected 1024 or more, or 0"):
            OVSeg(model.segmenter, model.clip, max_pixels=wrong)


def test_scores_beyond_two_gib_are_refused(model):
    image = np.zeros((1000, 1000, 3), np.uint8)
    names = [f"thing {number}" for number in range(600)]
    with pytest.raises(UserError, match="600 names at 1000 x 1000 .*536,870,912 .*output_hw.*segm"):
        model.scores(image, names)
    with pytest.raises(UserError, match="3 names at 20000 x 10000"):
        model.scores(image[:50, :70], ["a cat", "a dog", "a cow"], output_hw=(20_000, 10_000))


def test_a_resized_look_gives_labels_at_the_pictures_own_size(model, image):
    small = OVSeg(model.segmenter, model.clip, short_side=32, long_side=40)
    assert look(small, image, NAMES).masks.shape[1:] == (29, 40)
    assert small.segment(image, NAMES, "ensemble").labels.shape == (50, 70)


def test_an_unknown_mode_is_refused(model, image):
    with pytest.raises(ValueError, match=r"'best'.*ensemble"):
        model.segment(image, NAMES, "best")


def test_load_reads_what_the_pipeline_wrote(model, image, tmp_path):
    save_segmenter(tmp_path / "segmenter", model.segmenter)
    save_clip(tmp_path / "finetune" / "second", model.clip, "test")
    loaded = OVSeg.load(tmp_path, view=model.view)
    expected = model.segment(image, NAMES)
    assert (loaded.segment(image, NAMES).labels == expected.labels).all()
    with pytest.raises(FileNotFoundError, match="base_clip"):
        OVSeg.load(tmp_path, clip="base_clip")
