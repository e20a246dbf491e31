"""Found answers in, an annotated Doc out: Answer objects, doc._.luke_answers, doc.spans."""

from dataclasses import dataclass
from typing import List, Optional, Sequence

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup

from ..doc_answers import ANSWERS, AnsweredQuestion, get_answered, get_questions, set_answered, set_questions
from ..text.alignment import align_to_tokens
from ..text.answers import FoundAnswer
from ..text.decoding import CharSpan
from ..token_splitting import span_at, split_tokens, token_offsets

# Of the spans in doc.spans.
LABEL = "answer"


@dataclass(frozen=True)
class Answer:
    """What was found for a question. bool(answer): whether anything was.

    span: its tokens, by the component's alignment_mode; None where that gives none, or there is no answer.
    char_start, char_end: text is doc.text[char_start:char_end], exactly; 0 and 0 where there is no answer.
    score: between 0 and 1, how likely this answer is; of no answer, null_score.
    null_score: how likely it is that the text does not answer the question.
    """

    span: Optional[Span]
    char_start: int
    char_end: int
    text: str
    score: float
    null_score: float
    question: str

    def __bool__(self) -> bool:
        return self.char_start < self.char_end


def make_answers(doc: Doc, answered: AnsweredQuestion, offsets: np.ndarray, *, alignment_mode: str) -> List[Answer]:
    """offsets: those of the Doc's tokens. RETURNS: the likeliest first."""
    return [
        Answer(
            place_on_tokens(doc, found, offsets, alignment_mode=alignment_mode),
            found.char_start,
            found.char_end,
            doc.text[found.char_start : found.char_end],
            found.score,
            answered.null_score,
            answered.question,
        )
        for found in answered.answers
    ]


def no_answer(answered: AnsweredQuestion) -> Answer:
    return Answer(None, 0, 0, "", answered.null_score, answered.null_score, answered.question)


def place_on_tokens(doc: Doc, found: FoundAnswer, offsets: np.ndarray, *, alignment_mode: str) -> Optional[Span]:
    aligned = align_to_tokens([CharSpan(*found[:2], LABEL)], offsets, alignment_mode=alignment_mode)
    if aligned.split_at:  # a Doc whose tokens were merged since
        aligned = align_to_tokens([CharSpan(*found[:2], LABEL)], offsets, alignment_mode="expand")
    return span_at(doc, *aligned.char_spans[0][:3]) if aligned.char_spans else None


def split_at_edges(doc: Doc, answered: Sequence[AnsweredQuestion]) -> None:
    """Split tokens where answers begin or end."""
    split_tokens(doc, [char for a in answered for found in a.answers for char in found[:2]])


def annotate_answers(doc: Doc, answered: Sequence[AnsweredQuestion], *, alignment_mode: str, spans_key: str) -> None:
    """Write to a Doc what its questions were answered; the settings are LukeQa's."""
    if alignment_mode == "split":
        split_at_edges(doc, answered)
    set_answered(doc, spans_key, answered)
    offsets = token_offsets(doc)
    best = [a for asked in answered for a in make_answers(doc, asked, offsets, alignment_mode=alignment_mode)[:1]]
    placed = [(answer, answer.span) for answer in best if answer.span is not None]
    attrs = {
        "scores": [answer.score for answer, _ in placed],
        "questions": [answer.question for answer, _ in placed],
        "alignment_mode": alignment_mode,
    }
    doc.spans[spans_key] = SpanGroup(doc, name=spans_key, attrs=attrs, spans=[span for _, span in placed])


def get_luke_answers(doc: Doc) -> List[Answer]:
    """doc._.luke_answers: the best answer to each question, in their order; where there is none, one that is false."""
    answers: List[Answer] = []
    offsets = token_offsets(doc)
    for key in doc.user_data.get(ANSWERS, {}):
        mode = doc.spans[key].attrs.get("alignment_mode", "expand") if key in doc.spans else "expand"
        for answered in get_answered(doc, key):
            answers += make_answers(doc, answered, offsets, alignment_mode=mode)[:1] or [no_answer(answered)]
    return answers


def register_extensions() -> None:
    Doc.set_extension("questions", getter=get_questions, setter=set_questions, force=True)
    Doc.set_extension("luke_answers", getter=get_luke_answers, force=True)
