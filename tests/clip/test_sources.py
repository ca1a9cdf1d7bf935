import pytest
import torch
from safetensors.torch import save_file

from pipeline.clip import sources
from pipeline.clip.sources import base_clip, build_open_clip, clip_from_checkpoint
from pipeline.clip.store import PROMPT_KEY, build_from_config

OPENAI = {  # OpenAI's architecture, small: heads of 64
    "embed_dim": 8,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 64, "layers": 2},
    "text_cfg": {
        "context_length": 10, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def original():
    torch.manual_seed(0)
    return build_from_config(OPENAI).eval()


@pytest.fixture
def images():
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("layout", ["flat", "training", "detectron2"])
def test_a_mask_adapted_checkpoint(tmp_path, original, images, layout):
    prompts = torch.randn(2, 4, 64)
    weights = original.clip.state_dict() | {PROMPT_KEY: prompts}
    content = {
        "flat": weights,
        "training": {"epoch": 5, "state_dict": {f"module.{k}": v for k, v in weights.items()}},
        "detectron2": {"model": weights, "iteration": 3},
    }[layout]
    torch.save(content, tmp_path / "clip.pt")
    clip = clip_from_checkpoint(tmp_path / "clip.pt", None)
    assert clip.model_cfg == OPENAI and torch.equal(clip.prompts, prompts)
    assert torch.equal(clip.encode_image(images), original.encode_image(images))


def test_what_was_recognised_around_the_weights_is_said(tmp_path, original, images, capsys):
    weights = original.clip.state_dict() | {PROMPT_KEY: torch.randn(2, 4, 64)}
    weights = {key: v.half() if v.is_floating_point() else v for key, v in weights.items()}
    weights["logit_scale"] = weights["logit_scale"][None]
    wrapped = {f"module.net.clip.{key}": value for key, value in weights.items()}
    torch.save({"params": wrapped | {"loss": torch.ones(1)}}, tmp_path / "clip.bin")
    clip = clip_from_checkpoint(tmp_path / "clip.bin", None)
    expected = build_from_config(OPENAI)
    expected.clip.load_state_dict({k: v.half() for k, v in original.clip.state_dict().items()})
    assert torch.equal(clip.encode_image(images), expected.eval().encode_image(images))
    said = capsys.readouterr().out
    for words in (
        "its entry params",
        "without the module.",
        "without the net.clip. in front of",
        "left over: loss",
        "logit_scale is (1,), read as",
        "stored as float16",
    ):
        assert words in said  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_openais_own_archive(tmp_path, original, images):
    class Archive(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.visual, self.transformer = model.visual, model.transformer
            self.token_embedding, self.ln_final = model.token_embedding, model.ln_final
            self.positional_embedding = model.positional_embedding
            self.text_projection, self.logit_scale = model.text_projection, model.logit_scale
            for name in sources.OPENAI_EXTRAS:
                self.register_buffer(name, torch.tensor(16))

        def forward(self, x):
            return self.visual.ln_post(x)

    traced = torch.jit.trace(Archive(original.clip), torch.randn(1, 64))
    traced.save(str(tmp_path / "ViT.pt"))
    clip = clip_from_checkpoint(tmp_path / "ViT.pt", None)
    assert clip.model_cfg["quick_gelu"] and clip.prompts is None
    assert torch.equal(clip.encode_image(images), original.encode_image(images))


def test_a_name_is_needed_where_the_weights_do_not_tell(tmp_path, original):
    save_file(original.clip.state_dict(), tmp_path / "clip.safetensors")
    with pytest.raises(ValueError, match="set base_clip.name"):
        clip_from_checkpoint(tmp_path / "clip.safetensors", None)
    with pytest.raises(ValueError, match="weights do not fit the model: .* missing: visual"):
        clip_from_checkpoint(tmp_path / "clip.safetensors", "ViT-B-16")
    with pytest.raises(ValueError, match=r"no such model, near are ViT-B-16"):
        clip_from_checkpoint(tmp_path / "clip.safetensors", "ViT-B-16-quick")


def test_unusable_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.pt: no such file, expected weights"):
        clip_from_checkpoint(tmp_path / "none.pt", None)
    torch.save({"state_dict": {"other": torch.zeros(1)}, PROMPT_KEY: 1}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="the weights alone"):
        clip_from_checkpoint(tmp_path / "other.pt", None)
    torch.save({PROMPT_KEY: torch.zeros(1, 4, 64)}, tmp_path / "prompts.pt")
    with pytest.raises(ValueError, match="no visual.conv1.weight in it"):
        clip_from_checkpoint(tmp_path / "prompts.pt", None)


def test_a_download_that_cannot_be_had_says_what_to_do(monkeypatch):
    def unreachable(*_):
        raise OSError("Name or service not known")

    monkeypatch.setattr(sources.open_clip, "download_pretrained", unreachable)
    monkeypatch.setattr(sources, "build_from_config", lambda *_: None)
    with pytest.raises(FileNotFoundError, match="huggingface.co.*base_clip.source: checkpoint"):
        build_open_clip("ViT-B-16", "laion2b_s34b_b88k")
    # OpenAI's weights as a plain file do not tell their quick GELU, the name has to
    with pytest.raises(FileNotFoundError, match="base_clip.name: ViT-B-16-quickgelu,"):
        build_open_clip("ViT-B-16", "openai")
    with pytest.raises(ValueError, match="no such weights for ViT-B-16, it has: openai"):
        build_open_clip("ViT-B-16", "moon")
    with pytest.raises(ValueError, match="no such model"):
        build_open_clip("ViT-Q-16", "openai")


def test_weights_of_a_tag_get_its_activation_and_colours(tmp_path, monkeypatch, original, images):
    """The whole way of a tag but its download: the file is there already."""
    save_file(original.clip.state_dict(), tmp_path / "clip.safetensors")
    plain = OPENAI | {"quick_gelu": False}
    tag = {"quick_gelu": True, "mean": (0.5,) * 3, "std": (0.25,) * 3}
    monkeypatch.setattr(sources, "model_config", lambda _: dict(plain))
    monkeypatch.setattr(sources.open_clip, "get_pretrained_cfg", lambda *_: tag)
    monkeypatch.setattr(
        sources.open_clip, "download_pretrained", lambda _: str(tmp_path / "clip.safetensors")
    )
    clip = build_open_clip("tiny", "openai")
    assert clip.mean.tolist() == [0.5] * 3 and clip.name == "open_clip tiny openai"
    assert torch.equal(clip.encode_image(images), original.encode_image(images))


def test_values_a_source_needs():
    with pytest.raises(ValueError, match="base_clip.pretrained is not set"):
        base_clip("open_clip", "ViT-B-16", None, None)
    with pytest.raises(ValueError, match="base_clip.checkpoint is not set"):
        base_clip("checkpoint", None, None, None)
