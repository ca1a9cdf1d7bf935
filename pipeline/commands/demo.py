"""`ovseg demo`: the model as a web page on this machine."""

from pathlib import Path


def demo(
    model: Path = Path("data"),
    clip: str = "finetune/second",
    host: str = "127.0.0.1",
    port: int = 7860,
    short_side: int | None = None,
    long_side: int | None = None,
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
    """
    from pipeline.demo import build_page
    from pipeline.ovseg import OVSeg

    loaded = OVSeg.load(model, clip, short_side=short_side, long_side=long_side)
    build_page(loaded).launch(server_name=host, server_port=port, quiet=False)
