"""Write text on pictures in the font that comes with Pillow, so that all machines agree."""

from functools import cache

from PIL import ImageDraw, ImageFont

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


@cache
def font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Load Pillow's own font at a size in pixels."""
    return ImageFont.load_default(size)


def text_size(text: str, face: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> tuple[int, int]:
    """Measure width and height of one line in pixels."""
    left, top, right, bottom = face.getbbox(text)
    return int(right - left), int(bottom - top)


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    face: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    centred: bool = False,
) -> None:
    """Write white text with a black rim, kept inside the picture; `at` = (x, y) of its top left
    corner, or of its middle."""
    width, height = text_size(text, face)
    x, y = (at[0] - width // 2, at[1] - height // 2) if centred else at
    page_width, page_height = draw.im.size
    x = max(2, min(x, page_width - width - 3))
    y = max(2, min(y, page_height - height - 5))
    draw.text((x, y), text, font=face, fill=WHITE, stroke_width=2, stroke_fill=BLACK)
