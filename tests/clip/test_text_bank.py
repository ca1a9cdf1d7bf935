import pytest
import torch
from torch.nn.functional import normalize

from pipeline.clip import text_bank
from pipeline.clip.text import class_features
from pipeline.clip.text_bank import TextBank, same_text_tower
from tests.ovseg.tiny import tiny_clip

TEMPLATES = ("{}", "a photo of a {}.")
CLASSES = ["wall", "door, door frame", "sea,wave,"]


@pytest.fixture(scope="module")
def clip():
    return tiny_clip()


def features(clip, *names: str) -> torch.Tensor:
    return class_features(clip, names, TEMPLATES)


def test_joined_names_go_through_as_they_stand(clip):
    assert torch.equal(TextBank(clip, TEMPLATES)(CLASSES), features(clip, *CLASSES))


def test_averaged_names_are_the_normalised_mean_of_their_features(clip):
    found = TextBank(clip, TEMPLATES, "averaged")(CLASSES)
    assert torch.allclose(found[0], features(clip, "wall")[0], atol=1e-6)
    expected = normalize(features(clip, "door", "door frame").sum(0), dim=-1)
    assert torch.allclose(found[1], expected, atol=1e-6)
    assert not torch.allclose(found[1], features(clip, CLASSES[1])[0], atol=1e-3)
    assert torch.allclose(found[2], normalize(features(clip, "sea", "wave").sum(0), dim=-1))
    assert torch.allclose(found.norm(dim=-1), torch.ones(3))


def test_the_first_name_alone(clip):
    found = TextBank(clip, TEMPLATES, "first")(CLASSES)
    assert torch.allclose(found, features(clip, "wall", "door", "sea"), atol=1e-6)


def test_a_name_is_encoded_once(clip, monkeypatch):
    asked = []

    def counting(clip, names, templates):
        asked.extend(names)
        return class_features(clip, names, templates)

    monkeypatch.setattr(text_bank, "class_features", counting)
    bank = TextBank(clip, TEMPLATES, "averaged")
    bank(["door, gate", "gate"])
    assert torch.equal(bank(["gate, door"]), bank(["door, gate"]))
    assert asked == ["door", "gate"]


def test_one_bank_serves_clips_of_one_text_tower(clip):
    other = tiny_clip(seed=5)
    assert same_text_tower(clip, other)
    with torch.no_grad():
        other.clip.text_projection.add_(0.1)
    assert not same_text_tower(clip, other)
