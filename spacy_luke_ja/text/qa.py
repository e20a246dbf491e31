"""What a model says of where an answer begins and ends, window by window, in; the likeliest answers out."""

import math
from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .characters import blank_characters, trim_blank
from .subwords import Subwords
from .windows import Window

# What is so much less likely than the best answer, as a logarithm, counts as impossible.
NEGLIGIBLE = 30.0
# A margin of logits behind which the logistic function is 0 or 1.
CERTAIN = 700.0


@dataclass(frozen=True)
class AskedText:
    """The subwords of a question, and those of the text to answer it from."""

    question: Subwords
    subwords: Subwords


@dataclass(frozen=True)
class AnswerLogits:
    """What the model says of one AskedText.

    windows: of the text's subwords, in text order.
    rows: per window (len(window) + 2, 2) float32: the logits of "the answer starts here" and "it ends here", of the
        encoder's first special subword, which stands for no answer; of each subword of the window; and of the special
        one behind them, where answers may end when an end is one past the answer's last subword.
    """

    asked: AskedText
    windows: Sequence[Window]
    rows: Sequence[np.ndarray]


class FoundAnswer(NamedTuple):
    """text[char_start:char_end]; score: between 0 and 1, those of all answers add up to at most 1."""

    char_start: int
    char_end: int
    score: float


def find_answers(
    logits: AnswerLogits,
    *,
    n_best: int,
    n_edges: int,
    max_answer_length: int,
    end_inclusive: bool,
    allow_overlap: bool = False,
) -> Tuple[List[FoundAnswer], float]:
    """Find the likeliest answers.

    n_best: the most answers to return.
    n_edges: how many of the likeliest starts and ends of each window are tried with one another.
    max_answer_length: in characters.
    end_inclusive: whether the subword that ends an answer belongs to it, or is the first one behind it.
    allow_overlap: return answers that share characters with a likelier one, too.
    RETURNS: answers, the likeliest first, those of one score in text order; and the null score, see score_no_answer.
        Scores are a softmax over all answers that were tried, in all windows, and no answer, of which the logit is
        that of the window least sure of it. What several windows show has the logit of the one that shows it the most
        context.
    """
    limits: Any = {"max_answer_length": max_answer_length, "end_inclusive": end_inclusive}
    pairs = likely_pairs(logits, n_edges=n_edges, **limits)
    if not len(pairs):  # perhaps the likeliest ends are all before the likeliest starts
        pairs = likely_pairs(logits, n_edges=len(logits.asked.subwords), **limits)
    if not len(pairs):
        return [], 1.0
    null = min(float(rows[0].sum()) for rows in logits.rows)
    joint = joint_logits(logits, pairs, end_inclusive=end_inclusive)
    possible = joint > joint.max() - NEGLIGIBLE
    best: Dict[Tuple[int, int], float] = {}
    offsets, text = logits.asked.subwords.char_offsets, logits.asked.subwords.text
    for (first, last), logit in zip(pairs[possible].tolist(), joint[possible].tolist()):
        place = trim_blank(text, int(offsets[first, 0]), int(offsets[last, 1]))
        if place[0] < place[1]:
            best[place] = max(logit, best.get(place, logit))
    scores = np.exp(np.array([null, *best.values()]) - max([null, *best.values()]))
    scores /= scores.sum()
    answers = [FoundAnswer(*place, float(score)) for place, score in zip(best, scores[1:])]
    answers.sort(key=lambda answer: (-answer.score, answer.char_start, answer.char_end))
    chosen = answers if allow_overlap else distinct_answers(answers, n_best)
    return chosen[:n_best], score_no_answer(logits, **limits)


def distinct_answers(answers: Sequence[FoundAnswer], n_best: int) -> List[FoundAnswer]:
    """RETURNS: n_best answers of which none shares a character with another, each the likeliest that is left."""
    chosen: List[FoundAnswer] = []
    for answer in answers:
        if all(answer.char_end <= own.char_start or own.char_end <= answer.char_start for own in chosen):
            chosen.append(answer)
        if len(chosen) == n_best:
            break
    return chosen


def score_no_answer(logits: AnswerLogits, *, max_answer_length: int, end_inclusive: bool) -> float:
    """How likely it is that there is no answer, where the likeliest answer of a window is all that there could be.

    It is the logistic function of SQuAD's margin, the logit of no answer less that of the window's likeliest answer, in
    the window where this is least, so that windows without an answer do not count, however many there are.
    RETURNS: between 0 and 1: 0.5 for a margin of 0; 1.0 where nothing is short enough to be an answer.
    """
    subwords = logits.asked.subwords
    is_solid = solid_subwords(subwords)
    margins = [CERTAIN]
    for window, rows in zip(logits.windows, logits.rows):
        own = slice(window.subword_start, window.subword_end)
        starts, ends = edge_logits(rows.astype("float64"), end_inclusive)
        best = best_pair(starts, ends, subwords.char_offsets[own], is_solid[own], max_answer_length)
        margins.append(float(rows[0].astype("float64").sum()) - best)
    return 1.0 / (1.0 + math.exp(-max(-CERTAIN, min(margins))))


