"""Found answers in, an annotated Doc out: Answer objects, doc._.luke_answers, doc.spans."""

from dataclasses import dataclass, field
from typing import List, Optional, Sequence

from spacy.tokens import Doc, Span

from ..doc_answers import (
    ANSWERS,
    AnsweredQuestion,
    from_lists,
    get_answers_and_mode,
    get_questions,
    set_answered,
    set_questions,
)
from ..text.alignment import align_to_tokens
from ..text.decoding import CharSpan
from ..token_splitting import span_at, split_tokens, token_offsets
from ..user_data import register_extension
from .span_groups import LUKE_QA, LastingSpanGroup

# Of the spans in doc.spans.
LABEL = "answer"


@dataclass(frozen=True)
class Answer:
    """What was found for a question. bool(answer): whether anything was.

    char_start, char_end: text is doc.text[char_start:char_end], exactly; 0 and 0 where there is no answer.
    score: between 0 and 1, how likely this answer is; of no answer, null_score.
    null_score: how likely it is that the text does not answer the question.
    doc: what was asked. alignment_mode: how span comes to whole tokens.
    """

    char_start: int
    char_end: int
    text: str
    score: float
    null_score: float
    question: str
    doc: Doc = field(repr=False, compare=False)
    alignment_mode: str = field(repr=False, compare=False)

    @property
    def span(self) -> Optional[Span]:
        """The answer's tokens as they are now; None where alignment_mode gives none, or there is no answer."""
        return place_on_tokens(self) if self else None

    def __bool__(self) -> bool:
        return self.char_start < self.char_end


def make_answers(doc: Doc, answered: AnsweredQuestion, *, alignment_mode: str) -> List[Answer]:
    """RETURNS: the likeliest first."""
    return [
        Answer(start, end, doc.text[start:end], score, answered.null_score, answered.question, doc, alignment_mode)
        for start, end, score in answered.answers
    ]


def no_answer(doc: Doc, answered: AnsweredQuestion, *, alignment_mode: str) -> Answer:
    null_score = answered.null_score
    return Answer(0, 0, "", null_score, null_score, answered.question, doc, alignment_mode)


def place_on_tokens(answer: Answer) -> Optional[Span]:
    char_span, offsets = CharSpan(answer.char_start, answer.char_end, LABEL), token_offsets(answer.doc)
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

    They are of the text that was asked: Docs made of parts of it, or of several, have none.
    """
    answers: List[Answer] = []
    for component in doc.user_data.get(ANSWERS, {}):
        stored, mode = get_answers_and_mode(doc, component)
        for answered in from_lists(stored):
            found = make_answers(doc, answered, alignment_mode=mode)[:1]
            answers += found or [no_answer(doc, answered, alignment_mode=mode)]
    return answers


def register_extensions() -> None:
    register_extension(Doc, "luke_questions", getter=get_questions, setter=set_questions)
    register_extension(Doc, "luke_answers", getter=get_luke_answers)
