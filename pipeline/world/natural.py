"""Object-centred pictures, the "web photographs" that the miniature base CLIP is trained on.

One noun fills most of the picture (one in eight has a second object behind it) on a whole,
unmasked background: like CLIP's training pictures, and unlike a masked crop.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.clip.templates import VILD_TEMPLATES
from pipeline.world.captions import STUFF_PHRASES, noun_phrase
from pipeline.world.scenes import composite, place
from pipeline.world.textures import paint
from pipeline.world.vocabulary import STUFF, THINGS


@dataclass(frozen=True)
class NaturalPicture:
    """image: uint8 (side, side, 3) RGB; caption: one sentence; noun: what the picture is of."""

    image: np.ndarray
    caption: str
    noun: str


def draw_natural(rng: np.random.Generator, side: int, noun: str) -> NaturalPicture:
    """Draw a picture of one thing on some stuff, or of the stuff alone if the noun is stuff."""
    if noun in STUFF:
        image = paint(noun, rng, 2 * side)[:side, :side]
        return NaturalPicture(image, _caption(rng, noun, None, None), noun)
    stuff = str(rng.choice(STUFF))
    image = paint(stuff, rng, side)
    other = None
    if rng.random() < 1 / 8:
        other = str(rng.choice([t for t in THINGS if t != noun]))
        corner = tuple(side * rng.choice((0.2, 0.8), size=2))
        image = composite(image, *place(other, rng, side * rng.uniform(0.35, 0.5), corner, side))
    centre = tuple(side * rng.uniform(0.42, 0.58, size=2))
    image = composite(image, *place(noun, rng, side * rng.uniform(0.55, 0.98), centre, side))
    return NaturalPicture(image, _caption(rng, noun, other, stuff), noun)


def _caption(rng: np.random.Generator, noun: str, other: str | None, stuff: str | None) -> str:
    """Write the alt text of a picture: a bare noun, a template around it, or a short sentence."""
    style = rng.random()
    if style < 0.3 and other is None:
        return noun
    if style < 0.6 and other is None:
        return str(rng.choice(VILD_TEMPLATES)).format(noun)
    text = noun if stuff is None else noun_phrase(noun, 1, rng)
    if other is not None:
        text += f" and {noun_phrase(other, 1, rng)}"
    if stuff is not None and rng.random() < 0.6:
        text += f" {rng.choice(STUFF_PHRASES[stuff])}"
    return text
