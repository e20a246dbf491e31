"""Answers by windows: which are tried, what they score, what comes first; and where the gold stands."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_luke_ja.text.qa import AnswerLogits, AskedText, find_answers, place_answer, target_rows
from spacy_luke_ja.text.subwords import Subwords
from spacy_luke_ja.text.windows import Window, plan_overlapping_windows

SETTINGS = {"n_best": 100, "n_edges": 20, "max_answer_length": 100, "end_inclusive": True, "allow_overlap": True}
QUESTION = Subwords("？", np.array([5]), np.array([[0, 1]]))


def one_char_each(text):
    n = len(text)
    return Subwords(text, np.arange(n), np.stack([np.arange(n), np.arange(1, n + 1)], axis=1))


def make_logits(text, starts, ends, *, null=(-9.0, -9.0), window=100, overlap=0, end_inclusive=True):
    """starts, ends: character → logit; all others are -9. The logits are those of the text, whatever the window."""
    subwords = one_char_each(text)
    windows = plan_overlapping_windows(subwords, window=window, overlap=overlap)
    whole = np.full((len(text) + 1, 2), -9.0, dtype="float32")
    for char, logit in starts.items():
        whole[char, 0] = logit
    for char, logit in ends.items():
        whole[char + (not end_inclusive), 1] = logit
    rows = [np.concatenate([[null], whole[w.subword_start : w.subword_end + 1]]).astype("float32") for w in windows]
    return AnswerLogits(AskedText(QUESTION, subwords), windows, rows)


def texts_of(logits, **settings):
    answers, _ = find_answers(logits, **{**SETTINGS, **settings})
    return [logits.asked.subwords.text[a.char_start : a.char_end] for a in answers]


def test_the_likeliest_pair_comes_first():
    logits = make_logits("山田花子は東京にいる", {0: 3.0, 5: 2.0}, {3: 3.0, 6: 2.5})
    assert texts_of(logits)[:3] == ["山田花子", "山田花子は東京", "東京"]


def test_no_answer_ends_before_it_starts():
    logits = make_logits("あいうえお", {3: 5.0}, {1: 5.0})
    answers, _ = find_answers(logits, **SETTINGS)
    assert all(a.char_start < a.char_end for a in answers)
    assert len(answers) == 15  # of five characters


@pytest.mark.parametrize("length, expected", [(3, "いうえ"), (2, "いう")])
def test_length_is_counted_in_characters(length, expected):
    logits = make_logits("あいうえお", {1: 5.0}, {3: 5.0, 2: 4.0})
    assert texts_of(logits, max_answer_length=length)[0] == expected


@pytest.mark.parametrize("end_inclusive", [True, False])
def test_an_answer_may_end_where_the_text_does(end_inclusive):
    logits = make_logits("あいうえお", {3: 5.0}, {4: 5.0}, end_inclusive=end_inclusive)
    assert texts_of(logits, end_inclusive=end_inclusive)[0] == "えお"


def test_the_same_logits_read_both_ways():
    """What the published QA card's code does with its end, and what others do."""
    logits = make_logits("あいうえお", {1: 5.0}, {3: 5.0})
    assert texts_of(logits, end_inclusive=True)[0] == "いうえ"
    assert texts_of(logits, end_inclusive=False)[0] == "いう"


def test_answers_of_one_score_come_in_text_order():
    logits = make_logits("あいあいあい", {0: 5.0, 2: 5.0, 4: 5.0}, {1: 5.0, 3: 5.0, 5: 5.0})
    answers, _ = find_answers(logits, **{**SETTINGS, "max_answer_length": 2})
    assert [a.char_start for a in answers[:3]] == [0, 2, 4]
    assert answers[0].score == answers[1].score == answers[2].score


