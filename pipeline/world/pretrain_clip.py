"""Train the miniature CLIP that the embedded default starts from.

Follows CLIP's recipe (Radford et al., 2021) on object-centred pictures of the OpenMoji world: an
image tower and a text tower, symmetric contrastive loss, learned temperature. It takes about a
quarter of an hour on two cores, so its result is shipped and this runs only as a frozen DVC stage.
"""

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import open_clip
import torch
from torch.nn import functional as F

from pipeline.core.errors import UserError
from pipeline.core.precision import autocast, math_attention, seed_everything
from pipeline.core.processes import runtime
from pipeline.core.progress import track
from pipeline.training.optimiser import Group, adamw
from pipeline.training.schedule import Schedule
from pipeline.world.natural import NaturalPicture, draw_natural
from pipeline.world.params import PretrainClipParams
from pipeline.world.vocabulary import NOUNS

PICTURE_PX = 64
MEAN, STD = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
MODEL_CFG: dict[str, Any] = {
    "embed_dim": 128,
    "quick_gelu": False,
    "vision_cfg": {
        "image_size": 48, "patch_size": 8, "width": 192, "head_width": 48, "layers": 4,
    },
    "text_cfg": {
        "context_length": 32, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 2,
    },
}  # fmt: skip


def draw_pictures(count: int, seed: int) -> list[NaturalPicture]:
    """Draw `count` pictures, nouns in turn, the same for any number of processes."""
    spans = [(start, min(start + 500, count), seed) for start in range(0, count, 500)]
    with runtime.process_pool(len(spans)) as pool:
        chunks = pool.map(_draw_span, spans)
        return [p for chunk in track(chunks, len(spans), "drawing pictures") for p in chunk]


def _draw_span(span: tuple[int, int, int]) -> list[NaturalPicture]:
    start, stop, seed = span
    cv2.setNumThreads(1)
    return [
        draw_natural(np.random.default_rng([seed, i]), PICTURE_PX, NOUNS[i % len(NOUNS)])
        for i in range(start, stop)
    ]


def augment(pictures: torch.Tensor, size: int, rng: np.random.Generator) -> torch.Tensor:
    """Take random square crops of at least 72% of the side; half of them are scaled down to 20 to
    48 px and up again, to look like small objects.

    uint8 (B, 3, P, P) -> float32 (B, 3, size, size), 0..1.
    """
    cropped = []
    for picture in pictures:
        side = int(rng.integers(int(0.72 * PICTURE_PX), PICTURE_PX + 1))
        top, left = rng.integers(0, PICTURE_PX - side + 1, size=2)
        crop = picture[None, :, top : top + side, left : left + side].float()
        if rng.random() < 0.5:
            small = min(int(rng.integers(20, 49)), side)
            crop = F.interpolate(crop, (small, small), mode="bilinear", antialias=True)
        cropped.append(F.interpolate(crop, (size, size), mode="bicubic", align_corners=False))
    images = torch.cat(cropped)
    flip = torch.from_numpy(rng.random(len(images)) < 0.5)
    return torch.where(flip[:, None, None, None], images.flip(-1), images).clamp(0, 255) / 255


def batches(nouns: np.ndarray, batch: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield endless index arrays (batch,) in which every noun occurs at most once."""
    members = {noun: np.flatnonzero(nouns == noun) for noun in np.unique(nouns)}
    if batch > len(members):
        raise UserError(
            f"a batch of {batch} pictures of different nouns needs as many nouns, there are "
            f"{len(members)}: lower the batch size"
        )
    names = np.array(sorted(members))
    while True:
        chosen = rng.choice(names, size=batch, replace=False)
        yield np.array([rng.choice(members[noun]) for noun in chosen])


def pretrain(
    recipe: PretrainClipParams, log: Callable[[int, float], None] = lambda step, loss: None
) -> open_clip.CLIP:
    """Train from scratch; calls `log(step, loss)` every 50 steps. Returns the model, float32."""
    pictures = draw_pictures(recipe.pictures, recipe.seed)
    images = torch.from_numpy(np.stack([p.image for p in pictures])).permute(0, 3, 1, 2)
    nouns = np.array([p.noun for p in pictures])
    text_cfg: dict[str, int] = MODEL_CFG["text_cfg"]
    context = text_cfg["context_length"]
    tokens = open_clip.SimpleTokenizer(context_length=context)([p.caption for p in pictures])
    # Captions use a few hundred of the 49,408 tokens. Training an embedding of just those saves a
    # third of every step; sorted, so that the end of the text keeps the highest number.
    vocabulary, tokens = tokens.unique(sorted=True, return_inverse=True)
    seed_everything(recipe.seed)
    torch.set_flush_denormal(True)  # moments of rare tokens decay to denormals, which crawl on CPUs
    rng = np.random.default_rng(recipe.seed)
    device = runtime.device()
    clip = open_clip.CLIP(**MODEL_CFG)
    clip.token_embedding = _rows(clip.token_embedding, vocabulary)
    clip = clip.to(device)
    parameters = list(clip.parameters())
    optimizer = adamw([Group(parameters, recipe.learning_rate, recipe.weight_decay)])
    schedule = Schedule("cosine", recipe.steps, recipe.warmup_steps)
    mean = torch.tensor(MEAN).view(3, 1, 1)
    std = torch.tensor(STD).view(3, 1, 1)
    labels = torch.arange(recipe.batch_size, device=device)
    chooser = batches(nouns, recipe.batch_size, rng)
    for step in track(range(recipe.steps), recipe.steps, "training the miniature CLIP"):
        chosen = torch.from_numpy(next(chooser))
        schedule.apply(optimizer, step)
        pixels = (augment(images[chosen], clip.visual.image_size[0], rng) - mean) / std
        with autocast(device), math_attention():
            image_features = clip.encode_image(pixels.to(device), normalize=True)
            text_features = clip.encode_text(tokens[chosen].to(device), normalize=True)
        logits = clip.logit_scale.exp() * image_features.float() @ text_features.float().T
        loss = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            clip.logit_scale.clamp_(0, float(np.log(100)))
        if step % 50 == 0:
            log(step, loss.item())
    clip = clip.cpu().eval()
    full = torch.zeros(text_cfg["vocab_size"], clip.token_embedding.embedding_dim)
    full[vocabulary] = clip.token_embedding.weight.detach()  # unused rows: zero, compress well
    clip.token_embedding = torch.nn.Embedding.from_pretrained(full, freeze=False)
    return clip


def _rows(embedding: torch.nn.Embedding, rows: torch.Tensor) -> torch.nn.Embedding:
    """Return an embedding of only these rows, with their values."""
    return torch.nn.Embedding.from_pretrained(embedding.weight.detach()[rows], freeze=False)
