"""The web page: a picture and some names in, the labelled picture and a table out (extra `demo`).

    ovseg demo            then open http://127.0.0.1:7860

`answer` is what happens behind the button; it knows nothing of the page.
"""

from copy import copy
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from PIL import Image

from pipeline.errors import UserError
from pipeline.modes import Mode
from pipeline.ovseg import OVSeg
from pipeline.ovseg.overlay import distinct_colours, paint
from pipeline.ovseg.result import Segmentation

HEADINGS = ["class", "share of the picture", "score"]
MODES = {
    "each name takes its best mask": "free-text",
    "every pixel gets a name: both branches": "ensemble",
    "every pixel gets a name: CLIP alone": "clip",
    "every pixel gets a name: segmenter alone": "segmenter",
}
assert set(MODES.values()) == set(get_args(Mode))


@dataclass(frozen=True)
class Answer:
    """overlay: uint8 RGB, enlarged where small; rows: (name, share of the picture, score) of every
    name that was found, largest area first."""

    overlay: np.ndarray
    rows: list[list[Any]]


def answer(
    model: OVSeg, image: np.ndarray | None, names: str, mode: Mode, weight: float, threshold: float
) -> Answer:
    """Segment `image`, uint8 RGB (H, W, 3), by the comma-separated `names`.

    weight: of CLIP in the ensemble, 0..1; threshold: probability above which a pixel is in a mask.
    UserError says what is wrong with what was typed.
    """
    if image is None:
        raise UserError("no picture yet: drop one into the box")
    asked = copy(model)  # people ask at the same time; weights and known names are shared
    asked.weight = weight
    asked.style = replace(model.style, threshold=threshold)
    found = asked.segment(image, names.split(","), mode)
    return Answer(drawn(image, found), [_row(found, i) for i in found.order])


def drawn(image: np.ndarray, found: Segmentation) -> np.ndarray:
    """The picture with every class that was found in its colour, and named."""
    palette = dict(zip(found.order, distinct_colours(len(found.order)), strict=True))
    texts = {i: found.names[i] for i in found.order}
    return paint(image, found.labels, texts, palette)


def build_page(model: OVSeg) -> Any:
    """The page around `answer`, a gradio Blocks; UserError where gradio is not installed."""
    try:
        import gradio as gr
    except ModuleNotFoundError as error:
        raise UserError(
            "the web page needs gradio, which is not installed: pip install -e '.[demo]'"
        ) from error

    def run(picture: Image.Image | None, names: str, way: str, weight: float, threshold: float):
        pixels = None if picture is None else np.array(picture.convert("RGB"))
        try:
            result = answer(model, pixels, names, MODES[way], weight, threshold)
        except UserError as error:
            raise gr.Error(str(error)) from error
        return result.overlay, result.rows

    with gr.Blocks(title="OVSeg", analytics_enabled=False) as page:
        gr.Markdown("# OVSeg\nName what you want to find; any words will do.")
        with gr.Row():
            with gr.Column():
                picture = gr.Image(type="pil", label="picture")
                names = gr.Textbox(label="names, separated by commas", value="saturn V, blossom")
                way = gr.Radio(list(MODES), value=next(iter(MODES)), label="how")
                with gr.Accordion("more", open=False):
                    weight = gr.Slider(
                        0, 1, value=model.weight, step=0.05, label="weight of CLIP (both branches)"
                    )
                    threshold = gr.Slider(
                        0.05, 0.95, value=model.style.threshold, step=0.05, label="mask threshold"
                    )
                button = gr.Button("Segment", variant="primary")
            with gr.Column():
                overlay = gr.Image(label="found")
                table = gr.Dataframe(headers=HEADINGS, label="areas and scores")
        inputs = [picture, names, way, weight, threshold]
        button.click(run, inputs, [overlay, table], api_name="segment")
        names.submit(run, inputs, [overlay, table], api_visibility="private")
    return page


def _row(found: Segmentation, index: int) -> list[Any]:
    region = found.regions[index]
    return [region.name, f"{region.share:.1%}", round(region.score, 3)]
