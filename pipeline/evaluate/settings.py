"""What an evaluation depends on, besides the models and the data."""

from dataclasses import dataclass

from pipeline.clip.synonyms import Synonyms
from pipeline.clip.view import ClipView, Fill, Region, RegionView
from pipeline.core.errors import UserError
from pipeline.core.modes import Precision

_PAPER = ClipView()


@dataclass(frozen=True)
class EvaluationSettings:
    """Defaults are the paper's for Swin-B + ViT-L/14 on ADE20K, except the size of the picture."""

    ensemble_weight: float = 0.7
    """CLIP's weight in the ensemble, 0..1."""
    mask_threshold: float = _PAPER.threshold
    """Mask probability above which a pixel is shown to CLIP, 0..1."""
    sweep_weights: tuple[float, ...] = ()
    """Further ensemble weights to evaluate, 0..1 each."""
    sweep_thresholds: tuple[float, ...] = ()
    """Further thresholds; each costs another pass of every CLIP."""
    region: Region = _PAPER.region
    fill: Fill = _PAPER.fill
    expand: float = _PAPER.expand
    """How masks are shown to CLIP, see `RegionView`."""
    short_side: int | None = None
    long_side: int | None = None
    """Size pictures are resized to for the segmenter, pixels; None keeps their own."""
    templates: tuple[str, ...] = _PAPER.templates
    """Prompt templates around the class names, averaged."""
    synonyms: Synonyms = "joined"
    """How classes of several names are read, see `pipeline.clip.synonyms`."""
    boundary_iou: bool = False
    """Count boundaries too, see `pipeline.evaluate.boundary`."""
    image_batch: int = 8
    """Pictures looked at together: speed and memory; results in float32 are the same."""
    crop_batch: int = 64
    """Regions in one pass of CLIP. As above."""
    bfloat16: bool = False
    """Run the CLIP image tower in bfloat16: faster on some machines, slightly other numbers."""

    def __post_init__(self) -> None:
        for name in ("ensemble_weight", "mask_threshold"):
            _check_share(name, getattr(self, name))
        for name in ("sweep_weights", "sweep_thresholds"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # lists come from YAML
            for value in getattr(self, name):
                _check_share(name, value)
        for name in ("image_batch", "crop_batch"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}; expected at least 1")

    @property
    def thresholds(self) -> tuple[float, ...]:
        """All thresholds regions are cut at, sorted, each once."""
        return tuple(sorted({self.mask_threshold, *self.sweep_thresholds}))

    @property
    def weights(self) -> tuple[float, ...]:
        """All ensemble weights, sorted, each once; the main one among them."""
        return tuple(sorted({self.ensemble_weight, *self.sweep_weights}))

    def view(self, threshold: float, precision: Precision) -> RegionView:
        """How masks are shown to CLIP at this threshold."""
        return RegionView(
            region=self.region, fill=self.fill, expand=self.expand, threshold=threshold,
            precision=precision,
        )  # fmt: skip


def _check_share(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise UserError(f"{name} is {value}; expected 0 to 1")
