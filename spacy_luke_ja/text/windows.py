"""Subwords in, windows of whole sentences out; and window rows merged back into one row per subword, or per text."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from .characters import LINE_BREAK, LINE_BREAKS, is_blank
from .cutting import kind_of_character
from .subwords import Subwords

CLOSING = "」』）)】〉》］]｣”’\"'"
# A full stop of scientific texts is none in 第３．５節.
SENTENCE_END = re.compile(
    f"(?P<line>[{LINE_BREAKS}]\\s*)|(?:[。｡！？!?‼⁇⁈⁉︒]|(?<![0-9０-９A-Za-zＡ-Ｚａ-ｚ])．)+[{re.escape(CLOSING)}]*"
)
# A line drawn of signs, a cry: what stands beside it is no part of it.
LONG_REPETITION = re.compile(r"(\S{1,4}?)\1{15,}")
DOUBTFUL, LINE, SURE = 0, 1, 2  # how likely it is that a sentence ends
PARTICLES = frozenset("のはがをにでともやへ")
# In subwords. Longer ones are lists, tables or texts without punctuation, and are read better in pieces.
LONGEST_SENTENCE = 254
# In subwords. What goes on longer over its lines is no wrapped sentence.
LONGEST_WRAPPED = 126
SHORT_LINE = 12  # in characters: shorter ones were not wrapped


@dataclass(frozen=True)
class Window:
    """A run of subwords given to the encoder, and the part of it whose rows are kept.

    subword_start, subword_end: the run.
    kept_start, kept_end: the subwords that see more context here than in a neighbouring window. The kept
        parts of a plan follow one another without a gap: every subword is kept exactly once.
    """

    subword_start: int
    subword_end: int
    kept_start: int
    kept_end: int

    def __len__(self) -> int:
        return self.subword_end - self.subword_start


def check_window(window: int, overlap: int) -> None:
    """Raise a ValueError when windows of this size and overlap could not move on through a text."""
    if window < 1:
        raise ValueError(f"window must be at least 1 subword, got {window}")
    if not 0 <= overlap < window:
        raise ValueError(f"overlap must be between 0 and window - 1 ({window - 1}), got {overlap}")


def plan_windows(subwords: Subwords, *, window: int, overlap: int, limit: int) -> List[Window]:
    """Cover all subwords with windows that are whole sentences or lines, as many in each as `window` subwords take.

    overlap: subwords that neighbouring windows share where one sentence had to be cut; others share none.
    limit: the most subwords that the encoder takes.

    A full window ends behind the last sentence that is sure to end in it, or between two short lines, as lists have
    them. A longer sentence is a window of its own, with the lines that it was wrapped into. What is longer than the
    encoder takes, or than sentences are, is cut.
    """
    check_window(limit, overlap)
    n = len(subwords)
    if n <= window:
        return [Window(0, n, 0, n)] if n else []
    longest = max(window, min(limit, LONGEST_SENTENCE))
    all_ends, sureness = find_sentence_ends(subwords)
    choices = [all_ends[sureness >= least].tolist() for least in (SURE, LINE, DOUBTFUL)]
    plan: List[Window] = []
    start = 0
    while start < n:
        end = choose_end(choices, start, window=window, longest=longest)
        if end - start <= longest:
            plan.append(Window(start, end, start, end))
        else:
            plan += cover(start, end, (), window=min(longest, max(window, 2 * overlap)), overlap=overlap)
        start = end
    return plan


def choose_end(choices: Sequence[Sequence[int]], start: int, *, window: int, longest: int) -> int:
    """The end of the window that begins at start.

    choices: places where a window may end, ascending: the sure ones, those and lines, all of them.
    """
    sure, lines, doubtful = choices
    end = last_within(sure, start, start + window)
    if end is None:
        end = first_behind(sure, start)
        if end - start > min(longest, LONGEST_WRAPPED):
            end = last_within(lines, start, start + window) or first_behind(lines, start)
        if end - start > longest:
            end = last_within(doubtful, start, start + window) or first_behind(doubtful, start)
    return end


def last_within(ends: Sequence[int], start: int, limit: int) -> Optional[int]:
    """The last of the ends behind start and not behind limit."""
    i = bisect_right(ends, limit) - 1
    return ends[i] if i >= 0 and ends[i] > start else None


def first_behind(ends: Sequence[int], start: int) -> int:
    return ends[bisect_right(ends, start)]


def find_sentence_ends(subwords: Subwords) -> Tuple[np.ndarray, np.ndarray]:
    """Find the places between subwords where a sentence or a line ends; one inside a subword is none. Repetitions of a
    few characters (ーーーーーーーーーーーーーーーー) stand for themselves.

    RETURNS: (n_ends,) numbers of subwords before each end, ascending, the last one all of them; and (n_ends,) how sure
        each is: SURE; LINE, where a sentence may go on in the next line; DOUBTFUL, a mark that may stand in a name.
    """
    text, offsets = subwords.text, subwords.char_offsets
    sureness_at: Dict[int, int] = {}
    line_start = 0
    for match in SENTENCE_END.finditer(text):
        if match["line"]:
            end, sureness = match.start(), sureness_of_line(text, line_start, match)
            line_start = match.end()
        else:
            end, sureness = match.end(), sureness_of(text, match)
        sureness_at[end] = max(sureness, sureness_at.get(end, DOUBTFUL))
    sureness_at.update((edge, SURE) for match in LONG_REPETITION.finditer(text) for edge in match.span())
    chars = np.fromiter(sureness_at, dtype="int64", count=len(sureness_at))
    ends = np.searchsorted(offsets[:, 0], chars, "left")
    is_between = (ends > 0) & (offsets[np.maximum(ends - 1, 0), 1] <= chars)
    best = np.full(len(subwords) + 1, DOUBTFUL - 1)
    np.maximum.at(best, ends[is_between], np.array(list(sureness_at.values()), dtype="int64")[is_between])
    best[-1] = SURE
    places = np.flatnonzero(best >= DOUBTFUL)
    return places, best[places]


def sureness_of_line(text: str, line_start: int, line_break: "re.Match[str]") -> int:
    """How sure it is that nothing goes on behind a line that begins at line_start.

    Sure: between two short lines, and before a blank or an indented one; wrapped text has none of these.
    """
    following = LINE_BREAK.search(text, line_break.end())
    next_end = following.start() if following else len(text)
    longer = max(line_break.start() - line_start, next_end - line_break.end())
    return SURE if longer < SHORT_LINE or len(line_break["line"].splitlines()) > 1 else LINE


def sureness_of(text: str, match: "re.Match[str]") -> int:
    """How sure it is that a sentence ends behind a mark.

    Doubtful: モーニング娘。の, 「はい。」と, ラブライブ！サンシャイン, Yahoo!検索.
    """
    before, following = text[max(0, match.start() - 1) : match.start()], text[match.end() : match.end() + 1]
    if not following or is_blank(following):
        return SURE
    is_stop = match[0][0] in "。｡．"
    is_in_name = (
        before.isascii() and before.isalnum() or kind_of_character(following) in ("katakana", "letter", "digit")
    )
    return DOUBTFUL if following in PARTICLES or is_in_name and not is_stop else SURE


def plan_overlapping_windows(subwords: Subwords, *, window: int, overlap: int) -> List[Window]:
    """Cover all subwords with windows of at most `window` subwords, neighbours sharing about `overlap`.

    A window ends behind a sentence or a line when one ends in its last quarter. Where windows overlap, each subword
    belongs to the one that shows it more context on its poorer side.
    """
    check_window(window, overlap)
    n = len(subwords)
    if n <= window:
        return [Window(0, n, 0, n)] if n else []
    return cover(0, n, find_sentence_ends(subwords)[0].tolist(), window=window, overlap=overlap)


def cover(start: int, end: int, good_ends: Sequence[int], *, window: int, overlap: int) -> List[Window]:
    """Cover subwords start … end - 1 with windows that overlap, and end at good ends (ascending) where they can."""
    runs: List[Tuple[int, int]] = []
    run_start = start
    while True:
        run_end = min(run_start + window, end)
        if run_end < end:
            # Looking no further back than `overlap` keeps the next window from standing still.
            first_end = max(run_end - window // 4, run_start + overlap + 1)
            run_end = last_within(good_ends, first_end - 1, run_end) or run_end
        runs.append((run_start, run_end))
        if run_end == end:
            return assign_kept_parts(runs)
        run_start = run_end - overlap


def assign_kept_parts(runs: Sequence[Tuple[int, int]]) -> List[Window]:
    """Give each subword to the run in which its smaller distance to an edge is largest; the earlier one in a tie.

    The first and the last edge are none: nothing is missing behind them.
    """
    first, last = runs[0][0], runs[-1][1]
    best = np.full(last - first, -1, dtype="int64")
    owner = np.zeros(last - first, dtype="int64")
    for i, (start, end) in enumerate(runs):
        positions = np.arange(start, end)
        left = positions - start if start > first else np.full(end - start, last)
        right = end - 1 - positions if end < last else np.full(end - start, last)
        context = np.minimum(left, right)
        own = slice(start - first, end - first)
        better = context > best[own]
        best[own][better] = context[better]
        owner[own][better] = i
    bounds = first + np.searchsorted(owner, np.arange(len(runs) + 1))
    return [Window(start, end, int(bounds[i]), int(bounds[i + 1])) for i, (start, end) in enumerate(runs)]


def merge_windows(rows: Sequence[np.ndarray], windows: Sequence[Window]) -> np.ndarray:
    """Join the rows of neighbouring windows into one row per subword.

    rows: one array per window, (n_subwords_in_window, n_tags).
    windows: the plan the rows were computed with, in text order; at least one.
    RETURNS: (n_subwords, n_tags), each row from the window that keeps the subword.
    """
    kept = [r[w.kept_start - w.subword_start : w.kept_end - w.subword_start] for r, w in zip(rows, windows)]
    return kept[0] if len(kept) == 1 else np.concatenate(kept)


def split_rows(rows: np.ndarray, windows: Sequence[Window]) -> List[np.ndarray]:
    """The reverse of merge_windows, for gradients: rows of subwords that a window does not keep are zero.

    rows: (n_subwords, n_tags).
    RETURNS: one array per window, (n_subwords_in_window, n_tags).
    """
    split = []
    for w in windows:
        window_rows = np.zeros((len(w), rows.shape[1]), dtype=rows.dtype)
        window_rows[w.kept_start - w.subword_start : w.kept_end - w.subword_start] = rows[w.kept_start : w.kept_end]
        split.append(window_rows)
    return split


def window_weights(plan: Sequence[Window]) -> np.ndarray:
    """RETURNS: (n_windows,) each window's share of the subwords of a text; one that two windows share counts for the
    one that keeps it."""
    n_kept = np.array([window.kept_end - window.kept_start for window in plan], dtype="float64")
    return n_kept / n_kept.sum() if n_kept.any() else np.full(len(plan), 1 / max(1, len(plan)))


def average_windows(rows: Sequence[np.ndarray], plan: Sequence[Window], *, n_tags: int) -> np.ndarray:
    """rows: (1, n_tags) per window. RETURNS: (n_tags,) float32, their mean by window_weights; zeros without any."""
    joined = np.concatenate([np.zeros((0, n_tags), dtype="float32"), *rows])
    return (window_weights(plan) @ joined).astype("float32")


def split_average(d_average: np.ndarray, plan: Sequence[Window]) -> List[np.ndarray]:
    """The reverse of average_windows, for gradients. RETURNS: (1, n_tags) float32 per window."""
    return [(weight * d_average[None]).astype("float32") for weight in window_weights(plan)]


def group_by_length(lengths: Sequence[int], *, max_subwords: int, max_padding: float = 1.0) -> Iterator[List[int]]:
    """Sort windows by length and cut them into batches of little padding.

    lengths: subwords per window, special ones included.
    max_subwords: the most subwords of a batch, padding included; a longer window makes a batch of its own.
    max_padding: the most padding, as a share of them.
    YIELDS: indices into `lengths`, the longest windows first (so that a lack of memory shows at once).
    """
    batch: List[int] = []
    n_subwords = 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        n_positions = (len(batch) + 1) * lengths[batch[0] if batch else i]
        padding = n_positions - n_subwords - lengths[i]
        if batch and (n_positions > max_subwords or padding > max_padding * n_positions):
            yield batch
            batch, n_subwords = [], 0
        batch.append(i)
        n_subwords += lengths[i]
    if batch:
        yield batch
