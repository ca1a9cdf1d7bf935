"""Translate the original implementation's configuration to ours.

The released checkpoints go with detectron2 yaml configurations; this maps such a nested mapping
(`MODEL.BACKBONE`, `MODEL.SWIN`, `MODEL.MASK_FORMER`, ...) to a `SegmenterConfig`. Weights need no
translation: the state-dict keys are the same.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from pipeline.clip.view import SegmenterView
from pipeline.core.errors import UserError
from pipeline.core.section import Section, first_fault
from pipeline.maskformer.config import FEATURES, ResNetConfig, SegmenterConfig, SwinConfig

RESNETS = {"build_resnet_backbone": False, "build_resnet_deeplab_backbone": True}
SWINS = {"D2SwinTransformer"}
S = TypeVar("S", bound=Section)


def segmenter_config(original: Mapping[str, Any]) -> SegmenterConfig:
    """Translate the original's nested configuration (with or without the outer `MODEL`).

    Raises UserError, naming key and value, for a part that this project does not have; a wrong
    value is named by our key.
    """
    model = original.get("MODEL", original)
    head, former = model["SEM_SEG_HEAD"], model["MASK_FORMER"]
    _expect(head, "SEM_SEG_HEAD", "PIXEL_DECODER_NAME", "BasePixelDecoder")
    _expect(head, "SEM_SEG_HEAD", "NORM", "GN")
    _expect(head, "SEM_SEG_HEAD", "TRANSFORMER_ENC_LAYERS", 0)
    _expect(former, "MASK_FORMER", "ENC_LAYERS", 0)
    if list(head["IN_FEATURES"]) != list(FEATURES):
        raise UserError(
            f"MODEL.SEM_SEG_HEAD.IN_FEATURES = {head['IN_FEATURES']}: this project has {FEATURES}"
        )
    return _made(
        SegmenterConfig,
        backbone=_backbone(model),
        clip_dim=head["EMBEDDING_DIM"],
        conv_dim=head["CONVS_DIM"],
        mask_dim=head["MASK_DIM"],
        hidden_dim=former["HIDDEN_DIM"],
        heads=former["NHEADS"],
        feedforward=former["DIM_FEEDFORWARD"],
        decoder_layers=former["DEC_LAYERS"],
        dropout=former["DROPOUT"],
        pre_norm=former["PRE_NORM"],
        queries=former["NUM_OBJECT_QUERIES"],
        class_hidden=head["EMBED_HIDDEN_DIM"],
        class_layers=head["EMBED_LAYERS"],
        enforce_input_proj=former["ENFORCE_INPUT_PROJ"],
        memory_feature=former["TRANSFORMER_IN_FEATURE"],
        size_divisibility=former["SIZE_DIVISIBILITY"],
        pixel_mean=model["PIXEL_MEAN"],
        pixel_std=model["PIXEL_STD"],
    )


def segmenter_view(original: Mapping[str, Any]) -> SegmenterView:
    """Return the view with the test size under `INPUT`, or the default view."""
    sizes = original.get("INPUT") or {}
    if not (short_side := sizes.get("MIN_SIZE_TEST")):  # detectron2's 0: pictures keep their size
        return SegmenterView()
    return SegmenterView(short_side=short_side, long_side=sizes.get("MAX_SIZE_TEST") or None)


def _backbone(model: Mapping[str, Any]) -> ResNetConfig | SwinConfig:
    name = model["BACKBONE"]["NAME"]
    if name in SWINS:
        return _swin(model["SWIN"])  # the original does not freeze its Swin, whatever FREEZE_AT
    if name in RESNETS:
        resnet = model["RESNETS"]
        return _resnet(resnet, model["BACKBONE"]["FREEZE_AT"], deeplab=RESNETS[name])
    names = sorted(SWINS | set(RESNETS))
    raise UserError(f"MODEL.BACKBONE.NAME = {name!r}: this project has {', '.join(names)}")


def _resnet(resnet: Mapping[str, Any], freeze_at: int, deeplab: bool) -> ResNetConfig:
    if any(resnet["DEFORM_ON_PER_STAGE"]):
        raise UserError("MODEL.RESNETS.DEFORM_ON_PER_STAGE: no deformable convolutions here")
    return _made(
        ResNetConfig,
        depth=resnet["DEPTH"],
        stem=resnet["STEM_TYPE"] if deeplab else "basic",
        stem_channels=resnet["STEM_OUT_CHANNELS"],
        res2_channels=resnet["RES2_OUT_CHANNELS"],
        bottleneck_channels=resnet["WIDTH_PER_GROUP"],
        groups=resnet["NUM_GROUPS"],
        norm=resnet["NORM"],
        stride_in_1x1=resnet["STRIDE_IN_1X1"],
        res4_dilation=resnet["RES4_DILATION"] if deeplab else 1,
        res5_dilation=resnet["RES5_DILATION"],
        res5_multi_grid=resnet["RES5_MULTI_GRID"] if deeplab else None,
        freeze_at=freeze_at,
    )


def _swin(swin: Mapping[str, Any]) -> SwinConfig:
    return _made(
        SwinConfig,
        embed_dim=swin["EMBED_DIM"],
        depths=swin["DEPTHS"],
        heads=swin["NUM_HEADS"],
        window=swin["WINDOW_SIZE"],
        patch_size=swin["PATCH_SIZE"],
        pretrain_size=swin["PRETRAIN_IMG_SIZE"],
        mlp_ratio=swin["MLP_RATIO"],
        qkv_bias=swin["QKV_BIAS"],
        qk_scale=swin["QK_SCALE"],
        dropout=swin["DROP_RATE"],
        attention_dropout=swin["ATTN_DROP_RATE"],
        drop_path=swin["DROP_PATH_RATE"],
        absolute_position=swin["APE"],
        patch_norm=swin["PATCH_NORM"],
    )


def _made(kind: type[S], **values: Any) -> S:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise UserError(first_fault(error, values)) from error


def _expect(section: Mapping[str, Any], name: str, key: str, value: Any) -> None:
    if section.get(key, value) != value:
        raise UserError(f"MODEL.{name}.{key} = {section[key]!r}: this project has only {value!r}")
