"""Types of given mentions as a task of the window layer: a [MASK] entity for each, behind the sentences around it."""

from dataclasses import dataclass
from typing import Any, List, NamedTuple, Sequence, Tuple

import numpy as np
from spacy.tokens import Doc

from ..text.subwords import PairIds, SubwordEncoder, Subwords
from ..text.windows import Window
from .entity_vocab import MASK, entity_ids, keep_special_entities, marker_id, max_mention_length
from .hf_checkpoint import Checkpoint
from .hf_loader import NoClassifier
from .settings import ModelSettings
from .task import Frame, FramedWindow, Head, Task, plan_text

ENTITY_CLASSIFIER = Head("EntityClassification", "", "classifier", ("logits",))  # LUKE's alone: no mapping has it
MARKER = "<ent>"

# A Doc, and (char_start, char_end) of its mentions.
Mentioned = Tuple[Doc, Sequence[Tuple[int, int]]]


class MentionedText(NamedTuple):
    """edges: of each mention, its first subword and the one behind its last; equal where it has none."""

    subwords: Subwords
    edges: Sequence[Tuple[int, int]]


@dataclass(frozen=True)
class MentionWindow(Window):
    """What is read around a mention, itself whole or its beginning.

    number: which of its text's mentions. mention_start, mention_end: its subwords.
    """

    number: int
    mention_start: int
    mention_end: int


@dataclass(frozen=True)
class MentionFrame(Frame):
    marker_id: int = 0
    mask_id: int = 0
    max_mention: int = 0

    @property
    def n_special(self) -> int:
        return super().n_special + 2


class TypingTask(Task):
    """As LUKE's authors have it: <s> … <ent> mention <ent> … </s>, and an entity [MASK] whose mention these are.

    A mention is all subwords of the whole text that have a character of it. (Their tokenizer cuts the text at the
    mention first, so that its parts begin with "▁" and may be cut otherwise.)
    """

    head = ENTITY_CLASSIFIER
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
        return keep_special_entities(checkpoint)

    def frame(self, encoder: SubwordEncoder, checkpoint: Checkpoint) -> MentionFrame:
        return MentionFrame(
            PairIds(encoder.prefix_ids, (), encoder.suffix_ids),
            encoder.pad_id,
            encoder.start_ids,
            usual_window=checkpoint.window,
            marker_id=marker_id(checkpoint, MARKER),
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

    def plan(self, item: MentionedText, settings: ModelSettings, frame: Frame) -> List[Window]:
        """The window of whole sentences that has the mention; around one that is in none as a whole, what fits."""
        sentences = plan_text(item.subwords, settings, frame) if any(end for _, end in item.edges) else []
        plan: List[Window] = []
        for number, (start, end) in enumerate(item.edges):
            if end:
                found = next((own for own in sentences if own.subword_start <= start and end <= own.subword_end), None)
                first, last = (
                    (found.subword_start, found.subword_end) if found else self._around(item, start, end, frame)
                )
                plan.append(MentionWindow(first, last, first, last, number, start, min(end, last)))
        return plan

    def _around(self, item: MentionedText, start: int, end: int, frame: Frame) -> Tuple[int, int]:
        size = min(frame.max_window, len(item.subwords))
        first = min(max(0, start - max(0, size - (end - start)) // 2), len(item.subwords) - size)
        return first, first + size

    def place(self, item: MentionedText, window: Any, frame: Any) -> FramedWindow:
        framed: Any = super().place(item.subwords, window, frame)
        first = framed.rows.start - window.subword_start
        start, end = first + window.mention_start, first + window.mention_end
        before, mention, after = np.split(framed.ids, [start, end])
        ids = np.concatenate([before, [frame.marker_id], mention, [frame.marker_id], after, [frame.mask_id]])
        mentions = np.array([[start, min(end + 2, start + frame.max_mention)]])
        return FramedWindow(ids, slice(len(ids) - 1, len(ids)), mentions=mentions)

    def join(self, item: MentionedText, plan: Sequence[Any], rows: Sequence[np.ndarray], *, n_tags: int) -> np.ndarray:
        """RETURNS: (n_mentions, n_tags); -inf for a mention without subwords."""
        logits = np.full((len(item.edges), n_tags), -np.inf, dtype="float32")
        for window, own in zip(plan, rows):
            logits[window.number] = own[0]
        return logits

    def split(self, d_output: np.ndarray, plan: Sequence[Any]) -> List[np.ndarray]:
        return [d_output[window.number][None] for window in plan]


TYPING = TypingTask()
