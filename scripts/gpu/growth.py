"""An encoder in, a wider and deeper one that computes nearly the same out.

scripts/pretraining/grow.py repeats layers as they are. Twelve layers of six that were repeated so learned nothing at a
high learning rate; here, a layer that comes a second time changes little at first.
"""

from typing import Dict, List, Sequence

import torch
from torch import Tensor

from .network import Encoder

DAMPED = 0.1  # what a repeated layer adds, of what it added


def widen(old: Encoder, *, width: int, n_heads: int, inner: int, layers: Sequence[int], seed: int = 0) -> Encoder:
    """Heads stay as wide as they were; new columns and rows are small and random.

    layers: which of the old layers each new one starts as.
    """
    torch.manual_seed(seed)
    new = Encoder({
        **old.config, "hidden_size": width, "num_attention_heads": n_heads, "intermediate_size": inner,
        "num_hidden_layers": len(layers),
    })  # fmt: skip
    tensors = old.tensors()
    grown = {}
    for name, tensor in new.tensors().items():
        parts = name.split(".")
        is_repeated = False
        if "layer" in parts:
            at = parts.index("layer") + 1
            i = int(parts[at])
            is_repeated = i > 0 and layers[i] == layers[i - 1]
            parts[at] = str(layers[i])
        grown[name] = grow_tensor(parts, tensors, tensor.shape, is_repeated=is_repeated)
    new.load(grown)
    return new


def grow_tensor(parts: List[str], old: Dict[str, Tensor], shape: torch.Size, *, is_repeated: bool) -> Tensor:
    """parts: the name of the old tensor. is_repeated: the layer before it starts as the same one."""
    kind = parts[-1]
    is_norm, is_output = "LayerNorm" in parts, "output" in parts and "dense" in parts
    grown = torch.randn(shape) * (0.02 if len(shape) == 2 else 0.0)
    if is_norm and is_repeated:
        return grown + typical_of_last_norm(parts, old, shape[0])
    if "word_embeddings" in parts:
        grown *= 5.0
    source = old[".".join(parts)]
    if is_norm and kind == "weight":  # the same sum of squares, over more columns
        source = source * (source.shape[0] / shape[0]) ** 0.5
        grown += 0.5
    if is_repeated and is_output:
        source, grown = source * DAMPED, grown * DAMPED
    grown[tuple(slice(n) for n in source.shape)] = source
    return grown


def typical_of_last_norm(parts: List[str], old: Dict[str, Tensor], width: int) -> Tensor:
    """The weight, or bias, of a norm that gives back, in the mean, what the layer before gave."""
    prefix = parts[: parts.index("layer") + 2]
    scale, shift = (old[".".join([*prefix, "output", "LayerNorm", kind])] for kind in ("weight", "bias"))
    before = len(shift)
    mean = shift.mean() * before / width
    if parts[-1] == "bias":
        return mean
    square = (scale.pow(2).sum() + shift.pow(2).sum()) * before / width / before - mean**2
    return square.sqrt()
