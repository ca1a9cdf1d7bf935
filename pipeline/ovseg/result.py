"""What a person gets back from segmenting one picture."""

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from pipeline.core.errors import UserError

_COUNTED = 2**22  # pixels counted at once


@dataclass(frozen=True)
class ClassRegion:
    """The part of the picture that one name took."""

    name: str
    pixels: int
    """Area in pixels."""
    share: float
    """Area as a share of the picture, 0..1."""
    score: float
    """The best probability that any mask has for the name, 0..1; comparable within one picture."""


@dataclass(frozen=True)
class Segmentation:
    """Labels of one picture of height H, width W, for K names."""

    names: tuple[str, ...]
    """The names scored; "others" stands last where only one name was given."""
    labels: np.ndarray
    """int32 `(H, W)`: index into `names`, -1 where nothing was named."""
    scores: np.ndarray
    """float32 `(K,)`: see `ClassRegion.score`."""
    looked_at: tuple[int, int]
    """Height and width, in pixels, at which the models saw the picture; the labels of a picture
    that was resized for them are resized back."""

    @property
    def resized(self) -> str | None:
        """Says at which size the models saw the picture; None where it was the picture's own."""
        if self.looked_at == self.labels.shape:
            return None
        (height, width), (h, w) = self.labels.shape, self.looked_at
        return (
            f"looked at {w} x {h} pixels; the picture has {width} x {height}, and so has the "
            "label map"
        )

    def mask(self, name: str) -> np.ndarray:
        """Return where `name` is: bool `(H, W)`. Raises UserError for a name that was not
        scored."""
        if name not in self.names:
            raise UserError(f"{name!r} was not among the names: {', '.join(self.names)}")
        return self.labels == self.names.index(name)

    @cached_property
    def regions(self) -> list[ClassRegion]:
        """One entry per name, in the order given, with area 0 where the name took no pixel."""
        pixels = np.zeros(len(self.names) + 1, np.int64)  # the first counts what is unnamed
        flat = self.labels.reshape(-1)
        for start in range(0, flat.size, _COUNTED):  # bincount makes 8 bytes a pixel
            pixels += np.bincount(flat[start : start + _COUNTED] + 1, minlength=len(pixels))
        return [
            ClassRegion(name, int(count), float(count / self.labels.size), float(score))
            for name, count, score in zip(self.names, pixels[1:], self.scores, strict=True)
        ]

    @property
    def order(self) -> list[int]:
        """Indices of the names that took at least one pixel, largest area first."""
        regions = self.regions
        found = [i for i, region in enumerate(regions) if region.pixels]
        return sorted(found, key=lambda i: -regions[i].pixels)

    def summary(self) -> dict:
        """Return, JSON-able, sizes of the picture and of the networks' input, unnamed pixels, and
        the regions, largest first."""
        height, width = self.labels.shape
        named = sum(region.pixels for region in self.regions)
        ordered = sorted(self.regions, key=lambda region: (-region.pixels, region.name))
        return {
            "height": height,
            "width": width,
            "looked_at": {"height": self.looked_at[0], "width": self.looked_at[1]},
            "unnamed_pixels": self.labels.size - named,
            "classes": [asdict(region) for region in ordered],
        }
