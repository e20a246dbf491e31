"""The temperature that is found is the one that the entities were drawn with."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_luke_ja.evaluation.calibration import (
    LOG_TEMPERATURES,
    choose_threshold,
    fit_temperature,
    golden_section,
    log_loss,
)
from spacy_luke_ja.evaluation.measures import calibration_of
from spacy_luke_ja.text.ner import FoundEntity, score_entities


def entity(*logits, tag=0):
    return FoundEntity(0, 1, "地名", np.array([logits], dtype="float32"), np.array([tag]))


@given(valley=st.floats(-2.5, 2.5))
def test_golden_section(valley):
    assert golden_section(lambda x: (x - valley) ** 2, -2.5, 2.5) == pytest.approx(valley, abs=1e-4)


def test_log_loss_by_hand():
    scores, correct = np.array([0.8, 0.8, 0.5]), np.array([True, False, True])
    assert log_loss(scores, correct) == pytest.approx(-(math.log(0.8) + math.log(0.2) + math.log(0.5)) / 3)
    assert math.isfinite(log_loss(np.array([1.0, 0.0]), np.array([False, True])))


def test_the_temperature_of_equal_entities_is_the_one_that_gives_their_share():
    """Two tags and logits (2, 0): at T, the score is sigmoid(2 / T)."""
    right_share = 0.75
    temperature = fit_temperature([entity(2.0, 0.0)] * 4, np.array([True, True, True, False]))
    assert temperature == pytest.approx(2.0 / math.log(right_share / (1 - right_share)), rel=1e-4)


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_the_outcomes_were_drawn_with_is_found_again(true_temperature):
    rng = np.random.default_rng(0)
    entities = [
        FoundEntity(
            0, 2, "地名", rng.normal(size=(n, 5)).astype("float32") * 2 + [4, 0, 0, 0, 0], np.zeros(n, dtype=int)
        )
        for n in rng.integers(1, 4, size=4000)
    ]
    correct = rng.random(4000) < score_entities(entities, temperature=true_temperature)
    found = fit_temperature(entities, correct)
    assert found == pytest.approx(true_temperature, rel=0.15)
    losses = [log_loss(score_entities(entities, temperature=found * factor), correct) for factor in (0.9, 1.0, 1.1)]
    assert min(losses) == losses[1]
    assert calibration_of(score_entities(entities, temperature=found), correct)["ece"] < 0.03


@pytest.mark.parametrize("correct, end", [(True, 0), (False, 1)])
def test_where_all_are_alike_the_search_ends_at_its_edge(correct, end):
    found = fit_temperature([entity(2.0, 0.0), entity(1.0, 0.0)], np.array([correct, correct]))
    assert math.log(found) == pytest.approx(LOG_TEMPERATURES[end], abs=1e-3)


@pytest.mark.parametrize(
    "scores, correct, precision, expected",
    [
        # score, precision, recall of 5 gold, kept
        ([0.9, 0.8, 0.7, 0.6], "1110", 1.0, (0.65, 1.0, 0.6, 3)),
        ([0.9, 0.8, 0.7, 0.6], "1110", 0.75, (0.0, 0.75, 0.6, 4)),  # all may stay
        ([0.6, 0.9, 0.7, 0.8], "0111", 0.9, (0.65, 1.0, 0.6, 3)),  # in any order
        ([0.9, 0.8, 0.7, 0.6], "0111", 0.75, (0.0, 0.75, 0.6, 4)),  # not sooner than it holds, nor later
        ([0.9, 0.8, 0.8, 0.6], "1100", 0.9, (0.85, 1.0, 0.2, 1)),  # one score, one fate
        ([0.9, 0.8, 0.7, 0.6], "0101", 0.9, (None, 0.5, 0.2, 2)),
        ([1.0, 0.5], "10", 1.0, (0.75, 1.0, 0.2, 1)),
        ([0.5], "1", 0.95, (0.0, 1.0, 0.2, 1)),
    ],
)
def test_the_threshold_of_a_precision(scores, correct, precision, expected):
    correct = np.array([char == "1" for char in correct])
    chosen = choose_threshold(np.array(scores), correct, n_gold=5, precision=precision)
    assert (chosen.score, chosen.precision, chosen.recall, chosen.n_kept) == pytest.approx(expected)
    assert chosen.full_recall == correct.sum() / 5 and chosen.n_found == len(scores)


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.booleans()), min_size=1, max_size=30), st.floats(0.05, 1.0))
def test_a_threshold_keeps_what_it_says(found, precision):
    scores, correct = np.array([score for score, _ in found]), np.array([right for _, right in found])
    chosen = choose_threshold(scores, correct, n_gold=int(correct.sum()), precision=precision)
    shares = {least: correct[scores >= least].mean() for least in scores}
    assert (chosen.score is None) == (max(shares.values()) < precision)
    if chosen.score is not None:
        kept = correct[scores >= chosen.score]
        assert (
            len(kept) == chosen.n_kept and kept.mean() == pytest.approx(chosen.precision) and kept.mean() >= precision
        )
        assert not any(
            share >= precision for least, share in shares.items() if least < scores[scores >= chosen.score].min()
        )
