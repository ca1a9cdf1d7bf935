"""How trained models are to be used: what their folders record beside the weights.

A CLIP that was adapted to crops on black expects crops on black, and a segmenter expects class
names in the sentences it was trained with. Whoever loads a model uses it as recorded, unless told
otherwise.

The defaults are the paper's. They hold for folders and files that record nothing: those of others,
and our own of before there were records. To record more, add a field with a default.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from pipeline.clip.templates import VILD_TEMPLATES
from pipeline.core.errors import UserError
from pipeline.core.modes import Precision
from pipeline.core.section import first_fault

VIEW = "view"
"""Key of the record in clip.json and segmenter.json, and in exported checkpoints."""
Fill = Literal["mean", "zero", "preserve"]
Region = Literal["crop", "mask", "crop_and_mask"]
Template = Annotated[str, Field(pattern=r"\{\}")]
Templates = Annotated[tuple[Template, ...], Field(min_length=1, strict=False)]  # JSON has lists
Pixels = Annotated[int, Field(ge=1)]
TEMPERATURE = 100.0
"""Factor on the cosine of a feature and a text feature, in both branches and in fine-tuning
(convention 5). CLIP's own logit_scale is unused."""
MAX_INPUT_PIXELS = 2**21
"""Most pixels of a picture that reach the networks by default: 1,440 x 1,440, and every size that
the published models are tested at (at most 640 x 2,560). Larger pictures are reduced, since memory
grows with them: some 500 bytes a pixel with 49 masks."""
_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class RegionView:
    """How a CLIP is shown a mask: the way of looking that `encode_regions` follows.

    Whatever changes the feature of a region is a field here, and so part of every fingerprint and
    of the model's folder. Batch size and device are not.
    """

    region: Region = "crop_and_mask"
    """What is shown (ZegFormer's comparison): "crop" is the tight box with its background, "mask"
    the whole picture with the background filled, "crop_and_mask" the box with it filled."""
    fill: Fill = "mean"
    """Background of a region: CLIP's mean colour, black, or as it is in the picture. Region "crop"
    has its own whatever this says."""
    expand: Annotated[float, Field(ge=1)] = 1.0
    """Factor on the sides of a mask's tight box. Region "mask" has no box."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.4
    """A pixel belongs to a mask where its probability is above this. Of no account for bool
    masks."""
    prompts: bool = True
    """Use the mask prompts of a CLIP that has some."""
    precision: Precision = "float32"
    """Of the image tower."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class ClipView(RegionView):
    """How a CLIP is shown a mask and asked for its name."""

    templates: Templates = VILD_TEMPLATES
    """Sentences around a class name, with {} in its place; their features are averaged.
    Not those around the nouns in training: the paper adapts with bare nouns and asks with these."""


def region_view(view: ClipView) -> RegionView:
    """Return the part of a CLIP's view that is about regions."""
    return RegionView(**{field.name: getattr(view, field.name) for field in fields(RegionView)})


@dataclass(frozen=True, config=_STRICT)
class SegmenterView:
    """How a segmenter is shown a picture and told the class names."""

    templates: Templates = VILD_TEMPLATES
    """As in `ClipView`; those of the text features it was trained with."""
    short_side: Pixels | None = None
    """Pictures are resized to this short side, pixels; None: they keep their size."""
    long_side: Pixels | None = None
    """Longest side allowed by that, pixels; None: any."""


View = TypeVar("View", ClipView, SegmenterView)


def to_json(view: ClipView | SegmenterView) -> dict[str, Any]:
    """Return the view as JSON-able values, which `from_json` reads back."""
    return asdict(view) | {"templates": list(view.templates)}


def from_json(kind: type[View], record: Mapping[str, Any], where: str) -> View:
    """Read the view under the key "view" of a model's description; the default where there is none.

    where: the file, for messages. UserError names the field that is wrong or unknown.
    """
    what = f"{where}: says wrongly how the model is to be used"
    found = record.get(VIEW, {})
    if not isinstance(found, dict):
        raise UserError(f"{what}: {VIEW}: {found!r} instead of names and values")
    try:
        return kind(**{str(name): value for name, value in found.items()})
    except ValidationError as error:
        raise UserError(f"{what}: {VIEW}.{first_fault(error, found)}") from error
