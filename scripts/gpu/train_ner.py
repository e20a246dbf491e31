"""An encoder and sentences with tags in, a token classifier out, which may learn from a larger one; and its logits."""

from typing import Callable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .arrays import EOS, UNK
from .learner import HARD_SHARE, Budget, train_heads
from .network import Model
from .rows import Batch, Rows, make_batches

N_ROWS = 256  # of a batch that is only read


class Prediction(NamedTuple):
    """logits: (n_subwords, n_tags) in float16, in the order of the rows. Scores are of exact spans within rows."""

    logits: np.ndarray
    precision: float
    recall: float
    f1: float


def tag_logits(model: Model, batch: Batch, dropout: float = 0.0) -> Tensor:
    """(n_rows, length, n_tags)"""
    return model.heads["tags"](functional.dropout(model.encoder(batch.ids, batch.is_real), dropout))


def tag_loss(logits: Tensor, batch: Batch, taught: Optional[Tensor]) -> Tensor:
    """The mean over subwords.

    taught: a teacher's logits: alone where there is no gold tag, half of the loss elsewhere.
    """
    log_probs = logits.float().log_softmax(-1)
    is_known = batch.weights > 0
    hard = -log_probs.gather(-1, torch.where(is_known, batch.tags, 0)[..., None])[..., 0] * batch.weights
    if taught is None:
        return hard.sum() / is_known.sum().clamp(min=1)
    soft = -(taught.float().softmax(-1) * log_probs).sum(-1)
    mixed = torch.where(is_known, HARD_SHARE * hard + (1 - HARD_SHARE) * soft, soft)
    is_inner = batch.is_real & (batch.ids > EOS)
    return (mixed * is_inner).sum() / is_inner.sum()


def train_tags(
    model: Model,
    sets: Mapping[str, Rows],
    counts: Mapping[str, int],
    budget: Budget,
    *,
    learn_rate: float,
    n_subwords: int,
    mask_share: float = 0.0,
    teacher: Optional[Model] = None,
    judge: Optional[Callable[[], None]] = None,
    dropout: float = 0.1,
    averages: float = 0.998,
    seed: int = 0,
) -> None:
    """As train_heads.

    counts: the rows of each set in an epoch. n_subwords: of a step, about.
    mask_share: of the subwords, that are masked, but not for the teacher.
    """
    mask_id = model.encoder.config["vocab_size"] - 1

    def losses_of(batch: Batch) -> Tuple[Tensor, Tensor]:
        taught = None
        if teacher is not None:
            with torch.no_grad():
                taught = tag_logits(teacher, batch)
        is_masked = (torch.rand(batch.ids.shape, device=batch.ids.device) < mask_share) & (batch.ids > UNK)
        read = batch._replace(ids=batch.ids.masked_fill(is_masked, mask_id))
        loss = tag_loss(tag_logits(model, read, dropout), batch, taught)
        return loss, loss

    train_heads(
        model, budget, lambda rng: make_batches(sets, counts, n_subwords, rng), losses_of,
        learn_rate=learn_rate, decay=0.9, dropout=dropout, averages=averages, seed=seed, judge=judge,
    )  # fmt: skip


def predict_tags(model: Model, rows: Rows) -> Prediction:
    """rows: with gold tags."""
    model.eval()
    order = np.argsort(rows.lengths, kind="stable")
    parts: List[Tuple[int, np.ndarray]] = []
    n_right = n_found = n_gold = 0
    for start in range(0, len(order), N_ROWS):
        picked = order[start : start + N_ROWS]
        batch = rows.take(picked)
        with torch.no_grad():
            logits = tag_logits(model, batch).float().cpu().numpy()
        for i, own, tags in zip(picked.tolist(), logits, batch.tags.cpu().numpy()):
            inner = slice(1, int(rows.lengths[i]) + 1)
            parts.append((i, own[inner].astype("float16")))
            found, gold = bio_spans(own[inner].argmax(-1)), bio_spans(tags[inner])
            n_right, n_found, n_gold = n_right + len(found & gold), n_found + len(found), n_gold + len(gold)
    parts.sort(key=lambda part: part[0])
    precision, recall = n_right / max(n_found, 1), n_right / max(n_gold, 1)
    f1 = 2 * n_right / max(n_found + n_gold, 1)
    return Prediction(np.concatenate([logits for _, logits in parts]), precision, recall, f1)


def bio_spans(tags: Sequence[int]) -> Set[Tuple[int, int, int]]:
    """Odd tags begin a name, the even one behind goes on with it. RETURNS: start, end and first tag of each."""
    spans: Set[Tuple[int, int, int]] = set()
    start = label = 0
    for i, tag in enumerate([*tags, 0]):
        if label and tag != label + 1:
            spans.add((start, i, label))
            label = 0
        if tag % 2 == 1:
            start, label = i, int(tag)
    return spans
