import pytest
import torch
from torch.nn import functional as F

from pipeline.clip.text import VILD_TEMPLATES, class_features
from tests.clip.tiny import tiny_clip


@torch.no_grad()
def test_features_are_normalised_means_of_normalised_features():
    clip = tiny_clip()
    templates = ["{}", "a photo of a {}."]
    features = class_features(clip, ["cat", "dog"], templates)
    one = [
        F.normalize(clip.clip.encode_text(clip.tokenize([t.format("dog")])), dim=-1)[0]
        for t in templates
    ]
    assert torch.allclose(features[1], F.normalize(one[0] + one[1], dim=0), atol=1e-6)
    assert features.dtype == torch.float32
    assert torch.allclose(features.norm(dim=1), torch.ones(2))


def test_rows_follow_the_names_whatever_the_company():
    clip = tiny_clip()
    names = [f"thing {i}" for i in range(40)]
    many = class_features(clip, [*names, "thing 3"], VILD_TEMPLATES)
    assert torch.allclose(many[3], class_features(clip, ["thing 3"], VILD_TEMPLATES)[0], atol=1e-5)
    assert torch.equal(many[40], many[3])


def test_no_names_and_odd_names():
    clip = tiny_clip()
    assert class_features(clip, [], VILD_TEMPLATES).shape == (0, 16)
    odd = class_features(clip, ["", "caf\u00e9", "{0} braces", "word " * 500], VILD_TEMPLATES)
    assert odd.shape == (4, 16) and odd.isfinite().all()


def test_templates_are_checked():
    with pytest.raises(ValueError, match="has no {}"):
        class_features(tiny_clip(), ["cat"], ["a photo"])
    with pytest.raises(ValueError, match="no templates"):
        class_features(tiny_clip(), ["cat"], [])
