"""Docs with mentions in, windows in which entities stand for them out: what tasks on given mentions have in common."""

from dataclasses import dataclass
from typing import Any, List, NamedTuple, Sequence, Tuple

import numpy as np
from spacy.tokens import Doc

from ..text.subwords import PairIds, SubwordEncoder, Subwords
from ..text.windows import Window
from .entity_vocab import MASK, entity_ids, max_mention_length
from .hf_checkpoint import Checkpoint
from .hf_loader import NoClassifier
from .settings import ModelSettings
from .task import Frame, Task, plan_text

# A Doc, and (char_start, char_end) of its mentions.
Mentioned = Tuple[Doc, Sequence[Tuple[int, int]]]


class MentionedText(NamedTuple):
    """edges: of each mention, its first subword and the one behind its last; equal where it has none."""

    subwords: Subwords
    edges: Sequence[Tuple[int, int]]


@dataclass(frozen=True)
class MentionWindow(Window):
    """What is read around mentions, which it has whole; or around the beginning of one that is longer.

    numbers: which of its text's mentions. edges: of each, its first subword and the one behind its last.
    """

    numbers: Tuple[int, ...]
    edges: Tuple[Tuple[int, int], ...]


@dataclass(frozen=True)
class MentionFrame(Frame):
    mask_id: int = 0
    max_mention: int = 0


class MentionTask(Task):
    """A row for each mention, read by itself in the sentences around it; [MASK] is its entity.

    A mention is all subwords of the whole text that have a character of it. (The tokenizer of LUKE's authors cuts the
    text at the mention first, so that its parts begin with "▁" and may be cut otherwise.)
    """

    needs_entities = True

    def prepare(self, checkpoint: Checkpoint) -> Checkpoint:
        if not checkpoint.has_entities:
            raise ValueError(
                f"the checkpoint {checkpoint.name} is of the type {checkpoint.config.get('model_type')}, which knows "
                "no entities; a LUKE is needed, ja_luke_sm, say"
            )
        kind = (checkpoint.config.get("architectures") or [f"LukeFor{self.head.task}"])[0]
        if not kind.endswith(f"For{self.head.task}"):
            raise NoClassifier(
                f"the checkpoint {checkpoint.name} is a {kind}: it has no classifier for {self.head.task}, to be "
                "trained with nlp.initialize() or spacy train"
            )
        return checkpoint

    def frame(self, encoder: SubwordEncoder, checkpoint: Checkpoint) -> MentionFrame:
        return MentionFrame(
            PairIds(encoder.prefix_ids, (), encoder.suffix_ids),
            encoder.pad_id,
            encoder.start_ids,
            usual_window=checkpoint.window,
            mask_id=entity_ids(checkpoint, MASK)[0],
            max_mention=max_mention_length(checkpoint),
        )

    def encode(self, encoder: SubwordEncoder, inputs: Sequence[Mentioned]) -> List[MentionedText]:
        texts = []
        for doc, mentions in inputs:
            subwords = encoder.encode(doc.text)
            starts, ends = subwords.char_offsets.T
            # Subwords without characters of their own, such as "▁", belong to no mention.
            own = [np.flatnonzero((starts < end) & (ends > start) & (starts < ends)) for start, end in mentions]
            texts.append(MentionedText(subwords, [(int(i[0]), int(i[-1]) + 1) if len(i) else (0, 0) for i in own]))
        return texts

    def plan(self, item: MentionedText, settings: ModelSettings, frame: Frame) -> List[Any]:
        """The window of whole sentences that has the mention; around one that is in none as a whole, what fits."""
        sentences = plan_text(item.subwords, settings, frame) if any(end for _, end in item.edges) else []
        plan = []
        for number, (start, end) in enumerate(item.edges):
            if end:
                found = next((own for own in sentences if own.subword_start <= start and end <= own.subword_end), None)
                first, last = (
                    (found.subword_start, found.subword_end) if found else self._around(item, start, end, frame)
                )
                plan.append(MentionWindow(first, last, first, last, (number,), ((start, min(end, last)),)))
        return plan

    def _around(self, item: MentionedText, start: int, end: int, frame: Frame) -> Tuple[int, int]:
        size = min(frame.max_window, len(item.subwords))
        first = min(max(0, start - max(0, size - (end - start)) // 2), len(item.subwords) - size)
        return first, first + size

    def join(self, item: MentionedText, plan: Sequence[Any], rows: Sequence[np.ndarray], *, n_tags: int) -> np.ndarray:
        """RETURNS: (n_mentions, columns of the rows); -inf for a mention without subwords."""
        width = rows[0].shape[1] if rows else n_tags
        joined = np.full((len(item.edges), width), -np.inf, dtype="float32")
        for window, own in zip(plan, rows):
            joined[list(window.numbers)] = own
        return joined

    def split(self, d_output: np.ndarray, plan: Sequence[Any]) -> List[np.ndarray]:
        return [d_output[list(window.numbers)] for window in plan]
