"""Draw one sheet per picture: columns (picture, truth, prediction ...) above a legend."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pipeline.core.files.atomic import replacing
from pipeline.viz.lettering import font, text_size
from pipeline.viz.overlay import distinct_colours, fitted, paint

MARGIN = 12
SWATCH = 16
INK, PAPER, DIM = (30, 30, 30), (255, 255, 255), (110, 110, 110)


@dataclass(frozen=True)
class Column:
    """One picture of the sheet: a title, and labels `(H, W)` to paint, None for the photo alone."""

    title: str
    labels: np.ndarray | None


def sheet(image: np.ndarray, columns: list[Column], names: list[str], shown: list[int]) -> Image:
    """Draw the sheet.

    image: uint8 RGB `(H, W, 3)`. names: of all classes. shown: the ids that get a colour and an
    entry in the legend, the most important first. Other ids stay grey.
    """
    palette = dict(zip(shown, distinct_colours(len(shown)), strict=True))
    texts = {class_id: names[class_id] for class_id in shown}
    pictures = [
        fitted(image)[0] if column.labels is None else paint(image, column.labels, texts, palette)
        for column in columns
    ]
    height, width = pictures[0].shape[:2]
    page_width = MARGIN + len(pictures) * (width + MARGIN)
    face = font(15)
    places, legend_height = _legend_places([texts[i] for i in shown], page_width, face)
    top = MARGIN + 22
    page = Image.new("RGB", (page_width, top + height + MARGIN + legend_height), PAPER)
    draw = ImageDraw.Draw(page)
    for i, (column, picture) in enumerate(zip(columns, pictures, strict=True)):
        left = MARGIN + i * (width + MARGIN)
        draw.text((left, MARGIN - 4), column.title, font=font(17), fill=INK)
        page.paste(Image.fromarray(picture), (left, top))
    for class_id, (x, y) in zip(shown, places, strict=True):
        y += top + height + MARGIN
        draw.rectangle((x, y, x + SWATCH, y + SWATCH), fill=tuple(palette[class_id]), outline=DIM)
        draw.text((x + SWATCH + 6, y - 1), texts[class_id], font=face, fill=INK)
    return page


def save_sheet(page: Image.Image, path: Path) -> None:
    """Write a PNG, whole or not at all."""
    with replacing(path) as temporary:
        page.save(temporary, format="PNG")


def _legend_places(names: list[str], page_width: int, face) -> tuple[list[tuple[int, int]], int]:
    """Return where each entry starts, line by line, and the height of the legend."""
    places: list[tuple[int, int]] = []
    x, y, line = MARGIN, 0, SWATCH + 8
    for name in names:
        entry = SWATCH + 6 + text_size(name, face)[0] + 18
        if x > MARGIN and x + entry > page_width:
            x, y = MARGIN, y + line
        places.append((x, y))
        x += entry
    return places, y + line + MARGIN // 2 if names else 0
