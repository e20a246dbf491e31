"""A text and the characters of its mentions in; its subwords, and which of them are each mention's, out."""

from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from .subwords import SubwordEncoder, Subwords

CharRange = Tuple[int, int]  # start, end


class MentionSubwords(NamedTuple):
    """edges: of each mention, its first subword and the one behind its last; equal where it has none."""

    subwords: Subwords
    edges: Sequence[Tuple[int, int]]


def find_mentions(subwords: Subwords, mentions: Sequence[CharRange]) -> List[Tuple[int, int]]:
    """The edges of mentions in subwords of the whole text: all that have a character of a mention.

    Subwords without characters of their own, such as "▁", belong to none.
    """
    starts, ends = subwords.char_offsets.T
    own = [np.flatnonzero((starts < end) & (ends > start) & (starts < ends)) for start, end in mentions]
    return [(int(i[0]), int(i[-1]) + 1) if len(i) else (0, 0) for i in own]


def encode_cut_at(encoder: SubwordEncoder, text: str, mentions: Sequence[CharRange]) -> MentionSubwords:
    """The subwords of a text that is cut where a mention begins or ends, each part encoded by itself.

    So does transformers 4's MLukeTokenizer, with which LUKE's published heads were trained: no subword crosses an edge,
    and a "▁" stands before each part. A space before an edge goes to the part behind it.

        日本人が 日本 (0, 2)   ▁日本人 が   →   ▁ 日本 | ▁ 人 が
    """
    cut_before = {at: at - 1 if at > 0 and text[at - 1] == " " else at for own in mentions for at in own}
    cuts = [0, *sorted(set(cut_before.values()) - {0, len(text)}), len(text)]
    parts = [encoder.encode(text[start:end]) for start, end in zip(cuts, cuts[1:])]
    n_before: Dict[int, int] = dict(zip(cuts, np.cumsum([0, *map(len, parts)]).tolist()))
    offsets = [part.char_offsets + start for part, start in zip(parts, cuts)]
    joined = Subwords(text, np.concatenate([part.ids for part in parts]), np.concatenate(offsets))
    edges = [(n_before[cut_before[start]], n_before[cut_before[end]]) for start, end in mentions]
    starts, ends = joined.char_offsets.T
    has_characters = [bool((starts[a:b] < ends[a:b]).any()) for a, b in edges]
    return MentionSubwords(joined, [own if has else (0, 0) for own, has in zip(edges, has_characters)])
