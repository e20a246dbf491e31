"""The encoders of BERT's family without padding: windows joined end to end in, hidden states or logits out.

XLM-RoBERTa, RoBERTa, CamemBERT, BERT, and LUKE without entity inputs are one network: absolute positions, layers that
are normalised after each sum. Here it is written for windows of any lengths joined into one long row: matrix products
see no padding, and attention runs over all neighbouring windows of one length at a time. It computes what the classes
of transformers compute (tests hold it to that), from their checkpoints, whose tensor names its state_dict has.
"""

from abc import ABC, abstractmethod
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from .attention import (
    Run,
    Runs,
    attend_at_once,
    attend_runs,
    can_attend_at_once,
    find_runs,
    is_plain_quicker,
    plain_attention,
)
from .hf_checkpoint import FIRST_POSITION

# model_type in config.json → prefix of the encoder's tensors.
PREFIXES = {"xlm-roberta": "roberta", "luke": "roberta", "mluke": "roberta", "roberta": "roberta",
            "camembert": "roberta", "bert": "bert"}  # fmt: skip
# What transformers takes where a config.json says nothing.
DEFAULTS = {
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
    "hidden_act": "gelu", "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "classifier_dropout": None,
    "position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False,
}  # fmt: skip


def with_defaults(config: Mapping[str, Any]) -> Dict[str, Any]:
    """config: the content of a config.json."""
    pad_token_id = 0 if config.get("model_type") == "bert" else 1
    return {**DEFAULTS, "pad_token_id": pad_token_id, **config}


def can_build(config: Mapping[str, Any]) -> bool:
    """Whether a config.json asks for nothing that this network lacks."""
    whole = with_defaults(config)
    asked = (whole["hidden_act"], whole["position_embedding_type"], whole["is_decoder"], whole["add_cross_attention"])
    return whole.get("model_type") in PREFIXES and asked == ("gelu", "absolute", False, False)


# Rows computed together on a CPU: more are no quicker, and leave its caches.
BLOCK_ROWS = 1024


def find_blocks(lengths: Sequence[int], max_rows: int) -> List[Sequence[int]]:
    """Cut neighbouring windows into blocks of at most max_rows rows, a longer window by itself."""
    blocks: List[Sequence[int]] = []
    start = n_rows = 0
    for i, length in enumerate(lengths):
        if n_rows and n_rows + length > max_rows:
            blocks.append(lengths[start:i])
            start, n_rows = i, 0
        n_rows += length
    return [*blocks, lengths[start:]]


def round_up(n_rows: int) -> int:
    """To one of few numbers: multiples of 8, 16, 32 and, above 256, of 64."""
    step = next((step for step in (8, 16, 32) if n_rows <= 8 * step), 64)
    return -(-n_rows // step) * step


class Unset:
    """Its weights come from a checkpoint. To draw some first would load a part of PyTorch that takes a second."""

    def reset_parameters(self) -> None:
        pass


class Linear(Unset, nn.Linear):
    pass


class Embedding(Unset, nn.Embedding):
    pass


class LayerNorm(Unset, nn.LayerNorm):
    pass


class Dropout(nn.Dropout):
    """On a CPU, drawing a mask as PyTorch does takes nearly half the time of a training step: here sixteen bits of each
    draw decide on an element."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or not 0.0 < self.p < 1.0 or input.device.type != "cpu":
            return super().forward(input)
        draws = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        bits = draws.view(torch.int16)[: input.numel()].view(input.shape)
        is_kept = bits >= min(round(self.p * 2**16), 2**16 - 1) - 2**15
        return input * is_kept.to(input.dtype).mul_(1 / (1 - self.p))


class Embeddings(nn.Module):
    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        width = config["hidden_size"]
        # fairseq's models count positions from the padding's id + 1; BERT counts from 0.
        padding = None if config["model_type"] == "bert" else config["pad_token_id"]
        self.first_position = config.get(FIRST_POSITION, 0 if padding is None else padding + 1)
        self.word_embeddings = Embedding(config["vocab_size"], width)
        self.position_embeddings = Embedding(config["max_position_embeddings"], width, padding_idx=padding)
        self.token_type_embeddings = Embedding(config["type_vocab_size"], width)
        self.LayerNorm = LayerNorm(width, eps=config["layer_norm_eps"])
        self.dropout = Dropout(config["hidden_dropout_prob"])

    def forward(self, ids: Tensor, runs: Sequence[Run], type_ids: Optional[Tensor]) -> Tensor:
        first, device = self.first_position, ids.device
        positions = torch.cat([torch.arange(first, first + run.length).repeat(run.n_windows) for run in runs])
        embedded = self.word_embeddings(ids) + self.position_embeddings(positions.to(device))
        types = self.token_type_embeddings.weight[0] if type_ids is None else self.token_type_embeddings(type_ids)
        return self.dropout(self.LayerNorm(embedded + types))


class SelfAttention(nn.Module):
    """Query, key and value in one product; in state dicts they are three, as elsewhere."""

    PARTS = ("query", "key", "value")

    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        width = config["hidden_size"]
        self.n_heads = config["num_attention_heads"]
        self.weight = nn.Parameter(torch.empty(3 * width, width))
        self.bias = nn.Parameter(torch.empty(3 * width))
        self.dropout = Dropout(config["attention_probs_dropout_prob"])

    def forward(self, hidden: Tensor, runs: Runs) -> Tensor:
        joined = nn.functional.linear(hidden, self.weight, self.bias)
        if can_attend_at_once(joined, self.n_heads) and not (self.training and self.dropout.p):
            return attend_at_once(joined, runs, self.n_heads)
        return attend_runs(joined, runs, self.n_heads, self._attend)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(n_windows, n_heads, length, width of a head) each."""
        # On a CPU, the backward pass of PyTorch's kernel takes most of the time of a step. Without a graph too, when
        # training: HFShim computes some batches of a step twice, and both must draw the same dropout.
        needs_plain = self.training or torch.is_grad_enabled()
        if query.device.type == "cpu" and (needs_plain or is_plain_quicker(query)):
            return plain_attention(query, key, value, self.dropout)
        dropout = self.dropout.p if self.training else 0.0
        return nn.functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for kind in ("weight", "bias"):
            joined = getattr(self, kind)
            for part, tensor in zip(self.PARTS, (joined if keep_vars else joined.detach()).chunk(3)):
                destination[f"{prefix}{part}.{kind}"] = tensor

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool,
        missing_keys: List[str], unexpected_keys: List[str], error_msgs: List[str],
    ) -> None:  # fmt: skip
        for kind in ("weight", "bias"):
            names = [f"{prefix}{part}.{kind}" for part in self.PARTS]
            missing = [name for name in names if name not in state_dict]
            missing_keys += missing
            if missing:
                continue
            old, new = getattr(self, kind), torch.cat([state_dict[name] for name in names])
            if new.shape != old.shape:
                error_msgs.append(f"{prefix}: the shape of {kind} should be {tuple(old.shape)}, got {tuple(new.shape)}")
            elif local_metadata.get("assign_to_params_buffers"):
                setattr(self, kind, nn.Parameter(new, requires_grad=old.requires_grad))
            else:
                with torch.no_grad():
                    old.copy_(new)


