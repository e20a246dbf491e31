"""Examples in, scores of the titles of their mentions out."""

from functools import partial
from typing import Any, Callable, Dict, Iterable

from spacy.training import Example

from ..evaluation.linking import measure_links
from ..linking_data import get_gold_links, get_linked_mentions
from ..text.linking import NIL, LinkedMention


def make_linking_scorer(k: int = 10) -> Callable[..., Dict[str, Any]]:
    """The default scorer of luke_linker (spacy-luke-ja.linking_scorer.v1).

    k: how many of the likeliest titles recall looks at.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return partial(score_linking, k=k)


def score_linking(
    examples: Iterable[Example], *, component: str = "luke_linker", k: int = 10, **kwargs: Any
) -> Dict[str, Any]:
    """Compare the titles of the mentions that gold knows, by their characters; those that were not read are NIL.

    component: whose titles.
    RETURNS: linking_accuracy, linking_recall_at_k and others, see measure_links. None where there is nothing to say it
        of.
    """
    mentions = []
    for example in examples:
        found = {own[:2]: own for own in get_linked_mentions(example.predicted, component)}
        for gold in get_gold_links(example.reference):
            own = found.get(gold[:2], LinkedMention(*gold[:2], NIL))
            mentions.append((gold.title, own.title, [title for title, _ in own.links]))
    return {f"linking_{name}": value for name, value in measure_links(mentions, k=k).items()}
