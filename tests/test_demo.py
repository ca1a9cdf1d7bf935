"""The web page: what its button does, and, where gradio is installed, the page itself."""

import importlib.util
import sys

import numpy as np
import pytest
from PIL import Image

from pipeline.demo import MODES, answer, build_page
from pipeline.ovseg import OVSeg
from pipeline.ovseg.clip_branch import RegionStyle
from tests.ovseg.tiny import tiny_clip, tiny_segmenter

GRADIO = importlib.util.find_spec("gradio") is not None
needs_gradio = pytest.mark.skipif(not GRADIO, reason="no gradio: pip install -e '.[demo]'")
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def model() -> OVSeg:
    return OVSeg(tiny_segmenter(), tiny_clip(), style=RegionStyle(threshold=0.5))


@pytest.mark.parametrize("mode", MODES.values())
def test_an_answer_is_what_the_model_says(mode):
    ours = model()
    got = answer(ours, IMAGE, "saturn V, blossom", mode, 0.7, 0.5)
    found = ours.segment(IMAGE, ["saturn V", "blossom"], mode)
    assert [row[0] for row in got.rows] == [found.names[i] for i in found.order]
    assert [row[1] for row in got.rows] == [f"{found.regions[i].share:.1%}" for i in found.order]
    assert got.overlay.dtype == np.uint8 and got.overlay.shape[1] >= 320


def test_one_question_does_not_change_the_next():
    ours = model()
    answer(ours, IMAGE, "cat, dog", "ensemble", 0.1, 0.9)
    assert (ours.weight, ours.style.threshold) == (0.7, 0.5)


def test_what_was_typed_wrong_is_told():
    with pytest.raises(ValueError, match="no picture yet"):
        answer(model(), None, "cat", "clip", 0.7, 0.5)
    with pytest.raises(ValueError, match="class names"):
        answer(model(), IMAGE, " , ", "clip", 0.7, 0.5)


def test_without_gradio_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(ValueError, match=r"needs gradio.*\[demo\]"):
        build_page(model())


@needs_gradio
def test_the_page_answers_over_http(tmp_path):
    from gradio_client import Client, handle_file

    Image.fromarray(IMAGE).save(tmp_path / "picture.png")
    page = build_page(model())
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    try:
        client = Client(url, verbose=False)
        picture = handle_file(str(tmp_path / "picture.png"))
        way = next(iter(MODES))
        overlay, table = client.predict(
            picture, "saturn V, blossom", way, 0.7, 0.5, api_name="/segment"
        )
        assert Image.open(overlay).width >= 320
        expected = answer(model(), IMAGE, "saturn V, blossom", MODES[way], 0.7, 0.5)
        assert [row[0] for row in table["data"]] == [row[0] for row in expected.rows]
    finally:
        page.close()
