"""Which subwords a token has, and where they stand in the windows: checked against looking at every character."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_luke_ja.text.subwords import Subwords
from spacy_luke_ja.text.token_subwords import (
    begin_inside_tokens,
    count_line_breaks,
    first_of_tokens,
    places_in_windows,
    subwords_of_tokens,
    tokens_of_windows,
)
from spacy_luke_ja.text.windows import merge_windows, plan_overlapping_windows


def make_subwords(n_chars, offsets):
    return Subwords("あ" * n_chars, np.arange(10, 10 + len(offsets)), np.array(offsets, dtype="int64").reshape(-1, 2))


def lists(flat, lengths):
    return [part.tolist() for part in np.split(flat, np.cumsum(lengths))[:-1]]


@pytest.mark.parametrize(
    "subwords, tokens, inside",
    [
        ([(0, 0), (0, 1), (1, 2), (2, 4)], [(0, 2), (2, 4)], [False, False, True, False]),
        ([(0, 2), (2, 3), (3, 5)], [(0, 1), (1, 5)], [False, True, True]),
        ([(0, 1), (2, 3)], [(0, 1), (2, 3)], [False, False]),  # a space between
        ([(0, 1), (1, 2)], [], [False, False]),
        ([], [(0, 1)], []),
    ],
)
def test_subwords_that_begin_inside_a_token(subwords, tokens, inside):
    offsets = np.array(subwords, dtype="int64").reshape(-1, 2)
    found = begin_inside_tokens(
        Subwords("東京都知事", np.zeros(len(subwords)), offsets), np.array(tokens).reshape(-1, 2)
    )
    assert found.tolist() == inside


@pytest.mark.parametrize(
    "offsets, tokens, expected",
    [
        ([(0, 2), (2, 3)], [(0, 2), (2, 3)], [[0], [1]]),
        ([(0, 1), (0, 1), (0, 1), (1, 2)], [(0, 1), (1, 2)], [[0, 1, 2], [3]]),  # ㈱ is three pieces
        ([(0, 3)], [(0, 1), (1, 2), (2, 3)], [[0], [0], [0]]),  # one <unk> over three tokens
        ([(0, 0), (0, 2)], [(0, 2)], [[1]]),  # "▁" before the text
        ([(0, 1), (1, 1), (1, 2)], [(0, 2)], [[0, 2]]),  # "▁" with no character, within a token
        ([(0, 2), (3, 5)], [(0, 2), (2, 3), (3, 5)], [[0], [], [1]]),  # a space without a piece
        ([], [(0, 1)], [[]]),
        ([(0, 1)], [], []),
    ],
)
def test_subwords_of_tokens(offsets, tokens, expected):
    found = subwords_of_tokens(make_subwords(5, offsets), np.array(tokens, dtype="int64").reshape(-1, 2))
    assert lists(*found) == expected


@st.composite
def texts(draw):
    """Subwords and tokens over one text: both in order, subwords possibly empty, overlapping or with gaps."""
    n_chars = draw(st.integers(1, 40))
    starts = sorted(draw(st.lists(st.integers(0, n_chars), max_size=40)))
    ends, end = [], 0
    for start in starts:
        end = max(end, start + draw(st.integers(0, 3)))
        ends.append(min(end, n_chars))
    edges = sorted({0, n_chars, *draw(st.lists(st.integers(0, n_chars), max_size=20))})
    tokens = [pair for pair in zip(edges, edges[1:]) if draw(st.integers(0, 5))]
    return make_subwords(n_chars, list(zip(starts, ends))), tokens


@given(texts())
def test_a_token_has_the_subwords_that_share_a_character(case):
    subwords, tokens = case
    expected = [
        [i for i, (a, b) in enumerate(subwords.char_offsets.tolist()) if set(range(a, b)) & set(range(start, end))]
        for start, end in tokens
    ]
    assert lists(*subwords_of_tokens(subwords, np.array(tokens, dtype="int64").reshape(-1, 2))) == expected


@given(texts(), st.integers(2, 12), st.integers(0, 5))
def test_places_lead_to_the_rows_that_windows_keep(case, window, overlap):
    subwords, _ = case
    plan = plan_overlapping_windows(subwords, window=window, overlap=min(overlap, window - 1))
    flat = np.arange(len(plan) * (window + 3))
    rows = [row[1 : 1 + len(w)] for row, w in zip(flat.reshape(-1, window + 3), plan)]
    expected = merge_windows(rows, plan) if plan else flat
    assert places_in_windows(plan, width=window + 3, n_prefix=1).tolist() == expected.tolist()


@given(texts(), st.integers(2, 12))
def test_windows_begin_at_the_first_token_and_end_at_the_last(case, window):
    subwords, tokens = case
    if tokens:
        plan = plan_overlapping_windows(subwords, window=window, overlap=1)
        runs = tokens_of_windows(subwords, plan, np.array(tokens))
        assert all(0 <= start < end <= len(tokens) for start, end in runs)
        if runs:
            assert runs[0][0] == 0 and runs[-1][1] == len(tokens)


@pytest.mark.parametrize(
    "subwords, tokens, expected",
    [
        # (subword offsets, token offsets, offsets of the first subwords with their tokens' characters)
        ([(0, 1), (1, 2), (2, 4)], [(0, 2), (2, 4)], [(0, 2), (2, 4)]),
        ([(0, 0), (0, 2), (2, 3)], [(0, 3)], [(0, 3)]),
        ([(0, 4)], [(0, 2), (2, 4)], [(0, 4)]),
        ([(0, 3), (3, 4)], [(0, 2), (2, 4), (5, 6)], [(0, 4)]),
        ([], [(0, 1)], []),
        ([(0, 1)], [], []),
    ],
)
def test_first_subwords_stand_for_their_tokens(subwords, tokens, expected):
    offsets = np.array(subwords, dtype="int64").reshape(-1, 2)
    whole = Subwords("あ" * 8, np.arange(len(offsets)), offsets)
    first, rows = first_of_tokens(whole, np.array(tokens, dtype="int64").reshape(-1, 2))
    assert [tuple(pair) for pair in first.char_offsets.tolist()] == expected
    assert first.ids.tolist() == rows.tolist()


@pytest.mark.parametrize(
    "pieces, counts",
    [
        ("佐藤|健一", "00"),
        ("佐藤|\n|健一", "010"),
        ("佐藤|\r\n|健一", "010"),
        ("佐藤|\u2028|健一|\x85|鈴木", "01010"),
        ("佐藤| |健一", "000"),
        ("佐藤|健一|\n", "001"),
        ("\n|佐藤", "10"),
        ("佐藤|\n\n|健一", "020"),
        ("佐藤|\r\n|\r\n|健一", "0110"),
    ],
)
def test_line_breaks_are_counted_at_their_subwords(pieces, counts):
    parts = pieces.split("|")
    ends = np.cumsum([len(part) for part in parts])
    subwords = Subwords("".join(parts), np.arange(len(parts)), np.stack([ends - [len(p) for p in parts], ends], axis=1))
    assert "".join(map(str, count_line_breaks(subwords))) == counts


def test_a_line_break_may_have_no_subword():
    subwords = Subwords("佐藤\n健一", np.arange(2), np.array([(0, 2), (3, 5)]))
    assert count_line_breaks(subwords).tolist() == [0, 1]
