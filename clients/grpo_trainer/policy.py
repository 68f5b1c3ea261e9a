"""
A small decoder-only transformer to learn on two CPU cores, and what any policy must offer.

Pre-norm, RMSNorm, GELU, learned positions, the embedding tied to the head. Prompts of one batch are
padded on the left, so positions count the tokens in `mask` and not the columns.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Tokenizer(Protocol):
    """Text to ids and back; `end_id` ends a completion, `pad_id` fills what the mask hides."""

    end_id: int
    pad_id: int

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`, without an end token."""
        ...

    def decode(self, ids: list[int]) -> str:
        """Return the text of `ids`, their end token left out."""
        ...


class Policy(Protocol):
    """What rollout and training call; a torch module. `TinyPolicy` and `hf.HubPolicy` are two."""

    def __call__(self, ids: Tensor, mask: Tensor, *, cache: Any = None, keep: int = 0) -> Tensor:
        """Return the logits of the last `keep` (0: all) of T positions; (N, keep, V).

        ids (N, T) follow what `cache` holds; mask (N, S) covers that as well, S >= T.
        """
        ...

    def new_cache(self, rows: int, length: int) -> Any:
        """Return an empty cache for `rows` sequences of up to `length` tokens."""
        ...


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a `TinyPolicy`."""

    vocabulary: int
    width: int = 128
    layers: int = 3
    heads: int = 4
    context: int = 64


class Cache:
    """Keys and values of every layer, written in place as tokens are appended."""

    def __init__(self, shape: Shape, rows: int, length: int, like: Tensor) -> None:
        size = (shape.layers, rows, shape.heads, length, shape.width // shape.heads)
        self.keys, self.values = like.new_empty(size), like.new_empty(size)
        self.length = 0

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Write (N, H, T, D) behind what is there; returns all S keys and values of `layer`."""
        end = self.length + k.shape[2]
        self.keys[layer, :, :, self.length : end] = k
        self.values[layer, :, :, self.length : end] = v
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


class Block(nn.Module):
    """Attention, then a feed-forward layer, each added to the stream."""

    def __init__(self, shape: Shape, layer: int) -> None:
        super().__init__()
        self.layer, self.heads = layer, shape.heads
        self.attention_norm, self.feed_norm = nn.RMSNorm(shape.width), nn.RMSNorm(shape.width)
        self.qkv = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)
        self.up = nn.Linear(shape.width, 4 * shape.width, bias=False)
        self.down = nn.Linear(4 * shape.width, shape.width, bias=False)

    def forward(self, x: Tensor, sees: Tensor, cache: Cache | None) -> Tensor:
        """x (N, T, width); sees (N, 1, T, S) bool."""
        n, t, width = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(n, t, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (N, H, T, D)
        if cache is not None:
            k, v = cache.append(self.layer, k, v)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=sees)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, t, width))
        return x + self.down(F.gelu(self.up(self.feed_norm(x))))


class TinyPolicy(nn.Module):
    """A transformer of a few hundred thousand weights, drawn from torch's global generator."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.positions = nn.Embedding(shape.context, shape.width)
        self.blocks = nn.ModuleList(Block(shape, layer) for layer in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width)
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                into_stream = name.endswith(("out.weight", "down.weight"))
                scale = (2 * shape.layers) ** -0.5 if into_stream else 1.0
                nn.init.normal_(weight, std=0.02 * scale)

    def new_cache(self, rows: int, length: int) -> Cache:
        """As in `Policy`."""
        return Cache(self.shape, rows, length, self.embedding.weight)

    def forward(
        self, ids: Tensor, mask: Tensor, *, cache: Cache | None = None, keep: int = 0
    ) -> Tensor:
        """As in `Policy`."""
        t, s = ids.shape[1], mask.shape[1]
        if s > self.shape.context:
            raise ValueError(f"{s} tokens do not fit into a context of {self.shape.context}")
        x = self.embedding(ids) + self.positions(position_ids(mask)[:, -t:])
        sees = visible(mask, t)
        for block in self.blocks:
            x = block(x, sees, cache)
        if cache is not None:
            cache.length = s
        return F.linear(self.norm(x[:, -keep:]), self.embedding.weight)


def position_ids(mask: Tensor) -> Tensor:
    """(N, S): how many real tokens stand before each; padding gets any valid number."""
    return (mask.long().cumsum(dim=1) - 1).clamp(min=0)


def visible(mask: Tensor, t: int) -> Tensor:
    """(N, 1, T, S) bool: what each of the last `t` of S columns may attend to.

    Every column sees itself, real or not: a row of softmax without any key would be NaN.
    """
    s = mask.shape[1]
    columns = torch.arange(s, device=mask.device)
    rows = columns[-t:].unsqueeze(1)  # (T, 1)
    real = mask.bool().view(-1, 1, 1, s)
    return ((columns <= rows) & real) | (columns == rows)