def solid_subwords(subwords: Subwords) -> np.ndarray:
    """RETURNS: (n_subwords,) bool, whether each has a character that is not blank."""
    starts, ends = subwords.char_offsets.T
    blank = blank_characters(subwords.text)
    if blank is None:
        return starts < ends
    n_solid = np.concatenate([[0], np.cumsum(~blank)])
    return n_solid[ends] > n_solid[starts]


def best_pair(
    starts: np.ndarray, ends: np.ndarray, char_offsets: np.ndarray, is_solid: np.ndarray, max_answer_length: int
) -> float:
    """Find the likeliest answer of a window, of all that it has.

    starts, ends, is_solid: (n_subwords,); char_offsets: (n_subwords, 2).
    RETURNS: the logits of its start and end together; -inf where there is none.
    """
    n = len(starts)
    places = np.arange(n)
    # An answer from i ends at the first solid subword from i on, or later, as long as it is not too long.
    first = np.minimum.accumulate(np.where(is_solid, places, n)[::-1])[::-1]
    last = np.searchsorted(char_offsets[:, 1], char_offsets[:, 0] + max_answer_length, side="right") - 1
    can_begin = np.flatnonzero(first <= last)
    if not len(can_begin):
        return -math.inf
    first, last = first[can_begin], last[can_begin]
    # highest[k][i]: the highest of the 2 ** k ends from i on.
    highest = [ends]
    while 2 ** len(highest) <= n:
        half = 2 ** (len(highest) - 1)
        highest.append(np.maximum(highest[-1][:-half], highest[-1][half:]))
    best = np.full(len(can_begin), -math.inf)
    level = np.log2(last - first + 1).astype("int64")
    for k, maxima in enumerate(highest):
        own = np.flatnonzero(level == k)
        best[own] = np.maximum(maxima[first[own]], maxima[last[own] + 1 - 2**k])
    return float((starts[can_begin] + best).max())


def likely_pairs(logits: AnswerLogits, *, n_edges: int, max_answer_length: int, end_inclusive: bool) -> np.ndarray:
    """RETURNS: (n_pairs, 2), the first and last subword of answers, each once, in text order."""
    offsets, n_subwords = logits.asked.subwords.char_offsets, len(logits.asked.subwords)
    found = [np.zeros(0, dtype="int64")]
    for window, rows in zip(logits.windows, logits.rows):
        starts, ends = edge_logits(rows, end_inclusive)
        firsts, lasts = np.meshgrid(likeliest(starts, n_edges), likeliest(ends, n_edges), indexing="ij")
        first, last = window.subword_start + firsts.ravel(), window.subword_start + lasts.ravel()
        is_allowed = (first <= last) & (offsets[last, 1] - offsets[first, 0] <= max_answer_length)
        found.append((first * n_subwords + last)[is_allowed])
    return np.stack(np.divmod(np.unique(np.concatenate(found)), max(1, n_subwords)), axis=1)


def edge_logits(rows: np.ndarray, end_inclusive: bool) -> Tuple[np.ndarray, np.ndarray]:
    """RETURNS: per subword of a window, the logit of its being the first of the answer, and the last."""
    return rows[1:-1, 0], rows[1:-1, 1] if end_inclusive else rows[2:, 1]


def likeliest(logits: np.ndarray, n: int) -> np.ndarray:
    """The places of the n largest, the first of equals first."""
    return np.argsort(-logits, kind="stable")[:n]


def joint_logits(logits: AnswerLogits, pairs: np.ndarray, *, end_inclusive: bool) -> np.ndarray:
    """RETURNS: (n_pairs,) start and end together, of the window with the most context on the poorer side of a pair."""
    n_subwords = len(logits.asked.subwords)
    joint = np.zeros(len(pairs))
    best_context = np.full(len(pairs), -1, dtype="int64")
    for window, rows in zip(logits.windows, logits.rows):
        low, high = np.searchsorted(pairs[:, 0], [window.subword_start, window.subword_end])
        inside = low + np.flatnonzero(pairs[low:high, 1] < window.subword_end)
        first, last = (pairs[inside] - window.subword_start).T
        # An edge of the text is no edge: nothing is missing behind it.
        left = first if window.subword_start else np.full(len(inside), n_subwords)
        right = len(window) - 1 - last if window.subword_end < n_subwords else np.full(len(inside), n_subwords)
        context = np.minimum(left, right)
        better = context > best_context[inside]
        starts, ends = edge_logits(rows, end_inclusive)
        best_context[inside[better]] = context[better]
        joint[inside[better]] = starts[first[better]].astype("float64") + ends[last[better]]
    return joint


def place_answer(asked: AskedText, char_start: int, char_end: int) -> Optional[Tuple[int, int]]:
    """RETURNS: the first and last subword of text[char_start:char_end]; None where there is none."""
    starts, ends = asked.subwords.char_offsets.T
    inside = np.flatnonzero((starts < ends) & (ends > char_start) & (starts < char_end))
    return (int(inside[0]), int(inside[-1])) if len(inside) else None


def target_rows(window: Window, place: Optional[Tuple[int, int]], *, end_inclusive: bool) -> Tuple[int, int]:
    """RETURNS: the rows of AnswerLogits where start and end should be; 0 and 0 when the answer is not in the window."""
    if place is None or place[0] < window.subword_start or place[1] >= window.subword_end:
        return 0, 0
    return place[0] - window.subword_start + 1, place[1] - window.subword_start + (1 if end_inclusive else 2)