def test_scores_are_a_softmax_over_answers_and_none():
    logits = make_logits("あい", {0: 1.0}, {1: 2.0}, null=(0.5, 1.0))
    answers, null_score = find_answers(logits, **SETTINGS)
    joint = {"あ": 1.0 - 9.0, "い": -9.0 + 2.0, "あい": 3.0}
    total = sum(np.exp(list(joint.values()))) + np.exp(1.5)
    assert null_score == pytest.approx(1 / (1 + np.exp(3.0 - 1.5)))  # beside the likeliest answer alone
    found = {"あい"[a.char_start : a.char_end]: a.score for a in answers}
    assert found == pytest.approx({text: np.exp(logit) / total for text, logit in joint.items()})


@pytest.mark.parametrize("null, is_likely", [(0.0, False), (7.0, True)])
def test_no_answer_is_as_likely_as_in_the_window_that_has_the_answer(null, is_likely):
    """Another window in which all is unlikely, no answer too, does not make an answer likelier."""
    logits = make_logits("あいうえおかきく", {5: 4.0}, {6: 4.0}, window=4, overlap=2)
    for i, rows in enumerate(logits.rows):
        rows[0] = null if i else -5.0
    _, null_score = find_answers(logits, **SETTINGS)
    assert (null_score > 0.99) == is_likely and (null_score < 0.01) != is_likely


@pytest.mark.parametrize("margin", [-3.0, -1.2, 0.0, 2.0])
def test_null_score_is_that_of_the_margin_whatever_the_length_and_whatever_is_tried(margin):
    """The window with the answer decides: as many others as there may be, in which none is likely."""
    expected = 1 / (1 + np.exp(-margin))
    for n in (4, 40, 4000):
        for n_edges in (1, 5, 20):
            text = "あ" * n + "こたえ" + "い" * n
            logits = make_logits(text, {n: 6.0}, {n + 2: 6.0}, null=(9.0, 9.0), window=20, overlap=5)
            for window, rows in zip(logits.windows, logits.rows):
                if window.subword_start <= n and n + 2 < window.subword_end:
                    rows[0] = (12.0 + margin) / 2
            _, null_score = find_answers(logits, **{**SETTINGS, "n_edges": n_edges})
            assert null_score == pytest.approx(expected)


@pytest.mark.parametrize("text, starts, ends", [
    ("あ い", {1: 9.0, 0: 2.0}, {1: 9.0, 2: 1.0}),  # the blank alone is no answer
    ("あいう", {2: 9.0, 1: 2.0}, {0: 9.0, 1: 1.0}),  # nor what ends before it starts
    ("あいうえお", {0: 9.0, 3: 2.0}, {4: 9.0, 3: 1.0}),  # nor what is too long
])  # fmt: skip
def test_null_score_compares_with_what_can_be_an_answer(text, starts, ends):
    possible = []
    for i, j in itertools.combinations_with_replacement(range(len(text)), 2):
        if text[i : j + 1].strip() and j - i < 3:
            possible.append(starts.get(i, -9.0) + ends.get(j, -9.0))
    logits = make_logits(text, starts, ends, null=(1.0, 1.5))
    for n_edges in (1, 20):
        _, null_score = find_answers(logits, **{**SETTINGS, "max_answer_length": 3, "n_edges": n_edges})
        assert null_score == pytest.approx(1 / (1 + np.exp(max(possible) - 2.5)))


def test_answers_are_distinct():
    logits = make_logits("山田花子は東京都にいる", {0: 5.0, 5: 3.0}, {3: 5.0, 1: 4.5, 6: 2.5, 7: 3.0})
    assert texts_of(logits)[:2] == ["山田花子", "山田"]
    assert texts_of(logits, allow_overlap=False)[:2] == ["山田花子", "東京都"]
    assert texts_of(logits, allow_overlap=False, n_best=1) == ["山田花子"]


