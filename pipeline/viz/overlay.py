"""Paint label maps for people: classes in colour, each name on its region."""

import colorsys

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from pipeline.viz.lettering import font, write

MIN_WIDTH, MAX_WIDTH, MAX_HEIGHT = 320, 1280, 4096
"""Pixels. Names do not fit on smaller pictures; larger ones make sheets too large to open."""
OPACITY = 0.55
"""Of the classes' colours over the photograph."""
NAMED_SHARE = 0.01
"""Regions below this share of the picture are coloured but not named."""


def distinct_colours(count: int) -> np.ndarray:
    """Make `count` colours, `(count, 3)` uint8 RGB; neighbours differ much, and the first dozen are
    easy to tell apart."""
    shades = [(1.0, 0.6), (0.85, 0.95), (0.9, 0.75), (1.0, 1.0), (0.55, 0.75)]
    colours = []
    for i in range(count):
        hue = (0.58 + i * 0.618034) % 1.0  # the golden ratio spreads any number of hues
        saturation, value = shades[i % len(shades)]
        colours.append([round(255 * c) for c in colorsys.hsv_to_rgb(hue, saturation, value)])
    return np.array(colours, dtype=np.uint8).reshape(count, 3)


def fitted(image: np.ndarray, labels: np.ndarray | None = None) -> tuple:
    """Resize picture `(H, W, 3)` and labels `(H, W)` to a readable width. Small ones are enlarged
    by a whole factor to at least `MIN_WIDTH`, large ones reduced to `MAX_WIDTH`, and none is higher
    than `MAX_HEIGHT`. Labels keep hard edges."""
    height, width = image.shape[:2]
    if width < MIN_WIDTH:
        shown = -(-MIN_WIDTH // width) * width
    else:
        shown = min(width, MAX_WIDTH)
    shown = min(shown, max(width * MAX_HEIGHT // height, 1))
    size = (shown, max(1, round(height * shown / width)))
    step = max(1, width // (4 * shown))  # a huge picture is sampled
    big = np.array(Image.fromarray(image[::step, ::step]).resize(size, Image.Resampling.BICUBIC))
    if labels is None:
        return big, None
    rows, columns = (
        (np.arange(new) * old) // new for new, old in ((size[1], height), (size[0], width))
    )
    return big, labels[rows[:, None], columns]


def paint(
    image: np.ndarray,
    labels: np.ndarray,
    names: dict[int, str],
    colours: dict[int, np.ndarray],
) -> np.ndarray:
    """Colour every class of `labels` over a uint8 RGB picture and write its name on it.

    labels: `(H, W)` integers; ids that are not in `colours` (ignored, unnamed) stay grey.
    Returns uint8 `(H, W, 3)`, sized as by `fitted`.
    """
    picture, labels = fitted(image, labels)
    grey = picture.mean(axis=2, keepdims=True).repeat(3, axis=2)
    canvas = 0.5 * grey + 40.0
    for class_id, colour in colours.items():
        here = labels == class_id
        canvas[here] = (1 - OPACITY) * picture[here] + OPACITY * colour
    canvas[_borders(labels)] = 255.0
    drawn = Image.fromarray(canvas.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(drawn)
    for class_id in colours:
        spot = _middle_of_largest_part(labels == class_id)
        if spot is not None:
            write(draw, spot, names[class_id], font(14), centred=True)
    return np.array(drawn)


def _borders(labels: np.ndarray) -> np.ndarray:
    """Find pixels whose right or lower neighbour has another label: bool `(H, W)`."""
    edge = np.zeros(labels.shape, dtype=bool)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    return edge


def _middle_of_largest_part(mask: np.ndarray) -> tuple[int, int] | None:
    """Find the (x, y) farthest from the edge of the largest connected part; None if too small."""
    parts, count = ndimage.label(mask)
    if count == 0:
        return None
    areas = np.bincount(parts.ravel())[1:]
    if areas.max() < NAMED_SHARE * mask.size:
        return None
    inside = np.pad(parts == 1 + int(areas.argmax()), 1)
    depth = ndimage.distance_transform_edt(inside)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(x), int(y)
