import numpy as np
import torch

from pipeline.evaluate.oracles import majority_names, paint_classes, present_classes

IGNORE = 255


def test_present_classes_leave_out_the_ignored():
    assert present_classes(np.array([[3, 0], [IGNORE, 3]]), IGNORE) == [0, 3]
    assert present_classes(np.full((2, 2), IGNORE), IGNORE) == []


def test_regions_are_painted_with_their_new_names():
    truth = np.array([[3, 0], [IGNORE, 3]])
    assert paint_classes(truth, {3: 1, 0: 0}).tolist() == [[1, 0], [-1, 1]]


def test_a_mask_is_named_by_the_majority_of_its_labelled_pixels():
    truth = np.array([[0, 2, 2, IGNORE]], dtype=np.int32)
    masks = torch.tensor([[[0.9, 0.9, 0.9, 0.9]], [[0.9, 0.9, 0.4, 0]], [[0, 0, 0, 0.9]]])
    names = majority_names(masks, truth, classes=3, ignore_label=IGNORE, threshold=0.4)
    # mask 1 is one pixel each of 0 and 2: the lower id; mask 2 has only ignored pixels
    assert names.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0]]


def test_truth_is_brought_to_the_size_of_the_masks():
    truth = np.array([[1] * 4 + [0] * 4] * 6, dtype=np.int32)
    masks = torch.zeros(1, 3, 4)
    masks[0, :, :2] = 1
    assert majority_names(masks, truth, 2, IGNORE, 0.5).tolist() == [[0, 1]]


def test_nothing_to_name():
    truth = np.full((3, 3), IGNORE, dtype=np.int32)
    assert (majority_names(torch.ones(2, 3, 3), truth, 4, IGNORE, 0.5) == 0).all()
    assert majority_names(torch.ones(0, 3, 3), truth, 4, IGNORE, 0.5).shape == (0, 4)
