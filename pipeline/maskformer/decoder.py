"""DETR's transformer decoder: queries attend to each other and to one feature map.

Parameter names are those of the released checkpoints (`transformer.decoder.layers.N.self_attn`,
`multihead_attn`, `linear1`, ...). No padding mask reaches it (convention 1).
"""

from torch import Tensor, nn
from torch.nn import functional as F


class DecoderLayer(nn.Module):
    """Self-attention, cross-attention, feed-forward; normed after (or before) each."""

    def __init__(
        self, dim: int, heads: int, feedforward: int, dropout: float, pre_norm: bool
    ) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dim, heads, dropout=dropout)
        self.multihead_attn = nn.MultiheadAttention(dim, heads, dropout=dropout)
        self.linear1 = nn.Linear(dim, feedforward)
        self.linear2 = nn.Linear(feedforward, dim)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(dim) for _ in range(3))
        self.dropout = nn.Dropout(dropout)
        self.pre_norm = pre_norm

    def forward(self, x: Tensor, query: Tensor, memory: Tensor, position: Tensor) -> Tensor:
        """x, query (Q,B,C); memory, position (S,B,C) -> (Q,B,C)."""

        def attend_self(x: Tensor) -> Tensor:
            place = x + query
            return self.self_attn(place, place, x, need_weights=False)[0]

        def attend_memory(x: Tensor) -> Tensor:
            key = memory + position
            return self.multihead_attn(x + query, key, memory, need_weights=False)[0]

        def feed(x: Tensor) -> Tensor:
            return self.linear2(self.dropout(F.relu(self.linear1(x))))

        steps = (
            (self.norm1, attend_self),
            (self.norm2, attend_memory),
            (self.norm3, feed),
        )
        for norm, step in steps:
            if self.pre_norm:
                x = x + self.dropout(step(norm(x)))
            else:
                x = norm(x + self.dropout(step(x)))
        return x


class Decoder(nn.Module):
    """A stack of layers; every layer's output, normed, is returned for deep supervision."""

    def __init__(
        self, layers: int, dim: int, heads: int, feedforward: int, dropout: float, pre_norm: bool
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            DecoderLayer(dim, heads, feedforward, dropout, pre_norm) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(
        self, query: Tensor, memory: Tensor, position: Tensor, start: Tensor | None
    ) -> list[Tensor]:
        """query (Q,B,C) embeddings; memory, position (S,B,C) -> one (B,Q,C) per layer.

        start (Q,B,C): content of the queries before the first layer; None is DETR's zeros. If it
        is given, its own output comes first in the list.
        """
        x = query.new_zeros(query.shape) if start is None else start
        outputs = [] if start is None else [self.norm(x).transpose(0, 1)]
        for layer in self.layers:
            x = layer(x, query, memory, position)
            outputs.append(self.norm(x).transpose(0, 1))
        return outputs


class Transformer(nn.Module):
    """Holds the decoder under the checkpoint's name `transformer.decoder`."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(
        self, memory: Tensor, query: Tensor, position: Tensor, start: Tensor | None = None
    ) -> list[Tensor]:
        """memory, position (B,C,h,w); query, start (Q,B,C) -> see `Decoder.forward`."""
        flat = memory.flatten(2).permute(2, 0, 1)
        place = position.flatten(2).permute(2, 0, 1)
        return self.decoder(query, flat, place, start)
