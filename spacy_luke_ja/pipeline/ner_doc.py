"""Character spans in, an annotated Doc out: doc.ents, scores, and what the tokens did to the spans."""

import warnings
from bisect import bisect_left
from collections import Counter
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from spacy.tokens import Doc, Span, SpanGroup

from ..text.alignment import OUTCOMES, align_to_tokens
from ..text.decoding import CharSpan
from ..token_splitting import span_at, split_copy, split_tokens, token_offsets
from ..user_data import drop_of, keys_of, pack, register_extension, text_length, unpack
from .ents import EntsFilter, choose_ents, write_ents
from .span_groups import LUKE_NER, LastingSpanGroup

FILTERED, LOST = "filtered", ("moved", "dropped")
# Of luke_alignment, where a Doc was read from JSON.
ALIGNMENT = "luke_alignment"


class Found(NamedTuple):
    """An entity that a component found.

    text: the characters under which it is kept: those of its tokens, its own where it has none.
    start_offset, end_offset: where its own characters begin and end, counted from the begin and the end of those.
    component: "" where only characters, label and score are known.
    """

    component: str
    label: str
    score: float
    outcome: str
    start_offset: int
    end_offset: int
    text: str


def get_luke_entities(doc: Doc) -> List[CharSpan]:
    """doc._.luke_entities: the exact character spans (char_start, char_end, label, score), in text order."""
    return sorted(char_span for char_span, _ in found_in(doc))


def set_luke_entities(doc: Doc, char_spans: Iterable[Sequence[Any]]) -> None:
    """In place of all that are there; Doc.from_json does this."""
    drop_of(doc, None, ON_TOKENS, ELSEWHERE)
    text = doc.text
    for char_span in (CharSpan(*values) for values in char_spans):
        store(doc, "", char_span, char_span, "", text=text)


def get_luke_alignment(doc: Doc) -> Dict[str, int]:
    """doc._.luke_alignment: how many are exact, moved, split, dropped by alignment_mode, or filtered by ents_filter."""
    outcomes = Counter(found.outcome for _, found in found_in(doc) if found.outcome)
    saved = {} if outcomes else dict(unpack(doc, doc.user_data.get(ALIGNMENT)))
    return {**dict.fromkeys((*OUTCOMES, FILTERED), 0), **saved, **outcomes}


def set_luke_alignment(doc: Doc, counts: Dict[str, int]) -> None:
    doc.user_data[ALIGNMENT] = pack(doc, dict(counts))


def get_luke_score(span: Span) -> Optional[float]:
    """ent._.luke_score: the score of the entity that luke_ner found here with this label; None if it found none.

    It stays with these characters when tokens are merged, and in Doc.copy, to_bytes, Doc.from_docs, Span.as_doc(
    copy_user_data=True), a DocBin with store_user_data=True, and JSON with underscore=["luke_entities"]. Where
    user_data is left out (Span.as_doc() and a DocBin by default), spaCy keeps nothing that scores could be in but span
    groups: a DocBin has them, a part of a Doc has none.
    """
    for name in (ON_TOKENS, ELSEWHERE):
        for found in read_stored(span.doc.user_data.get(stored_key(span.start_char, span.end_char, name))):
            if found.label == span.label_ and found.text == span.text:
                return found.score
    for group in span.doc.spans.values():
        if LUKE_NER in group.attrs:
            score = score_in_group(group, span)
            if score is not None:
                return score
    return None


def score_in_group(group: SpanGroup, span: Span) -> Optional[float]:
    """group: in text order, as annotate_entities writes it."""
    try:
        i = bisect_left(group, span.start_char, key=lambda own: own.start_char)
        own = group[i]
    except IndexError:  # none; of spaCy's own groups, also one that has no tokens since others were merged
        return None
    places = [(place.start_char, place.end_char, place.label, place.text) for place in (own, span)]
    is_same = places[0] == places[1] and len(group) == len(group.attrs["scores"])
    return group.attrs["scores"][i] if is_same else None


# Entities are kept in user_data as the values of an extension attribute of spans, which spaCy moves along with their
# characters. from_json fails where such characters are not whole tokens: those have another name.
ON_TOKENS, ELSEWHERE = "luke_score", "luke_found"


def register_extensions() -> None:
    global ON_TOKENS
    register_extension(Doc, "luke_entities", getter=get_luke_entities, setter=set_luke_entities)
    register_extension(Doc, "luke_alignment", getter=get_luke_alignment, setter=set_luke_alignment)
    if not register_extension(Span, "luke_score", getter=get_luke_score):
        ON_TOKENS = ELSEWHERE


def stored_key(char_start: int, char_end: int, name: str) -> Any:
    return ("._.", name, char_start, char_end)


def read_stored(values: Optional[Sequence[Sequence[Any]]]) -> List[Found]:
    return [Found(*value) for value in values or ()]


