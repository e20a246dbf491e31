"""Logits of texts in, probabilities of their classes out."""

import numpy as np

from .decoding import log_softmax


def class_scores(logits: np.ndarray, *, multi_label: bool) -> np.ndarray:
    """
    logits: (n_texts, n_labels).
    multi_label: each label is there or not (sigmoid); else exactly one of them is (softmax).
    RETURNS: (n_texts, n_labels) float64, between 0 and 1.
    """
    exact = logits.astype("float64")
    return np.exp(-np.logaddexp(0.0, -exact) if multi_label else log_softmax(exact))
