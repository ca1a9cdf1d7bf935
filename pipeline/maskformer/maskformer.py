"""MaskFormer whose classes are text (paper section 3.1).

Picture -> Q masks, each with an embedding that is compared with text features: the logits are
`100 * cos` to K class features and to one learned no-object embedding (last column). State-dict
keys are those of the released checkpoints without their CLIP.
"""

from dataclasses import dataclass, field

import torch
from detectron2.structures import ImageList
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.clip.view import TEMPERATURE, SegmenterView
from pipeline.core.errors import UserError
from pipeline.maskformer.backbones import build_backbone
from pipeline.maskformer.config import SegmenterConfig
from pipeline.maskformer.trained_classes import TrainedClasses
from pipeline.maskformer.transformer_predictor import MaskFormerHead, QueryOutput


@dataclass(frozen=True)
class LayerOutput:
    """One decoder layer: `pred_logits` (B,Q,K+1) float32, last column = no object; `pred_masks`
    (B,Q,h,w) float32 logits at stride 4 of the padded size."""

    pred_logits: Tensor
    pred_masks: Tensor


@dataclass(frozen=True)
class SegmenterOutput(LayerOutput):
    """The last layer, with `class_embed` (B,Q,D) before normalising, the padded size of the batch
    in pixels and, while training, the earlier layers (first decoder layer first). With anchored
    queries `anchors` (Q,2) are their x and y in 0..1 of the padded picture, and the first of `aux`
    is the anchors' own output."""

    class_embed: Tensor
    padded_hw: tuple[int, int]
    aux: list[LayerOutput] = field(default_factory=list)
    anchors: Tensor | None = None


class TextClassifier(nn.Module):
    """The learned no-object embedding, under the checkpoint's name `clip_adapter`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.non_object_embedding = nn.Parameter(torch.empty(1, dim))
        nn.init.normal_(self.non_object_embedding, std=dim**-0.5)

    def forward(self, embed: Tensor, text_features: Tensor) -> Tensor:
        """embed (B,Q,D) any norm, text_features (K,D) unit norm -> (B,Q,K+1) float32 logits."""
        with torch.autocast(embed.device.type, enabled=False):
            nothing = F.normalize(self.non_object_embedding.float(), dim=-1)
            classes = torch.cat([text_features.float(), nothing])
            return TEMPERATURE * F.normalize(embed.float(), dim=-1) @ classes.T


class MaskFormer(nn.Module):
    """The segmenter: class-agnostic masks, named by comparison with text features.

    view: how it is to be used, see `SegmenterView`; the paper's until a training sets it.
    trained: the classes that it was trained with, None where nobody recorded them.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.config = config
        self.view = SegmenterView()
        self.trained: TrainedClasses | None = None
        self.backbone = build_backbone(config.backbone)
        self.sem_seg_head = MaskFormerHead(config, self.backbone.output_shape())
        self.clip_adapter = TextClassifier(config.clip_dim)
        shape = (3, 1, 1)
        self.register_buffer("mean", torch.tensor(config.pixel_mean).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor(config.pixel_std).view(shape), persistent=False)

    def prepare(self, images: list[Tensor]) -> Tensor:
        """Prepare pictures (3,H,W) RGB 0..255 -> normalised (B,3,H',W'), zero-padded bottom and
        right.

        H' and W' are the largest height and width, rounded up to `size_divisibility`. The zeros
        come after normalising, so padding has the mean colour.
        """
        images = [(image.to(self.mean) - self.mean) / self.std for image in images]
        return ImageList.from_tensors(images, self.config.size_divisibility).tensor

    def embed(self, images: list[Tensor]) -> tuple[list[QueryOutput], tuple[int, int]]:
        """Compute masks and class embeddings of every decoder layer, first one first, and the
        padded size in pixels: all of the segmenter that needs no class names.

        images: (3,H,W) float or uint8, RGB 0..255, sizes may differ; at least one.
        """
        batch = self.prepare(images)
        return self.sem_seg_head(self.backbone(batch)), (batch.shape[-2], batch.shape[-1])

    def class_logits(self, class_embed: Tensor, text_features: Tensor) -> Tensor:
        """Compute how well queries fit classes: (...,Q,K+1) float32, last column = no object.

        class_embed: (...,Q,D) any norm. text_features: (K,D) unit norm, D = `config.clip_dim`; K
        may change from call to call. UserError for text features of another width.
        """
        if text_features.shape[-1] != self.config.clip_dim:
            raise UserError(
                f"text features have width {text_features.shape[-1]}, this segmenter was made for "
                f"a CLIP of width {self.config.clip_dim}: use the CLIP it was trained with"
            )
        return self.clip_adapter(class_embed, text_features)

    def class_probabilities(self, class_embed: Tensor, text_features: Tensor) -> Tensor:
        """Compute (...,Q,K) in 0..1; a row sums to 1 - p(no object) (docs/conventions.md, 6: the
        softmax knows the last column, the answer does not). Arguments as in `class_logits`."""
        return self.class_logits(class_embed, text_features).softmax(-1)[..., :-1]

    def objectness(self, class_embed: Tensor) -> Tensor:
        """Compute how surely each query is one of the trained classes, whichever: (...,Q) in 0..1,
        which is 1 - p(no object). Needs no CLIP and no names. class_embed: as in `class_logits`.

        UserError where the segmenter does not know its classes.
        """
        if self.trained is None:
            raise UserError(
                "this segmenter does not know the classes that it was trained with, so it cannot "
                "tell masks from ground; only the stage segmenter records them"
            )
        text = self.trained.text_features.to(class_embed.device)
        return self.class_probabilities(class_embed, text).sum(-1)

    def forward(self, images: list[Tensor], text_features: Tensor) -> SegmenterOutput:
        """Segment pictures, for training: the logits of all classes.

        images: as in `embed`. text_features: as in `class_logits`.
        """
        (*earlier, last), padded_hw = self.embed(images)
        # The last layer first: the order decides how the gradient of the no-object embedding is
        # rounded, and so the last digits of a training.
        pred_logits = self.class_logits(last.class_embed, text_features)
        aux = []
        if self.training:
            aux = [
                LayerOutput(
                    self.clip_adapter(layer.class_embed, text_features), layer.pred_masks.float()
                )
                for layer in earlier
            ]
        anchors = self.sem_seg_head.predictor.anchors
        return SegmenterOutput(
            pred_logits=pred_logits,
            pred_masks=last.pred_masks.float(),
            class_embed=last.class_embed.float(),
            padded_hw=padded_hw,
            aux=aux,
            anchors=None if anchors is None else anchors.places,
        )
