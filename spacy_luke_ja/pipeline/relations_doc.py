"""A Doc in, its mentions out; relations in, an annotated Doc out: Relation objects and doc._.luke_relations."""

from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

from spacy.tokens import Doc, Span

from ..relations_data import clear_found_relations, get_found_relations, set_found_relations
from ..text.relations import FoundRelation, Mention
from ..user_data import register_extension
from .mentions import spans_of


class RelationFields(NamedTuple):
    head_start: int
    head_end: int
    tail_start: int
    tail_end: int
    label: str
    score: float
    n_best: Tuple[Tuple[str, float], ...] = ()


class Relation(RelationFields):
    """A relation between two mentions. To JSON it is the list of its fields.

    head_start, head_end, tail_start, tail_end: characters of the text, exactly.
    score: a probability. n_best: (label, score) of the likeliest relations that this pair may have.
    """

    doc: Doc

    def __new__(cls, fields: Iterable[Any], doc: Doc) -> "Relation":
        relation = super().__new__(cls, *fields)
        relation.doc = doc
        return relation

    def __reduce__(self) -> Any:
        return Relation, (tuple(self), self.doc)

    @property
    def head(self) -> Span:
        """The head's tokens as they are now, those that it cuts too; with the label of an ent of these characters."""
        return find_mention(self.doc, self.head_start, self.head_end)

    @property
    def tail(self) -> Span:
        """As head."""
        return find_mention(self.doc, self.tail_start, self.tail_end)


def find_mention(doc: Doc, char_start: int, char_end: int) -> Span:
    span: Any = doc.char_span(char_start, char_end, alignment_mode="expand")
    same = [ent for ent in span.ents if (ent.start_char, ent.end_char) == (char_start, char_end)]
    return same[0] if same else span


def labelled_mentions(doc: Doc, mentions_key: Optional[str]) -> Dict[Mention, Set[str]]:
    """RETURNS: the characters of doc.ents, or of a group in doc.spans, with their labels."""
    mentions: Dict[Mention, Set[str]] = {}
    for span in spans_of(doc, mentions_key):
        mentions.setdefault((span.start_char, span.end_char), set()).add(span.label_)
    return mentions


def get_luke_relations(doc: Doc) -> List[Relation]:
    """doc._.luke_relations: in text order of head and tail, the likeliest of a pair first."""
    return [Relation((*own.head, *own.tail, *own[2:]), doc) for own in get_found_relations(doc)]


def set_luke_relations(doc: Doc, relations: Iterable[Sequence[Any]]) -> None:
    """In place of all that are there; Doc.from_json does this."""
    given = [RelationFields(*fields) for fields in relations]
    found = [FoundRelation((own[0], own[1]), (own[2], own[3]), *own[4:]) for own in given]
    clear_found_relations(doc)
    set_found_relations(doc, "", found)


def register_extensions() -> None:
    register_extension(Doc, "luke_relations", getter=get_luke_relations, setter=set_luke_relations)
