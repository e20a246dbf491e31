"""A Doc and character positions in; the same Doc, its tokens split there, out."""

import struct
import weakref
from dataclasses import replace
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import srsly
from spacy.attrs import (
    DEP,
    ENT_ID,
    ENT_IOB,
    ENT_KB_ID,
    ENT_TYPE,
    HEAD,
    IDX,
    LEMMA,
    LENGTH,
    MORPH,
    NORM,
    ORTH,
    POS,
    SENT_START,
    SPACY,
    TAG,
)
from spacy.lang.ja import DetailedToken, resolve_pos
from spacy.symbols import X
from spacy.tokens import Doc, Span, SpanGroup
from thinc.api import get_array_module

Symbol = Union[int, str]  # a string, or its number in the StringStore
READING = "Reading"  # the morphological feature in which spaCy keeps a Japanese token's kana
INFLECTION = "Inflection"

# All that a token has beside its characters.
ATTRS = [TAG, POS, LEMMA, MORPH, NORM, DEP, HEAD, SENT_START, ENT_IOB, ENT_TYPE, ENT_KB_ID, ENT_ID]
COLUMN = {attr: column for column, attr in enumerate(ATTRS)}
# All that a Doc has beside its tokens, its spans and its user_data.
DOC_FIELDS = (
    "_context",
    "_vector",
    "_vector_norm",
    "cats",
    "has_unknown_spaces",
    "noun_chunks_iterator",
    "sentiment",
    "user_hooks",
    "user_span_hooks",
    "user_token_hooks",
)
# Of spacy-transformers, in doc.user_data.
TRANSFORMER_OUTPUT = ("._.", "trf_data", None, None)
# Lists in doc.user_data with a value per token, Sudachi's shorter units and what GiNZA says of phrases (bunsetu) and
# clauses: (the token's value, the number of its parts) → the parts' values.
OF_PARTS: Dict[str, Callable[[Any, int], List[Any]]] = {
    "sub_tokens": lambda value, n: [value and [[] for _ in value] for _ in range(n)],  # per mode, no shorter units
    "bunsetu_bi_labels": lambda value, n: [value] + ["I"] * (n - 1),
    "bunsetu_position_types": lambda value, n: (
        ["FUNC" if value in ("SYN_HEAD", "FUNC") else "CONT"] * (n - 1) + [value]
    ),
    "clause_heads": lambda value, n: [value] * n,
}


class Parts:
    """Which part of which token each new token is.

    origin: (n_new,) the token that it is of, or a part of.
    first, last: (n_old,) the first and the last part of each token.
    units: what the parts are, of each token that is split.
    """

    def __init__(self, n_tokens: int, units: Dict[int, List[DetailedToken]]):
        counts = np.ones(n_tokens, dtype="int64")
        for i, own in units.items():
            counts[i] = len(own)
        self.origin = np.repeat(np.arange(n_tokens), counts)
        self.last = np.cumsum(counts) - 1
        self.first = self.last - counts + 1
        self.units = units

    def spread(self, values: Sequence[Any]) -> List[Any]:
        return [values[i] for i in self.origin.tolist()]


def split_tokens(doc: Doc, split_at: Sequence[int]) -> None:
    """Split tokens in place so that every character position in split_at is a token edge.

    Where Sudachi knows a shorter unit for a part (modes B and C: 日本人 → 日本, 人), the part takes its tag,
    lemma, norm and reading. Else a part keeps the token's tag and part of speech, has itself as lemma and norm,
    and has a reading where the kana leave no doubt. Entities, blocked and missing ones too, span groups and
    sentence starts stay on their characters; a span that fits no tokens any more, because others merged them, stays
    as it is. In a parse, the last part keeps the head and the children, and the others hang on it. The vectors of a
    token (doc.tensor, the output of spacy-transformers) are those of its parts too, and GiNZA's lists are kept in step.
    """
    parts = find_parts(doc, split_at)
    if not parts.units:
        return
    values = split_values(doc, parts)
    words, spaces = split_words(doc, parts)
    tensor = split_tensor(doc, parts)
    move_user_data(doc, parts)
    replace_tokens(doc, words, spaces, values)
    doc.tensor = tensor
    for group in {id(group): group for group in doc.spans.values()}.values():  # once, under however many keys
        move_spans(doc, group, parts)


def split_copy(doc: Doc, split_at: Sequence[int]) -> Doc:
    """RETURNS: the tokens that split_tokens would make of a Doc, which stays as it is; user_data is shared."""
    parts = find_parts(doc, split_at)
    words, spaces = split_words(doc, parts)
    copy = Doc(doc.vocab, words=words, spaces=spaces, user_data=doc.user_data)
    set_values(copy, split_values(doc, parts))
    return copy


