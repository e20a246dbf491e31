"""Scores of answers: what was asked, what was answered, and what is right."""

import pytest
import spacy
from spacy.training import Example

from spacy_luke_ja import set_gold_answers
from spacy_luke_ja.qa_data import AnsweredQuestion, set_answered
from spacy_luke_ja.scorers.qa import make_qa_scorer
from spacy_luke_ja.text.qa import FoundAnswer

nlp = spacy.blank("ja")
TEXT = "山田花子は東京都の生まれ。"
WHO, WHERE, WHEN = "誰が", "どこで", "いつ"
HANAKO, YAMADA, TOKYO, CAPITAL = (0, 4), (0, 2), (5, 8), (5, 7)
NONE = {
    "qa_em": None, "qa_f": None, "qa_answerable_em": None, "qa_answerable_f": None, "qa_unanswerable_em": None,
    "qa_n": None,
}  # fmt: skip


def example(gold, found, component="luke_qa"):
    """gold, found: question → places of its answers."""
    predicted, reference = nlp.make_doc(TEXT), nlp.make_doc(TEXT)
    for question, places in gold.items():
        set_gold_answers(reference, question, places)
    answered = [
        AnsweredQuestion(question, tuple(FoundAnswer(*place, 0.5) for place in places))
        for question, places in found.items()
    ]
    set_answered(predicted, component, answered)
    return Example(predicted, reference)


@pytest.mark.parametrize(
    "gold, found, scores",
    [
        ({WHERE: [TOKYO]}, {WHERE: [TOKYO]}, {"qa_em": 1.0, "qa_f": 1.0, "qa_n": 1}),
        ({WHERE: [TOKYO]}, {WHERE: [CAPITAL]}, {"qa_em": 0.0, "qa_f": 0.8}),
        ({WHERE: [TOKYO]}, {WHERE: [CAPITAL, TOKYO]}, {"qa_em": 0.0, "qa_f": 0.8}),  # only the likeliest counts
        ({WHERE: [TOKYO, CAPITAL]}, {WHERE: [CAPITAL]}, {"qa_em": 1.0, "qa_f": 1.0}),
        ({WHO: [(0, 4)]}, {WHO: [(0, 2)]}, {"qa_em": 0.0, "qa_f": 2 / 3}),
        # What was not answered.
        ({WHERE: [TOKYO]}, {WHERE: []}, {"qa_em": 0.0, "qa_f": 0.0, "qa_unanswerable_em": None}),
        ({WHERE: [TOKYO]}, {WHERE: [TOKYO], WHO: [YAMADA]}, {"qa_em": 1.0, "qa_n": 1}),
        # What the text does not answer.
        ({WHEN: []}, {WHEN: []}, {"qa_em": 1.0, "qa_unanswerable_em": 1.0, "qa_answerable_f": None}),
        ({WHEN: []}, {WHEN: [TOKYO]}, {"qa_em": 0.0, "qa_f": 0.0, "qa_unanswerable_em": 0.0}),
        (
            {WHO: [HANAKO], WHERE: [TOKYO], WHEN: []},
            {WHO: [HANAKO], WHERE: [CAPITAL], WHEN: []},
            {"qa_em": 2 / 3, "qa_f": 2.8 / 3, "qa_answerable_em": 0.5, "qa_answerable_f": 0.9, "qa_n": 3},
        ),
    ],
)
def test_answers_of_one_text(gold, found, scores):
    result = make_qa_scorer()([example(gold, found)])
    assert set(result) == set(NONE)
    assert {key: result[key] for key in scores} == pytest.approx(scores)


@pytest.mark.parametrize(
    "gold, found, n", [({WHERE: [TOKYO]}, {WHO: [TOKYO]}, None), ({WHEN: [], WHERE: [TOKYO]}, {WHEN: []}, 1)]
)
def test_what_was_not_asked_is_left_out_with_a_warning(gold, found, n):
    with pytest.warns(UserWarning, match="1 questions with gold answers were not asked"):
        assert make_qa_scorer()([example(gold, found)])["qa_n"] == n


def test_means_are_over_questions_not_texts():
    first = example({WHO: [HANAKO], WHERE: [TOKYO]}, {WHO: [HANAKO], WHERE: [TOKYO]})
    second = example({WHERE: [TOKYO]}, {WHERE: []})
    assert make_qa_scorer()([first, second])["qa_em"] == pytest.approx(2 / 3)


def test_answers_of_another_component():
    examples = [example({WHERE: [TOKYO]}, {WHERE: [TOKYO]}, component="mine")]
    assert make_qa_scorer()(examples, component="mine", cfg_of_the_pipe=1)["qa_em"] == 1.0
    with pytest.warns(UserWarning, match="were not asked"):
        assert make_qa_scorer()(examples)["qa_em"] is None


def test_the_same_words_elsewhere_are_right():
    text = "東京は東京だ"
    predicted, reference = nlp.make_doc(text), nlp.make_doc(text)
    set_gold_answers(reference, WHERE, [(0, 2)])
    set_answered(predicted, "luke_qa", [AnsweredQuestion(WHERE, (FoundAnswer(3, 5, 0.9),))])
    assert make_qa_scorer()([Example(predicted, reference)])["qa_em"] == 1.0


def test_without_gold_there_is_no_score():
    assert make_qa_scorer()([]) == NONE
    assert make_qa_scorer()([example({}, {WHERE: [TOKYO]})]) == NONE


def test_answers_survive_a_round_trip_through_bytes():
    made = example({WHERE: [TOKYO]}, {WHERE: [CAPITAL]})
    docs = [type(doc)(doc.vocab).from_bytes(doc.to_bytes()) for doc in (made.predicted, made.reference)]
    assert make_qa_scorer()([Example(*docs)]) == make_qa_scorer()([made])
