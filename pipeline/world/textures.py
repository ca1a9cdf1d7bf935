"""Procedural "stuff": ten textures that fill the background of a scene.

Every texture is noise filtered and coloured by hand, so a patch of any size can be drawn from a
seed and no two patches are alike. Functions return float32 (side, side, 3) RGB in 0..255.
"""

from collections.abc import Callable

import cv2
import numpy as np

Painter = Callable[[np.random.Generator, int], np.ndarray]


def paint(stuff: str, rng: np.random.Generator, side: int) -> np.ndarray:
    """Paint a square of the named stuff, uint8 (side, side, 3) RGB. KeyError for an unknown one."""
    canvas = PAINTERS[stuff](rng, side)
    canvas = canvas * rng.uniform(0.88, 1.12) + rng.uniform(-12, 12, size=3)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _noise(rng: np.random.Generator, side: int, cell_y: float, cell_x: float) -> np.ndarray:
    """Make smooth noise in about -1..1, (side, side), with grains of cell_y x cell_x pixels."""
    grid = rng.standard_normal((int(side / cell_y) + 3, int(side / cell_x) + 3)).astype(np.float32)
    big = cv2.resize(
        grid,
        (int(grid.shape[1] * cell_x) + 1, int(grid.shape[0] * cell_y) + 1),
        interpolation=cv2.INTER_CUBIC,
    )
    return 0.6 * big[:side, :side]


def _blend(low: tuple, high: tuple, share: np.ndarray) -> np.ndarray:
    """Mix two RGB colours: share 0 gives `low`, 1 gives `high`; (H, W) -> (H, W, 3)."""
    share = np.clip(share, 0, 1)[..., None]
    return np.float32(low) * (1 - share) + np.float32(high) * share


def _grass(rng, side):
    blades = _noise(rng, side, 7, 1.3) + 0.5 * _noise(rng, side, 20, 20)
    return _blend((38, 92, 28), (140, 196, 74), 0.5 + 0.5 * blades)


def _sand(rng, side):
    grains = 0.5 * _noise(rng, side, 1, 1) + 0.4 * _noise(rng, side, 9, 26)
    return _blend((196, 164, 104), (244, 222, 168), 0.5 + 0.5 * grains)


def _water(rng, side):
    ripples = _noise(rng, side, 2.5, 14) + 0.4 * _noise(rng, side, 12, 40)
    return _blend((18, 84, 150), (112, 188, 226), 0.45 + 0.5 * ripples)


def _snow(rng, side):
    drifts = 0.5 * _noise(rng, side, 14, 26) + 0.25 * _noise(rng, side, 1.2, 1.2)
    return _blend((198, 214, 236), (254, 254, 255), 0.65 + 0.5 * drifts)


def _sky(rng, side):
    clouds = _noise(rng, side, 18, 34) + 0.4 * _noise(rng, side, 7, 12)
    height = np.linspace(-0.25, 0.25, side, dtype=np.float32)[:, None]
    return _blend((104, 164, 238), (240, 246, 255), 0.28 + height + 0.55 * clouds)


def _brick_wall(rng, side):
    high, long = rng.integers(8, 12), rng.integers(18, 25)
    y, x = np.mgrid[:side, :side] + rng.integers(0, 40)
    row = y // high
    x = x + (row % 2) * (long // 2)
    mortar = (y % high < 2) | (x % long < 2)
    shade = rng.uniform(-1, 1, size=(int(row.max()) + 1, int((x // long).max()) + 1))
    share = 0.5 + 0.35 * shade[row, x // long] + 0.2 * _noise(rng, side, 1.5, 1.5)
    canvas = _blend((138, 50, 34), (206, 104, 76), share)
    canvas[mortar] = (206, 198, 188)
    return canvas


def _gravel(rng, side):
    stones = np.abs(_noise(rng, side, 5, 5)) + 0.3 * _noise(rng, side, 1.5, 1.5)
    return _blend((70, 70, 76), (190, 188, 184), 0.15 + 1.1 * stones)


def _dirt(rng, side):
    clods = _noise(rng, side, 6, 6) + 0.7 * _noise(rng, side, 1.5, 1.5)
    return _blend((70, 44, 26), (144, 102, 66), 0.45 + 0.4 * clods)


def _wood(rng, side):
    y, x = np.mgrid[:side, :side].astype(np.float32)
    plank = rng.integers(20, 30)
    warp = 3.0 * _noise(rng, side, 12, 60)
    grain = np.sin((y + warp) * rng.uniform(0.9, 1.3)) * 0.3 + 0.4 * _noise(rng, side, 2, 40)
    canvas = _blend((150, 96, 46), (222, 172, 110), 0.5 + grain)
    canvas[(y + rng.integers(0, plank)) % plank < 1.5] = (92, 56, 26)
    return canvas


def _carpet(rng, side):
    y, x = np.mgrid[:side, :side] + rng.integers(0, 40)
    cell = rng.integers(10, 15)
    diamonds = (np.abs(y % cell - cell / 2) + np.abs(x % cell - cell / 2)) / cell
    weave = 0.15 * _noise(rng, side, 1, 1)
    return _blend((112, 26, 92), (214, 140, 186), (diamonds > 0.42) * 0.8 + 0.1 + weave)


PAINTERS: dict[str, Painter] = {
    "grass": _grass,
    "sand": _sand,
    "water": _water,
    "snow": _snow,
    "sky": _sky,
    "brick wall": _brick_wall,
    "gravel": _gravel,
    "dirt": _dirt,
    "wood": _wood,
    "carpet": _carpet,
}
