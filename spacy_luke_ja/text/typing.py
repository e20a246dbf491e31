"""Logits of a mention in, its types out, and back: several types may be true of one mention, or none."""

from typing import Dict, NamedTuple, Sequence, Tuple

import numpy as np

from .decoding import sigmoid


class TypedMention(NamedTuple):
    """Characters of a text and what they are; types: (label, score), the likeliest first."""

    char_start: int
    char_end: int
    types: Tuple[Tuple[str, float], ...]


def find_types(logits: np.ndarray, labels: Sequence[str], threshold: float) -> Tuple[Tuple[str, float], ...]:
    """
    logits: (n_labels,); -inf everywhere where the model has read nothing of the mention.
    RETURNS: (label, probability) of at least the threshold, the likeliest first.
    """
    scores = sigmoid(logits)
    order = np.argsort(-scores, kind="stable")
    return tuple((labels[i], float(scores[i])) for i in order if scores[i] >= threshold and logits[i] > -np.inf)


def make_type_targets(mentions: Sequence[Sequence[str]], labels: Sequence[str]) -> np.ndarray:
    """
    mentions: of each, its types; those that are no labels are left out.
    RETURNS: (n_mentions, n_labels) of 0 and 1.
    """
    columns: Dict[str, int] = {label: i for i, label in enumerate(labels)}
    targets = np.zeros((len(mentions), len(labels)))
    for row, types in zip(targets, mentions):
        row[[columns[own] for own in types if own in columns]] = 1.0
    return targets
