"""Segmenters of published architectures are recognised; any other must be named."""

import json

import pytest
import torch

from pipeline.checkpoints.architecture import PUBLISHED, _shapes, recognise
from pipeline.checkpoints.import_ import import_checkpoint
from pipeline.checkpoints.layout import CLASS_MLP, NO_OBJECT
from pipeline.core.errors import UserError
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.store import CONFIG, save_segmenter
from pipeline.maskformer.trained_classes import TrainedClasses
from pipeline.weights.read import read_tensors
from tests.checkpoints.released import KEY_LISTS, key_list, plain_maskformer
from tests.goldens import FOLDER
from tests.segmenter.tiny import config

NAMES = "R101c, Swin-B, the original's config.yaml or a segmenter.json"


@pytest.fixture(scope="module", params=PUBLISHED)
def published(request) -> tuple[str, dict[str, torch.Tensor]]:
    """The name of a published architecture, and its keys as tensors without content."""
    model = MaskFormer(PUBLISHED[request.param])
    return request.param, {key: value.to("meta") for key, value in model.state_dict().items()}


def test_a_published_architecture_is_recognised_whatever_else_is_there(published):
    name, state = published
    assert recognise(state) == PUBLISHED[name]
    assert recognise(state | {"more": torch.zeros(2)}, config()) == PUBLISHED[name]
    assert recognise(plain_maskformer_keys(state)) == PUBLISHED[name]


def test_to_recognise_leaves_no_trace_in_the_random_state(published):
    _shapes.cache_clear()
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    recognise(published[1])
    assert torch.equal(torch.rand(1), expected)


def plain_maskformer_keys(state):
    return {k: v for k, v in state.items() if k != NO_OBJECT and not k.startswith(CLASS_MLP)}


@pytest.mark.parametrize("fault", ["missing", "another shape"])
def test_one_weight_that_does_not_fit_makes_it_unknown(published, fault):
    name, state = published
    key = "sem_seg_head.predictor.query_embed.weight"
    whole = len(plain_maskformer_keys(state))
    state = {k: v for k, v in state.items() if k != key}
    if fault == "another shape":
        state[key] = torch.zeros(50, 256)
    with pytest.raises(UserError) as error:
        recognise(state)
    assert f"{name}: {whole - 1} of {whole} weights fit" in str(error.value)
    assert str(error.value).endswith(f"name it with --config: {NAMES}")
    assert recognise(state, config()) == config()


@pytest.mark.skipif(not KEY_LISTS, reason=f"no key lists in {FOLDER}: set OVSEG_GOLDENS")
def test_released_checkpoints_have_exactly_our_keys():
    checked = set()
    for path in KEY_LISTS:
        state = key_list(path)
        if not any(key.startswith("sem_seg_head.") for key in state):
            continue
        found = recognise(state)
        ours = {key: (v.shape, v.dtype) for key, v in MaskFormer(found).state_dict().items()}
        theirs = {
            key: (v.shape, v.dtype)
            for key, v in state.items()
            if key.startswith(("backbone.", "sem_seg_head.", "clip_adapter.non_object"))
        }
        assert ours == theirs, path.name
        checked |= {name for name, known in PUBLISHED.items() if known == found}
    assert checked == set(PUBLISHED)


@pytest.fixture
def foreign(tmp_path):
    model = MaskFormer(config(heads=4, class_layers=3)).eval()
    torch.save({"model": model.state_dict()}, tmp_path / "foreign.pth")
    return model, tmp_path / "foreign.pth"


def test_a_foreign_architecture_is_asked_for(foreign):
    _, path = foreign
    with pytest.raises(UserError, match=f"foreign.pth: a segmenter of no published .*: {NAMES}$"):
        import_checkpoint(read_tensors(path), path)


@pytest.mark.parametrize("plain", [False, True])
def test_a_segmenter_json_says_the_architecture(foreign, tmp_path, plain):
    model, path = foreign
    features = torch.eye(2, model.config.clip_dim)
    model.trained = TrainedClasses(("cat", "dog"), features)  # as the stage segmenter leaves it
    save_segmenter(tmp_path / "elsewhere", model)
    description = json.loads((tmp_path / "elsewhere" / CONFIG).read_text())
    width = None
    if plain:
        torch.save({"model": plain_maskformer(model.state_dict())}, path)
        width = 24  # a CLIP of any width may go with it
    found = import_checkpoint(
        read_tensors(path), path, architecture=description, clip_dim=width
    ).segmenter
    assert found.config == model.config.model_copy(update={"clip_dim": 24} if plain else {})
    own, theirs = found.state_dict(), model.state_dict()
    kept = plain_maskformer_keys(own) if plain else own
    assert all(torch.equal(kept[key], theirs[key]) for key in kept)


def test_a_wrong_name_says_what_does_not_fit(foreign):
    _, path = foreign
    with pytest.raises(UserError, match="foreign.pth: segmenter: the weights do not fit .*missing"):
        import_checkpoint(read_tensors(path), path, architecture=PUBLISHED["R101c"])


def test_the_width_is_that_of_the_file(tmp_path):
    """An R101c for ViT-L/14, say: the published one is for ViT-B/16."""
    model = MaskFormer(config(clip_dim=24))
    torch.save({"model": model.state_dict()}, tmp_path / "wide.pth")
    file = read_tensors(tmp_path / "wide.pth")
    found = import_checkpoint(file, tmp_path / "wide.pth", architecture=config(clip_dim=16))
    assert found.segmenter.config == model.config
