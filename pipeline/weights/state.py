"""Find the state dict in a training checkpoint, whatever training code wrapped around it.

Training code keeps it under an entry (`state_dict`, `model`, DeepSpeed's `module` ...), beside
optimisers and arguments, and wrappers put their names into its keys (`module.`, `_orig_mod.`,
Lightning's `model.` ...). What was recognised is reported, and nothing is
guessed: if two entries could be meant, the error names both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.core.errors import UserError
from pipeline.weights.load_strict import ONE_NUMBER
from pipeline.weights.pickles import Inert, StoredArray, Unusable

CONTAINERS = (
    "model", "state_dict", "model_state_dict", "model_state", "module", "network", "net",
    "weights", "params", "checkpoint", "state",
    "ema", "model_ema", "ema_model", "ema_state_dict", "model_ema_state_dict", "state_dict_ema",
    "params_ema", "ema_params",
)  # fmt: skip
"""Entries under which training code keeps the weights, most likely first; averaged weights (EMA)
only if there are no others."""
USUAL = (["model"], ["state_dict"])
"""Usual places, which are not reported: detectron2's and open_clip's."""
OTHER_ENTRIES = (
    "optimizer", "optimizers", "optimizer_state_dict", "optimizer_states", "optim", "opt", "scaler",
    "scaler_state_dict", "amp", "lr_scheduler", "lr_schedulers", "lr_scheduler_state_dict",
    "scheduler", "scheduler_state_dict", "callbacks", "loops", "rng", "rng_state", "rng_states",
    "random_rng_state", "loss", "criterion", "hyper_parameters", "args", "config", "cfg",
)  # fmt: skip
"""Entries that may hold tensors other than weights."""
DEEPEST = 3
"""Depth of nested entries that is searched."""
HUGGING_FACE = ("vision_model.encoder.layers.", "text_model.encoder.layers.")
"""In keys of a CLIP as Hugging Face's transformers name them."""
MAX_MODULES = 10_000
_MAX_PLACES = 10
"""Entries one in another, before one must hold itself."""
_NAMED = (dict, Inert, list, tuple)
"""What in a list may hold tensors by name, or a list that does."""
ANYWHERE = {
    "_orig_mod.": "torch.compile",
    "_fsdp_wrapped_module.": "FSDP",
    "_checkpoint_wrapped_module.": "activation checkpointing",
    "_forward_module.": "Lightning Fabric",
}
"""What wrappers insert into keys, at any depth."""
IN_FRONT = {"module.": "distributed training", "model.": "a training framework such as Lightning"}
"""What wrappers put before all keys; deeper in a key these may be real names."""


@dataclass
class State:
    """tensors: by name, without wrappers' prefixes. others: names of everything else. notes: what
    was recognised, to be printed."""

    tensors: dict[str, Tensor]
    others: list[str]
    notes: list[str] = field(default_factory=list)


def _same_keys(a: Any, b: Any) -> bool:
    """Return whether two entries of a file hold values under the same names, as a model's weights
    and their running average do."""
    names = set(mapping(a))
    return bool(names) and names == set(mapping(b))


