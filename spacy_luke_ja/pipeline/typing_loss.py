"""Right types and logits in, the loss and its gradient out."""

from typing import List, Sequence, Tuple

import numpy as np

from ..text.typing import make_targets, sigmoid


def typing_loss(
    outputs: Sequence[np.ndarray], gold: Sequence[Sequence[Sequence[str]]], labels: Sequence[str]
) -> Tuple[float, List[np.ndarray], int]:
    """Binary cross entropy of each label of each mention, as transformers' class has it.

    outputs: per text, (n_mentions, n_labels). gold: per text, the types of each mention.
    RETURNS: the summed loss, its gradient per text, and the number of terms. A mention without subwords has none.
    """
    loss, gradients, n_terms = 0.0, [], 0
    for logits, mentions in zip(outputs, gold):
        targets, is_read = make_targets(mentions, labels), np.isfinite(logits)
        known = np.where(is_read, logits, 0.0).astype("float64")
        terms = np.logaddexp(0.0, known) - targets * known
        loss += float(terms[is_read].sum())
        gradients.append(np.where(is_read, sigmoid(known) - targets, 0.0).astype("float32"))
        n_terms += int(is_read.sum())
    return loss, gradients, n_terms
