"""Types of given mentions as a task of the window layer: a [MASK] entity for each, behind the sentences around it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..text.subwords import SubwordEncoder
from .entity_vocab import keep_special_entities, marker_id
from .hf_checkpoint import Checkpoint
from .mentions import MentionedText, MentionFrame, MentionTask
from .task import FramedWindow, Head

ENTITY_CLASSIFIER = Head("EntityClassification", "", "classifier", ("logits",))  # LUKE's alone: no mapping has it
MARKER = "<ent>"


@dataclass(frozen=True)
class MarkedFrame(MentionFrame):
    marker_id: int = 0

    @property
    def n_special(self) -> int:
        return super().n_special + 2


class TypingTask(MentionTask):
    """As LUKE's authors have it: <s> … <ent> mention <ent> … </s>, and an entity [MASK] whose mention these are."""

    head = ENTITY_CLASSIFIER

    def prepare(self, checkpoint: Checkpoint) -> Checkpoint:
        return keep_special_entities(super().prepare(checkpoint))

    def frame(self, encoder: SubwordEncoder, checkpoint: Checkpoint) -> MarkedFrame:
        return MarkedFrame(**vars(super().frame(encoder, checkpoint)), marker_id=marker_id(checkpoint, MARKER))

    def place(self, item: MentionedText, window: Any, frame: Any) -> FramedWindow:
        framed: Any = super().place(item.subwords_of(window), window, frame)
        first = framed.rows.start - window.subword_start
        ((start, end),) = window.edges
        before, mention, after = np.split(framed.ids, [first + start, first + end])
        ids = np.concatenate([before, [frame.marker_id], mention, [frame.marker_id], after, [frame.mask_id]])
        start, end = first + start, first + end + 2
        mentions = np.array([[start, min(end, start + frame.max_mention)]])
        return FramedWindow(ids, slice(len(ids) - 1, len(ids)), mentions=mentions)


TYPING = TypingTask()
