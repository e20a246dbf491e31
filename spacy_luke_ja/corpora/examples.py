"""A text and its entities or answers by characters in, an Example that loses none of them out."""

from typing import Callable, Iterable, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from ..annotated_labels import set_annotated_labels
from ..qa_data import get_gold_answers, get_questions, set_all_gold_answers, set_gold_answers, set_questions
from ..text.messages import show
from ..token_splitting import span_at, split_tokens

# Characters in a token of a lean Doc. spaCy allocates room for the first 20 tokens in any case.
LEAN_TOKEN = 32


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
    return Example(nlp.make_doc(text), make_reference(nlp, text, entities, annotated_labels=annotated_labels))


def make_reference(
    nlp: Language,
    text: str,
    entities: Iterable[Tuple[int, int, str]],
    *,
    annotated_labels: Optional[Iterable[str]] = None,
) -> Doc:
    """The reference of make_example, alone."""
    entities = list(entities)
    for char_start, char_end, label in entities:
        if not 0 <= char_start < char_end <= len(text):
            raise ValueError(
                f"the entity {char_start}–{char_end} {label} is not within the {len(text)} characters of {show(text)}"
            )
        if text[char_start].isspace() or text[char_end - 1].isspace():
            raise ValueError(f"the entity {char_start}–{char_end} {label} begins or ends with a space in {show(text)}")
    reference = nlp.make_doc(text)
    split_tokens(reference, [char for entity in entities for char in entity[:2]])
    reference.set_ents([span_at(reference, *entity) for entity in entities])
    if annotated_labels is not None:
        set_annotated_labels(reference, annotated_labels)
    return reference


def make_qa_example(doc: Doc, question: str, answers: Sequence[Tuple[int, int]]) -> Example:
    """Make an Example that asks one question, of copies of a Doc.

    answers: (char_start, char_end) of those that are right; none: the text does not answer the question. Raises a
        ValueError for characters that are not there.
    """
    predicted, reference = doc.copy(), doc.copy()
    set_questions(predicted, [question])
    set_gold_answers(reference, question, answers)
    return Example(predicted, reference)


def make_paragraph_example(vocab: Vocab, text: str, asked: Sequence[Tuple[str, Sequence[Tuple[int, int]]]]) -> Example:
    """Make an Example that asks all questions of a text, with lean Docs, in a fraction of the memory.

    asked: each question with its right answers, as make_qa_example takes them. A question may stand there twice.
    """
    predicted, reference = make_lean_doc(vocab, text), make_lean_doc(vocab, text)
    set_all_gold_answers(reference, asked)
    set_questions(predicted, get_questions(reference))
    return Example(predicted, reference)


def make_lean_doc(vocab: Vocab, text: str) -> Doc:
    """Make a Doc whose tokens are pieces of 32 characters, for those who read its text alone.

    vocab: of which the strings get the pieces; not a pipeline's, or the texts would be saved with it.
    """
    words = [text[i : i + LEAN_TOKEN] for i in range(0, len(text), LEAN_TOKEN)]
    return Doc(vocab, words=words, spaces=[False] * len(words))


def make_asked_length() -> Callable[[Example], int]:
    """For a batcher's get_length (spacy-luke-ja.asked_length.v1)."""
    return asked_length


def asked_length(example: Example) -> int:
    """Characters that the model reads for an Example: the text and a question, over all questions with gold answers."""
    n_text = len(example.reference.text)
    return sum(n_text + len(asked.question) for asked in get_gold_answers(example.reference))