def found_in(doc: Doc) -> Iterator[Tuple[CharSpan, Found]]:
    """All that was found, by its exact characters; in a part of a Doc, what lies within it."""
    text, length = doc.text, text_length(doc)
    for key in keys_of(doc, ON_TOKENS, ELSEWHERE):
        _, _, start, end = key
        for found in read_stored(doc.user_data[key]):
            own_start, own_end = start + found.start_offset, end + found.end_offset
            if 0 <= min(start, own_start) and max(end, own_end) <= length and text[start:end] == found.text:
                yield CharSpan(own_start, own_end, found.label, found.score), found


def store(
    doc: Doc, component: str, source: CharSpan, target: CharSpan, outcome: str, *, text: str, first: bool = False
) -> None:
    """Keep an entity under the characters of its tokens.

    text: of the Doc. first: whether its score goes before that of others with the same characters and label.
    """
    start, end = target.char_start, target.char_end
    offsets = source.char_start - start, source.char_end - end
    found = Found(component, source.label, source.score, outcome, *offsets, text[start:end])
    key = stored_key(start, end, ELSEWHERE if doc.char_span(start, end) is None else ON_TOKENS)
    others = read_stored(doc.user_data.get(key))
    others = [other for other in others if other.component or other.label != found.label]
    both = [found, *others] if first else [*others, found]
    doc.user_data[key] = [list(own) for own in both]


def annotate_entities(
    doc: Doc,
    char_spans: Sequence[CharSpan],
    *,
    component: str,
    alignment_mode: str,
    spans_key: Optional[str],
    ents_filter: Optional[EntsFilter],
) -> None:
    """Write predicted character spans to a Doc, in place of what the component wrote before; settings: LukeNer's."""
    alignment = align_to_tokens(char_spans, token_offsets(doc), alignment_mode=alignment_mode)
    # Tokens are split for what reaches doc.ents alone: ents_filter sees them split in a copy.
    tokens = split_copy(doc, alignment.split_at) if alignment.split_at else doc
    spans = [span_at(tokens, *char_span[:3]) for char_span in alignment.char_spans]
    ents = choose_ents(tokens, spans, ents_filter)
    places = {(ent.start_char, ent.end_char, ent.label) for ent in ents}
    ours = {id(span) for span in spans} & {id(ent) for ent in ents}
    if tokens is not doc:
        split_tokens(doc, [char for ent in ents for char in (ent.start_char, ent.end_char)])
        ents = [span_at(doc, ent.start_char, ent.end_char, ent.label, ent.kb_id, ent.id) for ent in ents]
    write_ents(doc, ents)
    drop_of(doc, component, ON_TOKENS, ELSEWHERE)
    text = doc.text
    for span, (source, target, outcome) in zip(spans, alignment.placed):
        if (span.start_char, span.end_char, span.label) not in places:
            outcome = FILTERED
        store(doc, component, source, target, outcome, text=text, first=id(span) in ours)
    for source in alignment.dropped:
        store(doc, component, source, source, "dropped", text=text)
    if spans_key is not None:
        doc.spans[spans_key] = make_group(doc, alignment.char_spans, spans_key)


def make_group(doc: Doc, char_spans: Sequence[CharSpan], name: str) -> LastingSpanGroup:
    """RETURNS: those that are whole tokens; all but what ents_filter turned away inside a token."""
    spans = [doc.char_span(*char_span[:3]) for char_span in char_spans]
    scores = [char_span.score for char_span, span in zip(char_spans, spans) if span is not None]
    attrs = {"scores": scores, LUKE_NER: True}
    return LastingSpanGroup(doc, name=name, attrs=attrs, spans=[span for span in spans if span is not None])


class LossReport:
    """Counts what befell the entities in a stream of Docs, to say once what was moved or dropped."""

    def __init__(self, component: str):
        self.component = component
        self.counts: Counter = Counter()
        self.example = ""
        self.n_docs = 0

    def add(self, doc: Doc) -> None:
        """doc: what the component has just annotated."""
        self.n_docs += 1
        stored = (found for key in keys_of(doc, ON_TOKENS, ELSEWHERE) for found in read_stored(doc.user_data[key]))
        outcomes = Counter(found.outcome for found in stored if found.component == self.component)
        self.counts.update(outcomes)
        if not self.example and any(outcomes[outcome] for outcome in LOST):
            text, found = doc.text, sorted(found_in(doc))
            own = (span for span, each in found if each.component == self.component and each.outcome in LOST)
            char_start, char_end, label, _ = next(own)
            around = text[max(0, char_start - 5) : char_end + 5]
            self.example = f"{label} {text[char_start:char_end]!r} in {around!r}"

    def warn(self, alignment_mode: str) -> bool:
        """RETURNS: whether there was anything to say."""
        moved, dropped = (self.counts[outcome] for outcome in LOST)
        if moved or dropped:
            warnings.warn(
                f"[{self.component}] of {sum(self.counts.values())} "
                f"entities, {moved} were moved to token edges and {dropped} dropped by alignment_mode "
                f'"{alignment_mode}", first {self.example}. doc._.luke_entities has all of them on their exact '
                'characters; alignment_mode "split" keeps them in doc.ents',
                stacklevel=3,
            )
        return bool(moved or dropped)
