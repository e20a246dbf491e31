"""Right and found titles of mentions in, accuracy and recall out."""

from typing import Any, Dict, Iterable, Sequence, Tuple

from ..text.linking import NIL


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
