"""Mentions in a text as LUKE reads them: markers around their subwords, entities behind the window; what the tasks that
have entities as inputs share."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any, List, Sequence, Tuple

import numpy as np

from ..text.subwords import PairIds, SubwordEncoder, Subwords
from ..text.windows import Window
from .entity_vocab import entity_ids, keep_special_entities, marker_id, max_mention_length
from .hf_checkpoint import Checkpoint
from .hf_loader import NoClassifier
from .task import Frame, FramedWindow, Task

# Subwords or characters: the first, and the one behind the last.
Edges = Tuple[int, int]


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
    """A task of which each window has mentions, and a LUKE's special entities for them.

    A mention is all subwords of the whole text that have a character of it. (The tokenizer of LUKE's authors cuts the
    text at the mention first, so that its parts begin with "▁" and may be cut otherwise.)

    markers: <ent> and the like, one for each mention of a window. entities: [MASK] and the like, the same.
    """

    needs_entities = True
    markers: Tuple[str, ...] = ()
    entities: Tuple[str, ...] = ()

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
            marker_ids=tuple(marker_id(checkpoint, marker) for marker in self.markers),
            entity_ids=entity_ids(checkpoint, *self.entities),
            max_mention=max_mention_length(checkpoint),
        )

    def place_mentions(
        self, subwords: Subwords, window: Window, mentions: Sequence[Edges], frame: MentionFrame
    ) -> FramedWindow:
        """A window with markers around its mentions and their entities behind it, whose rows are read.

        mentions: as many as there are markers, in subwords of the text; at least one each.
        """
        framed: Any = super().place(subwords, window, frame)
        first = framed.rows.start - window.subword_start
        ids, positions = put_markers(framed.ids, [(first + a, first + b) for a, b in mentions], frame.marker_ids)
        n = len(positions)
        shown = np.array([(start, min(end, start + frame.max_mention)) for start, end in positions])
        return FramedWindow(np.concatenate([ids, frame.entity_ids]), slice(len(ids), len(ids) + n), mentions=shown)


def find_edges(subwords: Subwords, mentions: Sequence[Edges]) -> List[Edges]:
    """mentions: in characters. RETURNS: of each, its subwords; equal edges where it has none."""
    starts, ends = subwords.char_offsets.T
    # Subwords without characters of their own, such as "▁", belong to no mention.
    own = [np.flatnonzero((starts < end) & (ends > start) & (starts < ends)) for start, end in mentions]
    return [(int(i[0]), int(i[-1]) + 1) if len(i) else (0, 0) for i in own]


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
    ids: np.ndarray, mentions: Sequence[Edges], marker_ids: Sequence[int]
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
    return marked, places if marker_ids else list(mentions)
