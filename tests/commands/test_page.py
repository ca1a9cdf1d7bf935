"""The web page: what its button does, and, where gradio is installed, the page itself."""

import html
import importlib.util
import sys

import numpy as np
import pytest
import requests
from PIL import Image

from pipeline.clip.view import RegionView
from pipeline.commands import page as demo
from pipeline.commands.page import MODES, UNEXPECTED, answer, build_page
from pipeline.ovseg import OVSeg
from pipeline.ovseg.inputs import as_pixels
from tests.ovseg.tiny import tiny_clip, tiny_segmenter

GRADIO = importlib.util.find_spec("gradio") is not None
needs_gradio = pytest.mark.skipif(not GRADIO, reason="no gradio: pip install -e '.[demo]'")
if GRADIO:
    from gradio_client.exceptions import AppError
RESIZED = "looked at 32 x 21 pixels; the picture has 60 x 40, and so has the label map"
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def model() -> OVSeg:
    return OVSeg(tiny_segmenter(), tiny_clip(), view=RegionView(threshold=0.5))


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
    assert (ours.weight, ours.view.threshold) == (0.7, 0.5)


def test_the_size_looked_at_is_in_the_log_where_it_is_another(caplog):
    assert answer(model(), IMAGE, "cat, dog", "clip", 0.7, 0.5).resized is None
    assert not caplog.records
    limited = OVSeg(tiny_segmenter(), tiny_clip(), view=RegionView(threshold=0.5), max_pixels=1024)
    got = answer(limited, IMAGE, "cat, dog", "clip", 0.7, 0.5)
    assert got.resized == RESIZED and RESIZED in caplog.text


def test_an_upload_of_16_bits_is_read_as_everywhere_else(tmp_path):
    gray = np.tile(np.arange(256, dtype=np.uint16), (8, 1))
    Image.fromarray(gray * 257).save(tmp_path / "gray16.png")
    for read in (demo._uploaded, as_pixels):
        assert np.array_equal(read(tmp_path / "gray16.png")[..., 1], gray)


def test_what_was_typed_wrong_is_told():
    with pytest.raises(ValueError, match="no picture yet"):
        answer(model(), None, "cat", "clip", 0.7, 0.5)
    with pytest.raises(ValueError, match="class names"):
        answer(model(), IMAGE, " , ", "clip", 0.7, 0.5)
    with pytest.raises(ValueError, match="is JSON"):
        answer(model(), IMAGE, '["cat, dog","tree"]', "clip", 0.7, 0.5)


