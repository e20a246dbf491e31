"""Pairs of mentions as a task of the window layer: [MASK] and [MASK2] for head and tail, and the text around them."""

from dataclasses import dataclass
from typing import Any, List, NamedTuple, Sequence, Tuple

import numpy as np
from spacy.tokens import Doc

from ..text.relations import Pair
from ..text.subwords import SubwordEncoder, Subwords
from ..text.windows import Window
from .entity_vocab import MASK, MASK2
from .mentions import Edges, MentionTask, find_context, find_edges
from .settings import ModelSettings
from .task import Frame, FramedWindow, Head, plan_text

PAIR_CLASSIFIER = Head("EntityPairClassification", "", "classifier", ("logits",))  # LUKE's alone: no mapping has it

PairedDoc = Tuple[Doc, Sequence[Pair]]


class PairedText(NamedTuple):
    """pairs: the subwords of heads and tails; equal edges where a mention has none."""

    subwords: Subwords
    pairs: Sequence[Tuple[Edges, Edges]]


@dataclass(frozen=True)
class PairWindow(Window):
    """What is read around a pair. number: which of its text's. edges: the subwords of head and tail."""

    number: int
    edges: Tuple[Edges, Edges]


class RelationsTask(MentionTask):
    """As LUKE's authors have it: <ent> stands before and behind the head, <ent2> before and behind the tail, and the
    classifier reads the entities [MASK] and [MASK2], whose mentions these are.

    A pair whose mentions are further apart than the encoder takes is not read.
    """

    head = PAIR_CLASSIFIER
    markers, entities = ("<ent>", "<ent2>"), (MASK, MASK2)

    def encode(self, encoder: SubwordEncoder, inputs: Sequence[PairedDoc]) -> List[PairedText]:
        texts = []
        for doc, pairs in inputs:
            subwords = encoder.encode(doc.text)
            mentions = list(dict.fromkeys(mention for pair in pairs for mention in pair))
            edges = dict(zip(mentions, find_edges(subwords, mentions)))
            texts.append(PairedText(subwords, [(edges[head], edges[tail]) for head, tail in pairs]))
        return texts

    def plan(self, item: PairedText, settings: ModelSettings, frame: Frame) -> List[Window]:
        sentences = plan_text(item.subwords, settings, frame) if item.pairs else []
        plan: List[Window] = []
        for number, (head, tail) in enumerate(item.pairs):
            start, end = min(head[0], tail[0]), max(head[1], tail[1])
            if head[1] and tail[1] and end - start <= frame.max_window:
                first, last = find_context(start, end, sentences, len(item.subwords), frame)
                plan.append(PairWindow(first, last, first, last, number, (head, tail)))
        return plan

    def place(self, item: PairedText, window: Any, frame: Any) -> FramedWindow:
        return self.place_mentions(item.subwords, window, window.edges, frame)

    def join(self, item: PairedText, plan: Sequence[Any], rows: Sequence[np.ndarray], *, n_tags: int) -> np.ndarray:
        """RETURNS: (n_pairs, n_tags); -inf for a pair that was not read."""
        logits = np.full((len(item.pairs), n_tags), -np.inf, dtype="float32")
        for window, own in zip(plan, rows):
            logits[window.number] = own[0, :n_tags] + own[1, n_tags:]
        return logits

    def split(self, d_output: np.ndarray, plan: Sequence[Any]) -> List[np.ndarray]:
        zeros = np.zeros(d_output.shape[1], dtype=d_output.dtype)
        return [np.block([[own, zeros], [zeros, own]]) for own in (d_output[window.number] for window in plan)]


RELATIONS = RelationsTask()
