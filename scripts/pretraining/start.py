"""A sentencepiece model and word vectors in, a checkpoint to train from out (stage 4).

    python -m scripts.pretraining.start build/pretraining build/pretraining/start

A transformer that starts at random needs many millions of words to find out where to look. This one starts knowing
the words (word2vec) and where its neighbours are: 64 of the 256 dimensions hold sinusoids of the position, and the
query and key weights of most heads read those only, as rotations that make position i meet position i + d with one
d per head; the rest start at random.
All of it stays trainable, and the architecture is plain LUKE / XLM-RoBERTa.
"""

import argparse
from pathlib import Path
from typing import Dict

import numpy as np
import torch

from .encoder import write_checkpoint

N_POSITIONS = 514
POSITION_DIMS = 64
LONGEST_WAVE = 200.0  # wavelengths run from 2π to 200 · 2π positions
N_HEADS = 8
HEAD_SHIFTS = (-1, 1, -2, 2, -3, 3)  # where a layer's first heads look at first; the others start at random
PEAK = 4.0  # how much larger a head's logit is at its place than one position beside it


def sinusoids(shift: float = 0.0) -> torch.Tensor:
    """(N_POSITIONS, POSITION_DIMS): cosines, then sines, of the positions moved by shift; mean square 1."""
    frequencies = LONGEST_WAVE ** -torch.linspace(0, 1, POSITION_DIMS // 2, dtype=torch.float64)
    angles = (torch.arange(N_POSITIONS, dtype=torch.float64)[:, None] + shift) * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1).float() * 2**0.5


def local_attention(width: int, head_width: int, shift: int) -> Dict[str, torch.Tensor]:
    """Query and key weights (head_width, width) of a head that looks `shift` positions to the right."""
    n_pairs = POSITION_DIMS // 2
    picked = torch.linspace(0, n_pairs - 1, head_width // 2).round().long()
    frequencies = (LONGEST_WAVE ** -torch.linspace(0, 1, n_pairs))[picked]
    fall = float((1 - frequencies.cos()).sum()) * 2 / head_width**0.5  # of the logit, one position aside, at scale 1
    scale = (PEAK / fall) ** 0.5
    weights = {name: torch.zeros(head_width, width) for name in ("query", "key")}
    cos_column = width - POSITION_DIMS + picked
    sin_column = cos_column + n_pairs
    rows = torch.arange(head_width // 2)
    weights["key"][2 * rows, cos_column] = scale
    weights["key"][2 * rows + 1, sin_column] = scale
    turn = frequencies * shift
    # cos(ω(i + d)) = cos ωi cos ωd − sin ωi sin ωd, and so on
    weights["query"][2 * rows, cos_column] = scale * turn.cos()
    weights["query"][2 * rows, sin_column] = -scale * turn.sin()
    weights["query"][2 * rows + 1, cos_column] = scale * turn.sin()
    weights["query"][2 * rows + 1, sin_column] = scale * turn.cos()
    return weights


def make_tensors(vectors: np.ndarray, n_layers: int, width: int, inner: int, seed: int) -> Dict[str, torch.Tensor]:
    """vectors: (n_pieces, width − POSITION_DIMS), a row per sentencepiece id."""
    torch.manual_seed(seed)
    word_dims = width - POSITION_DIMS
    vocab_size = len(vectors) + 2
    # In fairseq's layout a row is the sentencepiece id + 1; <s>, <pad>, </s>, <unk> and <mask> have no vector.
    words = torch.randn(vocab_size, width) * 0.1
    scaled = torch.from_numpy(vectors - vectors.mean(axis=0))
    words[4 : len(vectors) + 1, :word_dims] = scaled[3:] / scaled[3:].pow(2).mean().sqrt()
    words[:, word_dims:] = 0.0
    words[1] = 0.0
    positions = torch.zeros(N_POSITIONS, width)
    positions[:, word_dims:] = sinusoids()
    positions[1] = 0.0
    tensors = {
        "roberta.embeddings.word_embeddings.weight": words,
        "roberta.embeddings.position_embeddings.weight": positions,
        "roberta.embeddings.token_type_embeddings.weight": torch.zeros(1, width),
        "roberta.embeddings.LayerNorm.weight": torch.ones(width),
        "roberta.embeddings.LayerNorm.bias": torch.zeros(width),
    }
    head_width = width // N_HEADS
    for layer in range(n_layers):
        prefix = f"roberta.encoder.layer.{layer}."
        heads = [local_attention(width, head_width, shift) for shift in HEAD_SHIFTS]
        for name in ("query", "key"):
            free = torch.randn(width - len(heads) * head_width, width) / width**0.5
            tensors[f"{prefix}attention.self.{name}.weight"] = torch.cat([*(head[name] for head in heads), free])
        tensors[f"{prefix}attention.self.value.weight"] = torch.randn(width, width) / width**0.5
        tensors[f"{prefix}attention.output.dense.weight"] = torch.randn(width, width) / width**0.5
        tensors[f"{prefix}intermediate.dense.weight"] = torch.randn(inner, width) / width**0.5
        tensors[f"{prefix}output.dense.weight"] = 0.5 * torch.randn(width, inner) / inner**0.5
        for name in ("attention.output.dense", "output.dense"):
            tensors[f"{prefix}{name}.weight"][word_dims:] *= 0.1  # leave the positions alone at first
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            tensors[f"{prefix}{name}.weight"] = torch.ones(width)
        for name, size in {
            "attention.self.query": width, "attention.self.key": width, "attention.self.value": width,
            "attention.output.dense": width, "attention.output.LayerNorm": width,
            "intermediate.dense": inner, "output.dense": width, "output.LayerNorm": width,
        }.items():  # fmt: skip
            tensors[f"{prefix}{name}.bias"] = torch.zeros(size)
    return tensors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path, help="with sentencepiece.bpe.model and vectors.npy")
    parser.add_argument("output", type=Path)
    parser.add_argument("--n-layers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    vectors = np.load(args.input / "vectors.npy").astype("float32")
    width = vectors.shape[1] + POSITION_DIMS
    inner = 4 * width
    tensors = make_tensors(vectors, args.n_layers, width, inner, args.seed)
    config = {
        "architectures": ["XLMRobertaModel"], "model_type": "xlm-roberta",
        "vocab_size": len(vectors) + 2, "hidden_size": width, "num_hidden_layers": args.n_layers,
        "num_attention_heads": N_HEADS, "intermediate_size": inner, "hidden_act": "gelu",
        "max_position_embeddings": N_POSITIONS, "type_vocab_size": 1, "layer_norm_eps": 1e-5,
        "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02,
        "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip
    write_checkpoint(args.output, config, tensors, args.input)
    print(f"{sum(t.numel() for t in tensors.values()):,} parameters in {args.output}")


if __name__ == "__main__":
    main()
