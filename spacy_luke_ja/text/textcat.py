"""Logits of texts in, probabilities of their classes out."""

import numpy as np

from .decoding import log_softmax, sigmoid


def class_scores(logits: np.ndarray, *, multi_label: bool) -> np.ndarray:
    """
    logits: (n_texts, n_labels).
    multi_label: each label is there or not (sigmoid); else exactly one of them is (softmax).
    RETURNS: (n_texts, n_labels) float64, between 0 and 1.
    """
    return sigmoid(logits) if multi_label else np.exp(log_softmax(logits.astype("float64")))