class Output(nn.Module):
    """Back to the width of the encoder, normalised after the sum."""

    def __init__(self, config: Mapping[str, Any], n_in: int):
        super().__init__()
        self.dense = Linear(n_in, config["hidden_size"])
        self.LayerNorm = LayerNorm(config["hidden_size"], eps=config["layer_norm_eps"])
        self.dropout = Dropout(config["hidden_dropout_prob"])

    def forward(self, hidden: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(residual + self.dropout(self.dense(hidden)))


class Layer(nn.Module):
    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        width, inner = config["hidden_size"], config["intermediate_size"]
        self.attention = nn.ModuleDict({"self": SelfAttention(config), "output": Output(config, width)})
        self.intermediate = nn.ModuleDict({"dense": Linear(width, inner)})
        self.output = Output(config, inner)

    def forward(self, hidden: Tensor, runs: Runs) -> Tensor:
        hidden = self.attention["output"](self.attention["self"](hidden, runs), hidden)
        inner = nn.functional.gelu(self.intermediate["dense"](hidden))
        return self.output(inner, hidden)


class Encoder(nn.Module):
    def __init__(self, config: Mapping[str, Any]):
        """config: the content of a config.json that can_build takes."""
        super().__init__()
        config = with_defaults(config)
        self.config = SimpleNamespace(**config)
        self.base_model_prefix = PREFIXES[config["model_type"]]
        self.embeddings = Embeddings(config)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList([Layer(config) for _ in range(config["num_hidden_layers"])])

    def forward(self, ids: Tensor, lengths: Sequence[int], type_ids: Optional[Tensor] = None) -> Tensor:
        """
        ids: (n,) windows joined end to end.
        lengths: of the windows; it is quickest when equal ones are neighbours.
        type_ids: (n,) rows of the token type embeddings; None for 0 everywhere.
        RETURNS: (n, width).
        """
        return self.in_blocks(ids, lengths, type_ids, lambda hidden: hidden)

    def in_blocks(
        self,
        ids: Tensor,
        lengths: Sequence[int],
        type_ids: Optional[Tensor],
        finish: Callable[[Tensor], Tensor],
        *more: Any,
    ) -> Tensor:
        """As forward; finish: what becomes of the hidden states, row by row. more: for embed_blocks.

        On a CPU, PyTorch compiles matrix products of bfloat16 for each number of rows anew, and keeps 0.6 MB of each:
        so rows of zeros fill blocks up to one of few numbers.
        """
        on_cpu = ids.device.type == "cpu"
        blocks = find_blocks(lengths, BLOCK_ROWS) if on_cpu else [lengths]
        outputs = []
        for runs, hidden in self.embed_blocks(ids, blocks, type_ids, *more):
            n_rows = len(hidden)
            if on_cpu:
                hidden = nn.functional.pad(hidden, (0, 0, 0, round_up(n_rows) - n_rows))
            outputs.append(finish(self.run_layers(hidden, runs))[:n_rows])
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)

    def embed_blocks(
        self, ids: Tensor, blocks: Sequence[Sequence[int]], type_ids: Optional[Tensor]
    ) -> Iterator[Tuple[Runs, Tensor]]:
        """YIELDS: the runs of each block of windows, and its embedded rows."""
        start = 0
        for block in blocks:
            own = slice(start, start + sum(block))
            start, runs = own.stop, find_runs(block)
            yield runs, self.embeddings(ids[own], runs, None if type_ids is None else type_ids[own])

    def run_layers(self, hidden: Tensor, runs: Runs) -> Tensor:
        for layer in self.encoder.layer:  # type: ignore[union-attr]
            hidden = layer(hidden, runs)
        return hidden


