"""What a Doc was asked and what was answered, kept in its user_data: gold and predicted alike."""

from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, Tuple

from spacy.tokens import Doc

from .text.answers import FoundAnswer
from .text.characters import trim_blank
from .user_data import pack, text_length, unpack

# In doc.user_data, so that they survive to_bytes and DocBin.
QUESTIONS = "luke_questions"
ANSWERS = "luke_answers"  # a dict with a value per component
GOLD = "luke_gold_answers"
DEFAULT_MODE = "expand"


class AnsweredQuestion(NamedTuple):
    """answers: the likeliest first; in gold, all that are right. None at all: the text does not answer the question.

    null_score: how likely it is that the text does not answer it.
    """

    question: str
    answers: Tuple[FoundAnswer, ...]
    null_score: float = 0.0


def check_question(question: Any) -> None:
    if not isinstance(question, str) or not len(range(*trim_blank(question, 0, len(question)))):
        raise ValueError(f"a question must be a string that is not empty, got {question!r}")


def check_questions(questions: Any) -> List[str]:
    """RETURNS: them in a list; a ValueError where they are none."""
    if isinstance(questions, str) or not isinstance(questions, Iterable):
        raise ValueError(f"questions must be a list of strings, got {questions!r}")
    questions = list(questions)
    for question in questions:
        check_question(question)
    return questions


def get_questions(doc: Doc) -> Tuple[str, ...]:
    """doc._.luke_questions: what to ask of this Doc. To change it, assign a list."""
    return tuple(doc.user_data.get(QUESTIONS, ()))


def set_questions(doc: Doc, questions: Iterable[str]) -> None:
    doc.user_data[QUESTIONS] = check_questions(questions)


def get_answered(doc: Doc, component: str) -> List[AnsweredQuestion]:
    """RETURNS: in the order of the questions; empty when this component answered nothing, or of another text."""
    return from_lists(get_answers_and_mode(doc, component)[0])


def get_answers_and_mode(doc: Doc, component: str) -> Tuple[Sequence[Any], str]:
    answers, alignment_mode = unpack(doc, doc.user_data.get(ANSWERS, {}).get(component), ((), DEFAULT_MODE))
    return answers, alignment_mode


def set_answered(
    doc: Doc, component: str, answered: Sequence[AnsweredQuestion], *, alignment_mode: str = DEFAULT_MODE
) -> None:
    """In place of what this component answered before.

    alignment_mode: how the answers become spans of tokens.
    """
    stored: Dict[str, Any] = doc.user_data.setdefault(ANSWERS, {})
    stored[component] = pack(doc, [to_lists(answered), alignment_mode])


def get_gold_answers(doc: Doc) -> List[AnsweredQuestion]:
    """What set_gold_answers said, question by question."""
    return from_lists(unpack(doc, doc.user_data.get(GOLD)))


def set_gold_answers(doc: Doc, question: str, answers: Sequence[Tuple[int, int]]) -> None:
    """Say what the right answers to a question are, for training and evaluation; the first is what is learned.

    answers: (char_start, char_end) each; none: the text does not answer the question.
    """
    others = [(asked.question, [answer[:2] for answer in asked.answers]) for asked in get_gold_answers(doc)]
    set_all_gold_answers(doc, [*((own, right) for own, right in others if own != question), (question, answers)])


def set_all_gold_answers(doc: Doc, asked: Sequence[Tuple[str, Sequence[Tuple[int, int]]]]) -> None:
    """As set_gold_answers, for all questions of a Doc, in place of those that it has.

    asked: (question, answers) each. A question that stands there twice stays so.
    """
    length = text_length(doc)
    gold = []
    for question, answers in asked:
        check_question(question)
        for char_start, char_end in answers:
            if not 0 <= char_start < char_end <= length:
                raise ValueError(
                    f"the answer {char_start}–{char_end} is not within the {length} characters of the text"
                )
        right = tuple(FoundAnswer(char_start, char_end, 1.0) for char_start, char_end in answers)
        gold.append(AnsweredQuestion(question, right, 0.0 if right else 1.0))
    doc.user_data[GOLD] = pack(doc, to_lists(gold))
    set_questions(doc, dict.fromkeys(own.question for own in gold))


def to_lists(answered: Sequence[AnsweredQuestion]) -> List[Any]:
    return [[a.question, [list(answer) for answer in a.answers], a.null_score] for a in answered]


def from_lists(lists: Sequence[Any]) -> List[AnsweredQuestion]:
    return [AnsweredQuestion(q, tuple(FoundAnswer(*own) for own in answers), null) for q, answers, null in lists]
