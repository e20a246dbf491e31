"""Sentences as arrays on the device in, padded batches out, without a step through the CPU."""

from pathlib import Path
from typing import Iterator, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np
import torch
from torch import Tensor

from .arrays import BOS, EOS, NONE, PAD, load_array

BUCKETS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 320, 384, 448, 512)  # widths of batches


class Batch(NamedTuple):
    """Rows between <s> and </s>, padded. All have the shape (n_rows, length).

    tags: NONE where nothing is to be learned. weights: how much a tag counts, from 0 to 1.
    """

    ids: Tensor
    is_real: Tensor
    tags: Tensor
    weights: Tensor


class Rows:
    """Runs of a flat array of ids, each with tags and how much they count (of 255), or without."""

    def __init__(
        self,
        ids: Tensor,
        starts: np.ndarray,
        lengths: np.ndarray,
        tags: Optional[Tensor] = None,
        weights: Optional[Tensor] = None,
    ):
        self.ids, self.tags, self.weights = ids, tags, weights
        self.starts, self.lengths = starts.astype("int64"), lengths.astype("int64")

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, picked: np.ndarray) -> Batch:
        """picked: the numbers of rows."""
        device = self.ids.device
        lengths = self.lengths[picked]
        width = bucket_of(int(lengths.max()) + 2)
        places = torch.from_numpy(self.starts[picked]).to(device)[:, None] + torch.arange(-1, width - 1, device=device)
        places = places.clamp(0, len(self.ids) - 1)
        column = torch.arange(width, device=device)[None]
        ends = torch.from_numpy(lengths).to(device)[:, None] + 1
        is_inner = (column > 0) & (column < ends)
        ids = torch.where(is_inner, self.ids[places].long(), PAD)
        ids[:, 0] = BOS
        ids = torch.where(column == ends, EOS, ids)
        if self.tags is None or self.weights is None:
            nothing = torch.zeros_like(ids)
            return Batch(ids, column <= ends, nothing + NONE, nothing.float())
        tags = torch.where(is_inner, self.tags[places].long(), NONE)
        weights = torch.where(is_inner, self.weights[places].float() / 255, 0.0)
        return Batch(ids, column <= ends, tags, weights)


def bucket_of(length: int) -> int:
    """The width of a batch whose longest row has this length."""
    return next(bucket for bucket in BUCKETS if bucket >= length)


def load_rows(directory: Path, name: str, device: str) -> Rows:
    """A set that pack.py wrote."""
    lengths = load_array(directory, f"{name}-lengths").astype("int64")
    ids, tags, weights = (
        torch.from_numpy(load_array(directory, f"{name}-{part}").astype(dtype)).to(device)
        for part, dtype in (("ids", "int32"), ("tags", "uint8"), ("weights", "uint8"))
    )
    return Rows(ids, np.cumsum(lengths) - lengths, lengths, tags, weights)


def make_batches(
    sets: Mapping[str, Rows], counts: Mapping[str, int], n_subwords: int, rng: np.random.Generator
) -> Iterator[Batch]:
    """One epoch: rows of one set and of similar lengths together, in random order.

    counts: how many rows of each set. n_subwords: of a batch, about.
    """
    plan: List[Tuple[str, np.ndarray]] = []
    for name, count in counts.items():
        rows = sets[name]
        whole, rest = divmod(count, len(rows))
        picked = np.concatenate([*[np.arange(len(rows))] * whole, rng.permutation(len(rows))[:rest]])
        picked = picked[np.lexsort((rng.random(len(picked)), rows.lengths[picked]))]
        start = 0
        while start < len(picked):
            n = max(1, n_subwords // int(rows.lengths[picked[min(start + 64, len(picked) - 1)]] + 2))
            plan.append((name, picked[start : start + n]))
            start += n
    for i in rng.permutation(len(plan)):
        name, own = plan[i]
        yield sets[name].take(own)
