"""What sentences with the same name say of one another's labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scripts.pretraining.votes import NameTags, vote_on_names

TAGS = ["O", "B-人名", "I-人名", "B-地名", "I-地名"]
O, B, I, B2, I2 = range(5)  # noqa: E741


@pytest.mark.parametrize("tags, runs", [
    ([], []),
    ([O, O], []),
    ([O, B, I, I, O], [(1, 4)]),
    ([B, I, B, I], [(0, 2), (2, 4)]),
    ([B, I2, I2], [(0, 1), (1, 3)]),
    ([I, I, O, B2], [(0, 2), (3, 4)]),
])  # fmt: skip
def test_names_are_runs_of_one_label(tags, runs):
    found = NameTags(TAGS).find_names(np.array(tags, dtype="int64"))
    assert [(run.start, run.stop) for run in found] == runs


def one_name(p_person, p_place, inside=0.25):
    """O, and a name of two subwords, B and I."""
    first = [1 - p_person - p_place, p_person, 0, p_place, 0]
    second = [first[0], inside * p_person, (1 - inside) * p_person, inside * p_place, (1 - inside) * p_place]
    return np.array([[1, 0, 0, 0, 0], first, second], dtype="float16")


def test_the_sure_sentences_outvote_the_doubtful_one():
    ids = [np.array([5, 7, 8]), np.array([6, 7, 8]), np.array([9, 7, 8])]
    doubtful, sure = one_name(0.4, 0.5), one_name(0.88, 0.02)
    voted = vote_on_names(ids, [doubtful, sure, sure], TAGS, weight=0.5)
    assert voted[0].argmax(axis=1).tolist() == [O, B, I]
    # The mean share of 地名 elsewhere is 0.02 / 0.9.
    place, person = 0.5 * (0.02 / 0.9) ** 0.5, 0.4 * (0.88 / 0.9) ** 0.5
    np.testing.assert_allclose(
        voted[0][1], [0.1, 0.9 * person / (person + place), 0, 0.9 * place / (person + place), 0], atol=2e-3
    )
    np.testing.assert_allclose(voted[0][2, I] / voted[0][2, B], 3, rtol=0.01)
    assert voted[1].argmax(axis=1).tolist() == [O, B, I]


def test_a_name_that_comes_once_and_one_of_other_subwords_have_no_votes():
    ids = [np.array([5, 7, 8]), np.array([5, 7, 9])]
    probabilities = [one_name(0.4, 0.5), one_name(0.88, 0.02)]
    for before, after in zip(probabilities, vote_on_names(ids, probabilities, TAGS, weight=0.5)):
        np.testing.assert_array_equal(before, after)


@given(
    arrays("float64", (6, 4, 5), elements=st.floats(0.01, 1)),
    st.lists(st.lists(st.integers(0, 2), min_size=4, max_size=4), min_size=6, max_size=6),
    st.floats(0, 4),
)
def test_votes_move_probability_between_labels_alone(raw, ids, weight):
    probabilities = list((raw / raw.sum(axis=-1, keepdims=True)).astype("float16"))
    voted = vote_on_names([np.array(own) for own in ids], probabilities, TAGS, weight)
    for before, after in zip(probabilities, voted):
        np.testing.assert_array_equal(before[:, O], after[:, O])
        np.testing.assert_allclose(after.astype("float32").sum(axis=1), before.astype("float32").sum(axis=1), atol=2e-3)
        if weight == 0:
            np.testing.assert_allclose(before, after, atol=2e-3)
