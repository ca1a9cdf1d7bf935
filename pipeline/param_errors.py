"""Turns pydantic's account of a wrong parameter into one line that says what to write instead.

pairs.captions_per_image = 9: allowed 1..5
pairs.captions: unknown parameter, allowed: captions_per_image, masks, names, ...
"""

import json
from typing import Any

from pydantic import BaseModel, ValidationError

Schema = dict[str, Any]


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """The first fault of `error`, raised by `model`."""
    fault = error.errors(include_url=False)[0]
    root = model.model_json_schema()
    place = fault["loc"][:-1] if fault["type"] in ("missing", "extra_forbidden") else fault["loc"]
    keys, node = _walk(root, place)
    name = ".".join(keys)
    if fault["type"] == "missing":
        key = str(fault["loc"][-1])
        allowed = allowed_values(root, node["properties"][key])
        return f"{_join(name, key)} is missing: allowed {allowed}"
    if fault["type"] == "extra_forbidden":
        known = ", ".join(node["properties"])
        return f"{_join(name, str(fault['loc'][-1]))}: unknown parameter, allowed: {known}"
    if fault["type"] in ("union_tag_invalid", "union_tag_not_found"):
        key = fault["ctx"]["discriminator"].strip("'")
        tag = fault["ctx"].get("tag", "missing")
        allowed = fault["ctx"].get("expected_tags") or ", ".join(node["discriminator"]["mapping"])
        return f"{_join(name, key)} = {tag}: allowed {allowed.replace(chr(39), '')}"
    if fault["type"] == "value_error":
        return f"{name}: {fault['ctx']['error']}".removeprefix(": ")
    return f"{name} = {_shown(fault['input'])}: allowed {allowed_values(root, node)}"


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
    return {"boolean": "true, false", "null": "null", "string": "text"}.get(kind, "another value")


def _range(node: Schema, what: str) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    above, below = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"{low:g}..{high:g}"
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (("from", low), ("above", above), ("to", high), ("below", below))
        if bound is not None
    ]
    return " ".join([what, *bounds])


def _walk(root: Schema, place: tuple[int | str, ...]) -> tuple[list[str], Schema]:
    """Follow pydantic's location; returns the keys a person would write and the schema there.

    Pydantic adds the name of the branch taken in a union, which is no key of the file.
    """
    keys: list[str] = []
    node = _resolve(root, root)
    for step in place:
        if isinstance(step, int):
            keys[-1] += f"[{step}]"
            items = node.get("prefixItems")
            node = items[min(step, len(items) - 1)] if items else node.get("items", {})
        elif step in node.get("properties", {}):
            keys.append(step)
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
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 80 else text[:77] + "..."
