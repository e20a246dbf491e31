"""Subwords and tokens in, which subwords each token has out."""

from typing import List, Sequence, Tuple

import numpy as np

from .characters import LINE_BREAK
from .subwords import Subwords
from .windows import Window


def subwords_of_tokens(subwords: Subwords, token_offsets: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Find for each token the subwords that have at least one of its characters.

    token_offsets: (n_tokens, 2) characters in text order, end exclusive.
    RETURNS: the tokens' subwords one token after the other, and how many each token has, (n_tokens,). A subword over
        two tokens belongs to both; one with no character of its own, such as the "▁" put before a text, to none.

        tokens     か゛   ㈱     🦖          (what NFKC joins, splits, or does not know)
        subwords    が   ( 株 )  <unk>   →   [0]  [1 2 3]  [4]
    """
    starts, ends = subwords.char_offsets[:, 0], subwords.char_offsets[:, 1]
    solid = np.flatnonzero(starts < ends)
    token_starts, token_ends = token_offsets[:, 0], token_offsets[:, 1]
    first = np.searchsorted(ends[solid], token_starts, side="right")
    last = np.searchsorted(starts[solid], token_ends, side="left")
    lengths = np.where(token_starts < token_ends, np.maximum(last - first, 0), 0)
    # Each token counts from its own first: first[0], first[0] + 1 …, first[1], first[1] + 1 …
    runs = np.arange(lengths.sum()) + np.repeat(first - (np.cumsum(lengths) - lengths), lengths)
    return solid[runs], lengths


def begin_inside_tokens(subwords: Subwords, token_offsets: np.ndarray) -> np.ndarray:
    """Tell which subwords begin after the first character of a token and before its end.

    token_offsets: (n_tokens, 2) characters in text order, end exclusive.
    RETURNS: (n_subwords,) bool.
    """
    starts = subwords.char_offsets[:, 0]
    if not len(token_offsets):
        return np.zeros(len(starts), dtype=bool)
    tokens = np.maximum(np.searchsorted(token_offsets[:, 0], starts, side="right") - 1, 0)
    return (token_offsets[tokens, 0] < starts) & (starts < token_offsets[tokens, 1])


def count_line_breaks(subwords: Subwords) -> np.ndarray:
    """Count the line breaks in and just before each subword, behind the subword before.

    RETURNS: (n_subwords,): two for a blank line.
    """
    breaks = [match.start() for match in LINE_BREAK.finditer(subwords.text)]
    first = np.searchsorted(subwords.char_offsets[:, 1], breaks, side="right")
    return np.bincount(first, minlength=len(subwords) + 1)[: len(subwords)]


def first_of_tokens(subwords: Subwords, token_offsets: np.ndarray) -> Tuple[Subwords, np.ndarray]:
    """Let the first subword of each token stand for the whole token.

    token_offsets: (n_tokens, 2). Tokens that share their first subword go together; one without a subword is left out.
    RETURNS: the first subwords with the characters of their tokens, and which of the subwords they are.
    """
    indices, lengths = subwords_of_tokens(subwords, token_offsets)
    firsts = indices[(np.cumsum(lengths) - lengths)[lengths > 0]]
    rows, first_token = np.unique(firsts, return_index=True)
    tokens = token_offsets[lengths > 0]
    last_token = np.append(first_token, len(tokens))[1:] - 1
    offsets = np.stack([tokens[first_token, 0], tokens[last_token, 1]], axis=1).reshape(-1, 2)
    return Subwords(subwords.text, subwords.ids[rows], offsets), rows


def places_in_windows(windows: Sequence[Window], *, width: int, n_prefix: int) -> np.ndarray:
    """Where each subword stands in the flattened, padded windows: in the window that keeps it.

    windows: the plan of one text.
    width: subwords in a row, special and padding ones included.
    n_prefix: special subwords before each window.
    RETURNS: (n_subwords,) rising.
    """
    rows = [
        i * width + n_prefix + np.arange(w.kept_start - w.subword_start, w.kept_end - w.subword_start)
        for i, w in enumerate(windows)
    ]
    return np.concatenate([np.zeros(0, dtype="int64"), *rows])


def tokens_of_windows(
    subwords: Subwords, windows: Sequence[Window], token_offsets: np.ndarray
) -> List[Tuple[int, int]]:
    """The run of tokens that each window shows, at least one; from the first token of a text to its last.

    RETURNS: token_start and token_end per window.
    """
    n_tokens = len(token_offsets)
    runs = []
    for i, window in enumerate(windows):
        token_start, token_end = 0, n_tokens
        if i > 0:
            char_start = subwords.char_offsets[window.subword_start, 0]
            token_start = int(np.searchsorted(token_offsets[:, 1], char_start, side="right"))
            token_start = min(token_start, n_tokens - 1)
        if i < len(windows) - 1:
            char_end = subwords.char_offsets[window.subword_end - 1, 1]
            token_end = int(np.searchsorted(token_offsets[:, 0], char_end, side="left"))
        runs.append((token_start, max(token_end, token_start + 1)))
    return runs
