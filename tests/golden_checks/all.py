"""Which checks a golden gets: decided by what its description holds, never by its name."""

from tests.golden_checks import clip, metrics, model, regions, segmenter
from tests.goldens import Golden

CHECKS = (
    (lambda about: "vision_layers" in about.get("config", {}), [clip.check_weights]),
    (lambda about: "patch" in about.get("config", {}), [clip.check_weights]),
    (lambda about: "MODEL" in about.get("config", {}), [segmenter.check_weights]),
    (lambda about: "mask_cases" in about, [clip.check_tower]),
    (lambda about: "configs" in about, [regions.check_regions]),
    (lambda about: "templates" in about, [clip.check_text]),
    (
        lambda about: "cases" in about,
        [segmenter.check_features, model.check_clip_logits, model.check_maps],
    ),
    (lambda about: {"notes", "class_names"} <= about.keys(), [model.check_demo]),
    (lambda about: "losses_raw" in about, [segmenter.check_training_step]),
    (lambda about: "mask_rule" in about, [clip.check_training_side]),
    (lambda about: "results_percent" in about, [metrics.check_metrics]),
)


def check(golden: Golden) -> None:
    """Run every check that fits; fail if none does, or if an array was compared with nothing."""
    checks = [run for fits, runs in CHECKS if fits(golden.about) for run in runs]
    assert checks, f"{golden.name}: nothing here knows what {sorted(golden.about)} describe"
    for run in checks:
        run(golden)
    assert not golden.unread(), f"{golden.name}: nothing was compared with {golden.unread()}"
