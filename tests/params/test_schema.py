"""Every key of params.yaml refuses every kind of wrong value, as its own schema says.

The keys come out of the JSON schema of `Params`, through nested sections, lists and unions; which
values are wrong follows from a key's type, not from its bounds, so that a key without an upper
bound fails here.
"""

import json
import math
import re
import typing
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pipeline.core.errors import UserError
from pipeline.params.file import read_yaml
from pipeline.params.presets import DEFAULT, FOLDER, params_of
from pipeline.params.sections import Params, check_all

SCHEMA = Params.model_json_schema()
FILE = Path("params.yaml")
Place = tuple[str | int, ...]


def base() -> dict[str, Any]:
    """The default, with one set whose values all stand there and lists that have an entry."""
    content = read_yaml(FOLDER / f"{DEFAULT}.yaml")
    content["dataset"]["watch"] = ["own"]
    common = content["evaluate"]["common"]
    common["sweep_thresholds"] = [0.5]
    content["evaluate"]["sets"]["world-open"] = deepcopy(common)
    return content


SWIN = {
    "kind": "swin", "embed_dim": 96, "depths": [2, 2, 6, 2], "heads": [3, 6, 12, 24], "window": 7,
    "patch_size": 4, "pretrain_size": 224, "mlp_ratio": 4.0, "qkv_bias": True, "qk_scale": 0.5,
    "dropout": 0.0, "attention_dropout": 0.0, "drop_path": 0.3, "absolute_position": False,
    "patch_norm": True, "freeze_at": 0,
}  # fmt: skip
RESNET = {
    "kind": "resnet", "depth": 101, "stem": "deeplab", "stem_channels": 128, "res2_channels": 256,
    "bottleneck_channels": 64, "groups": 1, "norm": "BN", "stride_in_1x1": False,
    "res4_dilation": 1, "res5_dilation": 1, "res5_multi_grid": [1, 2, 4], "freeze_at": 0,
}  # fmt: skip
BASES = {"resnet": base(), "swin": base()}
for kind, backbone in (("resnet", RESNET), ("swin", SWIN)):
    BASES[kind]["segmenter"]["architecture"] |= {"backbone": backbone} | {
        "pre_norm": False, "class_layers": 2, "enforce_input_proj": False, "size_divisibility": 32,
        "pixel_mean": [123.675, 116.28, 103.53], "pixel_std": [58.395, 57.12, 57.375],
    }  # fmt: skip


def resolved(node: dict) -> dict:
    return SCHEMA["$defs"][node["$ref"].split("/")[-1]] if "$ref" in node else node


def walk(node: dict, value: Any, place: Place, kind: str) -> Iterator[tuple[Place, dict]]:
    """(place, schema) of every key and list entry below a node; `value` is what stands there."""
    node = resolved(node)
    if place:
        yield place, node
    if "discriminator" in node:
        node = resolved({"$ref": node["discriminator"]["mapping"][kind]})
    for option in node.get("anyOf", [node]):
        option = resolved(option)
        for key, below in option.get("properties", {}).items():
            assert key in value, f"{name(place)}.{key} does not stand in the bases of this test"
            yield from walk(below, value[key], (*place, key), kind)
        if isinstance(option.get("additionalProperties"), dict):
            assert "world-open" in value
            entry = (*place, "world-open")
            yield from walk(option["additionalProperties"], value["world-open"], entry, kind)
        if option.get("type") == "array":
            assert value, f"{name(place)} needs an entry"
            entries = option.get("prefixItems") or [option["items"]]
            for index, entry in enumerate(entries):
                yield from walk(entry, value[index], (*place, index), kind)


def name(place: Place) -> str:
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


KEYS = [(kind, *found) for kind, content in BASES.items()
        for found in walk(SCHEMA, content, (), kind)]  # fmt: skip


def types(node: dict) -> set[str]:
    """JSON types that a node takes: integer, number, string, boolean, array, object, null."""
    if "anyOf" in node or "oneOf" in node:
        options = node.get("anyOf") or node.get("oneOf")
        return set().union(*(types(resolved(option)) for option in options))
    return {node["type"]}


NUMBERS = [math.nan, math.inf, -math.inf, 1e300, -1e300, 1e30, 10**12, -(10**12), 10**400]
"""No key may take any of these."""
TYPED = {
    "integer": [3], "number": [2.5], "boolean": [True], "string": ["some text", ""],
    "array": [[], [None]], "object": [{}, {"some": 1}],
}  # fmt: skip


def wrong_values(place: Place, node: dict) -> Iterator[Any]:
    taken = types(node)
    yield from NUMBERS
    if "null" not in taken and not is_a_set(place):
        yield None
    for kind, values in TYPED.items():
        fits = kind in taken or (kind == "integer" and "number" in taken) or "enum" in node
        if not fits:
            yield from values
    if "enum" in node or "const" in node:
        yield from ("some text", "", True, False, 2.5, [], {}, 99, "1")
    if "array" in taken:
        yield from ([None], [{}], "1, 2")
    if "string" not in taken:
        yield "10"
        yield from ("true", "null")
    if "boolean" not in taken:
        yield True
    if "object" in taken:
        yield {"some": 1}
    bounds = {key: of.get(key) for of in [node, *node.get("anyOf", [])] for key in of}
    if taken & {"integer", "number"}:
        if bounds.get("minimum", 0) >= 0:
            yield from (-1, -0.5)
        if "multipleOf" in bounds:
            yield bounds["minimum"] * bounds["multipleOf"] + 1


