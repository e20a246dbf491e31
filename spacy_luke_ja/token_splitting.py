"""A Doc and character positions in; the same Doc, its tokens split there, out."""

from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from spacy.attrs import IDX, LENGTH, SENT_START
from spacy.lang.ja import DetailedToken, resolve_pos
from spacy.tokens import Doc, MorphAnalysis, Span, SpanGroup

Symbol = Union[int, str]  # a string, or its number in the StringStore
READING = "Reading"  # the morphological feature in which spaCy keeps a Japanese token's kana


def split_tokens(doc: Doc, split_at: Sequence[int]) -> None:
    """Split tokens in place so that every character position in split_at is a token edge.

    Where Sudachi knows a shorter unit for a part (modes B and C: 日本人 → 日本, 人), the part takes its tag,
    lemma, norm and reading. Else a part keeps the token's tag and part of speech, has itself as lemma and norm,
    and has a reading where the kana leave no doubt. Entities, blocked and missing ones too, span groups and
    sentence starts stay on their characters; in a parse, the first part keeps the head and the children, and the
    others hang on it.
    """
    cuts: Dict[int, List[int]] = {}
    token_ends = [token.idx + len(token) for token in doc]
    i = 0
    for char in sorted(set(split_at)):
        while i < len(doc) and token_ends[i] <= char:
            i += 1
        if i < len(doc) and doc[i].idx < char:
            cuts.setdefault(i, []).append(char - doc[i].idx)
    if not cuts:
        return
    ents = [(e.start_char, e.end_char, e.label, e.kb_id, e.id) for e in doc.ents]
    unset = {state: find_tokens(doc, *iob) for state, iob in {"blocked": (3, ""), "missing": (0, "")}.items()}
    groups = {
        key: ([(s.start_char, s.end_char, s.label, s.kb_id, s.id) for s in group], group.attrs)
        for key, group in doc.spans.items()
    }
    sentence_starts = dict(zip(doc.to_array(IDX).tolist(), doc.to_array(SENT_START).tolist()))
    parts = {i: split_token(doc, i, at) for i, at in cuts.items()}
    has_parse, has_lemmas = doc.has_annotation("DEP"), doc.has_annotation("LEMMA")
    with doc.retokenize() as retokenizer:
        for i, units in parts.items():
            if has_parse:
                head = doc[i].head
                heads: List[Any] = [head if head.i != i else (doc[i], 0)] + [(doc[i], 0)] * (len(units) - 1)
            else:
                heads = [(doc[i], part) for part in range(len(units))]  # each its own, as without a split
            retokenizer.split(doc[i], [unit.surface for unit in units], heads=heads)
    shift = 0
    for i, units in sorted(parts.items()):
        annotate_parts(doc, i + shift, units, has_parse, has_lemmas)
        shift += len(units) - 1
    if not has_parse and any(sentence_starts.values()):
        # One call for all: setting token.is_sent_start looks through the whole Doc each time.
        not_a_start = 2**64 - 1
        values = [sentence_starts.get(idx, not_a_start) for idx in doc.to_array(IDX).tolist()]
        starts: Any = np.array(values, dtype="uint64").reshape(-1, 1)
        doc.from_array([SENT_START], starts)
    states = {state: [doc.char_span(start, end) for start, end in chars] for state, chars in unset.items()}
    doc.set_ents([span_at(doc, *ent) for ent in ents], **states)  # type: ignore[arg-type]
    for key, (chars, attrs) in groups.items():
        doc.spans[key] = SpanGroup(doc, name=key, attrs=attrs, spans=[span_at(doc, *span) for span in chars])


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


def annotate_parts(doc: Doc, first: int, units: Sequence[DetailedToken], has_parse: bool, has_lemmas: bool) -> None:
    """Write what spaCy's retokenizer leaves undone: a new token has whatever stood in its place before."""
    whole = doc[first]
    tag, pos, dep, inflection = whole.tag_, whole.pos_, whole.dep_, whole.morph.get("Inflection", [])
    for k, unit in enumerate(units):
        token = doc[first + k]
        token.tag_ = unit.tag
        if pos:
            token.pos_ = pos if unit.tag == tag else resolve_pos_name(doc, unit)
        token.norm_ = unit.norm or unit.surface
        if has_lemmas:
            token.lemma_ = unit.lemma or unit.surface
        morph = {}
        if unit.inf or (inflection and k == len(units) - 1):
            morph["Inflection"] = unit.inf or inflection[0]
        if unit.reading:
            morph[READING] = unit.reading.replace("=", "_").replace("|", "_")
        token.morph = MorphAnalysis(doc.vocab, morph)
        token.ent_type_ = ""
        if has_parse:
            token.dep_ = dep if k == 0 else "compound"
    sub_tokens = doc.user_data.get("sub_tokens") or []
    if first < len(sub_tokens):
        sub_tokens[first : first + 1] = [None] * len(units)


def resolve_pos_name(doc: Doc, unit: DetailedToken) -> str:
    try:
        return doc.vocab.strings[resolve_pos(unit.surface, unit.tag, None)[0]]
    except KeyError:  # a tag that spaCy's table for Japanese does not have
        return "X"
