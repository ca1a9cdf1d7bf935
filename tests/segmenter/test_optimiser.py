"""Which parameters decay, and how fast each learns."""

from pipeline.maskformer.maskformer import MaskFormer
from pipeline.segmenter.optimiser import parameter_groups
from tests.segmenter.tiny import config, swin


def test_decay_and_backbone_rate_go_to_the_right_parameters():
    model = MaskFormer(config(backbone=swin(freeze_at=1)))
    groups = parameter_groups(model, 1.0, backbone_multiplier=0.1, weight_decay=0.5)
    of = {id(p): group for group in groups for p in group.parameters}
    found = {name: of.get(id(p)) for name, p in model.named_parameters()}

    def rate_and_decay(name):
        return found[name].learning_rate, found[name].weight_decay

    block = "backbone.layers.0.blocks.0."
    assert rate_and_decay(f"{block}attn.qkv.weight") == (0.1, 0.5)
    assert rate_and_decay(f"{block}attn.relative_position_bias_table") == (0.1, 0)
    assert rate_and_decay(f"{block}norm1.weight") == (0.1, 0)
    assert found["backbone.patch_embed.proj.weight"] is None  # frozen
    predictor = "sem_seg_head.predictor."
    assert rate_and_decay(f"{predictor}query_embed.weight") == (1.0, 0)
    assert rate_and_decay(f"{predictor}class_embed.layers.0.weight") == (1.0, 0.5)
    assert rate_and_decay("sem_seg_head.pixel_decoder.layer_1.norm.weight") == (1.0, 0)
    assert rate_and_decay("clip_adapter.non_object_embedding") == (1.0, 0.5)
    assert len(of) == sum(p.requires_grad for p in model.parameters())
