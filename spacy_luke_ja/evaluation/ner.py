"""A pipeline and Examples in; its metrics and its texts with gold and found entities out."""

import time
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple

from spacy.language import Language
from spacy.scorer import get_ner_prf
from spacy.training import Example

from ..stockmark_labels import LABELS
from .measures import EvaluatedText, bootstrap_intervals, calibration, confusion, count_errors, labels_of, score_table
from .pipelines import describe, find_encoder, peak_memory
from .texts import annotated_part, evaluated_text

# What each block of the metrics counts, for those who read only the numbers.
COUNTED = {
    "characters": "entities whose characters and label are exact",
    "tokens": "entities whose label and gold tokens are the same, as spaCy counts; edges inside a token are no error",
    "seqeval": "entities by BIO tags per subword of the pipeline's own encoder, as the cards of Mizuiro-sakura count",
    "seqeval_prefixless": "the same by tags without prefixes, as tsmatz's card counts: no ORG, ORG-P or ORG-O",
}


def evaluate(
    nlp: Language, examples: Iterable[Example], *, seed: int = 0, label_map: Mapping[str, str] = {}
) -> Tuple[Dict[str, Any], List[EvaluatedText]]:
    """Run a pipeline over the texts of Examples and compare.

    seed: of the bootstrap.
    label_map: of gold labels and of found ones; those that it does not have stay.
    RETURNS: metrics, a dict that JSON can hold (its blocks are in COUNTED), and the texts.
    """
    examples = [example for example in examples if example.reference.has_annotation("ENT_IOB")]
    if not examples:
        raise ValueError("there are no texts with entity annotation to evaluate on: the data is empty")
    texts = [example.reference.text for example in examples]
    list(nlp.pipe(texts[:20]))  # loaded and warm
    started = time.perf_counter()
    docs = list(nlp.pipe(texts))
    seconds = time.perf_counter() - started
    memory = peak_memory()
    if len(docs) != len(texts):
        raise ValueError(
            f"the pipeline gave {len(docs)} of {len(texts)} Docs back; its error handler hides what failed"
        )
    evaluated = [evaluated_text(example.reference, doc, label_map) for example, doc in zip(examples, docs)]
    labels = labels_of(evaluated, LABELS)
    for example, doc in zip(examples, docs):
        example.predicted = doc
    tokens = get_ner_prf(annotated_part(example, label_map) for example in examples)
    metrics = {
        "pipeline": describe(nlp),
        "n_texts": len(texts),
        "n_entities": sum(len(text.gold) for text in evaluated),
        "counted": COUNTED,
        "characters": {
            **score_table(evaluated, labels),
            "intervals": bootstrap_intervals(evaluated, labels, seed=seed),
        },
        "tokens": {
            "micro": {key: tokens[f"ents_{key}"] for key in "prf"},
            "labels": tokens["ents_per_type"],
        },
        **seqeval_metrics(nlp, evaluated, labels),
        "calibration": calibration(evaluated),
        "errors": count_errors(evaluated),
        "confusion": confusion(evaluated, labels),
        "texts_per_second": len(texts) / seconds,
        "peak_memory": memory,
    }
    return metrics, evaluated


def seqeval_metrics(nlp: Language, texts: Sequence[EvaluatedText], labels: Sequence[str]) -> Dict[str, Any]:
    """The numbers as model cards count them; None where the package seqeval or an encoder of our own is missing."""
    encoder = find_encoder(nlp)
    try:
        import seqeval  # noqa: F401

        from .seqeval_scores import bio_report, prefixless_f1
    except ImportError:
        encoder = None
    if encoder is None:
        return {"seqeval": None, "seqeval_prefixless": None}
    subwords = [encoder.encode(text.text) for text in texts]
    gold, found = [text.gold for text in texts], [text.found for text in texts]
    return {
        "seqeval": bio_report(subwords, gold, found, labels),
        "seqeval_prefixless": prefixless_f1(subwords, gold, found) if set(labels) <= set(LABELS) else None,
    }