def find_parts(doc: Doc, split_at: Sequence[int]) -> Parts:
    starts, ends = token_offsets(doc).T
    cuts: Dict[int, List[int]] = {}
    for char in sorted(set(split_at)):
        i = int(np.searchsorted(ends, char, side="right"))
        if i < len(doc) and starts[i] < char:
            cuts.setdefault(i, []).append(int(char - starts[i]))
    return Parts(len(doc), {i: split_token(doc, i, at) for i, at in cuts.items()})


def split_words(doc: Doc, parts: Parts) -> Tuple[List[Any], List[bool]]:
    """RETURNS: the new tokens' words, those that stay as their numbers, and whether a space follows each."""
    words = parts.spread(doc.to_array(ORTH).tolist())
    spaces = parts.spread(doc.to_array(SPACY).astype(bool).tolist())
    for i, units in parts.units.items():
        part = slice(int(parts.first[i]), int(parts.last[i]) + 1)
        words[part] = [unit.surface for unit in units]
        spaces[part] = [False] * (len(units) - 1) + spaces[part][-1:]
    return words, spaces


def split_values(doc: Doc, parts: Parts) -> np.ndarray:
    """RETURNS: (n_new, n_attrs) what the new tokens have of ATTRS."""
    old = doc.to_array(ATTRS).view("int64")
    values = old[parts.origin]
    positions = np.arange(len(values))
    is_first, is_last = positions == parts.first[parts.origin], positions == parts.last[parts.origin]
    has_parse, has_lemmas = doc.has_annotation("DEP"), doc.has_annotation("LEMMA")
    heads = parts.last[np.arange(len(old)) + old[:, COLUMN[HEAD]].astype("int32")][parts.origin]
    # Without a parse each part is its own head, as tokens are then.
    inner_heads = parts.last[parts.origin] if has_parse else positions
    values[:, COLUMN[HEAD]] = np.where(is_last, heads, inner_heads) - positions
    # Where nobody has set sentence starts, none is set here.
    values[~is_first, COLUMN[SENT_START]] = -1 if doc.has_annotation("SENT_START") else 0
    begins_ent = (values[:, COLUMN[ENT_IOB]] == 3) & (values[:, COLUMN[ENT_TYPE]] != 0)  # 3 and no type: blocked
    values[begins_ent & ~is_first, COLUMN[ENT_IOB]] = 1
    unsigned = values.view("uint64")
    strings = doc.vocab.strings
    for i, units in parts.units.items():
        token = doc[i]
        features = token.morph.to_dict()
        inflection = features.pop(INFLECTION, None)
        features.pop(READING, None)
        for k, unit in enumerate(units):
            row = unsigned[parts.first[i] + k]
            row[COLUMN[TAG]] = strings.add(unit.tag)
            if token.pos and unit.tag != token.tag_:
                row[COLUMN[POS]] = resolve_pos_id(unit)
            row[COLUMN[NORM]] = strings.add(unit.norm or unit.surface)
            if has_lemmas:
                row[COLUMN[LEMMA]] = strings.add(unit.lemma or unit.surface)
            own: Dict[str, Any] = dict(features)
            if unit.inf or (inflection and k == len(units) - 1):
                own[INFLECTION] = unit.inf or inflection
            if unit.reading:
                own[READING] = unit.reading.replace("=", "_").replace("|", "_")
            if own or row[COLUMN[MORPH]]:
                row[COLUMN[MORPH]] = doc.vocab.morphology.add(own)
            if has_parse and k < len(units) - 1:
                row[COLUMN[DEP]] = strings.add("compound")
    return unsigned


def replace_tokens(doc: Doc, words: List[Any], spaces: List[bool], values: np.ndarray) -> None:
    """Give a Doc other tokens for the same text, all at once; doc.tensor is empty then.

    spaCy's retokenizer goes through the whole Doc for each split. A second __init__ does it once, in the same object.
    """
    fields = {name: getattr(doc, name) for name in DOC_FIELDS}
    groups = doc.spans
    # Tokens that someone took from the Doc before point into its memory: it stays as long as the Doc does.
    weakref.finalize(doc, id, doc.mem).atexit = False
    Doc.__init__(doc, doc.vocab, words=words, spaces=spaces, user_data=doc.user_data)
    for name, value in fields.items():
        setattr(doc, name, value)
    doc.spans.data = groups.data
    set_values(doc, values)


