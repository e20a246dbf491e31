"""ModernBERT without padding: windows joined end to end in, hidden states or logits out.

Norms before each sum and without bias, rotary positions, a gated GELU; most layers attend to near subwords only (Warner
et al., 2024, "Smarter, Better, Faster, Longer"). These are computed block by block, so that a window of 8,192 subwords
takes memory by its length, not by its square. It computes what transformers' classes compute, from their checkpoints.
"""

import math
from types import SimpleNamespace
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from .attention import Run, Runs, attend_runs, softmax_of_scores
from .roberta import Dropout, Embedding, Encoder, JoinedClassifier, LayerNorm, Linear

PREFIX = "model"
# What transformers takes where a config.json says nothing.
DEFAULTS = {
    "hidden_size": 768, "num_hidden_layers": 22, "num_attention_heads": 12, "intermediate_size": 1152,
    "hidden_activation": "gelu", "classifier_activation": "gelu", "max_position_embeddings": 8192, "norm_eps": 1e-5,
    "norm_bias": False, "attention_bias": False, "mlp_bias": False, "classifier_bias": False, "attention_dropout": 0.0,
    "embedding_dropout": 0.0, "mlp_dropout": 0.0, "classifier_dropout": 0.0, "local_attention": 128,
    "global_attn_every_n_layers": 3, "global_rope_theta": 160_000.0, "local_rope_theta": 10_000.0, "layer_types": None,
    "rope_parameters": None, "rope_scaling": None, "initializer_range": 0.02, "layer_norm_eps": 1e-5,
}  # fmt: skip
GLOBAL, LOCAL = "full_attention", "sliding_attention"
# Queries computed together in layers that attend to near subwords.
MIN_BLOCK = 64
# Windows longer than this train by PyTorch's kernel, which keeps no scores: they would be the square of it.
MAX_SCORES = 1024


def with_defaults(config: Mapping[str, Any]) -> Dict[str, Any]:
    """config: the content of a config.json, of transformers 4 or 5."""
    return {**DEFAULTS, **config}


def can_build(config: Mapping[str, Any], *, of_window: bool = False) -> bool:
    """Whether a config.json asks for nothing that this network lacks. of_window: as in Head."""
    if config.get("model_type") != "modernbert" or (of_window and config.get("classifier_pooling", "cls") != "cls"):
        return False
    whole = with_defaults(config)
    ropes = [kind.get("rope_type", "default") for kind in (whole["rope_parameters"] or {}).values() if kind]
    is_plain = whole["rope_scaling"] is None and set(ropes) <= {"default"}
    layer_types = whole["layer_types"]
    has_known_layers = layer_types is None or (
        len(layer_types) == whole["num_hidden_layers"] and set(layer_types) <= {GLOBAL, LOCAL}
    )
    has_even_heads = whole["hidden_size"] % (2 * whole["num_attention_heads"]) == 0
    activations = (whole["hidden_activation"], whole["classifier_activation"])
    return is_plain and has_known_layers and has_even_heads and activations == ("gelu", "gelu")


class LayerKind(NamedTuple):
    """How a layer attends.

    reach: how many subwords away; None for all.
    theta: the base of its rotary positions.
    """

    reach: Optional[int]
    theta: float


