"""What a Doc was asked and what was answered, kept in its user_data: gold and predicted alike."""

import zlib
from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Sequence, Tuple, Union

from spacy.tokens import Doc

from .text.characters import trim_blank
from .text.qa import FoundAnswer
from .user_data import check_within, drop_of, keys_of, text_length

# In doc.user_data, under the keys of an extension attribute of the characters of the whole text: so they survive
# to_bytes and DocBin, and Doc.from_docs and Span.as_doc move them along with the characters.
QUESTIONS, ANSWERS, GOLD = "luke_asked", "luke_answered", "luke_gold"
DEFAULT_MODE = "expand"
# Of a question without one of its own.
LABEL = "answer"

Questions = Union[List[str], Dict[str, str]]  # or label → question


class AnsweredQuestion(NamedTuple):
    """answers: the likeliest first; in gold, all that are right. None at all: the text does not answer the question.

    null_score: how likely it is that the text does not answer it.
    label: of the spans of its answers.
    error: why it could not be asked.
    """

    question: str
    answers: Tuple[FoundAnswer, ...]
    null_score: float = 0.0
    label: str = LABEL
    error: str = ""


class Stored(NamedTuple):
    """What a component answered of a text, or its gold, as user_data has it.

    component: "" in gold.
    checksum: of the text that was asked.
    entries: per question as of AnsweredQuestion, each answer with its text behind it; characters count from the
        beginning of the text that was asked.
    """

    component: str
    alignment_mode: str
    checksum: int
    entries: Sequence[Any]


# Questions


def check_question(question: Any) -> None:
    if not isinstance(question, str) or not len(range(*trim_blank(question, 0, len(question)))):
        raise ValueError(f"a question must be a string that is not empty, got {question!r}")


def check_questions(questions: Any) -> Questions:
    """RETURNS: them in a list, or by their labels in a dict; a ValueError where they are neither."""
    if isinstance(questions, str) or not isinstance(questions, Iterable):
        raise ValueError(f"questions must be a list of strings, or a dict with a label for each; got {questions!r}")
    if isinstance(questions, Mapping):
        for label in questions:
            if not isinstance(label, str) or not label.strip():
                raise ValueError(f"the label of a question must be a string that is not empty, got {label!r}")
        questions = dict(questions)
    else:
        questions = list(questions)
    for _, question in label_questions(questions):
        check_question(question)
    return questions


def label_questions(questions: Union[Mapping[str, str], Sequence[str]]) -> List[Tuple[str, str]]:
    """RETURNS: (label, question) each."""
    return list(questions.items()) if isinstance(questions, Mapping) else [(LABEL, own) for own in questions]


def get_questions(doc: Doc) -> Union[Tuple[str, ...], Dict[str, str]]:
    """doc._.luke_questions: what to ask of this Doc, by labels where there are any. To change it, assign it anew."""
    labelled = get_labelled_questions(doc)
    by_label = dict(labelled)
    has_labels = labelled and LABEL not in by_label and len(by_label) == len(labelled)
    return by_label if has_labels else tuple(question for _, question in labelled)


def get_labelled_questions(doc: Doc) -> List[Tuple[str, str]]:
    """RETURNS: (label, question) each, what the parts of the Doc are to be asked one after the other."""
    every = [(label, question) for _, _, value in find_stored(doc, QUESTIONS) for label, question in value]
    return list(dict.fromkeys(every))


def set_questions(doc: Doc, questions: Union[Iterable[str], Mapping[str, str]]) -> None:
    labelled = label_questions(check_questions(questions))
    replace_stored(doc, QUESTIONS, [list(own) for own in labelled])


# Answers


def get_answered(doc: Doc, component: str) -> List[AnsweredQuestion]:
    """RETURNS: in the order of the questions; empty when this component answered nothing, or of another text."""
    return [answered for own, _, answered in get_all_answered(doc) if own == component]


def get_all_answered(doc: Doc, name: str = ANSWERS) -> Iterator[Tuple[str, str, AnsweredQuestion]]:
    """YIELDS: component, alignment_mode and answers of each question; in a part of a Doc, those that lie within it."""
    text = doc.text
    for start, end, values in find_stored(doc, name):
        for stored in (Stored(*value) for value in values):
            is_whole = 0 <= start and end <= len(text) and checksum_of(text[start:end]) == stored.checksum
            for question, answers, *others in stored.entries:
                if is_whole or (answers and all(stands_there(text, start, answer) for answer in answers)):
                    found = tuple(FoundAnswer(start + a, start + b, score) for a, b, score, _ in answers)
                    yield stored.component, stored.alignment_mode, AnsweredQuestion(question, found, *others)


def stands_there(text: str, start: int, answer: Sequence[Any]) -> bool:
    char_start, char_end, _, own = answer
    return 0 <= start + char_start and text[start + char_start : start + char_end] == own


def set_answered(
    doc: Doc, component: str, answered: Sequence[AnsweredQuestion], *, alignment_mode: str = DEFAULT_MODE
) -> None:
    """In place of what this component answered before.

    alignment_mode: how the answers become spans of tokens.
    """
    own, key = to_stored(doc, component, answered, alignment_mode), key_of(doc, ANSWERS)
    data: Any = doc.user_data
    here = list(data.get(key, ()))
    drop_of(doc, component, ANSWERS)
    names = [value[0] for value in here]
    at = names.index(component) if component in names else len(here)
    data[key] = [*here[:at], own, *here[at + 1 :]]


def clear_answered(doc: Doc) -> None:
    """Forget what all components answered."""
    drop_of(doc, None, ANSWERS)


def get_gold_answers(doc: Doc) -> List[AnsweredQuestion]:
    """What set_gold_answers said, question by question."""
    return [answered for _, _, answered in get_all_answered(doc, GOLD)]


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
    gold = []
    for question, answers in asked:
        check_question(question)
        for char_start, char_end in answers:
            check_within(doc, char_start, char_end, "answer")
        right = tuple(FoundAnswer(char_start, char_end, 1.0) for char_start, char_end in answers)
        gold.append(AnsweredQuestion(question, right, 0.0 if right else 1.0))
    replace_stored(doc, GOLD, [to_stored(doc, "", gold, DEFAULT_MODE)])
    set_questions(doc, dict.fromkeys(own.question for own in gold).keys())


# In user_data


def key_of(doc: Doc, name: str) -> Tuple[str, str, int, int]:
    return "._.", name, 0, text_length(doc)


def find_stored(doc: Doc, name: str) -> List[Tuple[int, int, Any]]:
    """RETURNS: (char_start, char_end, value), in text order; several where Docs were put together, and beyond the text
    where this is a part of another."""
    data: Any = doc.user_data
    return [(*key[2:], data[key]) for key in sorted(keys_of(doc, name))]


def replace_stored(doc: Doc, name: str, value: Any) -> None:
    drop_of(doc, None, name)
    data: Any = doc.user_data
    data[key_of(doc, name)] = value


def to_stored(doc: Doc, component: str, answered: Sequence[AnsweredQuestion], alignment_mode: str) -> List[Any]:
    text = doc.text
    entries = [
        [question, [[start, end, score, text[start:end]] for start, end, score in answers], *others]
        for question, answers, *others in answered
    ]
    return list(Stored(component, alignment_mode, checksum_of(text), entries))


def checksum_of(text: str) -> int:
    return zlib.crc32(text.encode("utf8", "surrogatepass"))
