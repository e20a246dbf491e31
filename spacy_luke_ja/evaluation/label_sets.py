"""Right and found labels of things in, precision, recall and F1 out, micro over all pairs of thing and label."""

from collections import Counter
from typing import Any, Dict, Iterable, Optional, Sequence, Tuple


def measure_label_sets(things: Iterable[Tuple[Sequence[str], Sequence[str]]]) -> Dict[str, Any]:
    """
    things: (right labels, found labels) of each.
    RETURNS: p, r, f over all, and per_type with those of each and its support; None where there is nothing to count.
    """
    right, found, both = Counter[str](), Counter[str](), Counter[str]()
    for gold, predicted in things:
        right.update({*gold})
        found.update({*predicted})
        both.update({*gold} & {*predicted})
    per_type = {
        label: {**prf(both[label], found[label], right[label]), "support": right[label]}
        for label in sorted({*right, *found})
    }
    return {**prf(both.total(), found.total(), right.total()), "per_type": per_type or None}


def prf(n_both: int, n_found: int, n_right: int) -> Dict[str, Optional[float]]:
    share = lambda n: n_both / n if n else None
    return {
        "p": share(n_found),
        "r": share(n_right),
        "f": 2 * n_both / (n_found + n_right) if n_found + n_right else None,
    }
