"""Turns pydantic's account of a wrong parameter into one line that says what to write instead.

pairs.captions_per_image = 9: allowed 1..5
pairs.captions_per_image = '5' (text, take the quotes away): allowed 1..5
pairs.captions: unknown parameter, allowed: captions_per_image, masks, names, ...
"""

import json
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

Schema = dict[str, Any]


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """The first fault of `error`, raised by `model`."""
    fault = error.errors(include_url=False)[0]
    root = _schema(model)
    of_section = fault["type"] in ("missing", "extra_forbidden", "invalid_key")
    keys, node = _walk(root, fault["loc"][:-1] if of_section else fault["loc"])
    name = ".".join(keys)
    if fault["type"] == "missing":
        key = str(fault["loc"][-1])
        allowed = allowed_values(root, node["properties"][key])
        return f"{_join(name, key)} is missing: allowed {allowed}"
    if fault["type"] in ("extra_forbidden", "invalid_key"):
        extra = fault["type"] == "extra_forbidden"
        key = str(fault["loc"][-1]) if extra else _shown(fault["input"])
        known = ", ".join(node["properties"])
        return f"{_join(name, key)}: unknown parameter, allowed: {known}"
    if fault["loc"][-1:] == ("[key]",):
        name = ".".join(keys[:-1])
        key = _shown(fault["input"])
        return f"{name} = {key}: allowed are names that are text; write it in quotes"
    if fault["type"] in ("union_tag_invalid", "union_tag_not_found"):
        key = fault["ctx"]["discriminator"].strip("'")
        allowed = ", ".join(node["discriminator"]["mapping"])
        if fault["type"] == "union_tag_not_found":
            return f"{_join(name, key)} is missing: allowed {allowed}"
        return f"{_join(name, key)} = {_shown(fault['input'][key])}: allowed {allowed}"
    if fault["type"] == "value_error":
        return f"{name}: {fault['ctx']['error']}".removeprefix(": ")
    allowed = allowed_values(root, node)
    if fault["type"].startswith("int_") and isinstance(fault["input"], float):
        allowed += ", whole numbers only"
    return f"{name} = {_shown(fault['input'])}: allowed {allowed}"


@cache
def _schema(model: type[BaseModel]) -> Schema:
    return model.model_json_schema()


def allowed_values(root: Schema, node: Schema) -> str:
    """What a JSON-schema node admits, in words: "1..5", "proposals, ground_truth"."""
    node = _resolve(root, node)
    if "enum" in node or "const" in node:
        return ", ".join(_shown(value) for value in node.get("enum", [node.get("const")]))
    options = node.get("anyOf") or node.get("oneOf")
    if options:
        return " or ".join(allowed_values(root, option) for option in options)
    kind = node.get("type")
    if kind in ("integer", "number"):
        return _range(node, "a whole number" if kind == "integer" else "a number")
    if kind == "array":
        items = node.get("prefixItems") or [node.get("items", {})]
        return f"a list of: {allowed_values(root, items[0])}"
    if kind == "object":
        keys = node.get("properties")
        return f"the keys {', '.join(keys)}" if keys else "a mapping"
    words = {"boolean": "true, false", "null": "null", "string": "text"}
    return words.get(str(kind), "another value")


def _range(node: Schema, what: str) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    above, below = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
    if (step := node.get("multipleOf")) is not None:
        what, low = f"a multiple of {step}", max(step, low or step)
    elif low is not None and high is not None:
        return f"{_number(low)}..{_number(high)}"
    bounds = [
        f"{word} {_number(bound)}"
        for word, bound in (("from", low), ("above", above), ("to", high), ("below", below))
        if bound is not None
    ]
    return " ".join([what, *bounds])


def _number(bound: float) -> str:
    """Digits as a person writes them: 10000000, 0.5."""
    return str(int(bound)) if bound == int(bound) else f"{bound:g}"


def _walk(root: Schema, place: tuple[int | str, ...]) -> tuple[list[str], Schema]:
    """Follow pydantic's location; returns the keys a person would write and the schema there.

    Pydantic adds the name of the branch taken in a union, which is no key of the file.
    """
    keys: list[str] = []
    node = _resolve(root, root)
    for step in place:
        lists = [each for each in node.get("anyOf", [node]) if each.get("type") == "array"]
        if isinstance(step, int) and lists:
            [node] = lists
            keys[-1] += f"[{step}]"
            items = node.get("prefixItems")
            node = items[min(step, len(items) - 1)] if items else node.get("items", {})
        elif step in node.get("properties", {}):
            keys.append(str(step))
            node = node["properties"][step]
        elif step in node.get("discriminator", {}).get("mapping", {}):
            node = {"$ref": node["discriminator"]["mapping"][step]}
        elif "additionalProperties" in node and isinstance(node["additionalProperties"], dict):
            keys.append(str(step))
            node = node["additionalProperties"]
        node = _resolve(root, node)
    return keys, node


def _resolve(root: Schema, node: Schema) -> Schema:
    while "$ref" in node:
        node = root["$defs"][node["$ref"].removeprefix("#/$defs/")]
    return node


def _join(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _shown(value: Any) -> str:
    """A value as it stands in the file, on one line; text that reads as a number in quotes."""
    if isinstance(value, str):
        quoted = f"'{value}'"
        text = f"{quoted} (text, take the quotes away)" if _reads_as_more(value) else value
        text = text if value.strip() else quoted
    else:
        try:
            text = json.dumps(value, default=str)
        except ValueError:  # a YAML list that is its own entry
            text = str(value)
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:77] + "..."


def _reads_as_more(text: str) -> bool:
    """Whether YAML takes the text for something else where it stands without quotes."""
    try:
        return not isinstance(YAML(typ="safe", pure=True).load(text), str)
    except (YAMLError, ValueError):
        return False
