"""What a Doc was asked and what was answered, kept in its user_data: gold and predicted alike."""

from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from spacy.tokens import Doc

from .text.answers import FoundAnswer

# In doc.user_data, so that they survive to_bytes and DocBin.
QUESTIONS = "luke_questions"
ANSWERS = "luke_answers"  # a dict with a value per spans_key
# The spans_key of answers that are right.
GOLD = "gold"


class AnsweredQuestion(NamedTuple):
    """answers: the likeliest first; in gold, all that are right. None at all: the text does not answer the question.

    null_score: how likely it is that the text does not answer it.
    """

    question: str
    answers: Tuple[FoundAnswer, ...]
    null_score: float = 0.0


def get_questions(doc: Doc) -> List[str]:
    """doc._.questions: what to ask of this Doc."""
    return list(doc.user_data.get(QUESTIONS, []))


def set_questions(doc: Doc, questions: Sequence[str]) -> None:
    if isinstance(questions, str) or not all(isinstance(question, str) for question in questions):
        raise ValueError(f"doc._.questions must be a list of strings, got {questions!r}")
    doc.user_data[QUESTIONS] = list(questions)


def set_answered(doc: Doc, spans_key: str, answered: Sequence[AnsweredQuestion]) -> None:
    """In place of what was there under this key."""
    # Plain lists and dicts: this is what msgpack gives back.
    found: List[Any] = [[a.question, [list(answer) for answer in a.answers], a.null_score] for a in answered]
    stored: Dict[str, Any] = doc.user_data.setdefault(ANSWERS, {})
    stored[spans_key] = found


def get_answered(doc: Doc, spans_key: str) -> List[AnsweredQuestion]:
    """RETURNS: in the order of the questions; empty when there is nothing under this key."""
    found = doc.user_data.get(ANSWERS, {}).get(spans_key, [])
    return [AnsweredQuestion(q, tuple(FoundAnswer(*answer) for answer in answers), null) for q, answers, null in found]


def set_gold_answers(doc: Doc, question: str, answers: Sequence[Tuple[int, int]]) -> None:
    """Say what the right answers to a question are, for training and evaluation; the first is what is learned.

    answers: (char_start, char_end) each; none: the text does not answer the question.
    """
    for char_start, char_end in answers:
        if not 0 <= char_start < char_end <= len(doc.text):
            raise ValueError(
                f"the answer {char_start}–{char_end} is not within the {len(doc.text)} characters of the text"
            )
    answered = [a for a in get_answered(doc, GOLD) if a.question != question]
    right = tuple(FoundAnswer(char_start, char_end, 1.0) for char_start, char_end in answers)
    set_answered(doc, GOLD, [*answered, AnsweredQuestion(question, right, 0.0 if right else 1.0)])
    set_questions(doc, [a.question for a in get_answered(doc, GOLD)])
