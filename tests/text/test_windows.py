"""Windows cover every subword once, are whole sentences where they can be, and turn back into rows, or a row a text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_luke_ja.text.characters import LINE_BREAKS
from spacy_luke_ja.text.subwords import Subwords
from spacy_luke_ja.text.windows import (
    LONGEST_SENTENCE,
    SURE,
    Window,
    average_windows,
    find_sentence_ends,
    group_by_length,
    merge_windows,
    plan_overlapping_windows,
    plan_windows,
    split_average,
    split_rows,
)


def one_per_char(text):
    n = len(text)
    return Subwords(text, np.arange(n), np.stack([np.arange(n), np.arange(1, n + 1)], axis=1))


def parts_of(text, *, window, overlap=0, limit=100):
    """What each window reads, one subword per character."""
    return [
        text[w.subword_start : w.subword_end]
        for w in plan_windows(one_per_char(text), window=window, overlap=overlap, limit=limit)
    ]


LONG = "あいうえおかきくけこさしす"  # a line


@pytest.mark.parametrize(
    "text, window, parts",
    [
        ("", 4, []),
        ("あ。い", 4, ["あ。い"]),
        # As many whole sentences as the window takes.
        ("あ。い。う。え。", 5, ["あ。い。", "う。え。"]),
        ("あ。い。う。え。", 1, ["あ。", "い。", "う。", "え。"]),
        # A longer one stands alone.
        ("あ。いいいいいい。う。え。", 4, ["あ。", "いいいいいい。", "う。え。"]),
        ("ああああああああ", 4, ["ああああああああ"]),
        # Every mark, several of them, and brackets behind them.
        ("ああ！？」いい?）うう｡ええ！", 4, ["ああ！？」", "いい?）", "うう｡", "ええ！"]),
        ("ああ．いい", 4, ["ああ．", "いい"]),
        ("３．５あ。い", 5, ["３．５あ。", "い"]),
        # A line break goes with the next line, however it is written.
        *[(f"ああ{mark}いい{mark}うう", 4, ["ああ", f"{mark}いい", f"{mark}うう"]) for mark in LINE_BREAKS],
        ("あああ\r\nいい\n\nう\n　え", 5, ["あああ", "\r\nいい", "\n\nう", "\n　え"]),
        ("ああ。\nいい。\n", 4, ["ああ。", "\nいい。", "\n"]),
        # A sentence may have been wrapped at a long line …
        *[(f"あ。{LONG}{mark}いい。う", 16, ["あ。", f"{LONG}{mark}いい。", "う"]) for mark in LINE_BREAKS],
        (f"あ。い\n{LONG}。う", 16, ["あ。", f"い\n{LONG}。", "う"]),
        # … but not before a blank line or an indented one, nor if it went on for ever.
        (f"{LONG}\n\nいい", 16, [LONG, "\n\nいい"]),
        (f"{LONG}\n　いい", 16, [LONG, "\n　いい"]),
        (f"{LONG}\n" * 30, 20, [LONG, *[f"\n{LONG}"] * 22, f"\n{LONG}" * 7 + "\n"]),
        # A full window ends rather at a sentence than inside one.
        ("あ。娘。の曲だった。", 6, ["あ。", "娘。の曲だった。"]),
        ("あ。「い。」と言った。", 7, ["あ。", "「い。」と言った。"]),
        ("あ。ライブ！サン。", 7, ["あ。", "ライブ！サン。"]),
        ("あ。ABC!検索。", 7, ["あ。", "ABC!検索。"]),
        ("あ。ABC! 検索。", 7, ["あ。ABC!", " 検索。"]),
        # … but then there must be one.
        ("あいうえお" * 30 + "娘。の" + "かきくけこ" * 30, 152, ["あいうえお" * 30 + "娘。", "の" + "かきくけこ" * 30]),
        # What is repeated many times is no part of what stands beside it.
        ("東京" + "ー" * 20 + "大阪", 2, ["東京", "ー" * 20, "大阪"]),
        ("東京" + "=-" * 20 + "大阪", 2, ["東京", "=-" * 20, "大阪"]),
    ],
)
def test_windows_are_whole_sentences(text, window, parts):
    assert parts_of(text, window=window) == parts


def test_an_end_inside_a_subword_is_none():
    text = "ああ。いい。うう"
    offsets = np.array([(0, 2), (2, 4), (4, 5), (5, 6), (6, 7), (7, 8)])  # 。い is one
    plan = plan_windows(Subwords(text, np.arange(6), offsets), window=3, overlap=0, limit=100)
    assert plan == [Window(0, 4, 0, 4), Window(4, 6, 4, 6)]


@pytest.mark.parametrize(
    "text, limit, plan",
    [
        # Only a sentence that the encoder does not take is cut; its windows overlap, those around do not.
        ("あ。" + "い" * 7 + "。う。", 6, [(0, 2, 0, 2), (2, 6, 2, 5), (4, 8, 5, 7), (6, 10, 7, 10), (10, 12, 10, 12)]),
        ("あ。" + "い" * 9 + "。う。", 10, [(0, 2, 0, 2), (2, 12, 2, 12), (12, 14, 12, 14)]),
    ],
)
def test_a_sentence_is_cut_where_the_encoder_needs_it(text, limit, plan):
    assert plan_windows(one_per_char(text), window=4, overlap=2, limit=limit) == [Window(*w) for w in plan]


def test_what_is_longer_than_a_sentence_is_read_in_pieces():
    assert parts_of("あ" * LONGEST_SENTENCE, window=32, overlap=64, limit=510) == ["あ" * LONGEST_SENTENCE]
    assert max(map(len, parts_of("あ" * 1000, window=32, overlap=64, limit=510))) == 128
    assert max(map(len, parts_of("あ" * 1000, window=200, overlap=64, limit=510))) == 200
    assert parts_of("あ" * 500, window=500, overlap=64, limit=510) == ["あ" * 500]


TEXTS = st.text(alphabet="あの。！」「\n\r a．", max_size=200)
plan_sizes = st.integers(1, 20).flatmap(lambda n: st.tuples(st.integers(1, n), st.integers(0, n - 1), st.just(n)))


@given(text=TEXTS, size=plan_sizes)
def test_windows_keep_every_subword_once_and_share_none_at_sentence_ends(text, size):
    window, overlap, limit = size
    subwords = one_per_char(text)
    plan = plan_windows(subwords, window=window, overlap=overlap, limit=limit)
    assert [i for w in plan for i in range(w.kept_start, w.kept_end)] == list(range(len(text)))
    for w in plan:
        assert 0 < len(w) <= limit
        assert w.subword_start <= w.kept_start <= w.kept_end <= w.subword_end
    ends = [0, *find_sentence_ends(subwords)[0].tolist()]
    for a, b in zip(plan, plan[1:]):
        assert a.subword_start < b.subword_start
        if a.subword_end not in ends:  # within a sentence that the encoder does not take
            start = max(end for end in ends if end <= a.subword_start)
            assert min(end for end in ends if end > start) - start > limit
            assert a.subword_end - b.subword_start == overlap
        else:
            assert a.subword_end == b.subword_start
    rows = np.arange(len(text) * 3, dtype="float32").reshape(-1, 3)
    if plan:
        assert (merge_windows([rows[w.subword_start : w.subword_end] for w in plan], plan) == rows).all()
        assert (merge_windows(split_rows(rows, plan), plan) == rows).all()


@given(text=TEXTS, size=plan_sizes)
def test_a_window_takes_no_more_sentences_than_fit(text, size):
    window, overlap, limit = size
    subwords = one_per_char(text)
    ends, sureness = find_sentence_ends(subwords)
    sure_ends = ends[sureness == SURE]
    for w in plan_windows(subwords, window=window, overlap=overlap, limit=limit):
        if len(w) > max(window, 2 * overlap):
            assert not any(w.subword_start < end < w.subword_end for end in sure_ends)


# Long windows, for texts that are read as a whole (answers to questions)


@pytest.mark.parametrize(
    "text, window, overlap, plan",
    [
        ("", 4, 1, []),
        ("あ", 4, 1, [Window(0, 1, 0, 1)]),
        ("あいうえ", 4, 1, [Window(0, 4, 0, 4)]),
        # Each shared subword goes where its poorer side shows more; the edges of the text are no edges.
        ("あいうえおか", 4, 2, [Window(0, 4, 0, 3), Window(2, 6, 3, 6)]),
        # In a tie the earlier window keeps it.
        ("あいうえおかき", 4, 1, [Window(0, 4, 0, 4), Window(3, 7, 4, 7)]),
        ("あいうえおか", 4, 0, [Window(0, 4, 0, 4), Window(4, 6, 4, 6)]),
        # The first window ends behind 。 in its last quarter.
        ("あいうえおか。きくけこさしす", 8, 2, [Window(0, 7, 0, 6), Window(5, 13, 6, 12), Window(11, 14, 12, 14)]),
        # … but not further back.
        ("あい。うえおかきくけ", 8, 0, [Window(0, 8, 0, 8), Window(8, 10, 8, 10)]),
    ],
)
def test_overlapping_plans(text, window, overlap, plan):
    assert plan_overlapping_windows(one_per_char(text), window=window, overlap=overlap) == plan


sizes = st.integers(1, 20).flatmap(lambda w: st.tuples(st.just(w), st.integers(0, w - 1)))


@given(text=st.text(alphabet="あ。\n", max_size=200), size=sizes)
def test_every_subword_is_kept_once_and_windows_are_within_their_size(text, size):
    window, overlap = size
    plan = plan_overlapping_windows(one_per_char(text), window=window, overlap=overlap)
    assert [i for w in plan for i in range(w.kept_start, w.kept_end)] == list(range(len(text)))
    for w in plan:
        assert 0 < len(w) <= window
        assert w.subword_start <= w.kept_start <= w.kept_end <= w.subword_end
    for a, b in zip(plan, plan[1:]):
        assert a.subword_start < b.subword_start and a.subword_end - b.subword_start == overlap


@given(text=st.text(alphabet="あ。", max_size=200), size=sizes)
def test_merging_turns_windows_back_into_rows(text, size):
    plan = plan_overlapping_windows(one_per_char(text), window=size[0], overlap=size[1])
    rows = np.arange(len(text) * 3, dtype="float32").reshape(-1, 3)
    if plan:
        assert (merge_windows([rows[w.subword_start : w.subword_end] for w in plan], plan) == rows).all()
        assert (merge_windows(split_rows(rows, plan), plan) == rows).all()


@given(text=st.text(alphabet="あ。", min_size=1, max_size=200), size=sizes)
def test_each_row_comes_from_the_window_with_most_context(text, size):
    n = len(text)
    plan = plan_overlapping_windows(one_per_char(text), window=size[0], overlap=size[1])

    def context(w, i):
        return min(i - w.subword_start if w.subword_start else n, w.subword_end - 1 - i if w.subword_end < n else n)

    for w in plan:
        for i in range(w.kept_start, w.kept_end):
            others = [context(v, i) for v in plan if v.subword_start <= i < v.subword_end]
            assert context(w, i) == max(others)


@given(text=st.text(alphabet="あ。", max_size=100), size=sizes)
def test_gradients_go_where_rows_came_from(text, size):
    plan = plan_overlapping_windows(one_per_char(text), window=size[0], overlap=size[1])
    gradient = np.ones((len(text), 2), dtype="float32")
    assert sum(float(rows.sum()) for rows in split_rows(gradient, plan)) == gradient.sum()


ONE = [Window(0, 5, 0, 5)]
TWO = [Window(0, 6, 0, 5), Window(4, 7, 5, 7)]  # 5 and 2 subwords are theirs
EMPTY = [Window(0, 0, 0, 0)]


@pytest.mark.parametrize("plan, rows, expected", [
    (ONE, [[1, -1]], [1, -1]),
    (TWO, [[7, 0], [0, 7]], [5, 2]),
    (EMPTY, [[3, 4]], [3, 4]),
    ([], [], [0, 0]),
])  # fmt: skip
def test_the_mean_is_weighted_by_subwords(plan, rows, expected):
    rows = [np.array([row], dtype="float32") for row in rows]
    average = average_windows(rows, plan, n_tags=2)
    assert average.dtype == "float32" and average == pytest.approx(expected)
    d_average = np.array([0.5, -2.0], dtype="float32")
    split = split_average(d_average, plan)
    assert [own.shape for own in split] == [row.shape for row in rows]
    # the reverse: <d, mean(rows)> is the sum of <d_window, row>
    assert sum(float((d * row).sum()) for d, row in zip(split, rows)) == pytest.approx(float(d_average @ average))


@given(lengths=st.lists(st.integers(1, 60), max_size=40), max_subwords=st.integers(1, 200))
def test_batches_hold_every_window_once_and_are_within_their_size(lengths, max_subwords):
    batches = list(group_by_length(lengths, max_subwords=max_subwords))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= max_subwords


@pytest.mark.parametrize(
    "window, overlap, message",
    [
        (8, 8, r"overlap must be between 0 and window - 1 \(7\), got 8"),
        (8, -1, "got -1"),
        (0, 0, "window must be at least 1"),
    ],
)
def test_windows_that_cannot_move_on(window, overlap, message):
    with pytest.raises(ValueError, match=message):
        plan_overlapping_windows(one_per_char("あ" * 20), window=window, overlap=overlap)