def new_linear(n_in: int, n_out: int, dtype: torch.dtype, *, bias: bool = True) -> Linear:
    """With random weights."""
    layer = Linear(n_in, n_out, dtype=dtype, bias=bias)
    nn.init.normal_(layer.weight, std=0.02)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


class JoinedClassifier(nn.Module, ABC):
    """An encoder of windows end to end, with what makes n_tags logits of its hidden states.

    Subclasses say which encoder, and what is between it and the last layer.
    """

    def __init__(self, encoder: Encoder, n_tags: int, last: str):
        """last: the name of the last layer, which is linear."""
        super().__init__()
        self.config, self.base_model_prefix, self.num_labels = encoder.config, encoder.base_model_prefix, n_tags
        self.add_module(self.base_model_prefix, encoder)
        self._last = last
        self.add_module(last, Linear(self.config.hidden_size, n_tags))

    @property
    def base_model(self) -> Encoder:
        return getattr(self, self.base_model_prefix)

    @property
    def last_layer(self) -> nn.Linear:
        return self.get_submodule(self._last)  # type: ignore[return-value]

    def reset_last_layer(self, dtype: torch.dtype) -> None:
        """Give the last layer random weights."""
        self.add_module(self._last, new_linear(self.config.hidden_size, self.num_labels, dtype))

    def reset_missing(self, missing: Sequence[str], dtype: torch.dtype) -> None:
        """Give random weights to what is behind the encoder. missing: the names of tensors that a checkpoint lacks."""
        if f"{self._last}.weight" in missing:
            self.reset_last_layer(dtype)

    @abstractmethod
    def classify(self, hidden: Tensor) -> Tensor:
        """(n, width) → (n, n_tags)."""

    def forward(self, ids: Tensor, lengths: Sequence[int], type_ids: Optional[Tensor] = None) -> Tensor:
        """As Encoder takes them. RETURNS: (n, n_tags)."""
        return self.base_model.in_blocks(ids, lengths, type_ids, self.classify)


class Classifier(JoinedClassifier):
    """An encoder with a linear layer to n_tags logits, under the tensor names of transformers' classes."""

    encoder_class = Encoder

    def __init__(self, config: Mapping[str, Any], n_tags: int, last: str = "classifier"):
        super().__init__(self.encoder_class(config), n_tags, last)
        dropout = self.config.classifier_dropout
        self.dropout = Dropout(self.config.hidden_dropout_prob if dropout is None else dropout)

    def classify(self, hidden: Tensor) -> Tensor:
        return self.last_layer(self.dropout(hidden))


class TextClassifier(JoinedClassifier):
    """An encoder with the two layers that classify a window by its first row: BERT's pooler and classifier, or those of
    RoBERTa's classifier, under the tensor names of transformers' classes. All rows go through them alike."""

    def __init__(self, config: Mapping[str, Any], n_tags: int, last: str = "classifier"):
        super().__init__(Encoder(config), n_tags, last)
        self.has_pooler = self.config.model_type == "bert"
        dense = Linear(self.config.hidden_size, self.config.hidden_size)
        if self.has_pooler:
            self._dense = f"{self.base_model_prefix}.pooler.dense"
            self.base_model.pooler = nn.ModuleDict({"dense": dense})
        else:
            self._dense, self._last = f"{last}.dense", f"{last}.out_proj"
            self.add_module(last, nn.ModuleDict({"dense": dense, "out_proj": self._modules[last]}))  # type: ignore[dict-item]
        dropout = self.config.classifier_dropout
        self.dropout = Dropout(self.config.hidden_dropout_prob if dropout is None else dropout)

    @property
    def dense(self) -> nn.Linear:
        return self.get_submodule(self._dense)  # type: ignore[return-value]

    def reset_missing(self, missing: Sequence[str], dtype: torch.dtype) -> None:
        for name, width in ((self._dense, self.config.hidden_size), (self._last, self.num_labels)):
            if f"{name}.weight" in missing:
                parent, _, own = name.rpartition(".")
                self.get_submodule(parent).add_module(own, new_linear(self.config.hidden_size, width, dtype))

    def classify(self, hidden: Tensor) -> Tensor:
        pooled = torch.tanh(self.dense(hidden if self.has_pooler else self.dropout(hidden)))
        return self.last_layer(self.dropout(pooled))