@given(st.data())
def test_distinct_answers_are_the_likeliest_of_those_that_are_left(data):
    n = data.draw(st.integers(1, 14))
    random = np.random.RandomState(data.draw(st.integers(0, 99)))
    subwords = one_char_each("あ" * n)
    windows = plan_overlapping_windows(subwords, window=8, overlap=3)
    rows = [random.normal(size=(len(w) + 2, 2)).astype("float32") for w in windows]
    logits = AnswerLogits(AskedText(QUESTION, subwords), windows, rows)
    every, null_score = find_answers(logits, **SETTINGS)
    distinct, same_null_score = find_answers(logits, **{**SETTINGS, "allow_overlap": False})
    assert null_score == same_null_score and distinct[0] == every[0]
    left = list(every)
    for answer in distinct:
        assert answer == left[0]
        left = [other for other in left if other.char_end <= answer.char_start or answer.char_end <= other.char_start]
    assert not left


def test_what_two_windows_show_is_judged_by_the_one_with_more_context():
    text = "あいうえおかきくけこ"
    subwords = one_char_each(text)
    windows = [Window(0, 6, 0, 5), Window(4, 10, 5, 10)]
    rows = [np.full((8, 2), -9.0, dtype="float32") for _ in windows]
    rows[0][1 + 4, 0] = rows[0][1 + 5, 1] = 9.0  # おか at the very edge: a mistake
    rows[1][1 + 3, 0] = rows[1][1 + 4, 1] = 5.0  # くけ
    logits = AnswerLogits(AskedText(QUESTION, subwords), windows, rows)
    # The second window has おか at its own edge too, with as little context: the first of the two is asked.
    assert texts_of(logits)[0] == "おか"
    windows = [Window(0, 6, 0, 4), Window(2, 10, 4, 10)]
    rows = [rows[0], np.full((10, 2), -9.0, dtype="float32")]
    rows[1][1 + 5, 0] = rows[1][1 + 6, 1] = 5.0
    logits = AnswerLogits(AskedText(QUESTION, subwords), windows, rows)
    assert texts_of(logits)[0] == "くけ"


def test_an_answer_across_a_window_edge_is_found_in_the_overlap():
    text = "あ" * 10 + "こたえ" + "い" * 10
    for window in range(8, 20):
        logits = make_logits(text, {10: 5.0}, {12: 5.0}, window=window, overlap=4)
        assert texts_of(logits)[0] == "こたえ"


def test_ends_before_all_starts_still_leave_an_answer():
    logits = make_logits("あいうえお", {3: 6.0, 4: 4.0}, {0: 5.0, 1: 4.0})
    answers, null_score = find_answers(logits, **{**SETTINGS, "n_edges": 1})
    assert "あいうえお"[answers[0].char_start : answers[0].char_end] == "え" and null_score < 1.0


def test_the_likeliest_answer_is_found_however_sure_the_model_is_that_there_is_none():
    logits = make_logits("あいう", {0: 3.0}, {1: 3.0}, null=(50.0, 50.0))
    answers, null_score = find_answers(logits, **SETTINGS)
    assert texts_of(logits)[0] == "あい" and answers[0].score < 1e-9 and null_score == pytest.approx(1.0)


def test_nothing_is_short_enough():
    logits = make_logits("あい", {}, {})
    wide = Subwords("あい", np.arange(1), np.array([[0, 2]]))
    one = AnswerLogits(AskedText(QUESTION, wide), [Window(0, 1, 0, 1)], [logits.rows[0][:3]])
    assert find_answers(one, **{**SETTINGS, "max_answer_length": 1}) == ([], 1.0)


def test_a_text_without_subwords_has_no_answer():
    assert find_answers(make_logits("", {}, {}), **SETTINGS) == ([], 1.0)


def test_blank_edges_are_not_part_of_an_answer_and_blank_answers_are_none():
    logits = make_logits("あ い", {1: 5.0, 0: 1.0}, {1: 5.0, 2: 4.0})
    texts = texts_of(logits)
    assert texts[0] == "い" and all(text == text.strip() != "" for text in texts)
    assert len(texts) == len(set(texts)) == 3


