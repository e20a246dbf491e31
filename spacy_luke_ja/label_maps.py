"""The name of a known label map in, the map out (spacy-luke-ja.label_map.v1, for the setting label_map); Docs by it."""

from typing import Dict, Mapping

from spacy.tokens import Doc, Span

from .stockmark_labels import LABEL_MAPS


def get_label_map(name: str, *, setting: str = "name") -> Dict[str, str]:
    """The eight labels in the words of another label set.

    name: "stockmark" (the eight labels, the default), "ontonotes" (PERSON, ORG, GPE …), "ene" (GiNZA's: Person,
        Company …), "irex" (PERSON, ORGANIZATION, LOCATION, ARTIFACT), "conll" (PER, ORG, LOC, MISC) or "presidio".
    setting: what an error calls it.
    """
    if name not in LABEL_MAPS:
        raise ValueError(f"{setting} must be one of {', '.join(LABEL_MAPS)}, got {name}")
    return dict(LABEL_MAPS[name])


def rename_entities(doc: Doc, label_map: Mapping[str, str]) -> Doc:
    """Rename the labels of doc.ents in place; a label that the map does not have stays, and "" takes its entities away.

    ent._.luke_score is of an entity with its own label: read it before.
    RETURNS: the same Doc.
    """
    named = [(ent, label_map.get(ent.label_, ent.label_)) for ent in doc.ents]
    kept = [Span(doc, ent.start, ent.end, label, kb_id=ent.kb_id, span_id=ent.id) for ent, label in named if label]
    doc.set_ents(kept, outside=[ent for ent, label in named if not label], default="unmodified")
    return doc
