"""Logits of a pair of mentions in, its relations out, and back: one of several, some of them, or none."""

from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from .decoding import IMPOSSIBLE, log_softmax, sigmoid

Mention = Tuple[int, int]  # characters of a text
Pair = Tuple[Mention, Mention]  # head and tail
ANY = "*"  # in a matcher, for all labels


class FoundRelation(NamedTuple):
    """head, tail: characters. score: between 0 and 1. n_best: (label, score) of the pair's likeliest relations."""

    head: Mention
    tail: Mention
    label: str
    score: float
    n_best: Tuple[Tuple[str, float], ...]


class GoldPair(NamedTuple):
    """labels: its relations, or none; None where nothing is known of the pair."""

    head: Mention
    tail: Mention
    labels: Optional[Tuple[str, ...]]


class RelationLabels(NamedTuple):
    """What the outputs of a classifier mean, and what they may say.

    labels: of the outputs. none: that of a pair without a relation, where there is one.
    multi_label: a pair may have several relations, each with a probability of its own; else at most one.
    matcher: relation → the (head label, tail label) that it may stand between; any where it has no such list.
    """

    labels: Sequence[str]
    none: Optional[str]
    multi_label: bool
    matcher: Mapping[str, Sequence[Sequence[str]]]

    def allows(self, heads: Set[str], tails: Set[str]) -> np.ndarray:
        """heads, tails: the labels of two mentions. RETURNS: (n_labels,) bool: which relations they may have."""
        fits = lambda wanted, labels: wanted == ANY or wanted in labels
        return np.array([
            label != self.none
            and (label not in self.matcher or any(fits(h, heads) and fits(t, tails) for h, t in self.matcher[label]))
            for label in self.labels
        ], dtype=bool)  # fmt: skip


def find_relations(
    logits: np.ndarray, allowed: np.ndarray, labels: RelationLabels, *, threshold: Optional[float], n_best: int
) -> List[Tuple[str, float, Tuple[Tuple[str, float], ...]]]:
    """
    logits: (n_labels,) of a pair; -inf where the model has not read it.
    allowed: (n_labels,) as RelationLabels.allows gives it.
    threshold: the least score. When None, 0.5 for one of several, else that of no relation.
    RETURNS: label, score and n_best of each relation, the likeliest first.
    """
    if not np.isfinite(logits).all():
        return []
    scores, of_none = score_relations(logits, allowed, labels)
    ranked = [int(i) for i in np.argsort(-scores, kind="stable") if allowed[i]]
    best = tuple((labels.labels[i], float(scores[i])) for i in ranked[:n_best])
    least = threshold if threshold is not None else 0.5 if labels.multi_label else of_none
    kept = [i for i in ranked if scores[i] >= least][: None if labels.multi_label else 1]
    return [(labels.labels[i], float(scores[i]), best) for i in kept]


def score_relations(logits: np.ndarray, allowed: np.ndarray, labels: RelationLabels) -> Tuple[np.ndarray, float]:
    """RETURNS: (n_labels,) probabilities among what is allowed, and that of no relation."""
    if labels.multi_label:
        return sigmoid(logits), 0.0
    is_none = np.array([label == labels.none for label in labels.labels])
    possible = np.where(allowed | is_none, logits.astype("float64"), IMPOSSIBLE)
    scores = np.exp(log_softmax(possible[None])[0])
    return scores, float(scores[is_none].sum())


def find_pairs(mentions: Mapping[Mention, Set[str]], max_distance: Optional[int]) -> Iterator[Pair]:
    """
    mentions: with their labels.
    max_distance: the most characters between two of them; any number when None.
    YIELDS: all pairs of different mentions, in both directions.
    """
    ordered = sorted(mentions)
    for i, first in enumerate(ordered):
        for second in ordered[i + 1 :]:
            if max_distance is not None and second[0] - first[1] > max_distance:
                break
            yield first, second
            yield second, first


def make_relation_targets(gold: Sequence[Sequence[str]], allowed: np.ndarray, labels: RelationLabels) -> np.ndarray:
    """
    gold: the relations of each pair.
    allowed: (n_pairs, n_labels).
    RETURNS: (n_pairs, n_labels) 1.0 and 0.0; NaN where there is nothing to learn: of several, what is not allowed, and
        where none must be one, pairs without any when no label says so.
    """
    columns: Dict[str, int] = {label: i for i, label in enumerate(labels.labels)}
    targets = np.zeros((len(gold), len(columns)))
    for row, own, may in zip(targets, gold, allowed):
        row[[columns[label] for label in own]] = 1.0
        if labels.multi_label:
            row[~may & (row == 0.0)] = np.nan
        elif not own and labels.none in columns:
            row[columns[labels.none]] = 1.0
        elif not own:
            row[:] = np.nan
    return targets
