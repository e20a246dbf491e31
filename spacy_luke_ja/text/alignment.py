"""Character spans and token edges in, token spans out; and a count of what had to be moved, split or dropped."""

from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from .decoding import CharSpan

ALIGNMENT_MODES = ("strict", "contract", "expand", "split")
# What may befall a char span on its way to tokens.
OUTCOMES = ("exact", "moved", "split", "dropped")


class Placed(NamedTuple):
    """A char span as it was, the characters that its tokens will have, and which of OUTCOMES it met."""

    source: CharSpan
    target: CharSpan
    outcome: str


@dataclass(frozen=True)
class Alignment:
    """Where char spans went.

    placed: those that stay, in text order, without overlaps in tokens.
    dropped: the others.
    split_at: character positions, in order, that lie inside a token and must become token edges first.
    """

    placed: List[Placed]
    dropped: List[CharSpan]
    split_at: List[int]

    @property
    def char_spans(self) -> List[CharSpan]:
        return [placed.target for placed in self.placed]

    @property
    def counts(self) -> Dict[str, int]:
        """How many char spans met each of OUTCOMES."""
        outcomes = [placed.outcome for placed in self.placed] + ["dropped"] * len(self.dropped)
        return {outcome: outcomes.count(outcome) for outcome in OUTCOMES}


def align_to_tokens(char_spans: Sequence[CharSpan], token_offsets: np.ndarray, *, alignment_mode: str) -> Alignment:
    """Move char spans to token edges.

    token_offsets: (n_tokens, 2) character start and end of each token, without its trailing space.
    alignment_mode: "strict" keeps only spans that are whole tokens, "contract" takes the tokens that lie within
        a span, "expand" those that it touches (all three as Doc.char_span has them); "split" asks for tokens to
        be split at the span's edges. Where two spans would then share a token, the better score stays.
    """
    check_alignment_mode(alignment_mode)
    starts, ends = token_offsets[:, 0], token_offsets[:, 1]
    moved: List[Tuple[CharSpan, CharSpan]] = []  # (as it was, as it will be)
    for span in char_spans:
        first = int(np.searchsorted(ends, span.char_start, "right"))  # the first token that ends behind the start
        last = int(np.searchsorted(starts, span.char_end, "left"))  # one past the last that starts before the end
        if alignment_mode in ("strict", "contract"):
            first += first < last and bool(starts[first] < span.char_start)
            last -= first < last and bool(ends[last - 1] > span.char_end)
        if first >= last:
            continue
        target = span
        if alignment_mode != "split":
            target = span._replace(char_start=int(starts[first]), char_end=int(ends[last - 1]))
        if alignment_mode != "strict" or target == span:
            moved.append((span, target))
    kept = drop_overlaps(moved)
    edges = set(starts.tolist()) | set(ends.tolist())
    placed, split_at = [], set()
    for span, target in kept:
        cuts = [char for char in target[:2] if char not in edges]  # none but in "split"
        split_at.update(cuts)
        placed.append(Placed(span, target, "split" if cuts else "exact" if target == span else "moved"))
    stayed = {id(span) for span, _ in kept}
    return Alignment(placed, [span for span in char_spans if id(span) not in stayed], sorted(split_at))


def drop_overlaps(moved: Sequence[Tuple[CharSpan, CharSpan]]) -> List[Tuple[CharSpan, CharSpan]]:
    """Keep the better score (the earlier span in a tie) where two targets overlap; what stays is in text order."""
    in_order = sorted(moved, key=lambda pair: (pair[1].char_start, pair[1].char_end))
    if all(a[1].char_end <= b[1].char_start for a, b in zip(in_order, in_order[1:])):
        return in_order
    kept: List[Tuple[CharSpan, CharSpan]] = []
    taken: Set[int] = set()
    for pair in sorted(in_order, key=lambda pair: -pair[1].score):
        chars = range(pair[1].char_start, pair[1].char_end)
        if taken.isdisjoint(chars):
            taken.update(chars)
            kept.append(pair)
    return sorted(kept, key=lambda pair: pair[1].char_start)


def align_but_for_spaces(source: str, target: str) -> Optional[List[int]]:
    """
    RETURNS: where each character of source stands in target, -1 for white space; None when more than white space
        differs.
    """
    places = [i for i, char in enumerate(target) if not char.isspace()]
    if "".join(source.split()) != "".join(target[i] for i in places):
        return None
    remaining = iter(places)
    return [-1 if char.isspace() else next(remaining) for char in source]


def check_alignment_mode(alignment_mode: str) -> None:
    if alignment_mode not in ALIGNMENT_MODES:
        raise ValueError(f"alignment_mode must be one of {', '.join(ALIGNMENT_MODES)}, got {alignment_mode}")
