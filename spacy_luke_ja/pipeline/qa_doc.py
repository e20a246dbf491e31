"""Found answers in, an annotated Doc out: Answer objects, doc._.luke_answers, doc.spans."""

from typing import Any, Iterable, List, NamedTuple, Optional, Sequence

from spacy.tokens import Doc, Span

from ..qa_data import (
    LABEL,
    AnsweredQuestion,
    clear_answered,
    get_all_answered,
    get_questions,
    set_answered,
    set_questions,
)
from ..text.alignment import align_to_tokens
from ..text.decoding import CharSpan
from ..text.qa import FoundAnswer
from ..token_splitting import span_at, split_tokens, token_offsets
from ..user_data import register_extension
from .span_groups import LUKE_QA, LastingSpanGroup


class AnswerFields(NamedTuple):
    char_start: int
    char_end: int
    text: str
    score: float
    null_score: float
    question: str
    label: str = LABEL
    error: str = ""


class Answer(AnswerFields):
    """What was found for a question. bool(answer): whether anything was. To JSON it is the list of its fields.

    char_start, char_end: text is doc.text[char_start:char_end], exactly; 0 and 0 where there is no answer.
    score: between 0 and 1, how likely this answer is among all that were tried; of no answer, null_score.
    null_score: how likely it is that the text does not answer the question rather than by its likeliest answer.
    label: that of the question, which span has.
    error: why the question could not be asked; "" where it was.

    doc: what was asked. alignment_mode: how span comes to whole tokens.
    """

    doc: Doc
    alignment_mode: str

    def __new__(cls, fields: Iterable[Any], doc: Doc, alignment_mode: str) -> "Answer":
        answer = super().__new__(cls, *fields)
        answer.doc = doc
        answer.alignment_mode = alignment_mode
        return answer

    def __reduce__(self) -> Any:
        return Answer, (tuple(self), self.doc, self.alignment_mode)

    @property
    def span(self) -> Optional[Span]:
        """The answer's tokens as they are now; None where alignment_mode gives none, or there is no answer."""
        return place_on_tokens(self) if self else None

    def __bool__(self) -> bool:
        return self.char_start < self.char_end


def make_answers(doc: Doc, answered: AnsweredQuestion, *, alignment_mode: str) -> List[Answer]:
    """RETURNS: the likeliest first."""
    of_question = answered.null_score, answered.question, answered.label, answered.error
    return [
        Answer((start, end, doc.text[start:end], score, *of_question), doc, alignment_mode)
        for start, end, score in answered.answers
    ]


def no_answer(doc: Doc, answered: AnsweredQuestion, *, alignment_mode: str) -> Answer:
    of_question = answered.null_score, answered.question, answered.label, answered.error
    return Answer((0, 0, "", answered.null_score, *of_question), doc, alignment_mode)


def place_on_tokens(answer: Answer) -> Optional[Span]:
    char_span, offsets = CharSpan(answer.char_start, answer.char_end, answer.label), token_offsets(answer.doc)
    aligned = align_to_tokens([char_span], offsets, alignment_mode=answer.alignment_mode)
    if aligned.split_at:  # tokens were merged since they were split
        aligned = align_to_tokens([char_span], offsets, alignment_mode="expand")
    return span_at(answer.doc, *aligned.char_spans[0][:3]) if aligned.char_spans else None


def split_at_edges(doc: Doc, answered: Sequence[AnsweredQuestion]) -> None:
    """Split tokens where answers begin or end."""
    split_tokens(doc, [char for a in answered for found in a.answers for char in found[:2]])


def annotate_answers(
    doc: Doc,
    answered: Sequence[AnsweredQuestion],
    *,
    component: str,
    alignment_mode: str,
    spans_key: Optional[str],
) -> None:
    """Write to a Doc what its questions were answered; the settings are LukeQa's."""
    if alignment_mode == "split":
        split_at_edges(doc, answered)
    set_answered(doc, component, answered, alignment_mode=alignment_mode)
    if spans_key is not None:
        doc.spans[spans_key] = make_group(doc, answered, spans_key, alignment_mode=alignment_mode)


def make_group(doc: Doc, answered: Sequence[AnsweredQuestion], name: str, *, alignment_mode: str) -> LastingSpanGroup:
    best = [answer for own in answered for answer in make_answers(doc, own, alignment_mode=alignment_mode)[:1]]
    placed = [(answer, span) for answer, span in ((answer, answer.span) for answer in best) if span is not None]
    attrs = {
        "scores": [answer.score for answer, _ in placed],
        "questions": [answer.question for answer, _ in placed],
        LUKE_QA: True,
    }
    return LastingSpanGroup(doc, name=name, attrs=attrs, spans=[span for _, span in placed])


def get_luke_answers(doc: Doc) -> List[Answer]:
    """doc._.luke_answers: the best answer to each question, in their order; where there is none, one that is false.

    A Doc made of several has those of all; a part of a Doc has the answers that lie within it.
    """
    return [
        (make_answers(doc, answered, alignment_mode=mode) or [no_answer(doc, answered, alignment_mode=mode)])[0]
        for _, mode, answered in get_all_answered(doc)
    ]


def set_luke_answers(doc: Doc, answers: Iterable[Sequence[Any]]) -> None:
    """In place of all that are there; Doc.from_json does this."""
    answered = []
    for own in (AnswerFields(*fields) for fields in answers):
        found = [FoundAnswer(own.char_start, own.char_end, own.score)] if own.char_start < own.char_end else []
        answered.append(AnsweredQuestion(own.question, tuple(found), own.null_score, own.label, own.error))
    clear_answered(doc)
    set_answered(doc, "", answered)


def register_extensions() -> None:
    register_extension(Doc, "luke_questions", getter=get_questions, setter=set_questions)
    register_extension(Doc, "luke_answers", getter=get_luke_answers, setter=set_luke_answers)