def test_pieces_of_one_character_make_one_answer():
    subwords = Subwords("㈱", np.arange(3), np.array([[0, 1]] * 3))
    rows = [np.zeros((5, 2), dtype="float32")]
    answers, null_score = find_answers(
        AnswerLogits(AskedText(QUESTION, subwords), [Window(0, 3, 0, 3)], rows), **SETTINGS
    )
    assert [(a.char_start, a.char_end) for a in answers] == [(0, 1)]
    assert answers[0].score == null_score == 0.5


@given(st.data())
def test_as_trying_every_pair_of_every_window(data):
    n = data.draw(st.integers(1, 14))
    window = data.draw(st.integers(1, 16))
    overlap = data.draw(st.integers(0, min(window - 1, 5)))
    max_length = data.draw(st.integers(1, 8))
    end_inclusive = data.draw(st.booleans())
    subwords = one_char_each("あ" * n)
    windows = plan_overlapping_windows(subwords, window=window, overlap=overlap)
    random = np.random.RandomState(data.draw(st.integers(0, 99)))
    rows = [random.normal(size=(len(w) + 2, 2)).astype("float32") for w in windows]
    logits = AnswerLogits(AskedText(QUESTION, subwords), windows, rows)
    answers, null_score = find_answers(
        logits,
        n_best=999,
        n_edges=99,
        max_answer_length=max_length,
        end_inclusive=end_inclusive,
        allow_overlap=True,
    )
    expected, margins = {}, []
    for first, last in itertools.combinations_with_replacement(range(n), 2):
        seen = []
        for i, w in enumerate(windows):
            if w.subword_start <= first and last < w.subword_end and last + 1 - first <= max_length:
                left = first - w.subword_start if w.subword_start else n
                right = w.subword_end - 1 - last if w.subword_end < n else n
                end_row = last - w.subword_start + (1 if end_inclusive else 2)
                joint = float(rows[i][first - w.subword_start + 1, 0]) + float(rows[i][end_row, 1])
                seen.append((-min(left, right), i, joint))
                margins.append(float(rows[i][0].sum()) - joint)
        if seen:
            expected[first, last + 1] = min(seen)[2]
    weights = np.exp([min(float(r[0].sum()) for r in rows), *expected.values()])
    assert null_score == pytest.approx(1 / (1 + np.exp(-min(margins))))
    assert {(a.char_start, a.char_end) for a in answers} == set(expected)
    found = {(a.char_start, a.char_end): a.score for a in answers}
    assert found == pytest.approx(dict(zip(expected, weights[1:] / weights.sum())))
    assert [a.score for a in answers] == sorted((a.score for a in answers), reverse=True)


@given(st.integers(1, 30), st.data(), st.booleans())
def test_gold_is_found_where_it_was_placed(n, data, end_inclusive):
    start = data.draw(st.integers(0, n - 1))
    end = data.draw(st.integers(start + 1, n))
    subwords = one_char_each("あ" * n)
    asked = AskedText(QUESTION, subwords)
    place = place_answer(asked, start, end)
    n_with_answer = 0
    for w in plan_overlapping_windows(subwords, window=10, overlap=4):
        targets = target_rows(w, place, end_inclusive=end_inclusive)
        rows = np.full((len(w) + 2, 2), -9.0, dtype="float32")
        rows[targets, (0, 1)] = 9.0
        answers, null_score = find_answers(
            AnswerLogits(asked, [w], [rows]), **{**SETTINGS, "end_inclusive": end_inclusive}
        )
        if targets == (0, 0):
            assert null_score > 0.99
        else:
            n_with_answer += 1
            assert (answers[0].char_start, answers[0].char_end) == (start, end)
    assert n_with_answer or end - start > 4


def test_gold_on_characters_without_a_subword_has_no_place():
    subwords = Subwords("あ い", np.arange(3), np.array([[0, 1], [1, 1], [2, 3]]))
    assert place_answer(AskedText(QUESTION, subwords), 1, 2) is None
    assert place_answer(AskedText(QUESTION, subwords), 1, 3) == (2, 2)
