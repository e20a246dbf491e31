"""Examples in, entity scores out: over tokens as spaCy counts them, and over exact characters."""

from typing import Any, Callable, Dict, Iterable

from spacy.scorer import PRFScore, get_ner_prf
from spacy.training import Example


def make_ner_scorer() -> Callable[..., Dict[str, Any]]:
    """The default scorer of luke_ner (spacy-luke-ja.ner_scorer.v1)."""
    return score_ner


def score_ner(examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
    """spaCy's ents_p, ents_r, ents_f, ents_per_type, and the same over exact characters as char_ents_….

    spaCy's scores compare tokens; the others compare (char_start, char_end, label) and need no alignment.
    """
    examples = list(examples)
    return {**get_ner_prf(examples, **kwargs), **score_char_ents(examples)}


def score_char_ents(examples: Iterable[Example]) -> Dict[str, Any]:
    """Precision, recall and F1 over (char_start, char_end, label) of doc.ents.

    Examples whose reference has no entity annotation are left out, as spaCy does.
    RETURNS: char_ents_p, char_ents_r, char_ents_f (micro; None without any annotation), char_ents_per_type.
    """
    total, per_type, seen = PRFScore(), {}, False  # type: ignore[var-annotated]
    for example in examples:
        if not example.reference.has_annotation("ENT_IOB"):
            continue
        seen = True
        gold = {(ent.start_char, ent.end_char, ent.label_) for ent in example.reference.ents}
        found = {(ent.start_char, ent.end_char, ent.label_) for ent in example.predicted.ents}
        total.score_set(found, gold)
        for label in {span[2] for span in gold | found}:
            score = per_type.setdefault(label, PRFScore())
            score.score_set({s for s in found if s[2] == label}, {s for s in gold if s[2] == label})
    if not seen:
        return dict.fromkeys(("char_ents_p", "char_ents_r", "char_ents_f", "char_ents_per_type"))
    return {
        "char_ents_p": total.precision,
        "char_ents_r": total.recall,
        "char_ents_f": total.fscore,
        "char_ents_per_type": {label: score.to_dict() for label, score in sorted(per_type.items())},
    }
