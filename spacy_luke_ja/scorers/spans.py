"""Examples in, scores of entities that may be nested out."""

from typing import Any, Callable, Dict, Iterable, List, Tuple

from spacy.scorer import get_ner_prf
from spacy.training import Example

from ..annotated_labels import get_annotated_labels
from ..evaluation.label_sets import measure_label_sets
from ..evaluation.texts import annotated_part


def make_spans_scorer() -> Callable[..., Dict[str, Any]]:
    """The default scorer of luke_span_ner (spacy-luke-ja.spans_scorer.v1)."""
    return score_spans


def score_spans(examples: Iterable[Example], *, spans_key: str = "luke_span_ner", **kwargs: Any) -> Dict[str, Any]:
    """Compare the group spans_key of doc.spans with that of gold, or with its doc.ents where it has no such group.

    RETURNS: spans_p, spans_r, spans_f, micro, and spans_per_type, over exact characters and label, of the labels that a
        text was annotated for; and spaCy's ents_p,
        ents_r, ents_f, ents_per_type of doc.ents. None where there is nothing to say it of.
    """
    examples = list(examples)
    things: List[Tuple[List[str], List[str]]] = []
    for example in examples:
        gold, found = example.reference, example.predicted
        if spans_key not in gold.spans and not gold.has_annotation("ENT_IOB"):
            continue
        known = get_annotated_labels(gold)
        labels_of: Dict[Tuple[int, int], Tuple[List[str], List[str]]] = {}
        for i, spans in enumerate((gold.spans.get(spans_key, gold.ents), found.spans.get(spans_key, ()))):
            for span in spans:
                if known is None or span.label_ in known:
                    labels_of.setdefault((span.start_char, span.end_char), ([], []))[i].append(span.label_)
        things += labels_of.values()
    scores = {f"spans_{name}": value for name, value in measure_label_sets(things).items()}
    return {**scores, **get_ner_prf(map(annotated_part, examples), **kwargs)}
