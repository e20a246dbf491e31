"""Right types and logits in, the loss and its gradient out."""

from typing import List, Sequence, Tuple

import numpy as np

from ..text.typing import make_type_targets
from .class_loss import class_loss


def typing_loss(
    outputs: Sequence[np.ndarray], gold: Sequence[Sequence[Sequence[str]]], labels: Sequence[str]
) -> Tuple[float, List[np.ndarray], int]:
    """Binary cross entropy of each label of each mention, as transformers' class has it.

    outputs: per text, (n_mentions, n_labels). gold: per text, the types of each mention.
    RETURNS: the summed loss, its gradient per text, and the number of terms. A mention without subwords has none.
    """
    loss, gradients, n_terms = 0.0, [], 0
    for logits, mentions in zip(outputs, gold):
        is_read = np.isfinite(logits)
        targets = np.where(is_read, make_type_targets(mentions, labels), np.nan)
        own_loss, gradient, n = class_loss(np.where(is_read, logits, 0.0), targets, multi_label=True)
        loss, n_terms = loss + own_loss, n_terms + n
        gradients.append(gradient)
    return loss, gradients, n_terms
