"""Right relations and logits of pairs in, the loss and its gradient out."""

from typing import List, Sequence, Tuple

import numpy as np

from ..text.decoding import IMPOSSIBLE
from ..text.relations import RelationLabels, make_relation_targets
from .class_loss import class_loss


def relations_loss(
    outputs: Sequence[np.ndarray],
    gold: Sequence[Sequence[Sequence[str]]],
    allowed: Sequence[np.ndarray],
    labels: RelationLabels,
) -> Tuple[float, List[np.ndarray], int]:
    """Cross entropy over the labels of each pair; where a pair may have several, of each label by itself.

    outputs: per text, (n_pairs, n_labels). gold: per text, the relations of each pair. allowed: per text, (n_pairs,
        n_labels) what the matcher allows.
    RETURNS: the summed loss, its gradient per text, and the number of terms. A pair that was not read has none.
    """
    loss, gradients, n_terms = 0.0, [], 0
    is_none = np.array([label == labels.none for label in labels.labels])
    for logits, pairs, may in zip(outputs, gold, allowed):
        is_read = np.isfinite(logits)
        targets = np.where(is_read, make_relation_targets(pairs, may, labels), np.nan)
        possible = is_read & (may | is_none | labels.multi_label)
        own_loss, gradient, n = class_loss(
            np.where(possible, logits, np.where(is_read, IMPOSSIBLE, 0.0)), targets, multi_label=labels.multi_label
        )
        loss, n_terms = loss + own_loss, n_terms + n
        gradients.append(gradient)
    return loss, gradients, n_terms
