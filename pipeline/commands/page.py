"""The web page: a picture and some names in, the labelled picture and a table out (extra `demo`).

    ovseg demo            then open http://127.0.0.1:7860

`answer` is what happens behind the button; it knows nothing of the page. What a visitor got wrong
is a sentence on the page and a line in the log; any other error is in the log with its trace, and
the page only says that there was one. What visitors type is shown as text, never as markup.
"""

import html
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.modes import Mode
from pipeline.data.images import read_image
from pipeline.ovseg import OVSeg
from pipeline.ovseg.result import Segmentation
from pipeline.viz.overlay import distinct_colours, paint

HEADINGS = ["class", "share of the picture", "score"]
MODES: dict[str, Mode] = {
    "each name takes its best mask": "free-text",
    "every pixel gets a name: both branches": "ensemble",
    "every pixel gets a name: CLIP alone": "clip",
    "every pixel gets a name: segmenter alone": "segmenter",
}
UNEXPECTED = (
    "Something went wrong here, not with what you gave. The log of this page has the details."
)
LONGEST_SENTENCE = 300
log = logging.getLogger(__name__)
assert set(MODES.values()) == set(get_args(Mode))


@dataclass(frozen=True)
class Answer:
    """overlay: uint8 RGB, enlarged where small; rows: (name, share of the picture, score) of every
    name that was found, largest area first; resized: a sentence (`Segmentation.resized`)."""

    overlay: np.ndarray
    rows: list[list[Any]]
    resized: str | None


def answer(
    model: OVSeg, image: np.ndarray | None, names: str, mode: Mode, weight: float, threshold: float
) -> Answer:
    """Segment `image`, uint8 RGB (H, W, 3), by the comma-separated `names`.

    weight: of CLIP in the ensemble, 0..1; threshold: probability above which a pixel is in a mask.
    UserError says what is wrong with what was typed.
    """
    if image is None:
        raise UserError("no picture yet: drop one into the box")
    for what, number in (("weight", weight), ("threshold", threshold)):
        if not isinstance(number, int | float):
            raise UserError(f"no {what}: give a number")
    found = model.with_choices(weight, threshold).segment(image, names, mode)
    if found.resized:
        log.warning("%s", found.resized)
    return Answer(drawn(image, found), [_row(found, i) for i in found.order], found.resized)


def drawn(image: np.ndarray, found: Segmentation) -> np.ndarray:
    """Draw the picture with every class that was found in its colour, and named."""
    palette = dict(zip(found.order, distinct_colours(len(found.order)), strict=True))
    texts = {i: found.names[i] for i in found.order}
    return paint(image, found.labels, texts, palette)


def build_page(model: OVSeg) -> Any:
    """Build the page around `answer`, a gradio Blocks; UserError where gradio is not installed."""
    try:
        import gradio as gr
    except ModuleNotFoundError as error:
        raise UserError(
            "the web page needs gradio, which is not installed: pip install -e '.[demo]'"
        ) from error

    def on_page(sentence: str) -> gr.Error:
        """Return an error that gradio shows, taking it for HTML, and does not log."""
        return gr.Error(html.escape(sentence), print_exception=False)

    def refusal(mistake: str) -> gr.Error:
        sentence = _sentence(mistake)
        log.warning("told a visitor: %s", sentence)
        return on_page(sentence)

    def strict(component: gr.components.Component) -> gr.components.Component:
        """Return the component, whose own complaints about what it was given are refusals too;
        None, which is a field that was emptied, passes. (Gradio writes a file beside this one for a
        subclass.)
        """
        taken = component.preprocess

        def preprocess(payload: Any) -> Any:
            try:
                return None if payload is None else taken(payload)
            except gr.Error as error:
                raise refusal(error.message) from None

        component.preprocess = preprocess
        return component

    def uploaded_file(payload: Any) -> Path | None:
        """In place of gradio's decoding, which takes for granted that a file holds a picture."""
        if payload is not None and payload.path is None:
            raise refusal("no file with the picture")
        return None if payload is None else Path(payload.path)

    def run(picture: Path | None, names: str | None, way: str | None, weight: Any, threshold: Any):
        try:
            if way is None:
                raise UserError("no way chosen: choose how")
            pixels = None if picture is None else _uploaded(picture)
            result = answer(model, pixels, names or "", MODES[way], weight, threshold)
        except UserError as error:
            raise refusal(str(error)) from None
        except Exception:
            log.exception("an answer failed")
            raise on_page(UNEXPECTED) from None
        return result.overlay, result.rows, result.resized

    def note(resized: str | None) -> gr.Markdown:
        return gr.Markdown(resized, visible=resized is not None)

    with gr.Blocks(title="OVSeg", analytics_enabled=False) as page:
        gr.Markdown("# OVSeg\nName what you want to find; any words will do.")
        with gr.Row():
            with gr.Column():
                picture = gr.Image(label="picture")
                picture.preprocess = uploaded_file
                names = gr.Textbox(label="names, separated by commas", value="saturn V, blossom")
                way = strict(gr.Radio(list(MODES), value=next(iter(MODES)), label="how"))
                with gr.Accordion("more", open=False):
                    shares = "weight of CLIP (both branches)"
                    weight = strict(gr.Slider(0, 1, model.weight, step=0.05, label=shares))
                    threshold = strict(
                        gr.Slider(
                            0.05, 0.95, model.view.threshold, step=0.05, label="mask threshold"
                        )
                    )
                button = gr.Button("Segment", variant="primary")
            with gr.Column():
                overlay = gr.Image(label="found")
                size = gr.Markdown(visible=False)
                table = gr.Dataframe(
                    headers=HEADINGS, datatype=["str", "str", "number"], label="areas and scores"
                )
        resized = gr.State()  # not among the answers over HTTP, which stay picture and table
        inputs, answers = [picture, names, way, weight, threshold], [overlay, table, resized]
        for asked, visibility in ((button.click, "public"), (names.submit, "private")):
            done = asked(run, inputs, answers, api_name="segment", api_visibility=visibility)
            done.success(note, resized, size, api_visibility="private", show_progress="hidden")
    return page


def _uploaded(file: Path) -> np.ndarray:
    """Read an upload: uint8 RGB `(H, W, 3)`. UserError says what is wrong with the file, by the
    visitor's name."""
    try:
        return read_image(file)
    except UserError as error:
        raise UserError(str(error).replace(str(file), file.name)) from error


def _sentence(text: str) -> str:
    """Return `text` on one line, not too long, without what steers a terminal."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= LONGEST_SENTENCE else line[:LONGEST_SENTENCE] + " ..."


def _row(found: Segmentation, index: int) -> list[Any]:
    region = found.regions[index]
    return [region.name, f"{region.share:.1%}", round(region.score, 3)]
