"""Found spans in, an annotated Doc out: a group in doc.spans with scores, and doc.ents."""

from typing import Dict, List, Optional, Sequence, Tuple

from spacy.tokens import Doc

from ..text.alignment import align_to_tokens
from ..text.decoding import CharSpan
from ..text.spans import keep_apart
from ..token_splitting import span_at, split_tokens, token_offsets
from .ents import EntsFilter, choose_ents, write_ents
from .span_groups import LUKE_SPANS, LastingSpanGroup


def gold_spans(doc: Doc, spans_key: str) -> Optional[Dict[Tuple[int, int], str]]:
    """RETURNS: characters → label, of the group in doc.spans where there is one, else of doc.ents; None where nobody
    has said."""
    if spans_key in doc.spans:
        return {(span.start_char, span.end_char): span.label_ for span in doc.spans[spans_key]}
    if not doc.has_annotation("ENT_IOB"):
        return None
    return {(ent.start_char, ent.end_char): ent.label_ for ent in doc.ents}


def annotate_spans(
    doc: Doc,
    char_spans: Sequence[CharSpan],
    *,
    alignment_mode: str,
    nested: bool,
    spans_key: str,
    ents_filter: Optional[EntsFilter],
) -> None:
    """Write what was found to a Doc; the settings are LukeSpanNer's.

    char_spans: the surest first.
    """
    kept = keep_apart(char_spans, nested=nested)
    placed = place_on_tokens(doc, kept, alignment_mode=alignment_mode)
    scores: Dict[Tuple[int, int, str], float] = {}
    for span in placed:
        scores[span[:3]] = max(span.score, scores.get(span[:3], 0.0))
    spans = [span_at(doc, *chars) for chars in scores]
    attrs = {"scores": list(scores.values()), LUKE_SPANS: True}
    doc.spans[spans_key] = LastingSpanGroup(doc, name=spans_key, attrs=attrs, spans=spans)
    apart = keep_apart(sorted(placed, key=lambda span: -span.score), nested=False)
    ents = [span_at(doc, *char_span[:3]) for char_span in apart]
    write_ents(doc, choose_ents(doc, ents, ents_filter))


def place_on_tokens(doc: Doc, char_spans: Sequence[CharSpan], *, alignment_mode: str) -> List[CharSpan]:
    """Move spans to token edges, each by itself; with "split", split tokens at theirs."""
    offsets = token_offsets(doc)
    aligned = [align_to_tokens([span], offsets, alignment_mode=alignment_mode) for span in char_spans]
    split_tokens(doc, [char for own in aligned for char in own.split_at])
    return [span for own in aligned for span in own.char_spans]