def test_without_gradio_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(ValueError, match=r"needs gradio.*\[demo\]"):
        build_page(model())


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Asks the page over HTTP, as a browser does."""
    from gradio_client import Client, handle_file

    page = build_page(model())
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    client = Client(url, verbose=False)
    folder = tmp_path_factory.mktemp("uploads")
    Image.fromarray(IMAGE).save(folder / "picture.png")

    def question(names, picture=folder / "picture.png", way=WAY, weight=0.7, threshold=0.5):
        upload = None if picture is None else handle_file(str(picture))
        return client.predict(upload, names, way, weight, threshold, api_name="/segment")

    question.url = url
    yield question
    page.close()


WAY = next(iter(MODES))
MARKUP = ["a <img src=x onerror=alert(1)>", "a <b>bold</b>", "**x** y", "x `y`", "$\\frac{1}{2}$"]


@needs_gradio
def test_the_page_answers_over_http(ask):
    overlay, table = ask("saturn V, blossom")
    assert Image.open(overlay).width >= 320
    expected = answer(model(), IMAGE, "saturn V, blossom", MODES[WAY], 0.7, 0.5)
    assert [row[0] for row in table["data"]] == [row[0] for row in expected.rows]


@needs_gradio
def test_the_page_sees_16_bits_as_it_sees_8(ask, tmp_path):
    gray = IMAGE[..., 0].astype(np.uint16)
    gray[0, :2] = 0, 255
    Image.fromarray(gray * 257).save(tmp_path / "deep.png")
    Image.fromarray(gray.astype(np.uint8)).save(tmp_path / "flat.png")
    tables = [ask("cat, dog", tmp_path / name)[1]["data"] for name in ("deep.png", "flat.png")]
    assert tables[0] == tables[1]


@needs_gradio
def test_the_page_shows_the_size_looked_at_beside_an_answer():
    """The answer over HTTP stays picture and table; the page itself asks for the sentence next."""
    functions = build_page(model()).fns.values()
    answers = [function for function in functions if function.name == "run"]
    assert len(answers) == 2  # the button, and Enter
    for run in answers:
        [note] = [function for function in functions if function.trigger_after == run._id]
        assert note.inputs == run.outputs[2:] and note.outputs[0].get_block_name() == "markdown"
        shown = note.fn(RESIZED)
        assert (shown.value, shown.visible) == (RESIZED, True)
        assert not note.fn(None).visible


@needs_gradio
def test_names_with_markup_are_text_in_the_table(ask):
    """The page draws cells of type str as they are, those of type html or markdown it does not."""
    _, table = ask(", ".join(MARKUP), way="every pixel gets a name: CLIP alone")
    assert {row[0] for row in table["data"]} <= set(MARKUP) and table["data"]
    [frame] = [b for b in build_page(model()).blocks.values() if b.get_block_name() == "dataframe"]
    assert frame.datatype == ["str", "str", "number"]


@needs_gradio
@pytest.mark.parametrize(
    "question, said",
    [
        ({"names": "cat", "picture": None}, "no picture yet: drop one into the box"),
        ({"names": " , "}, "class names"),
        ({"names": "x<b>, x<b>"}, "class names given twice: x&lt;b&gt;; name each class once"),
        ({"names": "<b>bold</b>"}, "is markup; write &#x27;bold&#x27;"),
        ({"names": "cat|dog"}, "holds several names; write with commas between: cat, dog"),
        ({"names": "Cat, cat"}, "reads like"),
        ({"names": "cat\x1b[31m"}, "a character that cannot be seen (U+001B)"),
        ({"names": "cat\ndog"}, "has line breaks"),
        ({"names": "cat " * 999 + "," + "cat " * 999}, " ..."),
        ({"names": "cat", "weight": 7}, "7"),
        ({"names": "cat", "threshold": None}, "no threshold: give a number"),
        ({"names": "cat", "way": None}, "no way chosen"),
        ({"names": None}, "class names"),
        ({"names": "cat", "way": "<i>"}, "&lt;i&gt;"),
        ({"names": "cat", "picture": __file__}, "test_page.py: not a readable picture"),
    ],
    ids=range(15),
)
def test_a_mistake_is_a_sentence_on_the_page_and_a_line_in_the_log(
    ask, caplog, capfd, question, said
):
    """Gradio takes the sentence for HTML and used to print a stack trace."""
    with pytest.raises(AppError) as error:
        ask(**question)
    shown = str(error.value)
    assert said in shown and "\n" not in shown and "<" not in shown
    assert "/tmp" not in shown and len(shown) < 500
    [line] = [
        record.getMessage() for record in caplog.records if record.name == "pipeline.commands.page"
    ]
    assert line == f"told a visitor: {html.unescape(shown)}"
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err + caplog.text


@needs_gradio
def test_a_fault_of_ours_is_a_general_sentence_on_the_page_and_a_trace_in_the_log(
    ask, monkeypatch, caplog, capfd
):
    monkeypatch.setattr(demo, "answer", lambda *_: int("secret"))
    with pytest.raises(AppError) as error:
        ask("cat")
    assert str(error.value) == UNEXPECTED
    [record] = [record for record in caplog.records if record.name == "pipeline.commands.page"]
    assert record.exc_info[0] is ValueError and "invalid literal" in caplog.text
    assert "Traceback" not in "".join(capfd.readouterr())  # not a second time


@needs_gradio
def test_a_file_that_was_not_uploaded_is_not_read(ask, tmp_path):
    """The browser names the file by a path on this machine; gradio lets only uploads pass."""
    file = tmp_path / "picture.png"
    Image.fromarray(IMAGE).save(file)
    api = f"{ask.url}gradio_api"

    def answer_to(path: str) -> str:
        picture = {"path": path, "meta": {"_type": "gradio.FileData"}}
        question = {"data": [picture, "cat", WAY, 0.7, 0.5]}
        event = requests.post(f"{api}/call/segment", json=question).json()["event_id"]
        return requests.get(f"{api}/call/segment/{event}").text

    with open(file, "rb") as upload:
        [uploaded] = requests.post(f"{api}/upload", files={"files": upload}).json()
    assert answer_to(uploaded).startswith("event: complete")
    assert answer_to(str(file)).startswith("event: error")
