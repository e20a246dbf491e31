"""Sentences with gold or soft tags in, batches and the loss of a token classifier out; and its logits for others."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor, nn

from spacy_luke_ja.models.roberta import Classifier
from spacy_luke_ja.text.windows import group_by_length

from .blocks import BOS, EOS
from .encoder import write_checkpoint

CPU = torch.device("cpu")
MAX_SUBWORDS = 510  # of a sentence: what a row has room for, <s> and </s> aside


@dataclass(frozen=True)
class Tagged:
    """A sentence to learn from.

    ids: (n,) without <s> and </s>.
    tags: (n,) gold tags, or (n, n_tags) probabilities.
    """

    ids: np.ndarray
    tags: np.ndarray


class Averages:
    """Running means of the weights, nearer to plain means at first: Polyak averaging with a warm-up."""

    def __init__(self, model: Classifier, decay: float):
        self.model = copy.deepcopy(model).eval()
        self.decay = decay
        self.n_updates = 0

    def update(self, model: nn.Module) -> None:
        self.n_updates += 1
        keep = min(self.decay, self.n_updates / (self.n_updates + 9))
        with torch.no_grad():
            for mean, current in zip(self.model.parameters(), model.parameters()):
                mean.lerp_(current, 1 - keep)


def join(ids: Sequence[np.ndarray], device: torch.device = CPU) -> Tuple[Tensor, List[int]]:
    """RETURNS: the ids of sentences, each between <s> and </s>, end to end, and their lengths with these two."""
    joined = np.concatenate([part for own in ids for part in ([BOS], own, [EOS])])
    return torch.from_numpy(joined.astype("int64")).to(device), [len(own) + 2 for own in ids]


def make_batches(sentences: Sequence[Tagged], n_subwords: int, rng: np.random.Generator) -> List[List[Tagged]]:
    """Batches of similar lengths, the shorter first, in random order; other ones each time."""
    lengths = [len(sentence.ids) for sentence in sentences]
    jittered = [length + 2 + int(rng.integers(8)) for length in lengths]
    order = rng.permutation(len(sentences))
    groups = group_by_length([jittered[i] for i in order], max_subwords=n_subwords)
    batches = [sorted((sentences[order[i]] for i in group), key=lambda one: len(one.ids)) for group in groups]
    return [batches[i] for i in rng.permutation(len(batches))]


def tag_loss(logits: Tensor, batch: Sequence[Tagged]) -> Tensor:
    """The mean over subwords of the cross entropy, against gold tags or against probabilities.

    logits: (n, n_tags) of the batch as `join` joins it; those of <s> and </s> do not count.
    """
    n_tags = logits.shape[-1]
    targets = torch.zeros(logits.shape)  # filled where they are, and moved as a whole
    row = 1
    for sentence in batch:
        tags = torch.from_numpy(sentence.tags)
        n = len(tags)
        targets[row : row + n] = tags.float() if tags.ndim == 2 else nn.functional.one_hot(tags.long(), n_tags).float()
        row += n + 2
    losses = -(targets.to(logits.device) * torch.log_softmax(logits.float(), dim=-1)).sum()
    return losses / sum(len(sentence.tags) for sentence in batch)


def predict(model: Classifier, ids: Sequence[np.ndarray], *, n_subwords: int = 8192) -> Iterator[np.ndarray]:
    """YIELDS: (n, n_tags) logits of each sentence, in order. What stands past the first 510 subwords of a sentence is
    O (tag 0) for certain."""
    model.eval()
    rows: List[Optional[np.ndarray]] = [None] * len(ids)
    device = model.last_layer.weight.device
    with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16):
        for group in group_by_length([min(len(own), MAX_SUBWORDS) + 2 for own in ids], max_subwords=n_subwords):
            joined, lengths = join([ids[i][:MAX_SUBWORDS] for i in group], device)
            logits = model(joined, lengths).float().cpu().numpy()
            for i, own in zip(group, np.split(logits, np.cumsum(lengths)[:-1])):
                own = own[1:-1]
                unread = np.full((len(ids[i]) - len(own), own.shape[1]), -1e4, dtype=own.dtype)
                unread[:, 0] = 0.0
                rows[i] = np.concatenate([own, unread])
    for row in rows:
        assert row is not None
        yield row


def save_classifier(
    model: Classifier, start: Path, output: Path, tags: Sequence[str], *, line_break_id: Optional[int] = None
) -> None:
    """In the layout of XLMRobertaForTokenClassification; start: the encoder's directory."""
    config = json.loads((start / "config.json").read_text(encoding="utf8"))
    config.update(
        architectures=["XLMRobertaForTokenClassification"],
        id2label={str(i): tag for i, tag in enumerate(tags)},
        label2id={tag: i for i, tag in enumerate(tags)},
    )
    if line_break_id is not None:
        config["line_break_id"] = line_break_id
    write_checkpoint(output, config, model.state_dict(), start)
