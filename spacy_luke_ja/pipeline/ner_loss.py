"""Examples with entities and logits in, the loss and its gradient out."""

from typing import Collection, List, Sequence, Tuple

import numpy as np
from spacy.training import Example

from ..models.types import SubwordLogits
from ..text.decoding import CharSpan, log_softmax
from ..text.label_schemes import OUTSIDE, TagScheme
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
    outputs: Sequence[SubwordLogits], possible: Sequence[np.ndarray], annotated: Sequence[np.ndarray]
) -> Tuple[float, List[np.ndarray], int]:
    """Minus the logarithm of the probability of all tags that may be right, summed over the subwords.

    Where one tag may be right, this is cross entropy; where several may, the marginal likelihood of partial labels
    (Tsuboi et al. 2008, Training Conditional Random Fields Using Incomplete Annotations).

    possible: per text (n_subwords, n_tags) bool, the tags that the gold leaves open.
    annotated: per text (n_subwords,) bool, whether the gold says anything; the others have no loss and no gradient.
    RETURNS: the loss, its gradient per text, (n_subwords, n_tags) float32, and the number of subwords summed over.
    """
    loss = 0.0
    gradients = []
    for output, open_tags, mask in zip(outputs, possible, annotated):
        log_probs = log_softmax(output.logits.astype("float64")) if len(mask) else output.logits
        open_log_probs = np.where(open_tags, log_probs, -np.inf)
        of_open = log_softmax(open_log_probs) if len(mask) else open_log_probs
        best = open_log_probs.argmax(axis=1) if len(mask) else np.zeros(0, dtype="int64")
        rows = np.arange(len(mask))
        # ln of a sum, by its largest term: ln p(a) - ln p(a | one of those) = ln p(one of those)
        loss -= float((log_probs - of_open)[rows, best][mask].sum())
        gradients.append(((np.exp(log_probs) - np.exp(of_open)) * mask[:, None]).astype("float32"))
    return loss, gradients, sum(int(mask.sum()) for mask in annotated)


def possible_tags(gold_tags: np.ndarray, scheme: TagScheme, unknown: Collection[str]) -> np.ndarray:
    """Which tags the gold leaves open: where it has O, also those of labels that the text was not annotated for.

    gold_tags: (n_subwords,) rows of scheme.tags.
    unknown: labels of the scheme.
    RETURNS: (n_subwords, n_tags) bool.
    """
    possible = np.zeros((len(gold_tags), len(scheme.tags)), dtype=bool)
    possible[np.arange(len(gold_tags)), gold_tags] = True
    is_unknown = np.isin(scheme.labels, list(unknown))
    return possible | (possible[:, [scheme.tags.index(OUTSIDE)]] & is_unknown)


def rehearsal_loss(
    logits: np.ndarray, taught: np.ndarray, columns: np.ndarray, mask: np.ndarray
) -> Tuple[float, np.ndarray]:
    """How far the probabilities of some tags, against one another, are from what they were (Kullback–Leibler).

    It says nothing of what these tags have together against all others, new ones.

    logits: (n_subwords, n_tags); taught: the same of the model that was there before, of at least these columns.
    columns: the tags that are compared, of both.
    mask: (n_subwords,) bool; the others have no loss and no gradient.
    RETURNS: the loss, summed over subwords, and its gradient, (n_subwords, n_tags) float32.
    """
    gradient = np.zeros(logits.shape, dtype="float32")
    if not len(logits):
        return 0.0, gradient
    own, before = (log_softmax(side[:, columns].astype("float64")) for side in (logits, taught))
    loss = float((np.exp(before) * (before - own))[mask].sum())
    gradient[:, columns] = (np.exp(own) - np.exp(before)) * mask[:, None]
    return loss, gradient
