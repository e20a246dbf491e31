"""Windows cover every subword once, end at sentences where they can, and turn back into rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_luke_ja.text.subwords import Subwords
from spacy_luke_ja.text.windows import Window, group_by_length, merge_windows, plan_windows, split_rows


def one_per_char(text):
    n = len(text)
    return Subwords(text, np.arange(n), np.stack([np.arange(n), np.arange(1, n + 1)], axis=1))


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
def test_plans(text, window, overlap, plan):
    assert plan_windows(one_per_char(text), window=window, overlap=overlap) == plan


sizes = st.integers(1, 20).flatmap(lambda w: st.tuples(st.just(w), st.integers(0, w - 1)))


@given(text=st.text(alphabet="あ。\n", max_size=200), size=sizes)
def test_every_subword_is_kept_once_and_windows_are_within_their_size(text, size):
    window, overlap = size
    plan = plan_windows(one_per_char(text), window=window, overlap=overlap)
    assert [i for w in plan for i in range(w.kept_start, w.kept_end)] == list(range(len(text)))
    for w in plan:
        assert 0 < len(w) <= window
        assert w.subword_start <= w.kept_start <= w.kept_end <= w.subword_end
    for a, b in zip(plan, plan[1:]):
        assert a.subword_start < b.subword_start and a.subword_end - b.subword_start == overlap


@given(text=st.text(alphabet="あ。", max_size=200), size=sizes)
def test_merging_turns_windows_back_into_rows(text, size):
    plan = plan_windows(one_per_char(text), window=size[0], overlap=size[1])
    rows = np.arange(len(text) * 3, dtype="float32").reshape(-1, 3)
    if plan:
        assert (merge_windows([rows[w.subword_start : w.subword_end] for w in plan], plan) == rows).all()
        assert (merge_windows(split_rows(rows, plan), plan) == rows).all()


@given(text=st.text(alphabet="あ。", min_size=1, max_size=200), size=sizes)
def test_each_row_comes_from_the_window_with_most_context(text, size):
    n = len(text)
    plan = plan_windows(one_per_char(text), window=size[0], overlap=size[1])

    def context(w, i):
        return min(i - w.subword_start if w.subword_start else n, w.subword_end - 1 - i if w.subword_end < n else n)

    for w in plan:
        for i in range(w.kept_start, w.kept_end):
            others = [context(v, i) for v in plan if v.subword_start <= i < v.subword_end]
            assert context(w, i) == max(others)


@given(text=st.text(alphabet="あ。", max_size=100), size=sizes)
def test_gradients_go_where_rows_came_from(text, size):
    plan = plan_windows(one_per_char(text), window=size[0], overlap=size[1])
    gradient = np.ones((len(text), 2), dtype="float32")
    assert sum(float(rows.sum()) for rows in split_rows(gradient, plan)) == gradient.sum()


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
        plan_windows(one_per_char("あ" * 20), window=window, overlap=overlap)
