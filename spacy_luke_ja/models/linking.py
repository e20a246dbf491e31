"""Links of given mentions as a task of the window layer: behind a window, a [MASK] entity for each of its mentions."""

import warnings
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import torch

from ..text.linking import AliasTable
from .entity_vocab import JAPANESE, MASK, SPECIAL
from .hf_checkpoint import ALIASES, Checkpoint
from .luke import DEFAULTS, EntityPredictor
from .mentions import MentionTask
from .settings import ModelSettings
from .task import Frame, Head

ENTITY_PREDICTIONS = Head("MaskedLM", "", "entity_predictions", ("entity_logits",))
# As max_entity_length of LUKE's tokenizers has it.
MAX_ENTITIES = 32
# Mentions that are compared with all entities at a time.
PART_MENTIONS = 64


class Titles:
    """Wikipedia's titles, and which rows of the entity embeddings are theirs. Special entities have none.

    rows: title → row. named, unnamed: the rows that have a title, and the others.
    """

    def __init__(self, vocabulary: Dict[str, int], n_rows: int):
        """vocabulary: the content of entity_vocab.json."""
        self.rows: Dict[str, int] = {}
        self._titles = [""] * n_rows
        for name, row in vocabulary.items():
            if name not in SPECIAL:
                title = name.removeprefix(JAPANESE)
                self.rows.setdefault(title, row)
                if name.startswith(JAPANESE) or not self._titles[row]:
                    self._titles[row] = title
        has_title = np.array([bool(title) for title in self._titles], dtype=bool)
        self.named, self.unnamed = np.flatnonzero(has_title), np.flatnonzero(~has_title)

    def __len__(self) -> int:
        return len(self.named)

    def __getitem__(self, row: int) -> str:
        return self._titles[row]


class LinkingTask(MentionTask):
    """As in LUKE's pretraining: <s> … </s>, and behind it a [MASK] for each mention that the window has.

    The row of a mention is compared with the embeddings of entities: find_likeliest, score_candidates.
    """

    head = ENTITY_PREDICTIONS
    entities = (MASK,)
    only_special = False

    def read_checkpoint(self, checkpoint: Checkpoint) -> Dict[str, Any]:
        n_rows = checkpoint.config.get("entity_vocab_size", DEFAULTS["entity_vocab_size"])
        return {"titles": Titles(checkpoint.entity_vocab, n_rows), "aliases": read_aliases(checkpoint)}

    def plan(self, item: Any, settings: ModelSettings, frame: Frame) -> List[Any]:
        place_of = lambda own: (own.subword_start, own.subword_end)
        alone = sorted(super().plan(item, settings, frame), key=place_of)
        plan = []
        for _, group in groupby(alone, key=place_of):
            own = list(group)
            for part in (own[i : i + MAX_ENTITIES] for i in range(0, len(own), MAX_ENTITIES)):
                edges, numbers = (np.concatenate([getattr(w, name) for w in part]) for name in ("edges", "numbers"))
                plan.append(replace(part[0], edges=edges, numbers=numbers))
        return plan


LINKING = LinkingTask()


def read_aliases(checkpoint: Checkpoint) -> Optional[AliasTable]:
    """RETURNS: the alias table that lies beside a checkpoint's weights; None where there is none."""
    content = checkpoint.files.get(ALIASES)
    where = f"{ALIASES} of the checkpoint {checkpoint.name}"
    return None if content is None else AliasTable.from_bytes(content, where)


def add_aliases(checkpoint: Checkpoint, path: Path) -> Checkpoint:
    """The same checkpoint with the alias table in a file beside its weights, as far as it knows the titles."""
    if not path.is_file():
        raise OSError(f"alias_table must be a file that spacy luke count-aliases made, say; there is none at {path}")
    table = AliasTable.from_bytes(path.read_bytes(), str(path))
    known = {name.removeprefix(JAPANESE) for name in checkpoint.entity_vocab if name not in SPECIAL}
    titles = table.titles()
    lacking = [title for title in titles if title not in known]
    if lacking:
        warnings.warn(
            f"{len(lacking)} of the {len(titles)} titles in {path} are no entities of the checkpoint "
            f"{checkpoint.name}, and no mention gets them; the first is {lacking[0]}"
        )
    return checkpoint.with_file(ALIASES, table.among(known).to_bytes())


Scored = Tuple[np.ndarray, np.ndarray]


def find_likeliest(module: EntityPredictor, vectors: np.ndarray, titles: Titles, n: int) -> Iterator[Scored]:
    """Compare mentions with all entities that have a title.

    vectors: (n_mentions, entity_emb_size), as the module gives them.
    YIELDS: per mention, the rows of the n likeliest, and their probabilities.
    """
    if not len(titles):
        yield from [(np.zeros(0, dtype="int64"), np.zeros(0))] * len(vectors)
        return
    for start in range(0, len(vectors), PART_MENTIONS):
        with torch.inference_mode():
            part = torch.from_numpy(vectors[start : start + PART_MENTIONS])
            logits = module.compare(part)
            logits[:, torch.from_numpy(titles.unnamed).to(logits.device)] = -torch.inf
            best, rows = logits.topk(min(n, len(titles)), dim=1)
            # Numbers below exp(-80) would be too small for quick arithmetic.
            total = logits.sub_(best[:, :1]).clamp_(min=-80).exp_().sum(dim=1, keepdim=True)
            scores = (best - best[:, :1]).exp() / total
        yield from zip(rows.cpu().numpy(), scores.cpu().numpy())


def score_candidates(module: EntityPredictor, vector: np.ndarray, rows: Sequence[int]) -> np.ndarray:
    """vector: (entity_emb_size,). RETURNS: the logits of these rows alone, which are all that is read of the table."""
    with torch.inference_mode():
        return module.compare(torch.from_numpy(vector[None]), torch.tensor(rows))[0].cpu().numpy()
