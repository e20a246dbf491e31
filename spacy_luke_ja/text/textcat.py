"""Logits of a text's windows in, one row for the text out, and probabilities of its classes."""

from typing import List, Sequence

import numpy as np

from .decoding import log_softmax, sigmoid
from .windows import Window


def window_weights(plan: Sequence[Window]) -> np.ndarray:
    """RETURNS: (n_windows,) each window's share of the subwords of a text; one that two windows share counts for the
    one that keeps it."""
    n_kept = np.array([window.kept_end - window.kept_start for window in plan], dtype="float64")
    return n_kept / n_kept.sum() if n_kept.any() else np.full(len(plan), 1 / max(1, len(plan)))


def average_windows(rows: Sequence[np.ndarray], plan: Sequence[Window], *, n_tags: int) -> np.ndarray:
    """rows: (1, n_tags) per window. RETURNS: (n_tags,) float32, their mean by window_weights; zeros without any."""
    joined = np.concatenate([np.zeros((0, n_tags), dtype="float32"), *rows])
    return (window_weights(plan) @ joined).astype("float32")


def split_average(d_average: np.ndarray, plan: Sequence[Window]) -> List[np.ndarray]:
    """The reverse of average_windows, for gradients. RETURNS: (1, n_tags) float32 per window."""
    return [(weight * d_average[None]).astype("float32") for weight in window_weights(plan)]


def class_scores(logits: np.ndarray, *, multi_label: bool) -> np.ndarray:
    """
    logits: (n_texts, n_labels).
    multi_label: each label is there or not (sigmoid); else exactly one of them is (softmax).
    RETURNS: (n_texts, n_labels) float64, between 0 and 1.
    """
    return sigmoid(logits) if multi_label else np.exp(log_softmax(logits.astype("float64")))
