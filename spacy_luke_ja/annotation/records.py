"""Records in, annotated records out, and those that could not be annotated: what every engine calls."""

from dataclasses import dataclass, field
from typing import Any, Container, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch

from ..corpora.records import BadRecord, check_characters
from ..pipeline.ner_doc import set_luke_entities
from ..text.decoding import CharSpan
from ..text.messages import show
from ..token_splitting import span_at

SCORE_DIGITS = 4


@dataclass(frozen=True)
class RecordSettings:
    """
    text_column: the field of a record that has its text; comment.body is the body in the object comment, where no
    field has that very name.
    id_column: likewise a field that each record must have; None where none need be.
    entities_column, answers_column: the fields that are added; a record that has one of them already is rejected.
    label_map: label of the pipeline → label in the output; "" leaves its entities out; others keep their label.
    min_score: entities and answers with a lower score are left out; those without a score stay.
    with_answers: whether the pipeline answers questions.
    batch_size: texts that go to nlp.pipe together; None: the pipeline's own.
    keep_docs: whether the Docs come out, too, with the labels of label_map.
    """

    text_column: str = "text"
    id_column: Optional[str] = None
    entities_column: str = "entities"
    answers_column: str = "answers"
    label_map: Mapping[str, str] = field(default_factory=dict)
    min_score: float = 0.0
    with_answers: bool = False
    batch_size: Optional[int] = None
    keep_docs: bool = False

    def __post_init__(self) -> None:
        others = [self.text_column, *[self.answers_column] * self.with_answers]
        if not self.entities_column or self.entities_column in others:
            raise ValueError(
                f"--entities-column must be another field than {' and '.join(others)}, got {self.entities_column!r}"
            )


class FoundName(NamedTuple):
    """An entity: text[start:end] in characters; score is None where its component gives none."""

    start: int
    end: int
    label: str
    text: str
    score: Optional[float]


class FoundReply(NamedTuple):
    """The answer to a question; start and end are 0 where there is none. error: why it could not be asked."""

    question: str
    label: str
    start: int
    end: int
    text: str
    score: float
    error: str


@dataclass(frozen=True)
class AnnotatedRecord:
    """i: which of the records that came in. fields: that record."""

    i: int
    fields: Mapping[str, Any]
    text: str
    entities: Sequence[FoundName]
    answers: Optional[Sequence[FoundReply]] = None
    doc: Optional[Doc] = None

    def as_row(self, settings: RecordSettings) -> Dict[str, Any]:
        """The record's fields, and what was found in plain lists and dicts."""
        row = {**self.fields, settings.entities_column: [entity._asdict() for entity in self.entities]}
        if self.answers is not None:
            row[settings.answers_column] = [answer._asdict() for answer in self.answers]
        return row


class RejectedRecord(NamedTuple):
    """i: which of the records that came in."""

    i: int
    reason: str


def annotate_records(
    nlp: Language, records: Sequence[Union[Mapping[str, Any], BadRecord]], settings: Optional[RecordSettings] = None
) -> Tuple[List[AnnotatedRecord], List[RejectedRecord]]:
    """Run a pipeline over records; one that makes it fail is rejected alone.

    records: fields by name; a BadRecord, of a reader, is rejected with its message.
    RETURNS: both in the order in which the records came.
    """
    settings = settings or RecordSettings()
    texts: List[Tuple[str, int]] = []
    rejected: List[RejectedRecord] = []
    for i, record in enumerate(records):
        try:
            texts.append((text_in(record, settings), i))
        except BadRecord as error:
            rejected.append(RejectedRecord(i, str(error)))
    annotated: List[AnnotatedRecord] = []
    for batch in minibatch(texts, settings.batch_size or nlp.batch_size):
        for i, found in run(nlp, batch):
            if isinstance(found, Doc):
                annotated.append(record_of(found, i, records[i], settings))
            else:
                rejected.append(RejectedRecord(i, found))
    return annotated, sorted(rejected)