def layer_kinds(config: Mapping[str, Any]) -> List[LayerKind]:
    """config: with defaults."""
    types, n_layers = config["layer_types"], config["num_hidden_layers"]
    if types is None:
        every = config["global_attn_every_n_layers"]
        types = [LOCAL if i % every else GLOBAL for i in range(n_layers)]
    stated = config["rope_parameters"] or {}
    thetas = {GLOBAL: config["global_rope_theta"], LOCAL: config["local_rope_theta"]}
    thetas[LOCAL] = thetas[GLOBAL] if thetas[LOCAL] is None else thetas[LOCAL]
    thetas = {kind: (stated.get(kind) or {}).get("rope_theta", theta) for kind, theta in thetas.items()}
    reaches = {GLOBAL: None, LOCAL: config["local_attention"] // 2}
    return [LayerKind(reaches[kind], float(thetas[kind])) for kind in types]


# Cosines and sines, (length, width of a head) each.
Rotation = Tuple[Tensor, Tensor]


def rotations(theta: float, length: int, width: int, device: torch.device) -> Rotation:
    frequencies = 1.0 / (theta ** (torch.arange(0, width, 2, dtype=torch.float32, device=device) / width))
    angles = torch.arange(length, dtype=torch.float32, device=device)[:, None] * frequencies
    both = torch.cat([angles, angles], dim=-1)
    return both.cos(), both.sin()


def rotate(states: Tensor, rotation: Rotation) -> Tensor:
    """states: (…, length, width of a head)."""
    cosines, sines = (part[: states.shape[-2]] for part in rotation)
    first, second = states.float().chunk(2, dim=-1)
    turned = torch.cat([-second, first], dim=-1)
    return (states.float() * cosines + turned * sines).to(states.dtype)


class Embeddings(nn.Module):
    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        self.tok_embeddings = Embedding(config["vocab_size"], config["hidden_size"])
        self.norm = make_norm(config)
        self.drop = Dropout(config["embedding_dropout"])

    def forward(self, ids: Tensor, runs: Sequence[Run], type_ids: Optional[Tensor]) -> Tensor:
        return self.drop(self.norm(self.tok_embeddings(ids)))


def make_norm(config: Mapping[str, Any]) -> LayerNorm:
    return LayerNorm(config["hidden_size"], eps=config["norm_eps"], bias=config["norm_bias"])


class Attention(nn.Module):
    def __init__(self, config: Mapping[str, Any], kind: LayerKind):
        super().__init__()
        width = config["hidden_size"]
        self.n_heads, self.kind = config["num_attention_heads"], kind
        self.Wqkv = Linear(width, 3 * width, bias=config["attention_bias"])
        self.Wo = Linear(width, width, bias=config["attention_bias"])
        self.dropout = Dropout(config["attention_dropout"])
        self.out_drop = Dropout(config["attention_dropout"])

    def forward(self, hidden: Tensor, runs: Sequence[Run], rotation: Rotation) -> Tensor:
        def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            return self._attend_in_reach(rotate(query, rotation), rotate(key, rotation), value)

        return self.out_drop(self.Wo(attend_runs(self.Wqkv(hidden), runs, self.n_heads, attend)))

    def _attend_in_reach(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(n_windows, n_heads, length, width of a head) each."""
        length, reach = query.shape[2], self.kind.reach
        if reach is None or length <= reach + 1:
            return self._attend(query, key, value, None)
        block = max(2 * reach, MIN_BLOCK)
        if length <= 2 * block:
            places = torch.arange(length, device=query.device)
            return self._attend(query, key, value, (places[:, None] - places).abs() <= reach)
        return self._attend_by_blocks(query, key, value, block, reach)

    def _attend_by_blocks(self, query: Tensor, key: Tensor, value: Tensor, block: int, reach: int) -> Tensor:
        """Each block of queries sees its own keys and `reach` more on both sides.

        keys     ──[reach][    block    ][reach]──
        queries           [    block    ]
        """
        n_windows, n_heads, length, width = query.shape
        n_blocks = -(-length // block)
        surplus = n_blocks * block - length
        queries = nn.functional.pad(query, (0, 0, 0, surplus)).view(n_windows, n_heads, n_blocks, block, width)
        queries = queries.transpose(1, 2).reshape(-1, n_heads, block, width)
        keys, values = (
            nn.functional.pad(part, (0, 0, reach, surplus + reach))
            .unfold(2, block + 2 * reach, block)
            .permute(0, 2, 1, 4, 3)
            .reshape(-1, n_heads, block + 2 * reach, width)
            for part in (key, value)
        )
        starts = torch.arange(n_blocks, device=query.device)[:, None] * block
        at_query = starts + torch.arange(block, device=query.device)
        at_key = starts + torch.arange(-reach, block + reach, device=query.device)
        is_near = (at_query[:, :, None] - at_key[:, None, :]).abs() <= reach
        is_inside = ((at_key >= 0) & (at_key < length))[:, None, :]
        # A query of no subword sees anything: without a key, its softmax would not be a number.
        mask = (is_near & is_inside) | (at_query >= length)[:, :, None]
        mask = mask.repeat(n_windows, 1, 1)[:, None]
        found = self._attend(queries, keys, values, mask).view(n_windows, n_blocks, n_heads, block, width)
        return found.transpose(1, 2).reshape(n_windows, n_heads, -1, width)[:, :, :length]

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor]) -> Tensor:
        is_training_on_cpu = torch.is_grad_enabled() and query.device.type == "cpu"
        if not is_training_on_cpu or key.shape[2] > MAX_SCORES:
            dropout = self.dropout.p if self.training else 0.0
            return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        return softmax_of_scores(query @ key.transpose(-1, -2), value, self.dropout, mask)


class FeedForward(nn.Module):
    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        width, inner = config["hidden_size"], config["intermediate_size"]
        self.Wi = Linear(width, 2 * inner, bias=config["mlp_bias"])
        self.Wo = Linear(inner, width, bias=config["mlp_bias"])
        self.drop = Dropout(config["mlp_dropout"])

    def forward(self, hidden: Tensor) -> Tensor:
        inner, gate = self.Wi(hidden).chunk(2, dim=-1)
        return self.Wo(self.drop(nn.functional.gelu(inner) * gate))


class Layer(nn.Module):
    def __init__(self, config: Mapping[str, Any], kind: LayerKind, *, is_first: bool):
        super().__init__()
        self.attn_norm = nn.Identity() if is_first else make_norm(config)  # the embeddings are normalised already
        self.attn = Attention(config, kind)
        self.mlp_norm = make_norm(config)
        self.mlp = FeedForward(config)

    def forward(self, hidden: Tensor, runs: Sequence[Run], rotation: Rotation) -> Tensor:
        hidden = hidden + self.attn(self.attn_norm(hidden), runs, rotation)
        return hidden + self.mlp(self.mlp_norm(hidden))


class ModernBertEncoder(Encoder):
    def __init__(self, config: Mapping[str, Any]):
        """config: the content of a config.json that can_build takes."""
        nn.Module.__init__(self)
        config = with_defaults(config)
        self.config = SimpleNamespace(**config)
        self.base_model_prefix = PREFIX
        self.embeddings = Embeddings(config)  # type: ignore[assignment]
        self.kinds = layer_kinds(config)
        self.layers = nn.ModuleList([Layer(config, kind, is_first=i == 0) for i, kind in enumerate(self.kinds)])
        self.final_norm = make_norm(config)

    def run_layers(self, hidden: Tensor, runs: Runs) -> Tensor:
        head_width = self.config.hidden_size // self.config.num_attention_heads
        length = max(run.length for run in runs)
        thetas = {kind.theta for kind in self.kinds}
        rotation = {theta: rotations(theta, length, head_width, hidden.device) for theta in thetas}
        for layer, kind in zip(self.layers, self.kinds):
            hidden = layer(hidden, runs, rotation[kind.theta])
        return self.final_norm(hidden)


class PredictionHead(nn.Module):
    """What masked-word training leaves between the encoder and its last layer, and classifiers keep."""

    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        self.dense = Linear(config["hidden_size"], config["hidden_size"], bias=config["classifier_bias"])
        self.norm = make_norm(config)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.norm(nn.functional.gelu(self.dense(hidden)))


class ModernBertClassifier(JoinedClassifier):
    """ModernBertEncoder, PredictionHead and a linear layer to n_tags logits, under transformers' tensor names."""

    def __init__(self, config: Mapping[str, Any], n_tags: int, last: str = "classifier"):
        super().__init__(ModernBertEncoder(config), n_tags, last)
        self.head = PredictionHead(vars(self.config))
        self.drop = Dropout(self.config.classifier_dropout or 0.0)

    def reset_missing(self, missing: Sequence[str], dtype: torch.dtype) -> None:
        super().reset_missing(missing, dtype)
        if "head.dense.weight" in missing:
            config = self.config
            self.head = PredictionHead(vars(config)).to(dtype)
            for bias in (part.bias for part in (self.head.dense, self.head.norm) if part.bias is not None):
                nn.init.zeros_(bias)
            std = config.initializer_range / math.sqrt(2 * config.num_hidden_layers)
            nn.init.normal_(self.head.dense.weight, std=std)
            nn.init.ones_(self.head.norm.weight)

    def classify(self, hidden: Tensor) -> Tensor:
        return self.last_layer(self.drop(self.head(hidden)))
