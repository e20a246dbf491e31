"""LUKE's word encoder for one GPU: rows of equal length in, hidden states in bfloat16 out; its checkpoints in and out.

It computes what spacy_luke_ja/models/roberta.py computes, under the same tensor names. There, windows of any lengths are
joined; here, rows are as wide as their batch, so that a layer can be compiled once for each of few shapes. Weights are
float32; products, sums and norms of activations are bfloat16.
"""

import json
import shutil
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

PREFIX = "roberta."
FIRST_POSITION = 2  # position ids count from behind the pad id


class Affine(nn.Module):
    """A linear layer, or the scale and shift of a norm, in float32; half() gives what products take."""

    def __init__(self, *shape: int, std: float = 0.02):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(*shape) * std if len(shape) == 2 else torch.ones(*shape))
        self.bias = nn.Parameter(torch.zeros(shape[0]))

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return functional.linear(x, weight, bias)


class Norm(Affine):
    def __init__(self, width: int):
        super().__init__(width)

    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:], self.weight.to(x.dtype), self.bias.to(x.dtype), 1e-5)


class Layer(nn.Module):
    def __init__(self, width: int, n_heads: int, inner: int, dropout: float):
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.query, self.key, self.value = (Affine(width, width) for _ in range(3))
        self.attended, self.attended_norm = Affine(width, width), Norm(width)
        self.inner, self.outer, self.outer_norm = Affine(inner, width), Affine(width, inner), Norm(width)

    def forward(self, hidden: Tensor, mask: Optional[Tensor]) -> Tensor:
        n_rows, length, width = hidden.shape
        dropout = self.dropout if self.training else 0.0
        parts = [part(hidden).view(n_rows, length, self.n_heads, -1).transpose(1, 2) for part in self.qkv()]
        attended = functional.scaled_dot_product_attention(*parts, attn_mask=mask, dropout_p=dropout)
        attended = self.attended(attended.transpose(1, 2).reshape(n_rows, length, width))
        hidden = self.attended_norm(hidden + functional.dropout(attended, dropout, self.training))
        outer = self.outer(functional.gelu(self.inner(hidden)))
        return self.outer_norm(hidden + functional.dropout(outer, dropout, self.training))

    def qkv(self) -> Any:
        return self.query, self.key, self.value


# The names of a layer's parts in checkpoints.
NAMES = {
    "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
    "attended": "attention.output.dense", "attended_norm": "attention.output.LayerNorm", "inner": "intermediate.dense",
    "outer": "output.dense", "outer_norm": "output.LayerNorm",
}  # fmt: skip


class Encoder(nn.Module):
    def __init__(self, config: Mapping[str, Any], dropout: float = 0.0):
        super().__init__()
        self.config = dict(config)
        width = config["hidden_size"]
        self.words = nn.Parameter(torch.randn(config["vocab_size"], width) * 0.1)
        self.positions = nn.Parameter(torch.randn(config["max_position_embeddings"], width) * 0.02)
        self.token_type = nn.Parameter(torch.zeros(1, width))
        self.norm, self.dropout = Norm(width), dropout
        sizes = (width, config["num_attention_heads"], config["intermediate_size"], dropout)
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

    def compile(self) -> "Encoder":  # type: ignore[override]
        """Have the layers compiled, once for each shape."""
        for layer in self.layers:
            layer.compile(dynamic=False)
        return self

    def set_dropout(self, dropout: float) -> None:
        self.dropout = dropout
        for layer in self.layers:
            layer.dropout = dropout

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


def load_encoder(directory: Path) -> Encoder:
    config = json.loads((directory / "config.json").read_text(encoding="utf8"))
    encoder = Encoder(config)
    encoder.load({name: tensor.float() for name, tensor in load_file(directory / "model.safetensors").items()})
    return encoder


def widen(old: Encoder, *, width: int, n_heads: int, inner: int, layers: Sequence[int], seed: int = 0) -> Encoder:
    """A wider and deeper encoder that begins near what the old one computes.

    Heads stay as wide as they were. New columns of embeddings are small and random, as is what new rows of weights write
    to them; the norms are scaled to the new width. A layer that comes a second time in a row changes little at first:
    its outputs are scaled down, and its norms give back what the one before it gave, in the mean.
    layers: which of the old layers each new one starts as.
    """
    torch.manual_seed(seed)
    config = {**old.config, "hidden_size": width, "num_attention_heads": n_heads, "intermediate_size": inner,
              "num_hidden_layers": len(layers)}  # fmt: skip
    new, own, theirs = Encoder(config), {}, old.tensors()
    before = old.config["hidden_size"]
    for name, tensor in new.tensors().items():
        parts = name.split(".")
        is_second = False
        if "layer" in parts:
            i = int(parts[parts.index("layer") + 1])
            is_second = i > 0 and layers[i] == layers[i - 1]
            parts[parts.index("layer") + 1] = str(layers[i])
        source = theirs[".".join(parts)]
        grown = torch.randn(tensor.shape) * (0.02 if tensor.ndim == 2 else 0.0)
        if "embeddings" in name and tensor.ndim == 2:
            grown *= 5.0 if "word" in name else 1.0
        if "LayerNorm" in name and is_second:
            scale, shift = theirs[name_of_last_norm(parts, "weight")], theirs[name_of_last_norm(parts, "bias")]
            mean = shift.mean() * before / width
            square = (scale.pow(2).sum() + shift.pow(2).sum()) * before / width / before - mean**2
            grown += square.sqrt() if parts[-1] == "weight" else mean
        else:
            if parts[-2:] == ["LayerNorm", "weight"]:
                source = source * (before / width) ** 0.5
                grown += 0.5
            if is_second and "output" in parts and "dense" in parts:
                source, grown = source * 0.1, grown * 0.1
            grown[tuple(slice(n) for n in source.shape)] = source
        own[name] = grown
    new.load(own)
    return new


def name_of_last_norm(parts: Sequence[str], kind: str) -> str:
    """The norm at the end of the layer that a tensor is of."""
    return ".".join([*parts[: parts.index("layer") + 2], "output", "LayerNorm", kind])


def save_checkpoint(tensors: Mapping[str, Tensor], config: Mapping[str, Any], vocabulary: Path, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    (output / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2), encoding="utf8")
    shutil.copy(vocabulary, output)
    kept = {name: tensor.detach().float().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(kept, output / "model.safetensors", metadata={"format": "pt"})