def set_values(doc: Doc, values: Any) -> None:
    doc.from_array(ATTRS, values)
    if doc.has_annotation("DEP"):  # then spaCy has set sentence starts by the heads
        doc.from_array([SENT_START], values[:, [COLUMN[SENT_START]]])


def split_tensor(doc: Doc, parts: Parts) -> Any:
    """RETURNS: a row per new token, where there is one per token; spaCy's own split leaves rows too many at the end."""
    tensor = doc.tensor
    if getattr(tensor, "ndim", 0) == 0 or len(tensor) < len(doc) or not len(doc):
        return tensor
    return tensor[get_array_module(tensor).asarray(parts.origin)]


def move_spans(doc: Doc, group: SpanGroup, parts: Parts) -> None:
    """Let the spans of a group have the tokens of their characters again."""
    starts, ends = token_offsets(doc).T
    n_more = len(starts) - len(parts.first)
    records = []
    for record in read_records(group):
        start, end = (int(parts.first[i]) if i < len(parts.first) else i + n_more for i in (record.start, record.end))
        records.append(place_record(record, starts, ends) or record._replace(start=start, end=end))
    write_records(group, records)


class SpanRecord(NamedTuple):
    """A span as a group keeps and saves it: as a Span, one that does not fit the tokens cannot even be looked at."""

    id: int
    kb_id: int
    label: int
    start: int
    end: int
    start_char: int
    end_char: int


SPAN_LAYOUT = ">QQQllll"
# Of SpanGroup itself, whatever its subclasses make of it.
ATTRS_OF_GROUP: Any = vars(SpanGroup)["attrs"]


def read_records(group: SpanGroup) -> List[SpanRecord]:
    attrs = ATTRS_OF_GROUP.__get__(group)
    ATTRS_OF_GROUP.__set__(group, {})  # they may hold what cannot be saved
    try:
        saved = srsly.msgpack_loads(SpanGroup.to_bytes(group))
    finally:
        ATTRS_OF_GROUP.__set__(group, attrs)
    return [SpanRecord(*struct.unpack(SPAN_LAYOUT, span)) for span in saved["spans"]]


def write_records(group: SpanGroup, records: Sequence[SpanRecord]) -> None:
    name, attrs = group.name, ATTRS_OF_GROUP.__get__(group)
    spans = [struct.pack(SPAN_LAYOUT, *record) for record in records]
    SpanGroup.from_bytes(group, srsly.msgpack_dumps({"name": "", "attrs": {}, "spans": spans}))
    group.name = name
    ATTRS_OF_GROUP.__set__(group, attrs)


def place_record(record: SpanRecord, starts: np.ndarray, ends: np.ndarray) -> Optional[SpanRecord]:
    """starts, ends: of the tokens, in characters. RETURNS: the span on them; None where it is no whole tokens."""
    first = int(np.searchsorted(starts, record.start_char))
    if record.start == record.end:
        return record._replace(start=first, end=first)
    last = int(np.searchsorted(ends, record.end_char))
    if not (first <= last < len(ends) and starts[first] == record.start_char and ends[last] == record.end_char):
        return None
    return record._replace(start=first, end=last + 1)


def move_user_data(doc: Doc, parts: Parts) -> None:
    """Keep in step what others say of tokens in user_data; what is not of these tokens stays as it is."""
    data: Dict[Any, Any] = doc.user_data
    last = parts.last.tolist()

    def has_value_per_token(key: str) -> bool:
        return isinstance(data.get(key), (list, tuple)) and len(data[key]) == len(doc)

    if has_value_per_token("clause_heads"):
        heads = data["clause_heads"]
        data["clause_heads"] = type(heads)(last[head] if head >= 0 else head for head in heads)
        data["clauses"] = {
            last[head]: [part for i in tokens for part in range(int(parts.first[i]), last[i] + 1)]
            for head, tokens in data.get("clauses", {}).items()
        }
    if has_value_per_token("bunsetu_bi_labels"):
        data["bunsetu_heads"] = type(data["bunsetu_heads"])(last[i] for i in data["bunsetu_heads"])
    for key, of_parts in OF_PARTS.items():
        if has_value_per_token(key):
            values = parts.spread(data[key])
            for i, units in parts.units.items():
                values[parts.first[i] : parts.last[i] + 1] = of_parts(data[key][i], len(units))
            data[key] = type(data[key])(values)
    output: Any = data.get(TRANSFORMER_OUTPUT)
    if hasattr(output, "align") and len(output.align.lengths) == len(doc):
        data[TRANSFORMER_OUTPUT] = replace(output, align=output.align[parts.origin])


