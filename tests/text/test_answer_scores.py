"""Answers are compared by characters, as JSQuAD's own scores do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_luke_ja.text.qa_scores import char_f1, exact_match, jaquad_f1, normalize_answer


@pytest.mark.parametrize(
    "text, normal",
    [
        ("東京都", "東京都"),
        ("", ""),
        ("東京都。", "東京都"),
        ("東京。大阪。。", "東京。大阪"),
        ("東京都。 ", "東京都。"),  # as JGLUE has it: first the stop at the very end, then the white space
        (" 285\u3000km/h\n", "285 km/h"),
        ("NHK", "nhk"),
        # Punctuation, width and marks that stand apart stay.
        ("「東京」、", "「東京」、"),
        ("ＮＨＫ", "ｎｈｋ"),
        ("ﾄﾞｰﾑ", "ﾄﾞｰﾑ"),
        ("カ\u3099", "カ\u3099"),
    ],
)
def test_what_counts_as_equal(text, normal):
    assert normalize_answer(text) == normal


@pytest.mark.parametrize(
    "predicted, golds, em, f1",
    [
        ("東京都", ["東京都"], 1.0, 1.0),
        ("東京", ["東京都"], 0.0, 2 * 1 * (2 / 3) / (1 + 2 / 3)),
        ("大阪", ["東京都"], 0.0, 0.0),
        ("都東京", ["東京都"], 0.0, 1.0),  # F1 does not see the order
        ("ああ", ["あ"], 0.0, 2 / 3),  # each character counts as often as it stands there
        ("a b", ["ab"], 0.0, 4 / 5),  # a space is a character
        ("東京", ["大阪", "東京都", "東京"], 1.0, 1.0),
        ("東京", ["大阪", "東京都"], 0.0, 0.8),
        ("東京。", ["東京"], 1.0, 1.0),
        ("ガ", ["カ\u3099"], 0.0, 0.0),
        ("ＮＨＫ", ["NHK"], 0.0, 0.0),
        # There is no right answer.
        ("", [], 1.0, 1.0),
        ("東京", [], 0.0, 0.0),
        ("", ["東京"], 0.0, 0.0),
        ("", ["。", "東京"], 0.0, 0.0),  # a right answer of which nothing is left is none
        ("", ["。"], 1.0, 1.0),
    ],
)
def test_exact_match_and_f1(predicted, golds, em, f1):
    assert exact_match(predicted, golds) == em
    assert char_f1(predicted, golds) == pytest.approx(f1)


answers = st.text(alphabet="東京都 。aA", max_size=6)


@given(predicted=answers, golds=st.lists(answers, max_size=3))
def test_scores_are_shares_and_an_exact_match_has_the_full_f1(predicted, golds):
    em, f1 = exact_match(predicted, golds), char_f1(predicted, golds)
    assert em in (0.0, 1.0) and em <= f1 <= 1.0


@pytest.mark.parametrize("predicted, golds, f1", [
    ("東 京", ["東京"], 1.0),
    ("東京。", ["東京"], 0.8),
    ("NHK", ["nhk"], 0.0),
    ("京東", ["大阪", "東京"], 1.0),
    ("", [], 1.0),
    ("東京", [], 0.0),
])  # fmt: skip
def test_as_jaquad_counts(predicted, golds, f1):
    assert jaquad_f1(predicted, golds) == pytest.approx(f1)
