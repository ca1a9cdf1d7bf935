import numpy as np

from pipeline.viz.overlay import distinct_colours, fitted, paint

GREY = np.full((40, 80, 3), 128, np.uint8)
LEFT_RIGHT = np.repeat([[0] * 40 + [1] * 40], 40, axis=0)


def test_colours_of_two_dozen_classes_differ():
    colours = distinct_colours(24).astype(int)
    distance = np.abs(colours[:, None] - colours[None]).sum(axis=2)
    assert distance[~np.eye(24, dtype=bool)].min() > 20
    assert distinct_colours(0).shape == (0, 3)


def test_small_pictures_grow_and_large_ones_shrink():
    assert fitted(GREY)[0].shape == (160, 320, 3)
    assert fitted(GREY.repeat(32, axis=1))[0].shape == (20, 1280, 3)
    assert fitted(np.zeros((1, 5000, 3), np.uint8))[0].shape == (1, 1280, 3)
    assert fitted(np.zeros((3000, 1, 3), np.uint8))[0].shape == (3000, 1, 3)  # not a million
    _, labels = fitted(GREY, LEFT_RIGHT)
    assert (labels[:, :160] == 0).all() and (labels[:, 160:] == 1).all()


def test_every_class_has_its_colour_and_the_rest_stays_grey():
    colours = {1: np.array([255, 0, 0], np.uint8)}
    painted = paint(GREY, LEFT_RIGHT, {1: "cat"}, colours)
    left, right = painted[2, 2].astype(int), painted[-3, -3].astype(int)
    assert left.max() - left.min() == 0
    assert right[0] > right[1] + 100
    assert (painted[80, 170:310] == 255).any()  # the name, in white
