"""Candidate spans as a task of the window layer: a [MASK] entity for each, behind the sentences around it."""

from typing import Any, List, NamedTuple, Sequence

import numpy as np
from spacy.tokens import Doc

from ..text.spans import find_candidates, units_of_subwords, units_of_tokens
from ..text.subwords import SubwordEncoder, Subwords
from ..text.windows import Window
from ..token_splitting import token_offsets
from .entity_vocab import MASK
from .mentions import MentionTask, MentionWindow
from .settings import ModelSettings
from .task import Frame, FramedWindow, Head, plan_text

SPAN_CLASSIFIER = Head("EntitySpanClassification", "", "classifier", ("logits",))  # LUKE's alone: no mapping has it


class AskedSpans(NamedTuple):
    """edges: where candidates begin and end, one of EDGES of text/spans.py. max_span_length: the most subwords of one.
    max_spans: the most candidates in a window."""

    doc: Doc
    edges: str
    max_span_length: int
    max_spans: int


class SpannedText(NamedTuple):
    """candidates: (n, 4), subwords and characters of each."""

    subwords: Subwords
    candidates: np.ndarray
    max_spans: int


class SpanLogits(NamedTuple):
    """char_spans: (n, 2) of the candidates. logits: (n, n_tags); -inf for one that lies in no window."""

    char_spans: np.ndarray
    logits: np.ndarray


class SpansTask(MentionTask):
    """As LUKE's authors have it: an entity [MASK] stands for each candidate; the classifier reads the first subword of
    the span, its last, and the entity.

    A candidate is read in the window of whole sentences in which it lies; one that goes beyond it is not read.
    """

    head = SPAN_CLASSIFIER
    entities = (MASK,)
    n_joined = 3

    def encode(self, encoder: SubwordEncoder, inputs: Sequence[AskedSpans]) -> List[SpannedText]:
        texts = []
        for doc, edges, max_length, max_spans in inputs:
            subwords = encoder.encode(doc.text)
            on_tokens = edges == "token" and len(doc)
            units = units_of_tokens(subwords, token_offsets(doc)) if on_tokens else units_of_subwords(subwords)
            texts.append(SpannedText(subwords, find_candidates(units, max_length), max_spans))
        return texts

    def plan(self, item: SpannedText, settings: ModelSettings, frame: Frame) -> List[Window]:
        sentences = plan_text(item.subwords, settings, frame) if len(item.candidates) else []
        owners = find_owners(item.candidates, sentences)
        plan: List[Window] = []
        for i, window in enumerate(sentences):
            own = np.flatnonzero(owners == i)
            for numbers in (own[n : n + item.max_spans] for n in range(0, len(own), item.max_spans)):
                edges = item.candidates[numbers, :2]
                plan.append(MentionWindow(**vars(window), subwords=item.subwords, edges=edges, numbers=numbers))
        return plan

    def place(self, item: SpannedText, window: Any, frame: Any) -> FramedWindow:
        framed: Any = super().place(item, window, frame)
        starts, entities = framed.mentions[:, 0], np.arange(framed.rows.start, framed.rows.stop)
        lasts = starts + window.edges[:, 1] - window.edges[:, 0] - 1
        return framed._replace(rows=np.concatenate([starts, lasts, entities]))

    def join(self, item: SpannedText, plan: Sequence[Any], rows: Sequence[np.ndarray], *, n_tags: int) -> SpanLogits:
        return SpanLogits(item.candidates[:, 2:], super().join(item.candidates, plan, rows, n_tags=n_tags))


def find_owners(candidates: np.ndarray, windows: Sequence[Window]) -> np.ndarray:
    """RETURNS: (n,) which window each candidate is read in: that which keeps its first subword, or else the first that
    has it as a whole; -1 where none has."""
    edges = [(own.subword_start, own.subword_end, own.kept_end) for own in windows]
    if not edges:
        return np.full(len(candidates), -1)
    firsts, lasts, kept_ends = np.array(edges).T
    starts, ends = candidates[:, 0], candidates[:, 1]
    keeping, holding = np.searchsorted(kept_ends, starts, "right"), np.searchsorted(lasts, ends, "left")
    return np.where(ends <= lasts[keeping], keeping, np.where(firsts[holding] <= starts, holding, -1))


SPANS = SpansTask()
