"""No attribute of a class of ours hides a method that it inherits.

`self.bfloat16 = True` in an nn.Module hides `nn.Module.bfloat16()`: nothing says so until somebody
calls the method.
"""

import ast
import importlib
import inspect
import pkgutil
import textwrap

import pytest
import torch
from torch import nn

import pipeline
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.segmenter.trainer import LossModel
from tests.clip.tiny import tiny_clip
from tests.segmenter.tiny import WEIGHTS, config, resnet, swin, text

REGISTERING = ("register_buffer", "register_parameter", "register_module", "add_module")


def our_classes() -> list[type]:
    """Every class of the project that inherits from another one than `object`."""
    found = set()
    for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        if not module.name.endswith("__main__"):
            for _, kind in inspect.getmembers(
                importlib.import_module(module.name), inspect.isclass
            ):
                if kind.__module__ == module.name and kind.__mro__[1:] != (object,):
                    found.add(kind)
    return sorted(found, key=lambda kind: (kind.__module__, kind.__qualname__))


def attributes(kind: type) -> set[str]:
    """Names that the source of a class assigns to: on `self`, as fields, or by registering."""
    names = set()
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0].body
    for node in body:
        if isinstance(node, ast.AnnAssign):
            names.add(node.target.id)
    for node in (inner for outer in body for inner in ast.walk(outer)):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                names.add(node.attr)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in REGISTERING and isinstance(node.args[0], ast.Constant):
                names.add(node.args[0].value)
    return names


def hidden(kind: type, names: set[str]) -> set[str]:
    """Of `names` those that a base class has as something to call."""
    bases = kind.__mro__[1:-1]
    return {name for name in names if any(callable(vars(base).get(name)) for base in bases)}


def test_no_class_hides_a_method_that_it_inherits():
    classes = our_classes()
    assert sum(issubclass(kind, nn.Module) for kind in classes) >= 10
    assert {f"{k.__qualname__}.{n}" for k in classes for n in hidden(k, attributes(k))} == set()


def loss_model() -> nn.Module:
    return LossModel(MaskFormer(config()), text(), WEIGHTS, bfloat16=True)


@pytest.mark.parametrize(
    "make",
    [
        loss_model,
        lambda: tiny_clip(depth=1),
        lambda: MaskFormer(config(backbone=swin())),
        lambda: MaskFormer(config(backbone=resnet(), query_kind="anchored", queries=4)),
    ],
    ids=["losses", "clip", "swin", "anchored"],
)
def test_no_module_hides_a_method_of_its_class(make):
    plain = {*vars(nn.Module())}
    for module in make().modules():
        own = {*vars(module), *module._buffers, *module._parameters, *module._modules} - plain
        if type(module).__module__.startswith("pipeline."):
            assert not {name for name in own if hasattr(nn.Module, name)}, type(module)


def test_all_methods_of_a_module_still_work_on_the_loss_model():
    assert loss_model().bfloat16().text_features.dtype == torch.bfloat16


def test_the_check_sees_what_it_is_for():
    class Hides(nn.Module):
        train: bool

        def __init__(self) -> None:
            super().__init__()
            self.half, self.kept = True, 1
            self.register_buffer("cpu", torch.zeros(1))

    assert hidden(Hides, attributes(Hides)) == {"train", "half", "cpu"}
