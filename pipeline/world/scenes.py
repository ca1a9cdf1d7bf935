"""Scenes of the OpenMoji world: objects over one or two kinds of stuff, with exact masks.

A scene is a pure function of its seed. Objects are turned, scaled, mirrored and colour-shifted
pictograms that may cover one another; an object's mask is its visible part. Masks are closed
outlines, as annotators draw them: the gaps between the spokes of a wheel belong to the bicycle.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.world.sprites import sprite
from pipeline.world.textures import paint
from pipeline.world.vocabulary import CLOSED_THINGS, OPEN_THINGS, STUFF

MIN_VISIBLE = 0.45
"""An object with a smaller visible share than this is removed from the scene."""
STUFF_ABOVE = ("sky", "brick wall", "water", "wood", "snow")
STUFF_BELOW = tuple(s for s in STUFF if s != "sky")


@dataclass(frozen=True)
class Thing:
    """One object in a scene. mask: bool (side, side), its visible pixels; noun: its name."""

    noun: str
    mask: np.ndarray


@dataclass(frozen=True)
class Scene:
    """image: uint8 (side, side, 3) RGB; things: back to front; stuff: (name, mask) top to bottom,
    each mask being the part not covered by things (it can be empty)."""

    image: np.ndarray
    things: tuple[Thing, ...]
    stuff: tuple[Thing, ...]


def shift_colours(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Vary hue by up to 12 degrees, saturation and brightness by up to 25%; uint8 RGB."""
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(-6, 6)) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.75, 1.15), 0, 255)
    hsv[..., 2] = np.clip(hsv[..., 2] * rng.uniform(0.75, 1.1) + rng.uniform(0, 14), 0, 255)
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)


def place(
    noun: str, rng: np.random.Generator, length: float, centre: tuple[float, float], side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a pictogram, its longer edge `length` px, turned by up to 25 degrees, around `centre`.

    Returns (rgb uint8 (side, side, 3), alpha float32 (side, side) in 0..1).
    """
    art = sprite(noun)
    rgb = shift_colours(np.ascontiguousarray(art[..., :3]), rng)
    height, width = rgb.shape[:2]
    scale = length / max(height, width)
    angle = np.deg2rad(rng.uniform(-25, 25))
    stretch = rng.uniform(0.88, 1.14)
    mirror = rng.choice((-1.0, 1.0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([scale * stretch * mirror, scale / stretch])
    offset = np.array(centre) - linear @ np.array([width / 2, height / 2])
    matrix = np.concatenate([linear, offset[:, None]], axis=1)
    alpha = art[..., 3].astype(np.float32) / 255
    pixels = np.concatenate([rgb * alpha[..., None], alpha[..., None]], axis=2)
    if scale < 0.75:  # a filter against aliasing before shrinking
        pixels = cv2.GaussianBlur(pixels, (0, 0), 0.35 / scale)
    drawn = cv2.warpAffine(pixels, matrix, (side, side), flags=cv2.INTER_LINEAR)
    opacity = drawn[..., 3]
    colour = drawn[..., :3] / np.maximum(opacity, 1e-3)[..., None]
    return np.clip(colour, 0, 255).astype(np.uint8), np.clip(opacity, 0, 1)


def outline_mask(alpha: np.ndarray, length: float) -> np.ndarray:
    """Turn opacity into a bool mask; close gaps narrower than about a tenth of `length` (px)."""
    mask = (alpha > 0.5).astype(np.uint8)
    reach = max(1, round(length / 20))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    border = 2 * reach
    padded = cv2.copyMakeBorder(mask, border, border, border, border, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)
    return closed[border:-border, border:-border].astype(bool)


def composite(canvas: np.ndarray, rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Lay rgb over canvas, both uint8 (H, W, 3), by alpha (H, W) in 0..1."""
    mixed = canvas * (1 - alpha[..., None]) + rgb * alpha[..., None]
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def draw_background(rng: np.random.Generator, side: int) -> tuple[np.ndarray, list[Thing]]:
    """Draw one stuff, or (in two scenes of three) one above another with a wavy border."""
    below = str(rng.choice(STUFF_BELOW))
    canvas = paint(below, rng, side)
    if rng.random() < 1 / 3:
        return canvas, [Thing(below, np.ones((side, side), bool))]
    above = str(rng.choice([s for s in STUFF_ABOVE if s != below]))
    waves = np.arange(side) / side * rng.uniform(0.5, 2.5) + rng.uniform(0, 1)
    border = side * (rng.uniform(0.25, 0.55) + 0.04 * np.sin(2 * np.pi * waves))
    upper = np.arange(side)[:, None] < border[None, :]
    canvas = np.where(upper[..., None], paint(above, rng, side), canvas)
    return canvas, [Thing(above, upper), Thing(below, ~upper)]


def choose_nouns(rng: np.random.Generator, count: int, closed_share: float) -> list[str]:
    """Choose distinct nouns, each from the closed set with probability `closed_share`; one scene in
    six shows its first noun twice."""
    nouns: list[str] = []
    while len(nouns) < count:
        pool = CLOSED_THINGS if rng.random() < closed_share else OPEN_THINGS
        noun = str(rng.choice(pool))
        if noun not in nouns:
            nouns.append(noun)
    if rng.random() < 1 / 6:
        nouns[-1] = nouns[0]
    return nouns


def draw_scene(
    rng: np.random.Generator, side: int, min_objects: int, max_objects: int, closed_share: float
) -> Scene:
    """Draw a scene of `min_objects` to `max_objects` objects on a canvas of side x side pixels.

    Objects are 0.28 to 0.55 of the side long and avoid one another: each takes the freest of a few
    random places.
    """
    image, stuff = draw_background(rng, side)
    nouns = choose_nouns(rng, int(rng.integers(min_objects, max_objects + 1)), closed_share)
    owner = np.full((side, side), -1)  # index of the topmost thing, -1 where stuff shows
    layers: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # colour, opacity, mask
    for index, noun in enumerate(nouns):
        length = side * rng.uniform(0.28, 0.55)
        centre = _freest_spot(rng, owner, length)
        rgb, alpha = place(noun, rng, length, centre, side)
        mask = outline_mask(alpha, length)
        owner[mask] = index
        layers.append((rgb, alpha, mask))
    sizes = [int(mask.sum()) for _, _, mask in layers]
    kept = [i for i, size in enumerate(sizes) if (owner == i).sum() >= max(MIN_VISIBLE * size, 24)]
    owner[:] = -1
    for i in kept:  # hidden ones are not drawn, so what they covered shows again
        rgb, alpha, mask = layers[i]
        image = composite(image, rgb, alpha)
        owner[mask] = i
    things = tuple(Thing(nouns[i], owner == i) for i in kept)
    return Scene(image, things, tuple(Thing(s.noun, s.mask & (owner < 0)) for s in stuff))


def _freest_spot(rng: np.random.Generator, owner: np.ndarray, length: float) -> tuple[float, float]:
    """Return that of four random centres (x, y) with the fewest taken pixels around it."""
    side = owner.shape[0]
    spots = rng.uniform(length * 0.45, side - length * 0.45, size=(4, 2))
    reach = length / 3

    def taken(spot: np.ndarray) -> float:
        (left, top), (right, bottom) = np.maximum(spot - reach, 0).astype(int), spot + reach + 1
        return float((owner[top : int(bottom), left : int(right)] >= 0).mean())

    x, y = min(spots, key=taken)
    return float(x), float(y)