def find_state(content: Any, source: str, own: str) -> State:
    """Find the state dict in a file's content.

    own: an entry beside the weights that is neither a weight nor left over. UserError, naming
    `source`, if there are no tensors, two candidates, tensors without numbers, or two keys that
    differ only in wrappers' prefixes.
    """
    place: list[str] = []
    others: list[str] = []
    notes: list[str] = []
    if isinstance(content, Inert) and _module_state(content):
        notes.append(f"the file holds a whole {content.kind}; only its weights are taken")
    inner = mapping(content)
    while len(place) < _MAX_PLACES and (name := _container(inner, source)) is not None:
        above = "/".join(place) + "/" if place else ""
        others += [above + _word(key) for key in inner if key not in (name, own)]
        for key in inner:
            if key not in (name, own) and _same_keys(inner[name], inner[key]):
                notes.append(f"its entry {above}{_word(key)} holds weights too, which are not used")
        place.append(name)
        inner = mapping(inner[name])
    if place and place not in USUAL:
        averaged = ", averaged ones (EMA)" if "ema" in place[-1].lower() else ""
        notes.append(f"weights taken from its entry {'/'.join(place)}{averaged}")
    found: dict[str, Tensor] = {}
    for key, value in inner.items():
        if isinstance(value, Unusable):
            raise UserError(
                f"{source}: its tensor {key} is {value.why}, expected plain float weights: save "
                "the model as it was before, in float32 or float16"
            )
        tensor = as_tensor(value) if isinstance(key, str) else None
        if type(value) in (float, int) and str(key).rpartition(".")[2] in ONE_NUMBER:
            tensor = torch.tensor(float(value))
            notes.append(f"{_word(key)} is the plain number {value:g}, read as a weight")
        if tensor is not None:
            found[key] = tensor
        elif key != own or place:
            others.append(_word(key))
    if _is_divided(content, found):
        raise UserError(
            f"{source}: a part of a checkpoint that DeepSpeed's ZeRO has divided among processes, "
            "without whole weights; join the parts with the script that lies beside them: python "
            "zero_to_fp32.py FOLDER OUTPUT, and give its output"
        )
    if flat := next((key for key in found if "_flat_param" in key), None):
        raise UserError(
            f"{source}: {flat} is a part of a model that FSDP has divided among processes; save it "
            "as a whole: StateDictType.FULL_STATE_DICT"
        )
    if not found:
        entries = ", ".join(map(_word, list(inner)[:8])) if inner else type(content).__name__
        if isinstance(content, list | tuple):
            held = ", ".join(dict.fromkeys(type(each).__name__ for each in content)) or "nothing"
            entries = f"a {type(content).__name__} of {len(content)}, of {held}"
        raise UserError(f"{source}: holds no tensors, expected a state dict, but has {entries}")
    tensors, wrappers = _unwrapped(found, source)
    if wrappers:
        by = {name.removesuffix("."): ANYWHERE.get(name, IN_FRONT.get(name)) for name in wrappers}
        reasons = ", ".join(dict.fromkeys(filter(None, by.values())))
        notes.append(f"keys are named without the {''.join(wrappers)} of {reasons}")
    return State(tensors, others, notes)


def _is_divided(content: Any, found: Mapping[str, Tensor]) -> bool:
    """Return whether a file is one of those of DeepSpeed's ZeRO that hold no whole weights: a model
    with empty tensors in place of those that lie with the optimiser, or what lies there."""
    if not mapping(content).keys() & {"ds_version", "ds_config", "param_shapes"}:
        return False
    if found:
        return any(not tensor.numel() for tensor in found.values())
    entries = mapping(mapping(content).get("optimizer_state_dict"))
    return "zero_stage" in entries or "partition_count" in entries


def as_tensor(value: Any) -> Tensor | None:
    """Return a tensor for numbers of torch or NumPy, None for anything else."""
    if isinstance(value, StoredArray):
        return value.tensor()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.as_tensor(value)
    return value if isinstance(value, Tensor) else None


def mapping(value: Any) -> Mapping[Any, Any]:
    """Return what an entry holds by name: a dict, a dict-like object of the file, the state dict of
    a whole module, or a list or tuple with one of these, by "[0]", "[1]" ... Empty for anything
    else.
    """
    if isinstance(value, Inert):
        return _module_state(value) or value.entries or value.attributes
    if isinstance(value, list | tuple) and any(isinstance(v, _NAMED) for v in value):
        return {f"[{i}]": each for i, each in enumerate(value) if not _is_tensor(each)}
    return value if isinstance(value, dict) else {}


