"""Scores, intervals, calibration and errors, on texts small enough to count by hand."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_luke_ja import CharSpan
from spacy_luke_ja.evaluation import measures
from spacy_luke_ja.evaluation.measures import (
    EvaluatedText,
    bootstrap_intervals,
    calibration,
    compare_paired,
    confusion,
    count_errors,
    labels_of,
    match_entities,
    score_table,
)


def text(gold, found, has_scores=False):
    spans = [tuple(CharSpan(*span) for span in side) for side in (gold, found)]
    return EvaluatedText("あ" * 20, *spans, has_scores=has_scores)


TEXTS = [
    text([(0, 2, "A"), (3, 5, "B")], [(0, 2, "A"), (3, 5, "A")]),
    text([(0, 2, "A"), (4, 6, "A")], [(0, 3, "A"), (10, 12, "B")]),
    text([], [(0, 1, "B")]),
]


def test_score_table():
    table = score_table(TEXTS, ["A", "B"])
    assert table["labels"]["A"] == {"p": 1 / 3, "r": 1 / 3, "f": pytest.approx(1 / 3), "support": 3}
    assert table["labels"]["B"] == {"p": 0.0, "r": 0.0, "f": 0.0, "support": 1}
    assert table["micro"] == {"p": 0.2, "r": 0.25, "f": pytest.approx(2 / 9), "support": 4}
    assert table["macro"]["f"] == pytest.approx(1 / 6)
    assert table["weighted"]["f"] == pytest.approx(0.25)


def test_nothing_found_and_nothing_to_find():
    for case in (text([(0, 1, "A")], []), text([], [(0, 1, "A")])):
        assert score_table([case], ["A"])["micro"]["f"] == 0.0
    assert score_table([], [])["micro"] == {"p": 0.0, "r": 0.0, "f": 0.0, "support": 0}


@pytest.mark.parametrize(
    "gold, found, kinds",
    [
        ([(0, 2, "A")], [(0, 2, "A")], ["correct"]),
        ([(0, 2, "A")], [(0, 2, "B")], ["wrong label"]),
        ([(0, 2, "A")], [(0, 3, "A")], ["wrong edge"]),
        ([(0, 2, "A")], [(1, 3, "B")], ["wrong label and edge"]),
        ([(0, 2, "A")], [(2, 3, "A")], ["missed", "spurious"]),
        ([(0, 2, "A"), (2, 4, "A")], [(0, 4, "A")], ["wrong edge", "missed"]),
        ([(0, 4, "A")], [(0, 2, "A"), (2, 4, "A")], ["wrong edge", "spurious"]),
        ([(0, 2, "A"), (2, 4, "A")], [(1, 4, "A")], ["missed", "wrong edge"]),
        ([(0, 8, "A"), (8, 9, "B")], [(2, 9, "B")], ["missed", "wrong edge"]),
    ],
)
def test_kinds_of_errors(gold, found, kinds):
    assert [match.kind for match in match_entities(text(gold, found))] == kinds


def spans():
    edges = st.lists(st.integers(0, 12), min_size=2, max_size=8, unique=True).map(sorted)
    pairs = edges.map(lambda e: [(a, b) for a, b in zip(e[::2], e[1::2])])
    return pairs.flatmap(lambda p: st.tuples(*(st.tuples(st.just(a), st.just(b), st.sampled_from("AB")) for a, b in p)))


@given(spans(), spans())
def test_each_entity_has_one_fate(gold, found):
    case = text(gold, found)
    matches = match_entities(case)
    assert sorted(match.gold for match in matches if match.gold) == list(case.gold)
    assert sorted(match.found for match in matches if match.found) == list(case.found)
    assert count_errors([case])["correct"] == len({s[:3] for s in case.gold} & {s[:3] for s in case.found})
    counts = np.array(confusion([case], ["A", "B"])["counts"])
    assert counts[:2].sum() == len(gold) and counts[:, :2].sum() == len(found) and counts[2, 2] == 0


def test_confusion():
    assert confusion(TEXTS, ["A", "B"]) == {"labels": ["A", "B", "O"], "counts": [[2, 0, 1], [1, 0, 0], [0, 2, 0]]}


def test_intervals_hold_the_score_and_shrink_with_more_texts():
    few, many = (bootstrap_intervals(TEXTS * n, ["A", "B"], seed=1)["micro"]["f"] for n in (10, 1000))
    assert few[0] < 2 / 9 < few[1] and many[0] < 2 / 9 < many[1]
    assert (many[1] - many[0]) < (few[1] - few[0]) / 5
    assert bootstrap_intervals(TEXTS, ["A", "B"], seed=1) == bootstrap_intervals(TEXTS, ["A", "B"], seed=1)


def test_the_interval_is_that_of_a_binomial():
    """With an entity found or not per text, recall is a mean of coin throws, whose spread is known."""
    coins = [text([(0, 1, "A")], [(0, 1, "A")] if i % 4 else []) for i in range(400)]
    low, high = bootstrap_intervals(coins, ["A"], n_samples=4000)["micro"]["r"]
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(0.75 * 0.25 / 400), rel=0.1)


def test_a_rare_label_that_is_always_right_has_no_interval_down_to_zero():
    texts = [text([(0, 1, "A")], [(0, 1, "A")])] + [text([], [])] * 20
    assert bootstrap_intervals(texts, ["A"])["labels"]["A"]["f"] == [1.0, 1.0]
    assert bootstrap_intervals([text([], [])], ["A"])["micro"]["f"] == [0.0, 0.0]


def test_paired_comparison():
    right, wrong = text([(0, 1, "A")], [(0, 1, "A")]), text([(0, 1, "A")], [])
    better, worse = [right] * 90 + [wrong] * 10, [right] * 60 + [wrong] * 40
    result = compare_paired(better, worse)
    assert result["difference"] == pytest.approx(2 * 0.9 / 1.9 - 2 * 0.6 / 1.6) and result["p"] == pytest.approx(
        2 / 2001
    )
    assert result["low"] < result["difference"] < result["high"]
    assert compare_paired(worse, better)["difference"] == -result["difference"]
    assert compare_paired(better, better)["p"] == 1.0
    with pytest.raises(ValueError, match="the same texts in the same order"):
        compare_paired(better, [EvaluatedText("い", (), ())] * 100)


@pytest.mark.parametrize("draws_at_once", [1, 7, 1000])
def test_samples_are_the_same_however_many_are_drawn_at_once(draws_at_once, monkeypatch):
    expected = bootstrap_intervals(TEXTS * 5, ["A", "B"]), compare_paired(TEXTS * 5, TEXTS * 5)
    monkeypatch.setattr(measures, "DRAWS_AT_ONCE", draws_at_once)
    assert (bootstrap_intervals(TEXTS * 5, ["A", "B"]), compare_paired(TEXTS * 5, TEXTS * 5)) == expected


def test_no_texts_have_no_interval():
    assert bootstrap_intervals([], ["A"])["micro"]["f"] == [0.0, 0.0]
    assert compare_paired([], [])["p"] == 1.0


def test_many_texts_need_little_memory():
    """n_texts × n_samples numbers would be 160 MB here."""
    many = [TEXTS[i % len(TEXTS)] for i in range(20_000)]
    tracemalloc.start()
    bootstrap_intervals(many, ["A", "B"], n_samples=1000)
    compare_paired(many, many, n_samples=1000)
    assert tracemalloc.get_traced_memory()[1] < 40e6
    tracemalloc.stop()


def test_calibration():
    sure_and_right = text([(0, 1, "A")], [(0, 1, "A", 0.95)], has_scores=True)
    sure_and_wrong = text([], [(0, 1, "A", 0.95)], has_scores=True)
    assert calibration([sure_and_right] * 19 + [sure_and_wrong])["ece"] == pytest.approx(0.0)
    assert calibration([sure_and_right, sure_and_wrong])["ece"] == pytest.approx(0.45)
    result = calibration([text([], [(0, 1, "A", 1.0)], has_scores=True)])
    assert result["bins"][-1] == {"low": 0.9, "high": 1.0, "n": 1, "score": 1.0, "correct": 0.0}
    assert calibration([TEXTS[0]]) is None


def test_the_order_of_labels():
    assert labels_of(TEXTS, ["B"]) == ["B", "A"] and labels_of(TEXTS) == ["A", "B"]
