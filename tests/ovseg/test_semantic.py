import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from pipeline.ovseg import semantic
from pipeline.ovseg.semantic import Contest, label_map, mask_parts, resize_part, semantic_scores

sides = st.integers(1, 40)


@settings(deadline=None)
@given(sides, sides, sides, sides, st.data())
def test_any_part_equals_that_part_of_the_whole_resized(h, w, height, width, data):
    masks = torch.rand(2, h, w)
    part = []
    for size in (height, width):
        start = data.draw(st.integers(0, size - 1))
        part.append(slice(start, data.draw(st.integers(start + 1, size))))
    rows, columns = part
    whole = F.interpolate(masks[None], (height, width), mode="bilinear", align_corners=False)[0]
    found = resize_part(masks, (height, width), (rows, columns))
    torch.testing.assert_close(found, whole[:, rows, columns], atol=1e-5, rtol=0)
    in_full = resize_part(masks, (height, width), (slice(0, height), slice(0, width)))
    assert torch.equal(found, in_full[:, rows, columns])


def test_resizing_masks_equals_resizing_the_scores():
    classes, masks = torch.rand(5, 7), torch.rand(5, 12, 9)
    scores = torch.einsum("qk,qhw->khw", classes, masks)
    resized = F.interpolate(scores[None], (20, 31), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(semantic_scores(classes, masks, (20, 31)), resized)


def test_labels_worked_by_hand():
    masks = torch.tensor([[[1.0, 0.4, 0.0]], [[0.0, 0.6, 0.0]]])
    classes = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    # middle pixel: class 0 = .9*.4 + .2*.6 = .48, class 1 = .1*.4 + .8*.6 = .52
    assert label_map(classes, masks, (1, 3)).tolist() == [[0, 1, -1]]


def test_a_tie_goes_to_the_lower_class():
    assert label_map(torch.full((1, 3), 0.5), torch.ones(1, 1, 1), (1, 1)).item() == 0


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(1, 30), st.floats(0, 8), st.integers(0, 1000))
def test_classes_ruled_out_win_nowhere(queries, classes, sharpness, seed):
    generator = torch.Generator().manual_seed(seed)
    probabilities = (sharpness * torch.randn(queries, classes, generator=generator)).softmax(dim=1)
    masks = torch.rand(queries, 9, 11, generator=generator) ** 4
    contest = Contest.between(probabilities)
    scores = semantic_scores(probabilities, masks, (9, 11))
    others = torch.ones(classes, dtype=torch.bool)
    others[contest.ids] = False
    assert (scores[others] < scores.amax(dim=0)).all()


def test_peaked_probabilities_leave_few_contenders():
    probabilities = torch.full((10, 500), 1e-4)
    probabilities[torch.arange(10), torch.arange(10) * 7] = 0.9
    assert Contest.between(probabilities).ids.tolist() == list(range(0, 70, 7))


@pytest.mark.parametrize("pixels", [1, 7, 29, 100])  # a pixel, part of a row, one and three rows
def test_parts_do_not_change_the_labels(monkeypatch, pixels):
    classes, masks = torch.rand(6, 50), torch.rand(6, 17, 13)
    whole = label_map(classes, masks, (41, 29))
    scores = semantic_scores(classes, masks, (41, 29))
    assert (whole == scores.argmax(dim=0)).float().mean() > 0.999
    monkeypatch.setattr(semantic, "BAND_BYTES", 4 * 50 * pixels)
    sizes = {tuple(part.shape[1:]) for _, part in mask_parts(masks, (41, 29), 50)}
    assert max(height * width for height, width in sizes) <= pixels
    assert torch.equal(label_map(classes, masks, (41, 29)), whole)
    torch.testing.assert_close(semantic_scores(classes, masks, (41, 29)), scores)


@pytest.mark.parametrize("queries", [0, 1])
def test_no_mask_names_nothing(queries):
    labels = label_map(torch.zeros(queries, 3), torch.ones(queries, 4, 5), (4, 5))
    assert labels.shape == (4, 5)
    assert (labels == -1).all()
