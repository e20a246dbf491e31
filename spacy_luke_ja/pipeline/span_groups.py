"""Spans and scores in; a group for doc.spans out that stays on its characters when others merge or split tokens."""

from threading import RLock
from time import perf_counter_ns
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple, Union

from spacy.attrs import IDX
from spacy.tokens import Doc, Span, SpanGroup
from spacy.tokens._dict_proxies import SpanGroups

from ..token_splitting import ATTRS_OF_GROUP, SpanRecord, place_record, read_records, token_offsets, write_records

# Of attrs: which component wrote the group, and the lists with a value per span.
LUKE_NER, LUKE_QA, LUKE_SPANS = "luke_ner", "luke_qa", "luke_span_ner"
PER_SPAN = ("scores", "questions")
# Merging tokens takes longer than this: what was looked at since cannot have changed.
NS_PER_TOKEN = 10
LOCK = RLock()


class LastingSpanGroup(SpanGroup):
    """A group of spans that keep their characters, whatever happens to the tokens.

    spaCy's retokenizer leaves groups as they are: their spans then have other text, or point past the Doc, which cannot
    be saved any more. This group looks whether the tokens are still the same before it is read. If they are not, its
    spans get the tokens of their characters; one whose characters are no whole tokens is left out, together with its
    values in attrs["scores"] and attrs["questions"], until they are again.

    A group in a Doc that is copied is such a group too, and one in a Doc that is loaded (from bytes, a DocBin, a pickle
    or another process) where a component of ours was made before. Of Doc.from_docs and Doc.from_json, groups are
    spaCy's own, as those of its spancat.
    """

    def __init__(self, doc: Doc, *, name: str = "", attrs: Optional[Dict[str, Any]] = None, spans: Iterable[Span] = ()):
        super().__init__(doc, name=name, attrs=attrs or {}, spans=list(spans))
        self._token_starts = doc.to_array(IDX).tobytes()
        self._looked_at = 0
        # By their places among all: the span, and its values.
        self._left_out: List[Tuple[int, SpanRecord, Dict[str, Any]]] = []

    def _follow(self) -> None:
        """Put the spans on the Doc's tokens, where these have changed."""
        doc = self._doc_ref()  # type: ignore[attr-defined]
        if doc is None or perf_counter_ns() - self._looked_at < NS_PER_TOKEN * len(doc):
            return
        if doc.to_array(IDX).tobytes() != self._token_starts:
            with LOCK:
                self._place()
        self._looked_at = perf_counter_ns()

    def _place(self) -> None:
        doc = self.doc
        token_starts = doc.to_array(IDX).tobytes()
        if token_starts == self._token_starts:  # another thread was here
            return
        attrs = ATTRS_OF_GROUP.__get__(self)
        lists = {key: list(attrs[key]) for key in PER_SPAN if isinstance(attrs.get(key), list)}
        records: List[Tuple[SpanRecord, Dict[str, Any]]] = [
            (record, {key: values[i] for key, values in lists.items() if i < len(values)})
            for i, record in enumerate(read_records(self))
        ]
        more = {key: values[len(records) :] for key, values in lists.items()}
        for i, record, values in self._left_out:
            records.insert(i, (record, values))
        starts, ends = token_offsets(doc).T
        placed = [(place_record(record, starts, ends), values) for record, values in records]
        kept = [(record, values) for record, values in placed if record is not None]
        write_records(self, [record for record, _ in kept])
        for key in lists:
            attrs[key] = [values[key] for _, values in kept if key in values] + more[key]
        self._left_out = [(i, record, values) for i, (record, values) in enumerate(records) if placed[i][0] is None]
        self._token_starts = token_starts

    @property
    def attrs(self) -> Dict[str, Any]:
        self._follow()
        return ATTRS_OF_GROUP.__get__(self)

    @attrs.setter
    def attrs(self, attrs: Dict[str, Any]) -> None:
        ATTRS_OF_GROUP.__set__(self, attrs)

    def __len__(self) -> int:
        self._follow()
        return super().__len__()

    def __getitem__(self, i: int) -> Span:
        self._follow()
        return super().__getitem__(i)

    def __iter__(self) -> Iterator[Span]:
        self._follow()
        return iter([SpanGroup.__getitem__(self, i) for i in range(SpanGroup.__len__(self))])

    def __setitem__(self, i: int, span: Span) -> None:
        self._follow()
        super().__setitem__(i, span)  # type: ignore[misc]

    def __delitem__(self, i: int) -> None:
        """With the span go its values in attrs."""
        self._follow()
        records = read_records(self)
        place = self._normalize_index(i)  # type: ignore[attr-defined]
        for key in PER_SPAN:
            values = self.attrs.get(key)
            if isinstance(values, list) and len(values) == len(records):
                self.attrs[key] = values[:place] + values[place + 1 :]
        del records[place]  # spaCy's own deletes the one before it
        write_records(self, records)

    def _concat(self, other: Union[SpanGroup, Iterable[Span]], *, inplace: bool = False) -> SpanGroup:
        self._follow()
        if isinstance(other, LastingSpanGroup):
            other._follow()
        return super()._concat(other, inplace=inplace)  # type: ignore[misc]

    def copy(self, doc: Optional[Doc] = None) -> SpanGroup:
        copied = super().copy(doc)
        group = LastingSpanGroup(copied.doc, name=copied.name, attrs=copied.attrs, spans=copied)
        if copied.doc.vocab is self.doc.vocab:
            group._left_out = list(self._left_out)
        return group

    def to_bytes(self) -> bytes:
        self._follow()
        return super().to_bytes()

    def from_bytes(self, bytes_data: bytes) -> SpanGroup:
        super().from_bytes(bytes_data)
        self._token_starts, self._left_out = b"", []
        return self


# Loading

plain_from_bytes = SpanGroups.from_bytes


def follow_in_loaded_docs() -> None:
    """Let the groups of our components last in Docs that are loaded, too; those of others stay as they are.

    spaCy makes each group that it loads one of its own, and asks nobody.
    """
    SpanGroups.from_bytes = from_bytes  # type: ignore[method-assign]


def from_bytes(self: SpanGroups, bytes_data: bytes) -> SpanGroups:
    plain_from_bytes(self, bytes_data)
    for key, group in self.data.items():
        if group.attrs.keys() & {LUKE_NER, LUKE_QA, LUKE_SPANS}:
            self.data[key] = LastingSpanGroup(group.doc).from_bytes(group.to_bytes())
    return self
