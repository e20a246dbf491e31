"""Scores over characters see what scores over tokens cannot."""

import pytest
from spacy.tokens import Doc
from spacy.training import Example

import spacy_luke_ja
from spacy_luke_ja.scorers.ner import make_ner_scorer, score_char_ents

vocab = spacy_luke_ja.blank().vocab


def doc(words, ents, **settings):
    made = Doc(vocab, words=words.split("|"), spaces=[False] * (words.count("|") + 1))
    made.set_ents([made.char_span(start, end, label=label) for start, end, label in ents], **settings)
    return made


@pytest.mark.parametrize(
    "gold, found, scores",
    [
        ([(1, 2, "地名")], [(1, 2, "地名")], (1.0, 1.0, 1.0)),
        ([(1, 2, "地名")], [(0, 2, "地名")], (0.0, 0.0, 0.0)),
        ([(1, 2, "地名")], [(1, 2, "人名")], (0.0, 0.0, 0.0)),
        ([(0, 1, "地名"), (1, 2, "地名")], [(1, 2, "地名")], (1.0, 0.5, 2 / 3)),
        ([], [], (0.0, 0.0, 0.0)),
    ],
)
def test_exact_characters(gold, found, scores):
    example = Example(doc("訪|日|した", found), doc("訪|日|し|た", gold))
    result = make_ner_scorer()([example])
    assert (result["char_ents_p"], result["char_ents_r"], result["char_ents_f"]) == pytest.approx(scores)
    assert set(result) >= {"ents_p", "ents_r", "ents_f", "ents_per_type", "char_ents_per_type"}


def test_gold_that_no_predicted_token_could_hold_still_counts():
    example = Example(doc("訪日|した", []), doc("訪|日|した", [(1, 2, "地名")]))
    assert score_char_ents([example])["char_ents_per_type"] == {"地名": {"p": 0.0, "r": 0.0, "f": 0.0, "support": 1}}


def test_what_is_found_where_the_gold_is_missing_counts_for_nothing():
    example = Example(
        doc("訪|日|した", [(0, 1, "人名"), (1, 2, "地名")]), doc("訪|日|した", [(1, 2, "地名")], default="missing")
    )
    result = make_ner_scorer()([example])
    assert result["ents_p"] == result["char_ents_p"] == 1.0


@pytest.mark.parametrize("ents, scores", [
    ([(3, 5, "地名")], (1.0, 1.0, 1.0)), ([(3, 5, "地名"), (0, 2, "人名")], (0.5, 1.0, 2 / 3)), ([(3, 6, "地名")], (0.0, 0.0, 0.0)),
])  # fmt: skip
@pytest.mark.parametrize("words", ["佐藤|は|東京|へ", "佐藤は|東京|へ", "佐|藤|は|東|京|へ"])
def test_gold_with_other_spaces_than_the_text(words, ents, scores):
    found = doc("佐藤|は|東京|へ", ents)
    for spaces in (None, [True] * (words.count("|") + 1)):
        gold = Doc(vocab, words=words.split("|"), spaces=spaces)  # None: unknown, which reads as spaces
        start, end = gold.text.index("東"), gold.text.index("京") + 1
        gold.set_ents([gold.char_span(start, end, label="地名")])
        result = score_char_ents([Example(found, gold)])
        assert (result["char_ents_p"], result["char_ents_r"], result["char_ents_f"]) == pytest.approx(scores)
        gold.set_ents([gold.char_span(start, end, label="地名")], default="missing")
        assert score_char_ents([Example(found, gold)])["char_ents_p"] == float(found.ents[-1].end_char == 5)


def test_gold_of_another_text_counts_on_its_own_characters():
    example = Example(doc("トヨタ|は", [(0, 3, "法人名")]), doc("ﾄﾖﾀ|は", [(0, 3, "法人名")]))
    assert score_char_ents([example])["char_ents_f"] == 1.0


def test_without_annotation_there_is_no_score():
    bare = Doc(vocab, words=["東京"])
    assert score_char_ents([Example(bare.copy(), bare)])["char_ents_f"] is None
