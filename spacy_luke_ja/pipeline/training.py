"""Examples and logits in, the loss and its gradient out."""

from typing import List, Sequence, Tuple

import numpy as np
from spacy.training import Example

from ..models.types import SubwordLogits
from ..text.answers import AnswerLogits, FoundAnswer, place_answer, target_rows
from ..text.decoding import CharSpan, log_softmax
from ..text.subwords import Subwords


def gold_char_spans(example: Example) -> List[CharSpan]:
    """The gold entities as characters of the predicted text.

    They come from the reference's own tokens, so that a reference whose tokens are cut at entity edges
    teaches entities that the predicted tokens could not hold.
    """
    if example.reference.text == example.predicted.text:
        ents = example.reference.ents
    else:
        ents = example.get_aligned_spans_y2x(example.reference.ents)
    return [CharSpan(ent.start_char, ent.end_char, ent.label_) for ent in ents]


def annotated_subwords(example: Example, subwords: Subwords) -> np.ndarray:
    """RETURNS: (n_subwords,) bool, whether the gold says anything about the subword (spaCy's "missing" does not)."""
    reference = example.reference
    if not reference.has_annotation("ENT_IOB"):
        return np.zeros(len(subwords), dtype=bool)
    if reference.text != example.predicted.text:
        missing = [i for i, tag in enumerate(example.get_aligned_ner()) if tag in (None, "-")]
        gaps = [(example.predicted[i].idx, len(example.predicted[i])) for i in missing]
    else:
        gaps = [(token.idx, len(token)) for token in reference if token.ent_iob == 0]
    is_missing = np.zeros(len(subwords.text) + 1, dtype="int64")
    for start, length in gaps:
        is_missing[start : start + length] = 1
    counted = np.concatenate([[0], np.cumsum(is_missing)])
    return counted[subwords.char_offsets[:, 1]] == counted[subwords.char_offsets[:, 0]]


def tag_loss(
    outputs: Sequence[SubwordLogits], gold_tags: Sequence[np.ndarray], annotated: Sequence[np.ndarray]
) -> Tuple[float, List[np.ndarray], int]:
    """Cross entropy, summed over all subwords that the gold says something about.

    gold_tags: per text (n_subwords,), columns of its logits.
    annotated: per text (n_subwords,) bool; the others have no loss and no gradient.
    RETURNS: the loss, its gradient per text, (n_subwords, n_tags) float32, and the number of subwords summed over.
    """
    loss = 0.0
    gradients = []
    for output, tags, mask in zip(outputs, gold_tags, annotated):
        rows = np.arange(len(tags))
        log_probs = log_softmax(output.logits.astype("float64")) if len(tags) else output.logits
        loss -= float(log_probs[rows, tags][mask].sum())
        gradient = np.exp(log_probs)
        gradient[rows, tags] -= 1.0
        gradients.append((gradient * mask[:, None]).astype("float32"))
    return loss, gradients, sum(int(mask.sum()) for mask in annotated)


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
