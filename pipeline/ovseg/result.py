"""What a person gets back from segmenting one picture."""

from dataclasses import asdict, dataclass

import numpy as np

from pipeline.errors import UserError


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

    def mask(self, name: str) -> np.ndarray:
        """Where `name` is: bool `(H, W)`. Raises UserError for a name that was not scored."""
        if name not in self.names:
            raise UserError(f"{name!r} was not among the names: {', '.join(self.names)}")
        return self.labels == self.names.index(name)

    @property
    def regions(self) -> list[ClassRegion]:
        """One entry per name, in the order given, with area 0 where the name took no pixel."""
        pixels = np.bincount(self.labels[self.labels >= 0], minlength=len(self.names))
        return [
            ClassRegion(name, int(count), float(count / self.labels.size), float(score))
            for name, count, score in zip(self.names, pixels, self.scores, strict=True)
        ]

    @property
    def order(self) -> list[int]:
        """Indices of the names that took at least one pixel, largest area first."""
        regions = self.regions
        found = [i for i, region in enumerate(regions) if region.pixels]
        return sorted(found, key=lambda i: -regions[i].pixels)

    def summary(self) -> dict:
        """JSON-able: picture size, unnamed pixels, and the regions, largest first."""
        height, width = self.labels.shape
        ordered = sorted(self.regions, key=lambda region: (-region.pixels, region.name))
        return {
            "height": height,
            "width": width,
            "unnamed_pixels": int((self.labels < 0).sum()),
            "classes": [asdict(region) for region in ordered],
        }