def text_in(record: Union[Mapping[str, Any], BadRecord], settings: RecordSettings) -> str:
    """Raises a BadRecord where a record has no text that can be annotated."""
    if isinstance(record, BadRecord):
        raise record
    for column, option in ((settings.text_column, "--text-column"), (settings.id_column, "--id-column")):
        if column is None:
            continue
        if not has_field(record, column):
            raise BadRecord(f"there is no {show(column)}; {option} must name one of {', '.join(map(str, record))}")
        if look_up(record, column) is None:
            raise BadRecord(f"{show(column)} is null")
    refuse_taken(record, settings)
    text = look_up(record, settings.text_column)
    if not isinstance(text, str):
        raise BadRecord(f"{show(settings.text_column)} must be a string, got {show(text)}")
    check_characters("the text", text)
    return text


def refuse_taken(fields: Container[str], settings: RecordSettings, place: str = "there is") -> None:
    """Raise a BadRecord where a field is there already that the output gets."""
    advice = {settings.entities_column: "--entities-column gives entities another name"}
    if settings.with_answers:
        advice[settings.answers_column] = "answers to questions go there, and the input must call it otherwise"
    for column in advice:
        if column in fields:
            raise BadRecord(f"{place} a field {show(column)} already; {advice[column]}")


def look_up(record: Mapping[str, Any], name: str) -> Any:
    """The value of a field; where none has that very name, the one that the dots lead to.

    Raises a KeyError.
    """
    if name in record:
        return record[name]
    value: Any = record
    for part in name.split("."):
        if not isinstance(value, Mapping):
            raise KeyError(name)
        value = value[part]
    return value


def has_field(record: Mapping[str, Any], name: str) -> bool:
    try:
        look_up(record, name)
    except KeyError:
        return False
    return True


def run(nlp: Language, batch: Sequence[Tuple[str, int]]) -> Iterator[Tuple[int, Union[Doc, str]]]:
    """Texts with their indices in, each with its Doc, or the reason why there is none, out.

    A batch that fails is tried by halves, down to the text that is to blame.
    """
    batch = list(batch)
    try:
        docs = {i: doc for doc, i in nlp.pipe(batch, as_tuples=True, batch_size=len(batch))}
        reason = "a component of the pipeline dropped it"
    except Exception as error:
        docs = {}
        reason = f"the pipeline failed: {type(error).__name__}: {error}"
        if len(batch) > 1:
            half = len(batch) // 2
            yield from run(nlp, batch[:half])
            yield from run(nlp, batch[half:])
            return
    for _, i in batch:
        yield i, docs.get(i, reason)


def record_of(doc: Doc, i: int, fields: Any, settings: RecordSettings) -> AnnotatedRecord:
    text = look_up(fields, settings.text_column)
    names = names_in(doc, text)
    kept = [name._replace(label=settings.label_map.get(name.label, name.label)) for name in names]
    kept = [name for name in kept if name.label and (name.score is None or name.score >= settings.min_score)]
    answers = answers_in(doc, settings.min_score) if settings.with_answers else None
    if settings.keep_docs and kept != names:
        relabel(doc, kept)
    rounded = [name._replace(score=None if name.score is None else round(name.score, SCORE_DIGITS)) for name in kept]
    return AnnotatedRecord(i, fields, text, rounded, answers, doc if settings.keep_docs else None)


def names_in(doc: Doc, text: str) -> List[FoundName]:
    names = []
    for ent in doc.ents:
        score = ent._.luke_score if ent.has_extension("luke_score") else None
        start, end = ent.start_char, ent.end_char
        names.append(FoundName(start, end, ent.label_, text[start:end], score))
    return names


def answers_in(doc: Doc, min_score: float) -> List[FoundReply]:
    replies = []
    for answer in doc._.luke_answers:
        start, end = (answer.char_start, answer.char_end) if answer.score >= min_score else (0, 0)
        score = round(answer.score, SCORE_DIGITS)
        reply = FoundReply(answer.question, answer.label, start, end, doc.text[start:end], score, answer.error)
        replies.append(reply)
    return replies


def relabel(doc: Doc, names: Sequence[FoundName]) -> None:
    """Put these entities in the place of the Doc's own, with their scores."""
    doc.set_ents([span_at(doc, name.start, name.end, name.label) for name in names], default="outside")
    scored = [CharSpan(name.start, name.end, name.label, name.score) for name in names if name.score is not None]
    set_luke_entities(doc, scored)
