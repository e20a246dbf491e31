"""Subwords in, overlapping windows out; and window rows merged back into one row per subword."""

from dataclasses import dataclass
from typing import Iterator, List, Sequence, Tuple

import numpy as np

from .subwords import Subwords

SENTENCE_ENDS = frozenset("。！？!?｡\n")


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


def plan_windows(subwords: Subwords, *, window: int, overlap: int) -> List[Window]:
    """Cover all subwords with windows of at most `window` subwords, neighbours sharing about `overlap`.

    A window ends behind 。！？ or a newline when one stands in its last quarter. Where windows overlap, each
    subword belongs to the one that shows it more context on its poorer side.
    """
    check_window(window, overlap)
    n = len(subwords)
    if n == 0:
        return []
    if n <= window:
        return [Window(0, n, 0, n)]
    runs: List[Tuple[int, int]] = []
    start = 0
    while True:
        end = min(start + window, n)
        if end < n:
            # Looking no further back than `overlap` keeps the next window from standing still.
            first_end = max(end - window // 4, start + overlap + 1)
            end = find_sentence_end(subwords, first_end, end)
        runs.append((start, end))
        if end == n:
            break
        start = end - overlap
    return assign_kept_parts(runs, n)


def find_sentence_end(subwords: Subwords, first_end: int, last_end: int) -> int:
    """The last of the ends first_end … last_end behind a sentence-final subword, or else last_end."""
    for end in range(last_end, first_end - 1, -1):
        char_start, char_end = subwords.char_offsets[end - 1]
        if any(char in SENTENCE_ENDS for char in subwords.text[char_start:char_end]):
            return end
    return last_end


def assign_kept_parts(runs: Sequence[Tuple[int, int]], n_subwords: int) -> List[Window]:
    """Give each subword to the run in which its smaller distance to an edge is largest; the earlier one in a tie.

    An edge of the text is no edge: nothing is missing behind it.
    """
    best = np.full(n_subwords, -1, dtype="int64")
    owner = np.zeros(n_subwords, dtype="int64")
    for i, (start, end) in enumerate(runs):
        positions = np.arange(start, end)
        left = positions - start if start > 0 else np.full(end - start, n_subwords)
        right = end - 1 - positions if end < n_subwords else np.full(end - start, n_subwords)
        context = np.minimum(left, right)
        better = context > best[start:end]
        best[start:end][better] = context[better]
        owner[start:end][better] = i
    bounds = np.searchsorted(owner, np.arange(len(runs) + 1))
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


def group_by_length(lengths: Sequence[int], *, max_subwords: int) -> Iterator[List[int]]:
    """Sort windows by length and cut them into batches of little padding.

    lengths: subwords per window, special ones included.
    max_subwords: the most subwords of a batch, padding included; a longer window makes a batch of its own.
    YIELDS: indices into `lengths`, the longest windows first (so that a lack of memory shows at once).
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    batch: List[int] = []
    for i in order:
        if batch and (len(batch) + 1) * lengths[batch[0]] > max_subwords:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
