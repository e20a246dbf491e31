"""A text and its entities or answers by characters in, an Example that loses none of them out."""

from typing import Iterable, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..annotated_labels import set_annotated_labels
from ..doc_answers import set_gold_answers, set_questions
from ..token_splitting import span_at, split_tokens


def make_example(
    nlp: Language,
    text: str,
    entities: Iterable[Tuple[int, int, str]],
    *,
    annotated_labels: Optional[Iterable[str]] = None,
) -> Example:
    """Make an Example whose reference has its tokens split where gold entities begin or end.

    Example.from_dict leaves out an entity that is not whole tokens (日 in 訪日). The reference can go into a DocBin.

    entities: (char_start, char_end, label), without overlaps and without spaces at their edges. Raises a ValueError for
        characters that are not there.
    annotated_labels: those that the text was annotated for, where it was for some alone: of others it says nothing.
    """
    entities = list(entities)
    for char_start, char_end, label in entities:
        if not 0 <= char_start < char_end <= len(text):
            raise ValueError(
                f"the entity {char_start}–{char_end} {label} is not within the {len(text)} characters of {text!r}"
            )
        if text[char_start].isspace() or text[char_end - 1].isspace():
            raise ValueError(f"the entity {char_start}–{char_end} {label} begins or ends with a space in {text!r}")
    reference = nlp.make_doc(text)
    split_tokens(reference, [char for entity in entities for char in entity[:2]])
    reference.set_ents([span_at(reference, *entity) for entity in entities])
    if annotated_labels is not None:
        set_annotated_labels(reference, annotated_labels)
    return Example(nlp.make_doc(text), reference)


def make_qa_example(doc: Doc, question: str, answers: Sequence[Tuple[int, int]]) -> Example:
    """Make an Example that asks one question, of copies of a Doc.

    answers: (char_start, char_end) of those that are right; none: the text does not answer the question. Raises a
        ValueError for characters that are not there.
    """
    predicted, reference = doc.copy(), doc.copy()
    set_questions(predicted, [question])
    set_gold_answers(reference, question, answers)
    return Example(predicted, reference)
