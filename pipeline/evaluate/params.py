"""The section `evaluate`."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from pipeline.clip.params import TemplateName
from pipeline.clip.synonyms import Synonyms
from pipeline.clip.view import Fill
from pipeline.core.section import CountOrNone, Expand, Probability, Section, Share, Side


class EvaluateCommon(Section):
    """How a set is evaluated."""

    ensemble_weight: Share
    """of CLIP against the segmenter: p_segmenter^(1-w) * p_clip^w; 0..1"""
    mask_threshold: Probability
    """probability above which a pixel is shown to CLIP; between 0 and 1"""
    sweep_weights: Annotated[tuple[Share, ...], Field(strict=False)]
    """further weights to try; 0..1"""
    sweep_thresholds: Annotated[tuple[Probability, ...], Field(strict=False)]
    """further mask thresholds to try; each costs another pass of CLIP"""
    fill: Fill
    """background of a region: mean | zero | preserve"""
    expand: Expand
    """factor on the sides of a mask's tight box; from 1"""
    templates: TemplateName
    """prompts around class names: vild (the 14 of ViLD, averaged) | bare"""
    synonyms: Synonyms
    """of "door, door frame": joined (as it stands) | averaged | first (door)"""
    short_side: Side | None
    """pictures are resized to this short side for the segmenter, px, at least 1; null: as is"""
    long_side: Side | None
    """longest side allowed by that, px, at least 1; null: any"""
    bfloat16: bool
    """CLIP's image tower in bfloat16 where the device has it; true | false"""
    boundary_iou: bool
    """detectron2's boundary IoU of each class too; true | false"""
    overlays: CountOrNone
    """pictures to draw with their predictions; from 0"""


class EvaluateParams(Section):
    """Section `evaluate`."""

    common: EvaluateCommon
    sets: dict[str, EvaluateCommon]
    """evaluation sets by name; what stands below a name replaces the common value"""

    @model_validator(mode="before")
    @classmethod
    def _common_to_all(cls, content: Any) -> Any:
        if not isinstance(content, dict) or not isinstance(content.get("sets"), dict):
            return content
        common = content.get("common")
        if not isinstance(common, dict):
            return content
        return content | {
            "sets": {
                name: common | (own or {}) if isinstance(own, dict | None) else own
                for name, own in content["sets"].items()
            }
        }
