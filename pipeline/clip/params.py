"""The section `base_clip`, and what other sections name of this room."""

from typing import Literal

from pydantic import model_validator

from pipeline.core.section import Section, need

TemplateName = Literal["vild", "bare"]
"""Of `pipeline.clip.templates.TEMPLATES`."""


class BaseClipParams(Section):
    """Section `base_clip`."""

    source: Literal["shipped", "open_clip", "checkpoint"]
    """shipped (the miniature one) | open_clip (by name) | checkpoint (a local file)"""
    name: str | None
    """open_clip model name, e.g. ViT-B-16; needed by open_clip and checkpoint"""
    pretrained: str | None
    """open_clip pretrained tag, e.g. openai; needed by open_clip"""
    checkpoint: str | None
    """path of the weights; needed by checkpoint"""

    @model_validator(mode="after")
    def _source_is_described(self) -> "BaseClipParams":
        needed = {"open_clip": ("name", "pretrained"), "checkpoint": ("name", "checkpoint")}
        for key in needed.get(self.source, ()):
            need(key, getattr(self, key), f"base_clip.source is {self.source}")
        return self