def token_offsets(doc: Doc) -> np.ndarray:
    """RETURNS: (n_tokens, 2) character start and end of each token, without its trailing space."""
    offsets = doc.to_array([IDX, LENGTH]).astype("int64").reshape(-1, 2)
    offsets[:, 1] += offsets[:, 0]
    return offsets


def find_tokens(doc: Doc, ent_iob: int, ent_type: str) -> List[Tuple[int, int]]:
    """Character ranges of tokens in a state: (3, "") is spaCy's "blocked", (0, "") its "missing"."""
    return [(t.idx, t.idx + len(t)) for t in doc if t.ent_iob == ent_iob and t.ent_type_ == ent_type]


def span_at(doc: Doc, char_start: int, char_end: int, label: Symbol, kb_id: Symbol = 0, span_id: Symbol = 0) -> Span:
    """doc.char_span for characters that are known to be token edges; a ValueError where they are not."""
    span = doc.char_span(char_start, char_end, label=label, kb_id=kb_id, span_id=span_id)
    if span is None and char_start == char_end:  # an empty span, which a group may hold
        token = int(np.searchsorted(doc.to_array(IDX), char_start))
        return Span(doc, token, token, label=label, kb_id=kb_id, span_id=span_id)
    if span is None:
        raise ValueError(f"{char_start}–{char_end} are no token edges in {doc.text!r}")
    return span


def split_token(doc: Doc, i: int, cuts: Sequence[int]) -> List[DetailedToken]:
    """What the parts of one token are; cuts: where it is split, in characters from its start."""
    token = doc[i]
    edges = [0, *cuts, len(token)]
    surfaces = [token.text[a:b] for a, b in zip(edges, edges[1:])]
    known = known_units(doc, i, edges)
    reading = token.morph.get(READING, [])  # type: ignore[call-arg,unused-ignore]
    readings = split_reading(surfaces, reading[0] if reading else None)
    return [
        unit or DetailedToken(surface, token.tag_, "", surface, surface, reading, None)
        for unit, surface, reading in zip(known, surfaces, readings)
    ]


def known_units(doc: Doc, i: int, edges: Sequence[int]) -> List[Optional[DetailedToken]]:
    """Per part, the unit of a finer Sudachi mode that it is, where doc.user_data["sub_tokens"] has it."""
    sub_tokens = doc.user_data.get("sub_tokens") or []
    units_by_chars: Dict[Tuple[int, int], DetailedToken] = {}
    for mode in (sub_tokens[i] if len(sub_tokens) == len(doc) else None) or []:
        if "".join(unit[0] for unit in mode) != doc[i].text:  # tokens were merged: these are another token's
            continue
        start = 0
        for unit in mode:
            unit = DetailedToken(*unit)  # a Doc that was saved and loaded has plain lists here
            units_by_chars.setdefault((start, start + len(unit.surface)), unit)
            start += len(unit.surface)
    return [units_by_chars.get(chars) for chars in zip(edges, edges[1:])]


def split_reading(surfaces: Sequence[str], reading: Optional[str]) -> List[Optional[str]]:
    """Share out a token's katakana reading where kana at its ends leave no doubt, else None for each part.

    (東京, タワー), トウキョウタワー → トウキョウ, タワー; (訪, 日), ホウニチ → None, None
    """
    if reading is None:
        return [None] * len(surfaces)
    readings = [to_katakana(surface) if is_kana(surface) else None for surface in surfaces]
    unknown = [i for i, kana in enumerate(readings) if kana is None]
    if len(unknown) == 1:
        before = "".join(kana or "" for kana in readings[: unknown[0]])
        after = "".join(kana or "" for kana in readings[unknown[0] + 1 :])
        middle = reading[len(before) : len(reading) - len(after)]
        if middle and reading == before + middle + after:
            readings[unknown[0]] = middle
    return readings


def is_kana(text: str) -> bool:
    return all("ぁ" <= char <= "ゖ" or "ァ" <= char <= "ヺ" or char == "ー" for char in text)


def to_katakana(text: str) -> str:
    return "".join(chr(ord(char) + 0x60) if "ぁ" <= char <= "ゖ" else char for char in text)


def resolve_pos_id(unit: DetailedToken) -> int:
    try:
        return resolve_pos(unit.surface, unit.tag, None)[0]
    except KeyError:  # a tag that spaCy's table for Japanese does not have
        return X
