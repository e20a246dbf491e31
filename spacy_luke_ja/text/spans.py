"""Candidate spans of a text and their logits in, labelled spans out, and back: apart from one another, or nested."""

from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from .decoding import CharSpan, log_softmax
from .subwords import Subwords

EDGES = ("subword", "token")
# Columns of units and candidates: subwords, then characters.
N_COLUMNS = 4


def units_of_subwords(subwords: Subwords) -> np.ndarray:
    """RETURNS: (n, 4) the subwords and the characters of the smallest parts of a text that have their characters to
    themselves: a subword each, or several that share one (㈱). Subwords without characters are in none."""
    places = np.flatnonzero(subwords.char_offsets[:, 0] < subwords.char_offsets[:, 1])
    offsets = subwords.char_offsets[places]
    if not len(places):
        return np.zeros((0, N_COLUMNS), dtype="int64")
    is_first = np.append(True, offsets[1:, 0] >= offsets[:-1, 1])
    firsts, lasts = np.flatnonzero(is_first), np.flatnonzero(np.append(is_first[1:], True))
    return np.stack([places[firsts], places[lasts] + 1, offsets[firsts, 0], offsets[lasts, 1]], axis=1)


def units_of_tokens(subwords: Subwords, token_offsets: np.ndarray) -> np.ndarray:
    """RETURNS: (n, 4) the subwords that have a character of a token, and its own characters; of tokens that are not
    blank."""
    starts, ends = subwords.char_offsets.T
    firsts = np.searchsorted(ends, token_offsets[:, 0], "right")
    lasts = np.searchsorted(starts, token_offsets[:, 1], "left")
    is_solid = [not subwords.text[start:end].isspace() for start, end in token_offsets.tolist()]
    return np.column_stack([firsts, lasts, token_offsets])[(firsts < lasts) & np.array(is_solid, dtype=bool)]


def find_candidates(units: np.ndarray, max_length: int) -> np.ndarray:
    """RETURNS: (n, 4) all runs of units of at most so many subwords, in text order, the shorter first. Of runs that are
    the same subwords, which the model cannot tell apart, the one with most characters."""
    found = [np.zeros((0, N_COLUMNS), dtype="int64")]
    for n in range(len(units)):
        first, last = units[: len(units) - n], units[n:]
        fits = last[:, 1] - first[:, 0] <= max_length
        if not fits.any():
            break
        found.append(np.stack([first[:, 0], last[:, 1], first[:, 2], last[:, 3]], axis=1)[fits])
    candidates = np.concatenate(found)
    candidates = candidates[np.lexsort((candidates[:, 2] - candidates[:, 3], candidates[:, 1], candidates[:, 0]))]
    is_new = np.append(True, (candidates[1:, :2] != candidates[:-1, :2]).any(axis=1))[: len(candidates)]
    candidates = candidates[is_new]
    return candidates[np.lexsort((candidates[:, 3], candidates[:, 2]))]


def find_spans(
    char_spans: np.ndarray, logits: np.ndarray, labels: Sequence[str], *, none: str, threshold: float
) -> List[CharSpan]:
    """
    char_spans: (n, 2) of candidates. logits: (n, n_labels); -inf where the model has not read one.
    none: the label of what is no entity.
    RETURNS: those that are likelier to be something else, with scores of at least the threshold, the surest first.
    """
    is_read = np.isfinite(logits).all(axis=1) if len(logits) else np.zeros(0, dtype=bool)
    scores = np.exp(log_softmax(logits[is_read].astype("float64")))
    best = scores.argmax(axis=1) if len(scores) else np.zeros(0, dtype="int64")
    found = [
        CharSpan(int(start), int(end), labels[i], float(own[i]))
        for (start, end), own, i in zip(char_spans[is_read], scores, best)
        if labels[i] != none and own[i] >= threshold
    ]
    return sorted(found, key=lambda span: -span.score)


def keep_apart(spans: Sequence[CharSpan], *, nested: bool) -> List[CharSpan]:
    """
    spans: the surest first.
    nested: whether one may lie within another; otherwise none shares a character with another.
    RETURNS: those that do not cross a surer one, in text order, the longer first.
    """
    kept: List[CharSpan] = []
    at_char: Dict[int, List[CharSpan]] = {}  # those kept that have it
    for span in spans:
        chars = range(span.char_start, span.char_end)
        touched = (other for char in chars for other in at_char.get(char, ()))
        if not any(are_in_conflict(span, other, nested=nested) for other in touched):
            kept.append(span)
            for char in chars:
                at_char.setdefault(char, []).append(span)
    return sorted(kept, key=lambda span: (span.char_start, -span.char_end))


def are_in_conflict(first: CharSpan, second: CharSpan, *, nested: bool) -> bool:
    (a, b), (c, d) = first[:2], second[:2]
    is_within = (a <= c and d <= b) or (c <= a and b <= d)
    return a < d and c < b and not (nested and is_within)


def make_span_targets(
    char_spans: np.ndarray, gold: Mapping[Tuple[int, int], str], labels: Sequence[str], *, none: str
) -> np.ndarray:
    """
    gold: characters → label.
    RETURNS: (n, n_labels) 1.0 for the label of each candidate, `none` where gold has none, else 0.0.
    """
    columns: Dict[str, int] = {label: i for i, label in enumerate(labels)}
    targets = np.zeros((len(char_spans), len(labels)))
    for row, (start, end) in zip(targets, char_spans.tolist()):
        row[columns[gold.get((start, end), none)]] = 1.0
    return targets


def is_known(labels: Sequence[str], annotated: Optional[Sequence[str]], none: str) -> np.ndarray:
    """annotated: what a text was annotated for; all when None. RETURNS: (n_labels,) bool."""
    return np.array([annotated is None or label == none or label in annotated for label in labels], dtype=bool)
