"""Sentences with gold or soft tags in, a trained token classifier out; and its logits for other sentences."""

import copy
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from spacy_luke_ja.text.windows import group_by_length

from .blocks import BOS, EOS, PAD
from .encoder import PREFIX, Encoder

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


class Tagger(nn.Module):
    def __init__(self, encoder: Encoder, n_tags: int):
        super().__init__()
        self.encoder = encoder
        self.classifier = nn.Linear(encoder.config["hidden_size"], n_tags)
        nn.init.normal_(self.classifier.weight, std=0.02)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, ids: Tensor, lengths: Tensor, *, dropout: float = 0.0) -> Tensor:
        """RETURNS: (n_rows, length, n_tags) logits."""
        hidden = self.encoder(ids, lengths, dropout=dropout)
        return self.classifier(nn.functional.dropout(hidden, dropout, self.training))


class Averages:
    """Running means of the weights, nearer to plain means at first: Polyak averaging with a warm-up."""

    def __init__(self, model: nn.Module, decay: float):
        self.model = copy.deepcopy(model).eval()
        self.decay = decay
        self.n_updates = 0

    def update(self, model: nn.Module) -> None:
        self.n_updates += 1
        keep = min(self.decay, self.n_updates / (self.n_updates + 9))
        with torch.no_grad():
            for mean, current in zip(self.model.parameters(), model.parameters()):
                mean.lerp_(current, 1 - keep)


def make_rows(ids: Sequence[np.ndarray], device: torch.device = CPU) -> Dict[str, Tensor]:
    """Sentences as rows of one length, with <s> and </s>, padded at the end."""
    lengths = torch.tensor([len(own) + 2 for own in ids])
    rows = torch.full((len(ids), int(lengths.max())), PAD)
    rows[:, 0] = BOS
    for row, own in zip(rows, ids):
        row[1 : len(own) + 1] = torch.from_numpy(own.astype("int64"))
        row[len(own) + 1] = EOS
    return {"ids": rows.to(device), "lengths": lengths.to(device)}


def make_batches(sentences: Sequence[Tagged], n_subwords: int, rng: np.random.Generator) -> List[List[Tagged]]:
    """Batches of little padding in random order; other ones each time."""
    lengths = [len(sentence.ids) for sentence in sentences]
    jittered = [length + 2 + int(rng.integers(8)) for length in lengths]
    order = rng.permutation(len(sentences))
    groups = group_by_length([jittered[i] for i in order], max_subwords=n_subwords)
    batches = [[sentences[order[i]] for i in group] for group in groups]
    return [batches[i] for i in rng.permutation(len(batches))]


def tag_loss(logits: Tensor, batch: Sequence[Tagged]) -> Tensor:
    """The mean over subwords of the cross entropy, against gold tags or against probabilities."""
    n_tags = logits.shape[-1]
    targets = torch.zeros(logits.shape)  # filled where they are, and moved as a whole
    weights = torch.zeros(logits.shape[:2])
    for i, sentence in enumerate(batch):
        tags = torch.from_numpy(sentence.tags)
        n = len(tags)
        targets[i, 1 : n + 1] = tags.float() if tags.ndim == 2 else nn.functional.one_hot(tags.long(), n_tags).float()
        weights[i, 1 : n + 1] = 1.0
    targets, weights = targets.to(logits.device), weights.to(logits.device)
    losses = -(targets * torch.log_softmax(logits.float(), dim=-1)).sum(dim=-1)
    return (losses * weights).sum() / weights.sum()


def predict(model: Tagger, ids: Sequence[np.ndarray], *, n_subwords: int = 8192) -> Iterator[np.ndarray]:
    """YIELDS: (n, n_tags) logits of each sentence, in order. What stands past the first 510 subwords of a sentence is
    O (tag 0) for certain."""
    model.eval()
    rows: List[Optional[np.ndarray]] = [None] * len(ids)
    device = model.classifier.weight.device
    with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16):
        for group in group_by_length([min(len(own), MAX_SUBWORDS) + 2 for own in ids], max_subwords=n_subwords):
            logits = model(**make_rows([ids[i][:MAX_SUBWORDS] for i in group], device)).float().cpu().numpy()
            for i, own in zip(group, logits):
                own = own[1 : min(len(ids[i]), MAX_SUBWORDS) + 1]
                unread = np.full((len(ids[i]) - len(own), own.shape[1]), -1e4, dtype=own.dtype)
                unread[:, 0] = 0.0
                rows[i] = np.concatenate([own, unread])
    for row in rows:
        assert row is not None
        yield row


def save_classifier(model: Tagger, start: Path, output: Path, tags: Sequence[str]) -> None:
    """In the layout of XLMRobertaForTokenClassification; start: the encoder's directory."""
    output.mkdir(parents=True, exist_ok=True)
    shutil.copy(start / "sentencepiece.bpe.model", output)
    config = json.loads((start / "config.json").read_text(encoding="utf8"))
    config.update(
        architectures=["XLMRobertaForTokenClassification"],
        id2label={str(i): tag for i, tag in enumerate(tags)},
        label2id={tag: i for i, tag in enumerate(tags)},
    )
    (output / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2), encoding="utf8")
    state = {name.replace("encoder.", PREFIX, 1) if name.startswith("encoder.") else name: tensor.cpu().contiguous()
             for name, tensor in model.state_dict().items()}  # fmt: skip
    save_file(state, output / "model.safetensors", metadata={"format": "pt"})
