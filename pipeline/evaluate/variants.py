"""Which predictions are compared: every way of combining masks and names, as one flat list."""

from dataclasses import dataclass, replace

from pipeline.evaluate.params import EvaluateCommon

SEGMENTER = "segmenter"
"""The segmenter's masks and its own class scores."""
CLIP = "clip"
"""The segmenter's masks, named by CLIP alone; masks CLIP cannot see are left out."""
ENSEMBLE = "ensemble"
"""Both opinions, multiplied."""
ORACLE_MASKS = "oracle_masks"
"""Ground-truth masks, named by CLIP: what better names alone could still win."""
ORACLE_NAMES = "oracle_names"
"""The segmenter's masks, each named by its majority in the ground truth: what better masks
alone could still win."""


@dataclass(frozen=True)
class Variant:
    """One prediction per picture. Fields that do not matter to a branch are at their default."""

    branch: str
    clip: str = ""
    """Name of the CLIP; empty where none takes part."""
    threshold: float = 0.0
    """Mask threshold for CLIP's regions and for the oracle's majority, 0..1."""
    weight: float = 0.0
    """CLIP's weight in the ensemble, 0..1."""
    boundary: bool = False
    """Not the labels are counted but their boundaries, see `pipeline.evaluate.boundary`."""


def thresholds_of(settings: EvaluateCommon) -> list[float]:
    """Return all thresholds that regions are cut at, sorted, each once."""
    return sorted({settings.mask_threshold, *settings.sweep_thresholds})


def weights_of(settings: EvaluateCommon) -> list[float]:
    """Return all ensemble weights, sorted, each once; the main one among them."""
    return sorted({settings.ensemble_weight, *settings.sweep_weights})


def main_variants(clips: list[str], threshold: float, weight: float) -> list[Variant]:
    """Return the predictions that make up the results table."""
    variants = [Variant(SEGMENTER), Variant(ORACLE_NAMES, threshold=threshold)]
    for clip in clips:
        variants += [
            Variant(ORACLE_MASKS, clip),
            Variant(CLIP, clip, threshold),
            Variant(ENSEMBLE, clip, threshold, weight),
        ]
    return variants


def sweep_variants(
    clips: list[str], thresholds: list[float], weights: list[float]
) -> list[Variant]:
    """Return the ensemble of every CLIP at every threshold and weight of the grid."""
    return [
        Variant(ENSEMBLE, clip, threshold, weight)
        for clip in clips
        for threshold in thresholds
        for weight in weights
    ]


def boundaries_of(variants: list[Variant], settings: EvaluateCommon) -> dict[Variant, Variant]:
    """Map each of these predictions to that of its boundaries; none where they are not asked
    for."""
    return {v: replace(v, boundary=True) for v in variants if settings.boundary_iou}


def all_variants(clips: list[str], settings: EvaluateCommon) -> list[Variant]:
    """Return everything that one pass counts, each once."""
    main = main_variants(clips, settings.mask_threshold, settings.ensemble_weight)
    sweep = sweep_variants(clips, thresholds_of(settings), weights_of(settings))
    boundaries = boundaries_of(main, settings).values()
    return list(dict.fromkeys([*main, *sweep, *boundaries]))
