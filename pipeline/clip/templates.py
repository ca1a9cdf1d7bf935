"""Prompt templates that put a class name into a sentence before CLIP reads it."""

VILD_TEMPLATES: tuple[str, ...] = (
    "a photo of a {}.",
    "This is a photo of a {}",
    "There is a {} in the scene",
    "There is the {} in the scene",
    "a photo of a {} in the scene",
    "a photo of a small {}.",
    "a photo of a medium {}.",
    "a photo of a large {}.",
    "This is a photo of a small {}.",
    "This is a photo of a medium {}.",
    "This is a photo of a large {}.",
    "There is a small {} in the scene.",
    "There is a medium {} in the scene.",
    "There is a large {} in the scene.",
)
"""The 14 templates of ViLD (Gu et al., ICLR 2022) that OVSeg averages over."""
TEMPLATES: dict[str, tuple[str, ...]] = {"vild": VILD_TEMPLATES, "bare": ("{}",)}
"""Templates by their names in params.yaml; bare is the noun alone."""
