"""What the decoding of all tasks has in common: labelled characters, probabilities, and settings that are checked."""

from typing import Any, NamedTuple

import numpy as np

# A whole number may be larger than any float.
LARGEST = float(np.finfo("float64").max)
# A logit of what may not be; -inf would make NaN of sums.
IMPOSSIBLE = -1e9


class CharSpan(NamedTuple):
    """A labelled text[char_start:char_end].

    score: between 0 and 1; 1.0 for gold.
    """

    char_start: int
    char_end: int
    label: str
    score: float = 1.0


def check_temperature(temperature: Any, setting: str = "temperature") -> None:
    """setting: what to call it in the error."""
    if not is_number(temperature) or not 0.0 < temperature <= LARGEST:
        raise ValueError(f"{setting} must be a finite number above 0, got {temperature}")


def check_cost(cost: Any, setting: str) -> None:
    """setting: what to call it in the error."""
    if not is_number(cost) or not 0.0 <= cost <= LARGEST:
        raise ValueError(f"{setting} must be a finite number, 0 or more, got {cost}")


def check_share(share: Any, setting: str) -> None:
    """setting: what to call it in the error."""
    if not is_number(share) or not 0.0 <= share <= 1.0:
        raise ValueError(f"{setting} must be between 0 and 1, got {share}")


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """(n, n_tags) → (n, n_tags) natural logarithms of probabilities."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities float64, each by itself; small ones are exact, too."""
    return np.exp(-np.logaddexp(0.0, -logits.astype("float64")))
