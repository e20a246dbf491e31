"""Right answers and logits in, the loss and its gradient out."""

from typing import List, Sequence, Tuple

import numpy as np

from ..text.decoding import log_softmax
from ..text.qa import AnswerLogits, FoundAnswer, place_answer, target_rows


def answer_loss(
    outputs: Sequence[AnswerLogits], gold: Sequence[Sequence[FoundAnswer]], *, end_inclusive: bool
) -> Tuple[float, List[List[np.ndarray]], int]:
    """Cross entropy of start and end, each over the rows that it may have, the mean of both summed over windows.

    gold: per text, its answer, or nothing where "no answer" is right. A text has no loss where its answer has no
        subword, or is in no window as a whole.
    RETURNS: the loss, its gradient per window, (n_subwords + 2, 2) float32, and the number of windows summed over.
    """
    loss, n_terms = 0.0, 0
    gradients = []
    for output, answers in zip(outputs, gold):
        place = place_answer(output.asked, *answers[0][:2]) if answers else None
        all_targets = [target_rows(window, place, end_inclusive=end_inclusive) for window in output.windows]
        if answers and not any(map(any, all_targets)):
            gradients.append([np.zeros(rows.shape, dtype="float32") for rows in output.rows])
            continue
        d_windows = []
        for targets, rows in zip(all_targets, output.rows):
            logits = rows.astype("float64")
            logits[-1, 0] = -np.inf  # no answer starts behind the text
            logits[-1 if end_inclusive else 1, 1] = -np.inf
            log_probs = log_softmax(logits.T).T
            loss -= 0.5 * float(log_probs[targets, (0, 1)].sum())
            gradient = 0.5 * np.exp(log_probs)
            gradient[targets, (0, 1)] -= 0.5
            d_windows.append(gradient.astype("float32"))
        n_terms += len(d_windows)
        gradients.append(d_windows)
    return loss, gradients, n_terms