def is_a_set(place: Place) -> bool:
    """What stands below the name of an evaluation set may be left out, which is null in YAML."""
    return place[:-1] == ("evaluate", "sets")


def put(content: dict, place: Place, value: Any) -> dict:
    content = deepcopy(content)
    node: Any = content
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = value
    return content


def test_the_bases_are_valid():
    for content in BASES.values():
        check_all(content, FILE)


@pytest.mark.parametrize("kind, place, node", KEYS, ids=[f"{k}-{name(p)}" for k, p, _ in KEYS])
def test_every_wrong_value_is_refused_by_its_key(kind, place, node):
    values = list(wrong_values(place, node))
    assert len(values) > len(NUMBERS)
    for value in values:
        with pytest.raises(UserError) as error:
            check_all(put(BASES[kind], place, value), FILE)
            pytest.fail(f"{name(place)} = {value!r} was taken")
        message = str(error.value)
        if place[-1] == "kind":  # of a backbone: the message names the mapping that it is in
            mapping = f"{FILE}: {name(place[:-1])}: "
            assert re.match(rf"{re.escape(mapping)}(Input|Unable to extract) tag", message), value
            continue
        assert message.startswith(f"{FILE}: {name(place)}"), (value, message)
        assert "\n" not in message and len(message) < 500, (value, message)
        if not isinstance(value, dict | list):
            assert json.dumps(value, default=str)[:70] in message, (value, message)


def test_null_is_taken_where_the_schema_says_so():
    nullable = [(kind, place) for kind, place, node in KEYS if "null" in types(node)]
    assert len(nullable) > 20
    for kind, place in nullable:
        check_all(put(BASES[kind], place, None), FILE)
    check_all(put(BASES["resnet"], ("evaluate", "sets", "world-open"), None), FILE)


def test_numbers_are_bounded_on_both_sides_and_those_that_may_be_negative_are_few():
    numeric = [(place, n) for _, place, node in KEYS for n in node.get("anyOf", [node])
               if n.get("type") in ("integer", "number") and "enum" not in n]  # fmt: skip
    assert len(numeric) > 100
    for place, node in numeric:
        assert {"maximum", "exclusiveMaximum"} & node.keys(), name(place)
        assert {"minimum", "exclusiveMinimum"} & node.keys(), name(place)
    negative = {name(place) for place, node in numeric if node.get("minimum", 0) < 0}
    assert negative == {"pairs.min_similarity"}


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The pydantic models in a type, and those in their fields."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models(field.annotation)
    for part in typing.get_args(annotation):
        yield from models(part)


def test_no_key_is_forgotten():
    """Neither one of the file nor one of the models."""
    visited = {name(place) for _, place, _ in KEYS}

    def keys(content: dict, prefix: str = "") -> Iterator[str]:
        for key, value in content.items():
            yield prefix + key
            if isinstance(value, dict):
                yield from keys(value, f"{prefix}{key}.")

    default = read_yaml(FOLDER / f"{DEFAULT}.yaml")
    assert set(keys(default)) - {"evaluate.sets.world-closed"} <= visited
    fields = {field for model in models(Params) for field in model.model_fields}
    assert len(fields) > 80
    assert fields <= {place[-1] for _, place, _ in KEYS}


@pytest.mark.parametrize("key", ["typo", 5, None, True, 1.5])
def test_unknown_keys_are_refused_everywhere(key):
    sections = [(k, p) for k, p, node in KEYS if "object" in types(node) or "oneOf" in node]
    assert len(sections) > 15
    for kind, place in [("resnet", ()), *sections]:
        if place == ("evaluate", "sets") and isinstance(key, str):
            continue  # its keys are names
        content = put(BASES[kind], (*place, key), {}) if place else BASES[kind] | {key: 1}
        with pytest.raises(UserError) as error:
            check_all(content, FILE)
            pytest.fail(f"{name(place)}.{key} was taken")
        message, shown = str(error.value), json.dumps(key)
        assert message.startswith(f"{FILE}: {name(place)}") and "\n" not in message, message
        assert f"unknown key {shown}" in message or f"{shown}: Input should be a" in message


def test_the_comment_of_every_number_says_the_least_value():
    least = {}
    for _, place, node in KEYS:
        for option in node.get("anyOf", [node]):
            if option.get("type") in ("integer", "number") and "enum" not in option:
                least[name(place)] = option
    lines, place, seen = params_of(DEFAULT).splitlines(), [], 0
    for line in lines:
        if not (found := re.match(r"( *)(\w+):[^#]*#? ?(.*)", line)):
            continue
        place = [*place[: len(found[1]) // 2], found[2]]
        if (node := least.get(".".join(place))) is None:
            continue
        low, above = node.get("minimum"), node.get("exclusiveMinimum")
        words = [f"above {above}", f"between {above} and"]
        if above is None:
            words = [f"at least {low}", "at least min_objects", f"from {low}", f"{low}.."]
        if "multipleOf" in node:
            words = ["even"] if node["multipleOf"] == 2 else [f"multiple of {node['multipleOf']}"]
        assert any(word in found[3] for word in words), f"{line.strip()}: none of {words}"
        seen += 1
    assert seen > 80
