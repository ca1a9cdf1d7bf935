"""`ovseg demo`: the address is tried before the model is loaded; the page is of that model."""

import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.commands import page
from pipeline.commands.demo import demo
from pipeline.core.errors import UserError
from pipeline.ovseg import OVSeg


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none_is_named(tmp_path, port):
    with pytest.raises(UserError, match=rf"^--port {port}: expected 1 to 65535$"):
        demo(tmp_path / "no model", port=port)


def test_an_address_that_is_taken_is_named_before_the_model_is_loaded(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = f"--host 127.0.0.1 --port {port}: cannot listen there (Address already in use); "
        with pytest.raises(UserError) as error:
            demo(tmp_path / "no model", port=port)
    assert str(error.value) == words + "choose another"


def test_the_page_is_of_the_model_that_was_asked_for_at_that_address(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    asked = {}

    def load(*arguments, **options):
        asked["load"] = arguments, options
        return "the model"

    def build_page(model):
        asked["model"] = model
        return SimpleNamespace(launch=lambda **options: asked.update(options))

    monkeypatch.setattr(OVSeg, "load", load)
    monkeypatch.setattr(page, "build_page", build_page)
    demo(Path("there"), "base_clip", port=port, short_side=0, max_pixels=9)
    assert asked.pop("load") == (
        (Path("there"), "base_clip"), {"short_side": 0, "long_side": None, "max_pixels": 9}
    )  # fmt: skip
    assert asked.pop("model") == "the model"
    assert (asked["server_name"], asked["server_port"]) == ("127.0.0.1", port)
