"""Logits per subword in, labelled character spans with scores out."""

from typing import List, NamedTuple

import numpy as np

from .characters import trim_blank
from .label_schemes import TagScheme
from .subwords import Subwords


class CharSpan(NamedTuple):
    """A labelled text[char_start:char_end].

    score: between 0 and 1; 1.0 for gold.
    """

    char_start: int
    char_end: int
    label: str
    score: float = 1.0


def decode_char_spans(subwords: Subwords, logits: np.ndarray, scheme: TagScheme) -> List[CharSpan]:
    """Find the most likely entities that the scheme allows.

    logits: (n_subwords, n_tags), finite.
    RETURNS: spans in text order, without overlaps, with the checkpoint's labels. No span begins or ends with a blank
        character.
        The score is the geometric mean, over the entity's subwords that have characters, of the softmax
        probability of the tag each was given.
    """
    if not len(subwords):
        return []
    log_probs = log_softmax(logits)
    tags = best_tags(log_probs, scheme)
    offsets = subwords.char_offsets
    scores = log_probs[np.arange(len(tags)), tags]
    spans: List[CharSpan] = []
    for start, end in entity_runs(tags, scheme):
        # A character of several pieces (㈱) that two entities share stays with the first.
        first_free = spans[-1].char_end if spans else 0
        char_start, char_end = max(int(offsets[start, 0]), first_free), int(offsets[end - 1, 1])
        char_start, char_end = trim_blank(subwords.text, char_start, char_end)
        if char_start < char_end:  # else it was nothing but "▁"
            solid = offsets[start:end, 0] < offsets[start:end, 1]
            score = float(np.exp(scores[start:end][solid].mean()))
            spans.append(CharSpan(char_start, char_end, scheme.labels[tags[start]], score))
    return spans


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """(n, n_tags) → (n, n_tags) natural logarithms of probabilities."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def best_tags(log_probs: np.ndarray, scheme: TagScheme) -> np.ndarray:
    """The most likely tag sequence in which every tag may follow the one before (Viterbi).

    RETURNS: (n_subwords,) rows of scheme.tags.
    """
    greedy = log_probs.argmax(axis=1)
    # Without transition weights, a greedy sequence that breaks no rule is the best one.
    if scheme.allowed_first[greedy[0]] and scheme.allowed_last[greedy[-1]]:
        if scheme.allowed[greedy[:-1], greedy[1:]].all():
            return greedy
    forbidden = np.where(scheme.allowed, 0.0, -np.inf)
    score = log_probs[0] + np.where(scheme.allowed_first, 0.0, -np.inf)
    came_from = np.zeros(log_probs.shape, dtype="int32")
    columns = np.arange(log_probs.shape[1])
    for i in range(1, len(log_probs)):
        paths = score[:, None] + forbidden
        came_from[i] = paths.argmax(axis=0)
        score = paths[came_from[i], columns] + log_probs[i]
    score = score + np.where(scheme.allowed_last, 0.0, -np.inf)
    tags = np.zeros(len(log_probs), dtype="int64")
    tags[-1] = score.argmax()
    for i in range(len(log_probs) - 1, 0, -1):
        tags[i - 1] = came_from[i, tags[i]]
    return tags


def entity_runs(tags: np.ndarray, scheme: TagScheme) -> List[List[int]]:
    """Runs of subwords that make up one entity: [subword_start, subword_end) pairs, in order.

    tags: (n_subwords,) rows of scheme.tags, a sequence that the scheme allows.
    """
    label_ids = np.array([0 if not label else 1 + scheme.labels.index(label) for label in scheme.labels])[tags]
    before = np.concatenate([[0], label_ids[:-1]])
    starts = (label_ids > 0) & (scheme.begins[tags] | (label_ids != before))
    edges = np.append(np.flatnonzero(starts | (label_ids == 0)), len(tags))
    run_starts = np.flatnonzero(starts)
    run_ends = edges[np.searchsorted(edges, run_starts, side="right")]
    return np.stack([run_starts, run_ends], axis=1).tolist()


def encode_tags(subwords: Subwords, char_spans: List[CharSpan], scheme: TagScheme) -> np.ndarray:
    """The reverse of decoding, for training: one tag per subword from gold character spans.

    char_spans: without overlaps, labels of the scheme. A subword cut by an edge belongs to the entity it
        shares most characters with; a "▁" at an edge stays outside.
    RETURNS: (n_subwords,) rows of scheme.tags.
    """
    offsets = subwords.char_offsets
    outside = scheme.tags.index("O")
    owner = np.full(len(subwords), -1)
    most_shared = np.zeros(len(subwords), dtype="int64")
    for i, span in enumerate(char_spans):
        first = np.searchsorted(offsets[:, 1], span.char_start, "right")
        last = np.searchsorted(offsets[:, 0], span.char_end, "left")
        part = slice(int(first), int(last))
        shared = np.minimum(offsets[part, 1], span.char_end) - np.maximum(offsets[part, 0], span.char_start)
        better = shared > most_shared[part]
        owner[part] = np.where(better, i, owner[part])
        most_shared[part] = np.where(better, shared, most_shared[part])
    tags = np.full(len(subwords), outside, dtype="int64")
    for i, span in enumerate(char_spans):
        owned = np.flatnonzero(owner == i)
        if len(owned):
            # Blank subwords inside an entity are inside it too.
            start, end = owned[0], owned[-1] + 1
            tags[start:end] = scheme.tag_ids(span.label, int(end - start))
    return tags
