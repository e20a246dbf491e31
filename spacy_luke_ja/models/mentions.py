"""Docs with mentions in, windows in which entities stand for them out: what tasks on given mentions have in common."""

from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
from spacy.tokens import Doc

from ..text.mention_subwords import encode_cut_at, find_mentions
from ..text.subwords import PairIds, SubwordEncoder, Subwords
from ..text.windows import Window
from .entity_vocab import MASK, entity_ids, max_mention_length
from .hf_checkpoint import Checkpoint
from .hf_loader import NoClassifier
from .settings import ModelSettings
from .task import Frame, Task, plan_text


class MentionedDoc(NamedTuple):
    """mentions: (char_start, char_end) each. cut: whether the text is cut at a mention that is read."""

    doc: Doc
    mentions: Sequence[Tuple[int, int]]
    cut: bool = False


class MentionedText(NamedTuple):
    """subwords: the text's, for each mention: the same for all, or cut at each. edges: as find_mentions has them."""

    subwords: Sequence[Subwords]
    edges: Sequence[Tuple[int, int]]

    def subwords_of(self, window: "MentionWindow") -> Subwords:
        return self.subwords[window.numbers[0]]


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

    A mention is all subwords of the whole text that have a character of it; or the text is cut at the mention first,
    as by the tokenizer of LUKE's authors, so that its parts begin with "▁".
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

    def encode(self, encoder: SubwordEncoder, inputs: Sequence[MentionedDoc]) -> List[MentionedText]:
        texts = []
        for doc, mentions, cut in inputs:
            if cut:
                own = [encode_cut_at(encoder, doc.text, [mention]) for mention in mentions]
                texts.append(MentionedText([subwords for subwords, _ in own], [edges for _, (edges,) in own]))
            else:
                whole = encoder.encode(doc.text)
                texts.append(MentionedText([whole] * len(mentions), find_mentions(whole, mentions)))
        return texts

    def plan(self, item: MentionedText, settings: ModelSettings, frame: Frame) -> List[Any]:
        """The window of whole sentences that has the mention; around one that is in none as a whole, what fits."""
        planned: Dict[int, List[Window]] = {}
        plan = []
        for number, (subwords, (start, end)) in enumerate(zip(item.subwords, item.edges)):
            if end:
                if id(subwords) not in planned:
                    planned[id(subwords)] = plan_text(subwords, settings, frame)
                sentences = planned[id(subwords)]
                found = next((own for own in sentences if own.subword_start <= start and end <= own.subword_end), None)
                first, last = (
                    (found.subword_start, found.subword_end) if found else around(len(subwords), start, end, frame)
                )
                plan.append(MentionWindow(first, last, first, last, (number,), ((start, min(end, last)),)))
        return plan

    def join(self, item: MentionedText, plan: Sequence[Any], rows: Sequence[np.ndarray], *, n_tags: int) -> np.ndarray:
        """RETURNS: (n_mentions, columns of the rows); -inf for a mention without subwords."""
        width = rows[0].shape[1] if rows else n_tags
        joined = np.full((len(item.edges), width), -np.inf, dtype="float32")
        for window, own in zip(plan, rows):
            joined[list(window.numbers)] = own
        return joined

    def split(self, d_output: np.ndarray, plan: Sequence[Any]) -> List[np.ndarray]:
        return [d_output[list(window.numbers)] for window in plan]


def around(n_subwords: int, start: int, end: int, frame: Frame) -> Tuple[int, int]:
    """RETURNS: as many subwords around a mention as fit; its beginning, where it does not."""
    size = min(frame.max_window, n_subwords)
    first = min(max(0, start - max(0, size - (end - start)) // 2), n_subwords - size)
    return first, first + size
