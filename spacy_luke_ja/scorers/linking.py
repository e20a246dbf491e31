"""Examples in, scores of the titles of their mentions out."""

from functools import partial
from typing import Any, Callable, Dict, Iterable, Sequence, Tuple

from spacy.training import Example

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


def measure_links(mentions: Iterable[Tuple[str, str, Sequence[str]]], *, k: int) -> Dict[str, Any]:
    """
    mentions: the right title, or NIL; the found one; and the likeliest titles, the best first.
    RETURNS: accuracy, of all mentions; recall_at_k, of those that have a title, how many have it among the k likeliest;
        nil_accuracy, of those that have none. None where there are no such mentions.
    """
    mentions = list(mentions)
    share = lambda right: sum(right) / len(right) if right else None
    return {
        "accuracy": share([gold == found for gold, found, _ in mentions]),
        "recall_at_k": share([gold in likeliest[:k] for gold, _, likeliest in mentions if gold != NIL]),
        "nil_accuracy": share([gold == found for gold, found, _ in mentions if gold == NIL]),
    }
