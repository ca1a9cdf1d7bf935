import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.core.errors import UserError
from pipeline.params.presets import DEFAULT, params_of
from pipeline.params.sections import load_all, load_params
from tests.shipped import PARAMS

ROOT = Path(__file__).parents[2]


def changed(tmp_path: Path, place: str, value) -> Path:
    """The shipped parameters with the value at a dotted place replaced, or removed with `...`."""
    content = YAML(typ="safe", pure=True).load(PARAMS)
    *parents, key = place.split(".")
    node = content
    for parent in parents:
        node = node[parent]
    if value is ...:
        del node[key]
    else:
        node[key] = value
    path = tmp_path / "params.yaml"
    YAML(typ="safe", pure=True).dump(content, path)
    return path


def test_the_shipped_parameters_are_valid():
    params = load_all(PARAMS)
    assert load_params(PARAMS, "pairs") == params.pairs
    assert load_params(PARAMS, "finetune.second") == params.finetune.second


def test_every_parameter_is_explained():
    for number, line in enumerate(params_of(DEFAULT).splitlines(), 1):
        if re.match(r"\s+[a-z_]+: *[^ #{]", line):
            assert re.search(r"  # \S", line), f"line {number}: {line.strip()} says nothing"


WRONG = [
    ("pairs.captions_per_image", 9, "pairs.captions_per_image = 9: Input should be less than or"),
    ("pairs.captions_per_image", "two", 'captions_per_image = "two": Input should be a valid int'),
    (
        "pairs.captions_per_image",
        True,
        "captions_per_image = true: Input should be a valid integer",
    ),
    (
        "pairs.mask_source",
        "gt",
        "mask_source = \"gt\": Input should be 'proposals' or 'ground_truth'",
    ),
    ("pairs.top_k", 0, "pairs.top_k = 0: Input should be greater than or equal to 1"),
    ("pairs.topk", 1, 'pairs: unknown key "topk", the nearest is top_k'),
    ("pairs.fill", ..., "pairs.fill: Field required"),
    ("nouns.multiword", "yes", 'nouns.multiword = "yes": Input should be a valid boolean'),
    (
        "proposals.short_side",
        0,
        "proposals.short_side = 0: Input should be greater than or equal to 1",
    ),
    ("proposals.mask_threshold", 1, "proposals.mask_threshold = 1: Input should be less than 1"),
    (
        "finetune.second.train",
        None,
        "second.train = null: Input should be 'weights', 'prompts', 'b",
    ),
    ("finetune.first", 3, "finetune.first = 3: Input should be a valid dictionary"),
    (
        "evaluate.sets.world-open",
        {"w": 1},
        'world-open: unknown key "w", known are ensemble_weight,',
    ),
    ("evaluate.common.sweep_weights", [0, 2], "sweep_weights[1] = 2: Input should be less than or"),
    (
        "segmenter.architecture.backbone.depth",
        19,
        "backbone.depth = 19: Input should be 18, 34, 50",
    ),
    ("segmenter.architecture.backbone.kind", "vit", "architecture.backbone: Input tag 'vit' found"),
    ("segmenter.architecture.backbone", {"depth": 18}, "backbone: Unable to extract tag using"),
    (
        "segmenter.architecture.backbone.res5_multi_grid",
        [1, 2, 4],
        "backbone: depth = 18 has basic",
    ),
    ("segmenter.architecture.pixel_mean", [1.0, 2.0], "pixel_mean[2]: Field required"),
    ("segmenter.architecture.queries", "49", 'queries = "49": Input should be a valid integer'),
    ("segmenter.training.min_short_side", 9999, "min_short_side = 9999 is above max_short"),
    ("finetune.first.epochs", float("inf"), "epochs = Infinity: Input should be a finite number"),
    ("proposals.split", "val", "proposals.split = val, but pairs.split = train: pairs would find"),
    ("segmenter.architecture.heads", 5, "segmenter.architecture: heads = 5 does not divide"),
    ("base_clip.source", "open_clip", "base_clip: name = null: must be given when"),
    ("dataset.source", "own", "dataset: root = null: must be given when dataset.source is own"),
    ("dataset.sets", ["a", "b", "a"], "dataset: sets names a more than once"),
    ("dataset.min_objects", 9, "dataset: min_objects = 9 is above max_objects"),
    ("dataset.max_objects", 500, "dataset.max_objects = 500: Input should be less than or equal"),
    ("segmenter.source", "checkpoint", "segmenter: checkpoint = null: must be given"),
    ("segmenter.training.crop", 100_000, "training.crop = 100000: Input should be less than or"),
    (
        "pretrain_clip.batch_size",
        10**8,
        "batch_size = 100000000: Input should be less than or equal",
    ),
    ("pairs.shard_size", 10**21, "shard_size = 1000000000000000000000: Input should be less than"),
    (
        "finetune.first.epochs",
        1e300,
        "epochs = 1e+300: Input should be less than or equal to 10000",
    ),
    ("finetune.second.prompt_depth", 5, "finetune.second.prompt_depth = 5: allowed 1..4, the"),
    ("segmenter.architecture.conv_dim", 100, "conv_dim = 100: Input should be a multiple of 32"),
    ("pairs.top_k", 2.5, "pairs.top_k = 2.5: Input should be a valid integer"),
    ("pairs.split", "", "pairs.split = \"\": Input should be 'train' or 'val'"),
    ("pears", {}, 'unknown key "pears", the nearest is pairs'),
]


