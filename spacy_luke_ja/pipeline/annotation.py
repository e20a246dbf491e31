"""Character spans in, an annotated Doc out: doc.ents, doc.spans, scores, and what the tokens did to the spans."""

import warnings
from bisect import bisect_left
from collections import Counter
from typing import Callable, Dict, Iterable, List, Optional, Sequence

from spacy.tokens import Doc, Span, SpanGroup

from ..text.alignment import align_to_tokens
from ..text.decoding import CharSpan
from ..token_splitting import find_tokens, span_at, split_tokens, token_offsets
from ..user_data import pack, unpack

EntsFilter = Callable[[Iterable[Span], Iterable[Span]], Iterable[Span]]

# In doc.user_data, so that they survive to_bytes and DocBin; each is a dict with a packed value per spans_key.
ENTITIES = "luke_entities"
SCORES = "luke_scores"  # the entities as they met the tokens
ALIGNMENT = "luke_alignment"


def get_luke_entities(doc: Doc) -> List[CharSpan]:
    """doc._.luke_entities: the exact character spans (char_start, char_end, label, score), in text order."""
    spans = [CharSpan(*span) for packed in doc.user_data.get(ENTITIES, {}).values() for span in unpack(doc, packed)]
    return sorted(spans)


def get_luke_alignment(doc: Doc) -> Dict[str, int]:
    """doc._.luke_alignment: how many of them were exact, moved, split, dropped, or filtered by ents_filter."""
    counts: Counter = Counter()
    for packed in doc.user_data.get(ALIGNMENT, {}).values():
        counts.update(unpack(doc, packed))
    return dict(counts)


def get_luke_score(span: Span) -> Optional[float]:
    """ent._.luke_score: the score of the entity that luke_ner found here with this label; None if it found none."""
    # By characters, and not from doc.spans: tokens may be merged since, and spans taken out of the group.
    place = (span.start_char, span.end_char, span.label_)
    for packed in span.doc.user_data.get(SCORES, {}).values():
        scored = unpack(span.doc, packed)
        i = bisect_left(scored, place, key=lambda own: tuple(own[:3]))
        if i < len(scored) and tuple(scored[i][:3]) == place:
            return scored[i][3]
    return None


def register_extensions() -> None:
    Doc.set_extension("luke_entities", getter=get_luke_entities, force=True)
    Doc.set_extension("luke_alignment", getter=get_luke_alignment, force=True)
    Span.set_extension("luke_score", getter=get_luke_score, force=True)


def annotate(
    doc: Doc, char_spans: Sequence[CharSpan], *, alignment_mode: str, spans_key: str, ents_filter: Optional[EntsFilter]
) -> None:
    """Write predicted character spans to a Doc; the settings are LukeNer's."""
    alignment = align_to_tokens(char_spans, token_offsets(doc), alignment_mode=alignment_mode)
    split_tokens(doc, alignment.split_at)
    spans = [span_at(doc, *char_span[:3]) for char_span in alignment.char_spans]
    scores = [char_span.score for char_span in alignment.char_spans]
    doc.spans[spans_key] = SpanGroup(doc, name=spans_key, attrs={"scores": scores}, spans=spans)
    blocked = [span_at(doc, *chars, "") for chars in find_tokens(doc, 3, "")]
    blocked_tokens = {span.start for span in blocked}
    free = [span for span in spans if blocked_tokens.isdisjoint(range(span.start, span.end))]
    ents = free if ents_filter is None else list(ents_filter(doc.ents, free))
    doc.set_ents(sorted(ents), blocked=blocked)
    in_ents = {(ent.start, ent.end, ent.label) for ent in ents}
    n_filtered = sum((span.start, span.end, span.label) not in in_ents for span in spans)
    said = {
        ENTITIES: [list(span) for span in char_spans],
        SCORES: sorted(list(span) for span in alignment.char_spans),
        ALIGNMENT: {**alignment.counts, "filtered": n_filtered},
    }
    for key, values in said.items():
        doc.user_data.setdefault(key, {})[spans_key] = pack(doc, values)


class LossReport:
    """Counts what alignment moved or dropped in a stream of Docs, to say it once."""

    def __init__(self, component_name: str, spans_key: str):
        self.component_name = component_name
        self.spans_key = spans_key
        self.counts: Counter = Counter()
        self.example = ""
        self.n_docs = 0

    def add(self, doc: Doc) -> None:
        counts = unpack(doc, doc.user_data[ALIGNMENT][self.spans_key])
        self.counts.update(counts)
        self.n_docs += 1
        if not self.example and counts["moved"] + counts["dropped"]:
            placed = {(span.start_char, span.end_char, span.label_) for span in doc.spans[self.spans_key]}
            for char_start, char_end, label, _ in unpack(doc, doc.user_data[ENTITIES][self.spans_key]):
                if (char_start, char_end, label) not in placed:
                    around = doc.text[max(0, char_start - 5) : char_end + 5]
                    self.example = f"{label} {doc.text[char_start:char_end]!r} in {around!r}"
                    break

    def warn(self, alignment_mode: str) -> bool:
        """RETURNS: whether there was anything to say."""
        moved, dropped = self.counts["moved"], self.counts["dropped"]
        if moved or dropped:
            warnings.warn(
                f"[{self.component_name}] of {sum(self.counts[k] for k in ('exact', 'moved', 'split', 'dropped'))} "
                f"entities, {moved} were moved to token edges and {dropped} dropped by alignment_mode "
                f'"{alignment_mode}", first {self.example}. doc._.luke_entities has all of them on their exact '
                'characters; alignment_mode "split" keeps them in doc.ents',
                stacklevel=3,
            )
        return bool(moved or dropped)