def strip_to(
    tensors: Mapping[str, Tensor], signs: tuple[str, ...], source: str
) -> tuple[dict[str, Tensor], str, list[str]]:
    """Select the tensors below the one prefix that a whole model has, such as `clip.`.

    signs: a key, or the beginning of keys, that every such model has. Returns the tensors without
    the prefix, the prefix ("" if there is none), and the other keys. UserError if several prefixes
    could be meant.
    """
    if any(key.startswith(sign) for key in tensors for sign in signs):
        return dict(tensors), "", []
    if any(sign in key for key in tensors for sign in HUGGING_FACE):
        raise UserError(
            f"{source}: a CLIP in the layout of Hugging Face's transformers (vision_model..., "
            "text_model...), expected OpenAI's or open_clip's (visual..., transformer...); take "
            "the published file of that layout, or rename as docs/checkpoints.md says"
        )
    places = (min((i for s in signs if (i := k.find(f".{s}")) >= 0), default=-1) for k in tensors)
    prefixes = dict.fromkeys(
        key[: place + 1] for key, place in zip(tensors, places, strict=True) if place >= 0
    )
    if not prefixes:
        return dict(tensors), "", []
    if len(prefixes) > 1:
        raise UserError(
            f"{source}: holds several models, under {', '.join(prefixes)}: save one of them alone"
        )
    (prefix,) = prefixes
    below = {key.removeprefix(prefix): v for key, v in tensors.items() if key.startswith(prefix)}
    return below, prefix, [key for key in tensors if not key.startswith(prefix)]


def _container(entries: Mapping[Any, Any], source: str) -> str | None:
    """Return the entry that holds the weights, None if `entries` itself holds them."""
    held = {name: entries[name] for name in entries if isinstance(name, str)}
    holding = [name for name in held if name not in OTHER_ENTRIES and _holds(held[name], DEEPEST)]
    for name in CONTAINERS:
        if name in holding:
            return name
    beside = [name for name in held if name not in OTHER_ENTRIES and _is_tensor(held[name])]
    if not holding or beside:
        return None
    if len(holding) > 1:
        counts = ", ".join(f"{name} ({_count(held[name])} tensors)" for name in holding)
        raise UserError(
            f"{source}: several of its entries hold tensors, and none has the usual name of a "
            f"model's weights: {counts}; save the one that is meant as a state dict of its own"
        )
    return holding[0]


def _holds(value: Any, levels: int) -> bool:
    """Return whether a value, or an entry below it, holds tensors by name."""
    inner = mapping(value)
    named = [inner[key] for key in inner if isinstance(key, str)]
    if any(_is_tensor(each) for each in named):
        return True
    return levels > 1 and any(
        _holds(inner[key], levels - 1)
        for key in inner
        if isinstance(key, str) and key not in OTHER_ENTRIES
    )


def _count(value: Any) -> int:
    return sum(_is_tensor(each) for each in mapping(value).values())


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor | np.ndarray | StoredArray | Unusable)


def _module_state(module: Inert) -> dict[str, Any]:
    """Collect parameters and buffers of an nn.Module that was saved whole; {} for other objects."""
    state: dict[str, Any] = {}
    waiting = [("", module)]
    visited = 0
    while waiting:
        prefix, part = waiting.pop()
        visited += 1
        if visited > MAX_MODULES:  # a module that contains itself
            return {}
        attributes = part.attributes
        for kind in ("_parameters", "_buffers"):
            own = attributes.get(kind)
            for name, value in own.items() if isinstance(own, dict) else ():
                if _is_tensor(value):
                    state[f"{prefix}{name}"] = value
        parts = attributes.get("_modules")
        below = list(parts.items()) if isinstance(parts, dict) else []
        waiting += [
            (f"{prefix}{name}.", value)
            for name, value in reversed(below)
            if isinstance(value, Inert)
        ]
    return state


def _unwrapped(found: Mapping[str, Tensor], source: str) -> tuple[dict[str, Tensor], list[str]]:
    """Remove wrappers' parts from keys; return the tensors and the removed parts, in order."""
    tensors: dict[str, Tensor] = {}
    wrappers: dict[str, None] = {}
    for key, value in found.items():
        name = key
        while word := next((w for w in (*IN_FRONT, *ANYWHERE) if name.startswith(w)), None):
            name = name.removeprefix(word)
            wrappers[word] = None
        for word in ANYWHERE:
            if f".{word}" in name:
                name = name.replace(f".{word}", ".")
                wrappers[word] = None
        if name in tensors:
            without = "".join(wrappers)
            raise UserError(f"{source}: holds {name} twice, with and without {without!r}")
        tensors[name] = value
    return tensors, list(wrappers)


def _word(key: Any) -> str:
    return str(key) if isinstance(key, str | int | float) else f"a {type(key).__name__}"
