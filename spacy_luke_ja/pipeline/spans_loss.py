"""Right labels and logits of candidate spans in, the loss and its gradient out."""

from typing import List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..models.spans import SpanLogits
from ..text.decoding import IMPOSSIBLE
from ..text.spans import is_known, make_span_targets
from .class_loss import class_loss


def spans_loss(
    outputs: Sequence[SpanLogits],
    gold: Sequence[Mapping[Tuple[int, int], str]],
    annotated: Sequence[Optional[Sequence[str]]],
    labels: Sequence[str],
    *,
    none: str,
) -> Tuple[float, List[np.ndarray], int]:
    """Cross entropy over the labels of each candidate, as transformers' class has it.

    gold: per text, characters → label. annotated: per text, the labels that it was annotated for; all when None. Of
        others it says nothing.
    RETURNS: the summed loss, its gradient per text, and the number of terms. A candidate that was not read has none.
    """
    loss, gradients, n_terms = 0.0, [], 0
    for (char_spans, logits), own, known in zip(outputs, gold, annotated):
        is_read = np.isfinite(logits)
        targets = np.where(is_read, make_span_targets(char_spans, own, labels, none=none), np.nan)
        possible = np.where(is_known(labels, known, none), np.where(is_read, logits, 0.0), IMPOSSIBLE)
        own_loss, gradient, n = class_loss(possible, targets, multi_label=False)
        loss, n_terms = loss + own_loss, n_terms + n
        gradients.append(gradient)
    return loss, gradients, n_terms
