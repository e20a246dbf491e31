"""Examples in, scores of entities out: over tokens as spaCy counts them, and over exact characters."""

from typing import Any, Callable, Dict, Iterable

from spacy.scorer import get_ner_prf
from spacy.training import Example

from ..evaluation.measures import calibration, labels_of, score_table
from ..evaluation.texts import annotated_part, evaluated_text


def make_ner_scorer() -> Callable[..., Dict[str, Any]]:
    """The default scorer of luke_ner (spacy-luke-ja.ner_scorer.v1)."""
    return score_ner


def score_ner(examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
    """spaCy's ents_p, ents_r, ents_f, ents_per_type, and the same over exact characters as char_ents_….

    spaCy's scores compare tokens; the others compare (char_start, char_end, label) and need no alignment. Neither
    counts what is found of labels that a text was not annotated for.
    """
    examples = list(examples)
    return {**get_ner_prf(map(annotated_part, examples), **kwargs), **score_char_ents(examples)}


def score_char_ents(examples: Iterable[Example]) -> Dict[str, Any]:
    """Precision, recall and F1 over (char_start, char_end, label) of doc.ents.

    Examples whose reference has no entity annotation are left out, as spaCy does.
    RETURNS: char_ents_p, char_ents_r, char_ents_f over all entities; char_ents_macro_… and char_ents_weighted_…, their
        means over labels, the latter by support; char_ents_per_type, with the support of each label; char_ents_ece, the
        expected calibration error of luke_ner's scores. None where there is nothing to say it of.
    """
    annotated = [example for example in examples if example.reference.has_annotation("ENT_IOB")]
    texts = [evaluated_text(example.reference, example.predicted) for example in annotated]
    table = score_table(texts, labels_of(texts))
    prefixes = {"micro": "", "macro": "macro_", "weighted": "weighted_"}
    scores = {f"char_ents_{prefixes[a]}{key}": table[a][key] if texts else None for a in prefixes for key in "prf"}
    calibrated = calibration(texts)
    return {
        **scores,
        "char_ents_per_type": table["labels"] if texts else None,
        "char_ents_ece": calibrated["ece"] if calibrated else None,
    }
