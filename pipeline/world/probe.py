"""Draw pictures that show where the miniature CLIP is strong and where it is weak.

The paper's motivation (section 1) is the gap between the pictures CLIP was trained on and the
masked crops it is asked about. Three ways to show it an object, all with known nouns:

- `natural`: object-centred pictures, drawn like the training pictures but from another seed;
- `box`: objects of many-object scenes cut out by their boxes, background kept;
- `masked`: the same objects with everything but the object filled.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.world.natural import draw_natural
from pipeline.world.scenes import draw_scene
from pipeline.world.vocabulary import NOUNS


@dataclass(frozen=True)
class Probe:
    """images: uint8 (H_i, W_i, 3) RGB; masks: bool (H_i, W_i), the object (all true where the
    whole picture counts); nouns: its names. Three lists of one length."""

    images: list[np.ndarray]
    masks: list[np.ndarray]
    nouns: list[str]


def natural_probe(count: int, side: int, seed: int) -> Probe:
    """Draw `count` object-centred pictures of side x side px, nouns in turn."""
    pictures = [
        draw_natural(np.random.default_rng([seed, i]), side, NOUNS[i % len(NOUNS)])
        for i in range(count)
    ]
    whole = np.ones((side, side), bool)
    return Probe([p.image for p in pictures], [whole] * count, [p.noun for p in pictures])


def crop_probe(count: int, side: int, seed: int) -> Probe:
    """Cut at least `count` objects out of scenes side x side px, as tight boxes with masks."""
    probe = Probe([], [], [])
    index = 0
    while len(probe.nouns) < count:
        scene = draw_scene(np.random.default_rng([seed, index]), side, 3, 6, 0.5)
        index += 1
        for thing in scene.things:
            ys, xs = np.nonzero(thing.mask)
            box = np.s_[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
            probe.images.append(scene.image[box])
            probe.masks.append(thing.mask[box])
            probe.nouns.append(thing.noun)
    return probe
