"""CLIP with mask prompts: one tower for ordinary pictures and for masked crops (paper, 3.3).

A crop cut out along a mask leaves patches that show nothing but fill. Mask prompt tuning puts a
learned token P[d, i] in the place of such a patch token i, at the input of the first `depth`
blocks. CLIP's own weights stay as they are, so without masks the tower is exactly CLIP's.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from open_clip import CLIP, CustomTextCLIP
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.clip.view import ClipView
from pipeline.core.errors import UserError

PROMPT_STD = 0.02
Colour = tuple[float, float, float]
"""Red, green and blue of pixels in 0..1."""


class MaskClip(nn.Module):
    """An open_clip model, how its input is made, and its mask prompts where it has some.

    clip: the open_clip CLIP; its image tower is a square VisionTransformer
    model_cfg: the open_clip configuration that builds `clip`
    tokenizer: open_clip's; sentences -> (B, context) long
    mean, std: (3,) float32, RGB, of pixels in 0..1
    prompts: (depth, N, width) float32 or None; N = (image_size // patch_size)^2, row-major
    name: where the weights came from, for people
    view: how it is to be used, see `ClipView`; the paper's until a training sets it
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        clip: CLIP | CustomTextCLIP,
        model_cfg: dict[str, Any],
        tokenizer: Callable[[list[str]], Tensor],
        mean: Colour,
        std: Colour,
        name: str = "",
    ) -> None:
        super().__init__()
        for what, colour in (("mean", mean), ("std", std)):
            minimum, expected = -math.inf, "three numbers"
            if what == "std":
                minimum, expected = 0.0, "three numbers above 0"
            if len(colour) != 3 or not all(minimum < value < math.inf for value in colour):
                raise UserError(f"the {what} of colours is {list(colour)}: expected {expected}")
        visual = clip.visual
        if not isinstance(visual, VisionTransformer):
            raise UserError(
                f"the image tower is a {type(visual).__name__}: mask prompts replace patch tokens, "
                "which takes an open_clip VisionTransformer (ViT-B-16, ViT-L-14 ...)"
            )
        if len({*visual.image_size}) != 1 or len({*visual.patch_size}) != 1:
            raise UserError(
                f"the image tower takes {visual.image_size} pixels in patches of "
                f"{visual.patch_size}: only squares are supported"
            )
        self.clip = clip
        self.model_cfg = model_cfg
        self.tokenizer = tokenizer
        self.name = name
        self.view = ClipView()
        self.image_size: int = visual.image_size[0]
        self.patch_size: int = visual.patch_size[0]
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))
        self.prompts: nn.Parameter | None = None

    @property
    def layers(self) -> int:
        """Blocks of the image tower: the greatest prompt depth."""
        return len(self.clip.visual.transformer.resblocks)

    @property
    def prompt_shape(self) -> tuple[int, int]:
        """(N patches, width): shape of the prompts of one depth."""
        visual = self.clip.visual
        return visual.grid_size[0] * visual.grid_size[1], visual.conv1.out_channels

    @property
    def prompt_depth(self) -> int:
        return 0 if self.prompts is None else len(self.prompts)

    def set_prompts(self, prompts: Tensor | None) -> None:
        """Set the prompts, `(depth, N, width)`; None or depth 0 removes them.

        UserError if the shape does not fit the tower or a number is not finite.
        """
        if prompts is None or (prompts.ndim == 3 and len(prompts) == 0):
            self.prompts = None
            return
        fits = prompts.ndim == 3 and tuple(prompts.shape[1:]) == self.prompt_shape
        if not fits or len(prompts) > self.layers:
            raise UserError(
                f"mask prompts of shape {tuple(prompts.shape)} do not fit this CLIP: expected "
                f"(depth, {self.prompt_shape[0]}, {self.prompt_shape[1]}) with depth at most "
                f"{self.layers}"
            )
        if not prompts.float().isfinite().all():
            raise UserError("mask prompts hold NaN or infinite numbers")
        self.prompts = nn.Parameter(prompts.detach().to(self.mean.device, torch.float32).clone())

    def deepen_prompts(self, depth: int, generator: torch.Generator | None = None) -> None:
        """Change the depth: existing prompts are kept, new ones are drawn from N(0, 0.02)."""
        if not 0 <= depth <= self.layers:
            raise UserError(
                f"prompt depth {depth}: this image tower has {self.layers} blocks, allowed "
                f"0..{self.layers}"
            )
        fresh = torch.randn(depth, *self.prompt_shape, generator=generator) * PROMPT_STD
        if self.prompts is not None:
            kept = min(depth, len(self.prompts))
            fresh[:kept] = self.prompts.detach()[:kept].cpu()
        self.set_prompts(fresh)

    def forward(self, images: Tensor, masks: Tensor | None = None) -> Tensor:
        return self.encode_image(images, masks)

    def encode_image(self, images: Tensor, masks: Tensor | None = None) -> Tensor:
        """Encode normalised pictures `(B, 3, S, S)` to features `(B, D)`, not of unit norm.

        masks: `(B, S, S)` or `(B, 1, S, S)`, bool or float, foreground above 0. None, or a CLIP
        without prompts: exactly open_clip's tower. B may be 0.
        """
        if len(images) == 0:
            return images.new_zeros((0, self.clip.visual.output_dim))
        if masks is None or self.prompts is None:
            return self.clip.encode_image(images)
        keep = patch_mask(masks, self.patch_size)[..., None]  # (B, N, 1)
        visual = self.clip.visual
        tokens = visual.conv1(images).flatten(2).transpose(1, 2)  # (B, N, width)
        tokens = torch.where(keep, tokens, self.prompts[0].to(tokens.dtype))
        first = visual.class_embedding.to(tokens.dtype).expand(len(tokens), 1, -1)
        x = torch.cat([first, tokens], dim=1) + visual.positional_embedding.to(tokens.dtype)
        x = visual.ln_pre(visual.patch_dropout(x))
        for depth, block in enumerate(visual.transformer.resblocks):
            if 0 < depth < len(self.prompts):
                replaced = torch.where(keep, x[:, 1:], self.prompts[depth].to(x.dtype))
                x = torch.cat([x[:, :1], replaced], dim=1)
            x = block(x)
        pooled, _ = visual._pool(x)
        return pooled if visual.proj is None else pooled @ visual.proj

    def tokenize(self, texts: list[str]) -> Tensor:
        """Return tokens `(B, context)`, int64. Longer texts are cut, keeping the end-of-text
        token."""
        return self.tokenizer(texts)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Encode tokens `(B, context)` to features `(B, D)`, not of unit norm.

        CLIP reads the feature at the end-of-text token, which attends only to earlier tokens, so
        the padding behind it is left out: for class names that is most of the context. Only texts
        of equal length share a batch, so that no text changes another's feature.
        """
        clip = self.clip
        causal = getattr(clip, "attn_mask", None) is not None
        if len(tokens) == 0 or not causal or getattr(clip, "text_pool_type", None) != "argmax":
            return clip.encode_text(tokens)
        ends = tokens.argmax(dim=-1)
        lengths = ends.unique() + 1
        order = torch.cat([(ends + 1 == length).nonzero()[:, 0] for length in lengths])
        parts = [self._encode_alike(tokens[ends + 1 == n, :n]) for n in lengths]
        return torch.cat(parts)[order.argsort()]

    def _encode_alike(self, tokens: Tensor) -> Tensor:
        """Encode texts `(B, length)` that all end at the last token."""
        clip, length = self.clip, tokens.shape[1]
        dtype = clip.transformer.get_cast_dtype()
        x = clip.token_embedding(tokens).to(dtype) + clip.positional_embedding[:length].to(dtype)
        x = clip.transformer(x, attn_mask=clip.attn_mask[:length, :length])
        x = clip.ln_final(x[:, -1])
        projection = clip.text_projection
        if projection is None:
            return x
        return projection(x) if isinstance(projection, nn.Linear) else x @ projection


def patch_mask(masks: Tensor, patch_size: int) -> Tensor:
    """Mark patches with any foreground pixel: `(B, [1,] S, S)` bool or float -> `(B, N)` bool.

    Equals ceil(avg_pool(mask, patch)) for masks in 0..1; patches in row-major order.
    """
    planes = masks.reshape(len(masks), 1, *masks.shape[-2:]).float()
    return F.max_pool2d(planes, patch_size).flatten(1) > 0
