"""Training samples: targets by hand, reproducible draws, what cannot be read."""

import random

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.core.records import ImageRecord
from pipeline.segmenter.data import TrainingSet, augment, seeded, to_target
from tests.segmenter.tiny import training, world

PLAIN = training(crop=500, min_short_side=70, max_short_side=70, long_side=500, flip=False)
VARIED = training(crop=48, max_short_side=96, long_side=500, colour=True)


def training_set(
    tmp_path, augmentation=PLAIN, class_ids=(0, 1, 2), ignored_as_background=True, pictures=8
):
    dataset, records = world(tmp_path, pictures)
    return TrainingSet(dataset, records, class_ids, augmentation, 0, ignored_as_background)


def test_one_mask_per_trained_class_that_is_present():
    label = torch.tensor([[0, 0, 7], [255, 4, 7]])
    target = to_target(label, class_ids=[7, 1, 0], ignored_as_background=True)
    assert target.labels.tolist() == [0, 2]  # places in class_ids, not label values
    assert target.masks[0].tolist() == [[False, False, True], [False, False, True]]
    assert target.masks[1].tolist() == [[True, True, False], [False, False, False]]
    assert target.counted is None
    uncounted = to_target(label, class_ids=[7, 1, 0], ignored_as_background=False)
    assert uncounted.counted.tolist() == [[True, True, True], [False, False, True]]


def test_nothing_labelled_is_an_empty_target():
    target = to_target(torch.full((2, 3), 255), [0, 1], ignored_as_background=False)
    assert target.labels.shape == (0,)
    assert target.masks.shape == (0, 2, 3)
    assert not target.counted.any()


def test_without_augmentation_the_picture_is_itself(tmp_path):
    data = training_set(tmp_path)
    sample = data[2, 0]
    stored = np.asarray(Image.open(tmp_path / "2.png"))
    assert sample.image.dtype == torch.uint8
    assert (sample.image.permute(1, 2, 0).numpy() == stored).all()
    assert sample.target.labels.tolist() == [0, 2]
    assert sample.target.masks.shape == (2, 70, 90)


def test_a_draw_depends_on_its_number_alone(tmp_path):
    data = training_set(tmp_path, VARIED)
    first = data[1, 5]
    np.random.rand()
    random.random()
    again, other = data[1, 5], data[1, 6]
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.target.masks, again.target.masks)
    assert not torch.equal(first.image, other.image)
    assert first.image.shape == (3, 48, 48)


def test_labels_move_with_the_picture():
    image = np.zeros((40, 40, 3), np.uint8)
    label = np.full((40, 40), 3)
    image[:, :20], label[:, :20] = 255, 1
    how = training(crop=20, min_short_side=30, max_short_side=50, long_side=99)
    for draw in range(20):
        with seeded(draw):
            moved, labels = augment(image, label, how, 255)
        assert moved.shape == (20, 20, 3) and labels.shape == (20, 20)
        bright = moved[..., 0] > 128
        assert ((labels == 1) == bright).mean() > 0.9  # but for the blurred edge
        assert set(np.unique(labels)) <= {1, 3}


def test_crops_of_one_class_are_redrawn():
    label = np.zeros((64, 64), int)
    label[:, 40:] = 1
    image = np.zeros((64, 64, 3), np.uint8)
    how = training(crop=32, long_side=99, flip=False, single_category_max_area=0.9)
    for draw in range(10):
        with seeded(draw):
            _, crop = augment(image, label, how, 255)
        assert len(np.unique(crop)) == 2


def test_seeding_leaves_the_global_generators_alone():
    np.random.seed(3)
    random.seed(3)
    expected = np.random.rand(), random.random()
    np.random.seed(3)
    random.seed(3)
    with seeded(1, 2):
        inside = np.random.rand()
    assert (np.random.rand(), random.random()) == expected
    with seeded(1, 2):
        assert np.random.rand() == inside


def test_an_unreadable_picture_is_replaced_and_named(tmp_path):
    data = training_set(tmp_path)
    (tmp_path / "3.png").write_bytes(b"broken")
    Image.new("L", (5, 5)).save(tmp_path / "4_label.png")
    sample = data[3, 0]
    assert torch.equal(sample.image, data[5, 0].image)
    assert [(r.item, r.reason) for r in sample.rejects] == [
        ("3.png", "unreadable"),
        ("4.png", "unreadable"),
    ]
    assert "label map (5, 5), picture (70, 90)" in sample.rejects[1].detail
    for i in range(8):
        (tmp_path / f"{i}.png").unlink(missing_ok=True)
    with pytest.raises(ValueError, match="none of 8 training pictures can be read"):
        data[0, 0]


def test_pictures_without_label_maps_are_no_training_set(tmp_path):
    dataset, _ = world(tmp_path, 1)
    unlabelled = [ImageRecord(0, "0.png", 90, 70, [], None)]
    with pytest.raises(ValueError, match="none of 1 training pictures has a label map"):
        TrainingSet(dataset, unlabelled, [0], PLAIN, 0, True)
