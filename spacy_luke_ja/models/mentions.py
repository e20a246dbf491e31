"""Mentions in a text as LUKE reads them: markers around their subwords, entities behind the window; what the tasks that
have entities as inputs share."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import chain
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
from spacy.tokens import Doc

from ..text.mention_subwords import MentionSubwords, encode_cut_at, find_mentions
from ..text.subwords import PairIds, SubwordEncoder, Subwords
from ..text.windows import Window
from .entity_vocab import entity_ids, keep_special_entities, marker_id, max_mention_length
from .hf_checkpoint import Checkpoint
from .hf_loader import NoClassifier
from .settings import ModelSettings
from .task import Frame, FramedWindow, Task, plan_text

# Characters or subwords: the first, and the one behind the last.
Edges = Tuple[int, int]


class MentionedDoc(NamedTuple):
    """groups: of characters, the mentions that are read together: one alone, or two. cut: whether the text is cut at
    the mentions of a group."""

    doc: Doc
    groups: Sequence[Sequence[Edges]]
    cut: bool = False


@dataclass(frozen=True)
class MentionWindow(Window):
    """What is read around mentions.

    subwords: of the whole text. edges: (n_mentions, 2) subwords of the mentions, themselves whole or their beginnings.
    numbers: which of its text's groups are read here.
    """

    subwords: Subwords
    edges: np.ndarray
    numbers: np.ndarray


@dataclass(frozen=True)
class MentionFrame(Frame):
    """marker_ids: of each mention that is marked, what stands before and behind it. entity_ids: what stands for it."""

    marker_ids: Tuple[int, ...] = ()
    entity_ids: Tuple[int, ...] = ()
    max_mention: int = 0

    @property
    def n_special(self) -> int:
        return super().n_special + 2 * len(self.marker_ids)


class MentionTask(Task):
    """A task of which each window has mentions, and a LUKE's special entities for them; here, the task of which a group
    of mentions has a window of its own, with the sentences around it, and a row.

    A mention is all subwords of the whole text that have a character of it; or the text is cut at the mentions first,
    as by the tokenizer of LUKE's authors, so that its parts begin with "▁".

    entities: [MASK] and the like, one for each mention of a group. markers: <ent> and the like, as many, or none.
    n_joined: how many rows the classifier reads of a group, as LukeJoiningClassifier has it.
    only_special: whether of the checkpoint's entities only the special ones are loaded, and saved.
    """

    needs_entities = True
    entities: Tuple[str, ...]
    markers: Tuple[str, ...] = ()
    n_joined = 1
    only_special = True

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
        return keep_special_entities(checkpoint) if self.only_special else checkpoint

    def frame(self, encoder: SubwordEncoder, checkpoint: Checkpoint) -> MentionFrame:
        return MentionFrame(
            PairIds(encoder.prefix_ids, (), encoder.suffix_ids),
            encoder.pad_id,
            encoder.start_ids,
            usual_window=checkpoint.window,
            marker_ids=tuple(marker_id(checkpoint, marker) for marker in self.markers),
            entity_ids=entity_ids(checkpoint, *self.entities),
            max_mention=max_mention_length(checkpoint),
        )

    def encode(self, encoder: SubwordEncoder, inputs: Sequence[Any]) -> List[Any]:
        """inputs: MentionedDocs. RETURNS: of each, the subwords and the mentions of its groups."""
        items: List[List[MentionSubwords]] = []
        for doc, groups, cut in inputs:
            if cut:
                items.append([encode_cut_at(encoder, doc.text, group) for group in groups])
            else:
                subwords, mentions = encoder.encode(doc.text), list(dict.fromkeys(chain.from_iterable(groups)))
                edges = dict(zip(mentions, find_mentions(subwords, mentions)))
                items.append([MentionSubwords(subwords, [edges[own] for own in group]) for group in groups])
        return items

    def plan(self, item: Any, settings: ModelSettings, frame: Frame) -> List[Any]:
        """Of a mention that is longer than the encoder takes, the beginning is read. A group is not read where
        a mention has no subwords, or several are further apart."""
        planned: Dict[int, List[Window]] = {}
        plan = []
        for number, (subwords, mentions) in enumerate(item):
            start, end = min(first for first, _ in mentions), max(last for _, last in mentions)
            is_far = len(mentions) > 1 and end - start > frame.max_window
            if is_far or not all(last for _, last in mentions):
                continue
            if id(subwords) not in planned:
                planned[id(subwords)] = plan_text(subwords, settings, frame)
            first, last = find_context(start, end, planned[id(subwords)], len(subwords), frame)
            edges = np.minimum(mentions, last)
            plan.append(MentionWindow(first, last, first, last, subwords, edges, np.array([number])))
        return plan

    def place(self, item: Any, window: Any, frame: Any) -> FramedWindow:
        """A window with markers around its mentions and their entities behind it, whose rows are read."""
        framed: Any = super().place(window.subwords, window, frame)
        edges = window.edges + (framed.rows.start - window.subword_start)
        ids, (starts, ends) = framed.ids, edges.T
        if frame.marker_ids:
            ids, places = put_markers(ids, edges.tolist(), frame.marker_ids)
            starts, ends = np.array(places).T
        entities = np.resize(frame.entity_ids, len(edges))
        shown = np.stack([starts, np.minimum(ends, starts + frame.max_mention)], axis=1)
        return FramedWindow(np.concatenate([ids, entities]), slice(len(ids), len(ids) + len(edges)), mentions=shown)

    def join(self, item: Any, plan: Sequence[Any], rows: Sequence[np.ndarray], *, n_tags: int) -> Any:
        """item: as long as there are groups. RETURNS: (n_groups, columns of a row); -inf for one that was not read."""
        n = self.n_joined
        summed = [np.einsum("iaib->ab", own.reshape(n, len(own) // n, n, -1)) for own in rows]
        joined = np.full((len(item), summed[0].shape[1] if summed else n_tags), -np.inf, dtype="float32")
        for window, own in zip(plan, summed):
            joined[window.numbers] = own
        return joined

    def split(self, d_output: np.ndarray, plan: Sequence[Any]) -> List[np.ndarray]:
        return [np.kron(np.eye(self.n_joined, dtype=d_output.dtype), d_output[window.numbers]) for window in plan]


def find_context(start: int, end: int, sentences: Sequence[Window], n_subwords: int, frame: Frame) -> Edges:
    """What is read around subwords start … end - 1.

    sentences: windows of whole sentences, in text order.
    RETURNS: the first of them that has all; else all from the first to the last that have a part, if the encoder takes
        so many subwords; else as many as it takes, as much before as behind.
    """
    end_of = lambda window: window.subword_end
    i = j = bisect_left(sentences, end, key=end_of)
    if sentences[j].subword_start > start:
        i = bisect_right(sentences, start, key=end_of)
    first, last = sentences[i].subword_start, sentences[j].subword_end
    if last - first <= frame.max_window:
        return first, last
    size = min(frame.max_window, n_subwords)
    first = min(max(0, start - max(0, size - (end - start)) // 2), n_subwords - size)
    return first, first + size


def put_markers(
    ids: np.ndarray, mentions: Sequence[Sequence[int]], marker_ids: Sequence[int]
) -> Tuple[np.ndarray, List[Edges]]:
    """RETURNS: the ids with each mention's marker before and behind it; and where the mentions stand then, with their
    markers. The markers of a mention inside another are inside the other's."""
    events = []
    for i, ((start, end), marker) in enumerate(zip(mentions, marker_ids)):
        events += [((start, 1, -end, i), marker), ((end, 0, -start, -i), marker)]
    events.sort()
    at = {key: key[0] + n for n, (key, _) in enumerate(events)}
    marked = np.insert(ids, [key[0] for key, _ in events], [marker for _, marker in events])
    places = [(at[start, 1, -end, i], at[end, 0, -start, -i] + 1) for i, (start, end) in enumerate(mentions)]
    return marked, places
