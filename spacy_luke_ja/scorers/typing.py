"""Examples in, scores of the types of their mentions out."""

from typing import Any, Callable, Dict, Iterable

from spacy.training import Example

from ..evaluation.label_sets import measure_label_sets
from ..typing_data import get_gold_types, get_typed_mentions


def make_typing_scorer() -> Callable[..., Dict[str, Any]]:
    """The default scorer of luke_entity_typing (spacy-luke-ja.typing_scorer.v1)."""
    return score_typing


def score_typing(
    examples: Iterable[Example], *, component: str = "luke_entity_typing", **kwargs: Any
) -> Dict[str, Any]:
    """Compare the types of the mentions that gold knows, by their characters; those that were not read have none.

    component: whose types.
    RETURNS: typing_p, typing_r, typing_f, micro; typing_per_type. None where there is nothing to say it of.
    """
    mentions = []
    for example in examples:
        found = {own[:2]: own.types for own in get_typed_mentions(example.predicted, component)}
        for gold in get_gold_types(example.reference):
            names = [[label for label, _ in types] for types in (gold.types, found.get(gold[:2], ()))]
            mentions.append((names[0], names[1]))
    return {f"typing_{name}": value for name, value in measure_label_sets(mentions).items()}
