"""Gold classes and logits in, the loss and its gradient out."""

from typing import Tuple

import numpy as np

from ..text.decoding import log_softmax, sigmoid


def class_loss(logits: np.ndarray, gold: np.ndarray, *, multi_label: bool) -> Tuple[float, np.ndarray, int]:
    """Cross entropy: over the labels of each row; with multi_label, of each label by itself.

    logits: (n, n_labels), of texts, mentions or pairs. gold: the same, 1.0 and 0.0; NaN where nothing is known.
    RETURNS: the sum of the loss, its gradient (n, n_labels) float32, and the number of terms: rows, or labels of which
        something is known.
    """
    exact, is_known = logits.astype("float64"), ~np.isnan(gold)
    right = np.where(is_known, gold, 0.0)
    if multi_label:
        losses = np.logaddexp(0.0, exact) - right * exact
        gradient, n_terms = sigmoid(exact) - right, int(is_known.sum())
    else:
        log_probs = log_softmax(exact)
        losses = -right * log_probs
        gradient, n_terms = np.exp(log_probs) - right, int(is_known.all(axis=1).sum())
    return float(losses[is_known].sum()), np.where(is_known, gradient, 0.0).astype("float32"), n_terms
