"""Every preset is a valid params.yaml, and holds the numbers of the paper."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.data.benchmarks import BENCHMARKS
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.params import presets
from pipeline.params.presets import DEFAULT, FOLDER, about, params_of, preset_names
from pipeline.params.sections import Params, load_all
from tests.checkpoints.released import key_list
from tests.goldens import FOLDER as GOLDENS

R101C, SWIN, STUFF156 = "coco-r101c-vitb16", "coco-swinb-vitl14", "coco156-r101c-vitb16"
PAPER, OWN = (R101C, SWIN, STUFF156), "own"


def load(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def parsed(name: str) -> Params:
    return Params.model_validate(load(params_of(name)))


def test_the_default_comes_first():
    assert preset_names() == [DEFAULT, *sorted(PAPER), OWN]


def test_the_default_has_the_values_of_its_file():
    assert load(params_of(DEFAULT)) == load((FOLDER / f"{DEFAULT}.yaml").read_text())


@pytest.mark.parametrize("name", sorted({path.stem for path in FOLDER.glob("*.yaml")} - {DEFAULT}))
def test_a_preset_holds_only_what_differs(name):
    values = load((FOLDER / f"{name}.yaml").read_text())
    below = load((FOLDER / f"{DEFAULT}.yaml").read_text())
    for layer in reversed(presets._layers(name)[1:]):
        presets._lay(below, layer, ())
    values.pop(presets.BASE, None)

    def same(values: dict, below: dict, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        for key, value in values.items():
            here = (*place, key)
            if isinstance(value, dict) and here not in presets.WHOLE:
                yield from same(value, below[key], here)
            elif value == below[key]:
                yield here

    assert not list(same(values, below))


@pytest.mark.parametrize("name", [DEFAULT, *PAPER, OWN])
def test_a_preset_is_valid_and_every_value_is_explained(name, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(params_of(name))
    params = load_all(path)
    assert list(params.evaluate.sets) == params.dataset.sets
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if re.match(r"\s+[a-z_]+: *[^ #{]", line):
            assert re.search(r"  # \S", line), f"{name}:{number}: {line.strip()} says nothing"
    assert len(about(name)) < 100 and about(name).endswith(".")


@pytest.mark.parametrize("name", PAPER)
def test_what_the_papers_experiments_share(name):
    params = parsed(name)
    training, architecture = params.segmenter.training, params.segmenter.architecture
    assert (training.steps, training.batch_size, training.warmup_steps) == (120_000, 32, 1500)
    assert training.max_grad_norm == 0.01
    weights = ("class", "mask", "dice", "no_object")
    assert [getattr(training, f"{w}_weight") for w in weights] == [1, 20, 1, 0.1]
    assert (architecture.queries, architecture.decoder_layers) == (100, 6)
    assert (architecture.query_kind, architecture.memory_feature) == ("learned", "res5")
    assert (params.pairs.captions_per_image, params.pairs.top_k) == (1, 1)
    assert (params.pairs.mask_source, params.pairs.name_source) == ("proposals", "captions")
    first, second = params.finetune.first, params.finetune.second
    assert (first.train, second.train) == ("weights", "prompts")
    assert (first.learning_rate, first.weight_decay, first.epochs) == (5e-6, 0.2, 5)
    assert (first.warmup_steps, first.templates, first.min_crop) == (100, "bare", 0.9)
    assert (second.prompt_learning_rate, second.prompt_depth, second.epochs) == (0.05, 3, 5)
    weights = {name: s.ensemble_weight for name, s in params.evaluate.sets.items()}
    weights.pop("cocostuff156", None)
    assert weights == {"ade150": 0.7, "ade847": 0.7, "pc59": 0.6, "pc459": 0.6, "voc20": 0.45}
    assert set(params.evaluate.sets) <= set(BENCHMARKS)
    for common in params.evaluate.sets.values():
        assert (common.fill, common.expand, common.synonyms) == ("mean", 1, "joined")
        sizes = {(s.short_side, s.long_side) for s in (common, params.proposals)}
        assert len(sizes) == 1, "proposals see pictures at the test size"


@pytest.mark.parametrize(
    "name, rate, decay, factor, crop, long_side, threshold, batch, tower",
    [
        (R101C, 2e-4, 1e-4, 0.1, 512, 2048, 0.5, 512, "ViT-B-16"),
        (STUFF156, 2e-4, 1e-4, 0.1, 512, 2048, 0.5, 512, "ViT-B-16"),
        (SWIN, 6e-5, 1e-2, 1.0, 640, 2560, 0.4, 128, "ViT-L-14"),
    ],
)
def test_what_differs(name, rate, decay, factor, crop, long_side, threshold, batch, tower):
    params = parsed(name)
    training = params.segmenter.training
    assert (training.learning_rate, training.weight_decay) == (rate, decay)
    assert (training.backbone_multiplier, training.crop) == (factor, crop)
    assert (training.min_short_side, training.max_short_side) == (crop // 2, crop * 2)
    common = params.evaluate.common
    assert (common.short_side, common.long_side, training.long_side) == (
        crop, long_side, long_side,
    )  # fmt: skip
    assert common.mask_threshold == params.proposals.mask_threshold == threshold
    assert params.finetune.first.batch_size == params.finetune.second.batch_size == batch
    assert (params.base_clip.name, params.base_clip.pretrained) == (tower, "openai")
    assert training.classes == ("seen" if name == STUFF156 else "all")
    assert ("cocostuff156" in params.evaluate.sets) == (name == STUFF156)


@pytest.mark.parametrize(
    "name, keys", [(R101C, "keys_r101c_vitb16.tsv"), (SWIN, "keys_swinb_vitl14.tsv")]
)
def test_the_segmenter_is_the_released_one(name, keys):
    if not (GOLDENS / keys).is_file():
        pytest.skip(f"no {keys} in {GOLDENS} (set OVSEG_GOLDENS)")
    model = MaskFormer(parsed(name).segmenter.architecture)
    theirs = {
        key: value.shape
        for key, value in key_list(GOLDENS / keys).items()
        if key.startswith(("backbone.", "sem_seg_head.", "clip_adapter.non_object"))
    }
    assert {key: value.shape for key, value in model.state_dict().items()} == theirs


def test_unknown_presets_are_named():
    with pytest.raises(ValueError, match="no preset 'coco'; there are openmoji, coco-r101c"):
        params_of("coco")
    with pytest.raises(ValueError, match="no preset '_coco'"):
        params_of("_coco")
