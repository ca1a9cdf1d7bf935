"""Convolutions see one picture at a time; nothing else changes."""

import torch
from torch.overrides import TorchFunctionMode

from pipeline.maskformer.per_image_conv import PerImageConv


class Watch(TorchFunctionMode):
    """Notes the batch size of every convolution and product below."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, int]] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in (torch.conv2d, torch.nn.functional.linear):
            self.seen.append((func.__name__, len(args[0])))
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def test_pictures_are_convolved_alone_and_products_are_not():
    conv, linear = torch.nn.Conv2d(3, 4, 3, stride=2, padding=1), torch.nn.Linear(5, 2)
    images, vectors = torch.randn(3, 3, 9, 7), torch.randn(3, 5)
    with Watch() as watch, PerImageConv():
        found, products = conv(images), linear(vectors)
    assert watch.seen == [("conv2d", 1)] * 3 + [("linear", 3)]
    torch.testing.assert_close(found, conv(images))
    assert torch.equal(products, linear(vectors))
    for one, image in zip(found, images, strict=True):
        with PerImageConv():
            assert torch.equal(conv(image[None])[0], one)  # to the last bit