@pytest.mark.parametrize("place, value, message", WRONG, ids=[f"{p}={v}" for p, v, _ in WRONG])
def test_a_wrong_parameter_is_named_with_its_value_and_what_it_should_be(
    tmp_path, place, value, message
):
    path = changed(tmp_path, place, value)
    with pytest.raises(ValueError) as error:
        load_all(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("section", ["pairs", "dataset"])
def test_a_mistake_is_told_to_every_stage(tmp_path, section):
    """Before the hours that the stages ahead of it may take."""
    path = changed(tmp_path, "pairs.captions_per_image", 9)
    with pytest.raises(
        ValueError, match=r"params.yaml: pairs.captions_per_image = 9: Input should be less"
    ):
        load_params(path, section)


def test_small_numbers_in_scientific_notation_are_numbers(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS.read_text().replace("learning_rate: 1.0e-4", "learning_rate: 5e-6"))
    assert load_params(path, "finetune.first").learning_rate == 5e-6


def test_a_set_takes_the_common_values_and_its_own(tmp_path):
    path = changed(tmp_path, "evaluate.sets.world-open", {"ensemble_weight": 0.45})
    sets = load_params(path, "evaluate").sets
    assert sets["world-open"].ensemble_weight == 0.45
    assert sets["world-open"].fill == sets["world-closed"].fill
    assert sets["world-closed"].ensemble_weight == 0.7
    path = changed(tmp_path, "evaluate.sets.world-open", None)
    assert load_params(path, "evaluate").sets["world-open"].ensemble_weight == 0.7


@pytest.mark.parametrize(
    "right, wrong, place",
    [
        ("seed", "sead", "dataset: "),
        ("pairs", "pair", ""),
        ("max_masks", "max_mask", "segmenter.measure: "),
        ("learning_rate", "learnig_rate", "pretrain_clip: "),
    ],
)
def test_a_misspelt_key_is_told_the_nearest_one(tmp_path, right, wrong, place):
    """The right key was said to be missing, and the wrong one not mentioned."""
    path = tmp_path / "params.yaml"
    path.write_text(re.sub(rf"(?m)^( *){right}:", rf"\1{wrong}:", PARAMS.read_text()))
    words = rf'^{path}: {place}unknown key "{wrong}", the nearest is {right}$'
    with pytest.raises(UserError, match=words):
        load_all(path)


@pytest.mark.parametrize("written", ["18446744073709551617", "1e30", "-1", "4294967296", "9" * 40])
def test_a_seed_that_no_generator_takes_is_refused(tmp_path, written):
    path = tmp_path / "params.yaml"
    path.write_text(re.sub(r"(?m)^  seed: \S+", f"  seed: {written}", PARAMS.read_text(), count=1))
    with pytest.raises(UserError, match=r"dataset.seed = \S+: Input should be "):
        load_params(path, "nouns")


def test_the_depth_of_a_tower_is_known_without_torch():
    """For the commands and stages that need no torch, and at once."""
    code = (
        "import sys; from pipeline.params.sections import tower_blocks; "
        "assert tower_blocks('shipped', None) == 4; "
        "assert tower_blocks('open_clip', 'ViT-L-14') == 24; "
        "assert tower_blocks('checkpoint', 'ViT-B/16') == 12; "
        "assert tower_blocks('open_clip', 'RN50') is None; "
        "assert tower_blocks('open_clip', 'no such') is None; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("train, refused", [("weights", False), ("prompts", True), ("both", True)])
def test_a_prompt_depth_is_checked_where_prompts_are_trained(tmp_path, train, refused):
    path = tmp_path / "params.yaml"
    content = YAML(typ="safe", pure=True).load(PARAMS)
    content["finetune"]["first"] |= {"train": train, "prompt_depth": 13}
    content["base_clip"] |= {"source": "open_clip", "name": "ViT-B-16", "pretrained": "openai"}
    YAML(typ="safe", pure=True).dump(content, path)
    if refused:
        with pytest.raises(UserError, match="prompt_depth = 13: allowed 1..12, .* of ViT-B-16"):
            load_all(path)
    else:
        load_all(path)


def test_a_set_to_evaluate_must_be_prepared(tmp_path):
    path = changed(tmp_path, "dataset.sets", ["world-closed"])
    with pytest.raises(ValueError, match=r"evaluate.sets has world-open, which dataset.sets \(wor"):
        load_params(path, "dataset")
    assert load_params(changed(tmp_path, "evaluate.sets", {}), "dataset").sets
