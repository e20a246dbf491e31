"""Examples in, scores of the relations between their mentions out."""

from typing import Any, Callable, Dict, Iterable, List

from spacy.training import Example

from ..evaluation.label_sets import measure_label_sets
from ..relations_data import get_found_relations, get_gold_pairs
from ..text.relations import Pair


def make_relations_scorer() -> Callable[..., Dict[str, Any]]:
    """The default scorer of luke_relations (spacy-luke-ja.relations_scorer.v1)."""
    return score_relations


def score_relations(examples: Iterable[Example], *, component: str = "luke_relations", **kwargs: Any) -> Dict[str, Any]:
    """Compare relations; right is one with the head's and the tail's exact characters, and the label.

    component: whose relations. Pairs of which gold says nothing are left out.
    RETURNS: relations_p, relations_r, relations_f, micro; relations_per_type. None where there is nothing to say it of.
    """
    pairs = []
    for example in examples:
        gold = {own[:2]: own.labels for own in get_gold_pairs(example.reference)}
        found: Dict[Pair, List[str]] = {}
        for own in get_found_relations(example.predicted, component):
            found.setdefault((own.head, own.tail), []).append(own.label)
        for pair in {**gold, **found}:
            labels = gold.get(pair, ())
            if labels is not None:
                pairs.append((labels, found.get(pair, ())))
    return {f"relations_{name}": value for name, value in measure_label_sets(pairs).items()}
