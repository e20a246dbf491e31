"""Types of given mentions as a task of the window layer: a [MASK] entity for each, behind the sentences around it."""

from dataclasses import dataclass
from typing import Any, List, NamedTuple, Sequence, Tuple

import numpy as np
from spacy.tokens import Doc

from ..text.subwords import SubwordEncoder, Subwords
from ..text.windows import Window
from .entity_vocab import MASK
from .mentions import Edges, MentionTask, find_context, find_edges
from .settings import ModelSettings
from .task import Frame, FramedWindow, Head, plan_text

ENTITY_CLASSIFIER = Head("EntityClassification", "", "classifier", ("logits",))  # LUKE's alone: no mapping has it

# A Doc, and the characters of its mentions.
Mentioned = Tuple[Doc, Sequence[Edges]]


class MentionedText(NamedTuple):
    """edges: of each mention, in subwords; equal where it has none."""

    subwords: Subwords
    edges: Sequence[Edges]


@dataclass(frozen=True)
class MentionWindow(Window):
    """What is read around a mention, itself whole or its beginning.

    number: which of its text's mentions. edges: its subwords.
    """

    number: int
    edges: Edges


class TypingTask(MentionTask):
    """As LUKE's authors have it: <s> … <ent> mention <ent> … </s>, and an entity [MASK] whose mention these are."""

    head = ENTITY_CLASSIFIER
    markers, entities = ("<ent>",), (MASK,)

    def encode(self, encoder: SubwordEncoder, inputs: Sequence[Mentioned]) -> List[MentionedText]:
        texts = [(encoder.encode(doc.text), mentions) for doc, mentions in inputs]
        return [MentionedText(subwords, find_edges(subwords, mentions)) for subwords, mentions in texts]

    def plan(self, item: MentionedText, settings: ModelSettings, frame: Frame) -> List[Window]:
        sentences = plan_text(item.subwords, settings, frame) if any(end for _, end in item.edges) else []
        plan: List[Window] = []
        for number, (start, end) in enumerate(item.edges):
            if end:
                first, last = find_context(start, end, sentences, len(item.subwords), frame)
                plan.append(MentionWindow(first, last, first, last, number, (start, min(end, last))))
        return plan

    def place(self, item: MentionedText, window: Any, frame: Any) -> FramedWindow:
        return self.place_mentions(item.subwords, window, [window.edges], frame)

    def join(self, item: MentionedText, plan: Sequence[Any], rows: Sequence[np.ndarray], *, n_tags: int) -> np.ndarray:
        """RETURNS: (n_mentions, n_tags); -inf for a mention without subwords."""
        logits = np.full((len(item.edges), n_tags), -np.inf, dtype="float32")
        for window, own in zip(plan, rows):
            logits[window.number] = own[0]
        return logits

    def split(self, d_output: np.ndarray, plan: Sequence[Any]) -> List[np.ndarray]:
        return [d_output[window.number][None] for window in plan]


TYPING = TypingTask()
