"""`ovseg demo`: the model as a web page on this machine."""

import socket
from pathlib import Path

from pipeline.clip.view import MAX_INPUT_PIXELS
from pipeline.core.errors import UserError


def demo(
    model: Path = Path("data"),
    clip: str = "finetune/second",
    host: str = "127.0.0.1",
    port: int = 7860,
    short_side: int | None = None,
    long_side: int | None = None,
    max_pixels: int = MAX_INPUT_PIXELS,
) -> None:
    """Open a web page that segments pictures by names you type.

    Args:
        model: folder that the pipeline wrote (segmenter/, finetune/, base_clip/).
        clip: which CLIP inside it: finetune/second, finetune/first or base_clip.
        host: address to listen on; 0.0.0.0 lets other machines in.
        port: of the page, http://HOST:PORT.
        short_side: resize a picture's short side to this many pixels first; 0: do not; default:
            as the segmenter's folder records.
        long_side: but keep the long side at or below this; 0: any; default: as recorded.
        max_pixels: larger pictures are made smaller for the networks, whatever the sides say, so
            that memory is bounded. 0: no limit.
    """
    _check_address(host, port)
    from pipeline.commands.page import build_page
    from pipeline.ovseg import OVSeg

    loaded = OVSeg.load(
        model, clip, short_side=short_side, long_side=long_side, max_pixels=max_pixels
    )
    build_page(loaded).launch(server_name=host, server_port=port, quiet=False)


def _check_address(host: str, port: int) -> None:
    """Raise UserError where nothing can listen, which gradio tells only after the model is
    loaded."""
    if not 1 <= port <= 65535:
        raise UserError(f"--port {port}: expected 1 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        reason = str(error.strerror).split(" (")[0]  # it repeats the address
        raise UserError(
            f"--host {host} --port {port}: cannot listen there ({reason}); choose another"
        ) from error
