"""LUKE's word encoder for one GPU: rows of one length in, hidden states in bfloat16 out.

It computes what spacy_luke_ja/models/roberta.py computes, under the same tensor names. There, windows of any lengths
are joined; here, all rows of a batch have its width, so that a layer is compiled once for each of a few shapes. Weights
are float32; products, sums and norms of activations are bfloat16.
"""

from typing import Any, Dict, Mapping, Optional

import torch
from torch import Tensor, nn
from torch.nn import functional

PREFIX = "roberta."
FIRST_POSITION = 2  # position ids count from behind the pad id
# The parts of a layer → their names in checkpoints.
NAMES = {
    "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
    "attended": "attention.output.dense", "attended_norm": "attention.output.LayerNorm", "inner": "intermediate.dense",
    "outer": "output.dense", "outer_norm": "output.LayerNorm",
}  # fmt: skip


class Affine(nn.Module):
    """A linear layer whose float32 weights are used in the dtype of what comes in."""

    def __init__(self, n_outputs: int, n_inputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_outputs, n_inputs) * 0.02)
        self.bias = nn.Parameter(torch.zeros(n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight.to(x.dtype), self.bias.to(x.dtype))


class Norm(nn.Module):
    """A layer norm whose float32 weights are used in the dtype of what comes in."""

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:], self.weight.to(x.dtype), self.bias.to(x.dtype), 1e-5)


class Layer(nn.Module):
    def __init__(self, width: int, n_heads: int, inner: int):
        super().__init__()
        self.n_heads, self.dropout = n_heads, 0.0
        self.query, self.key, self.value = (Affine(width, width) for _ in range(3))
        self.attended, self.attended_norm = Affine(width, width), Norm(width)
        self.inner, self.outer, self.outer_norm = Affine(inner, width), Affine(width, inner), Norm(width)

    def forward(self, hidden: Tensor, mask: Optional[Tensor]) -> Tensor:
        n_rows, length, width = hidden.shape
        dropout = self.dropout if self.training else 0.0
        query, key, value = (
            part(hidden).view(n_rows, length, self.n_heads, -1).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        attended = self.attended(attended.transpose(1, 2).reshape(n_rows, length, width))
        hidden = self.attended_norm(hidden + functional.dropout(attended, dropout, self.training))
        outer = self.outer(functional.gelu(self.inner(hidden)))
        return self.outer_norm(hidden + functional.dropout(outer, dropout, self.training))


class Encoder(nn.Module):
    def __init__(self, config: Mapping[str, Any]):
        """config: the content of a config.json of XLM-RoBERTa."""
        super().__init__()
        self.config, self.dropout = dict(config), 0.0
        width = config["hidden_size"]
        self.words = nn.Parameter(torch.randn(config["vocab_size"], width) * 0.1)
        self.positions = nn.Parameter(torch.randn(config["max_position_embeddings"], width) * 0.02)
        self.token_type = nn.Parameter(torch.zeros(1, width))
        self.norm = Norm(width)
        sizes = (width, config["num_attention_heads"], config["intermediate_size"])
        self.layers = nn.ModuleList([Layer(*sizes) for _ in range(config["num_hidden_layers"])])

    def forward(self, ids: Tensor, is_real: Optional[Tensor] = None) -> Tensor:
        """
        ids: (n_rows, length). is_real: the same shape, False for padding; None where there is none.
        RETURNS: (n_rows, length, width) in bfloat16 on a GPU, float32 elsewhere.
        """
        dtype = torch.bfloat16 if ids.is_cuda else torch.float32
        positions = self.positions[FIRST_POSITION : FIRST_POSITION + ids.shape[1]]
        hidden = self.norm((functional.embedding(ids, self.words) + positions + self.token_type).to(dtype))
        hidden = functional.dropout(hidden, self.dropout, self.training)
        mask = None if is_real is None else is_real[:, None, None, :].expand(-1, -1, ids.shape[1], -1)
        for layer in self.layers:
            hidden = layer(hidden, mask)
        return hidden

    def compile_layers(self, *, dynamic: bool = False) -> None:
        """Once for each shape, when it first comes; dynamic: once for all."""
        for layer in self.layers:
            layer.compile(dynamic=dynamic)

    def set_dropout(self, dropout: float) -> None:
        for module in self.modules():
            if isinstance(module, (Encoder, Layer)):
                module.dropout = dropout

    def tensors(self) -> Dict[str, Tensor]:
        """As a checkpoint names them."""
        named = {
            "embeddings.word_embeddings.weight": self.words, "embeddings.position_embeddings.weight": self.positions,
            "embeddings.token_type_embeddings.weight": self.token_type, "embeddings.LayerNorm.weight": self.norm.weight,
            "embeddings.LayerNorm.bias": self.norm.bias,
        }  # fmt: skip
        for i, layer in enumerate(self.layers):
            for own, theirs in NAMES.items():
                for kind in ("weight", "bias"):
                    named[f"encoder.layer.{i}.{theirs}.{kind}"] = getattr(getattr(layer, own), kind)
        return {PREFIX + name: tensor.detach() for name, tensor in named.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """tensors: as tensors() names them."""
        with torch.no_grad():
            for name, tensor in self.tensors().items():
                tensor.copy_(tensors[name])


class Model(nn.Module):
    """An encoder with linear layers by name."""

    def __init__(self, encoder: Encoder, **n_outputs: int):
        super().__init__()
        width = encoder.config["hidden_size"]
        self.encoder = encoder
        self.heads = nn.ModuleDict({name: Affine(n, width) for name, n in n_outputs.items()})
