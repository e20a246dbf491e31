"""An encoder and questions with windows of their paragraphs in, an answerer out, which may learn from a larger one."""

from pathlib import Path
from typing import Iterator, Mapping, NamedTuple, Optional, Tuple

import numpy as np
import torch
from torch import Tensor

from .arrays import PAD, PARTS, load_array
from .learner import HARD_SHARE, Budget, train_heads
from .network import Model
from .rows import bucket_of

N_ROWS = 64  # of a batch that is only read


class PairBatch(NamedTuple):
    """ids, is_real: (n_pairs, length). is_open: where an answer may begin or end: in the window, or at <s> for none.
    answers: (n_pairs, 2) first and last subword."""

    ids: Tensor
    is_real: Tensor
    is_open: Tensor
    answers: Tensor


class Pairs:
    """Questions with windows of their paragraphs, <s> question </s></s> window </s>, and where the answers are."""

    def __init__(self, arrays: Mapping[str, np.ndarray], device: str):
        """arrays: as flatten_pairs makes them."""
        lengths = arrays["lengths"].astype("int64")
        self.lengths, self.starts = lengths, np.cumsum(lengths) - lengths
        self.ids = torch.from_numpy(arrays["ids"].astype("int32")).to(device)
        places = np.stack([arrays[name].astype("int64") for name in ("first", "start", "end")], axis=1)
        self.places = torch.from_numpy(places).to(device)

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, picked: np.ndarray) -> PairBatch:
        """picked: the numbers of pairs."""
        device = self.ids.device
        width = bucket_of(int(self.lengths[picked].max()))
        column = torch.arange(width, device=device)[None]
        lengths = torch.from_numpy(self.lengths[picked]).to(device)[:, None]
        at = torch.from_numpy(self.starts[picked]).to(device)[:, None] + column
        ids = torch.where(column < lengths, self.ids[at.clamp(max=len(self.ids) - 1)].long(), PAD)
        places = self.places[torch.from_numpy(picked).to(device)]
        is_open = ((column >= places[:, :1]) & (column < lengths - 1)) | (column == 0)
        return PairBatch(ids, column < lengths, is_open, places[:, 1:])


def load_pairs(directory: Path, name: str, device: str) -> Pairs:
    return Pairs({part: load_array(directory, f"{name}-{part}") for part in PARTS}, device)


def plan_batches(pairs: Pairs, n_subwords: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """One epoch: pairs of similar lengths together, in random order. n_subwords: of a batch, about."""
    order = np.lexsort((rng.random(len(pairs)), pairs.lengths // 8))
    plan, start = [], 0
    while start < len(order):
        n = max(1, n_subwords // int(pairs.lengths[order[min(start + 32, len(order) - 1)]]))
        plan.append(order[start : start + n])
        start += n
    for i in rng.permutation(len(plan)):
        yield plan[i]


def answer_log_probs(model: Model, batch: PairBatch) -> Tensor:
    """(n_pairs, 2, length), of the first and the last subword."""
    logits = model.heads["answers"](model.encoder(batch.ids, batch.is_real)).float().transpose(1, 2)
    return logits.masked_fill(~batch.is_open[:, None], -1e4).log_softmax(-1)


def train_answers(
    model: Model,
    pairs: Pairs,
    budget: Budget,
    *,
    learn_rate: float,
    n_subwords: int,
    teacher: Optional[Model] = None,
    dropout: float = 0.1,
    averages: float = 0.998,
    seed: int = 0,
) -> None:
    """As train_heads. n_subwords: of a step, about."""

    def losses_of(batch: PairBatch) -> Tuple[Tensor, Tensor]:
        log_probs = answer_log_probs(model, batch)
        hard = -log_probs.gather(-1, batch.answers[..., None])[..., 0].mean()
        if teacher is None:
            return hard, hard
        with torch.no_grad():
            taught = answer_log_probs(teacher, batch).exp()
        soft = -(taught * log_probs.clamp(min=-50)).sum(-1).mean()
        return HARD_SHARE * hard + (1 - HARD_SHARE) * soft, hard

    train_heads(
        model, budget, lambda rng: map(pairs.take, plan_batches(pairs, n_subwords, rng)), losses_of,
        learn_rate=learn_rate, decay=0.95, dropout=dropout, averages=averages, seed=seed,
    )  # fmt: skip


def exact_match(model: Model, pairs: Pairs, n_pairs: Optional[int] = None) -> float:
    """The share of the first n_pairs windows whose likeliest start and end, each by itself, are the right ones."""
    model.eval()
    n = min(n_pairs or len(pairs), len(pairs))
    n_right = 0
    for start in range(0, n, N_ROWS):
        batch = pairs.take(np.arange(start, min(start + N_ROWS, n)))
        with torch.no_grad():
            found = answer_log_probs(model, batch).argmax(-1)
        n_right += int((found == batch.answers).all(-1).sum())
    return n_right / n
