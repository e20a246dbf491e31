"""Logits per subword in, labelled character spans out; and how sure the model is of each."""

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .characters import REPETITION, trim_blank
from .decoding import CharSpan, log_softmax
from .label_schemes import TagScheme
from .subwords import Subwords

# In the search for the best tags: what an infinitely lower logit counts as, and sums that count as 0.
MOST_LOST, ROUNDING = 1e6, 1e-6
# Up to so many tags, all pairs of them are quicker than what grows with their number alone.
MOST_TAGS_IN_PAIRS = 100


class Costs(NamedTuple):
    """What a tag sequence loses at each subword, (n_subwords,) each, as natural logarithms of probability.

    edges: when an entity begins or ends just before the subword.
    lines: when an entity goes on from the subword before.
    """

    edges: np.ndarray
    lines: np.ndarray


class FoundEntity(NamedTuple):
    """A labelled text[char_start:char_end], and what the model said there.

    logits: (n, n_tags) of its subwords that have characters.
    tags: (n,) the tag that each of them was given.
    """

    char_start: int
    char_end: int
    label: str
    logits: np.ndarray
    tags: np.ndarray


def find_entities(
    subwords: Subwords,
    logits: np.ndarray,
    scheme: TagScheme,
    *,
    edge_costs: Optional[np.ndarray] = None,
    line_costs: Optional[np.ndarray] = None,
    longest: Optional[int] = None,
) -> List[FoundEntity]:
    """Find the most likely entities that the scheme allows.

    logits: (n_subwords, n_tags), finite.
    edge_costs, line_costs: of best_tags.
    longest: characters that an entity may have; what is longer is none. Any number when None.
    RETURNS: entities in text order, without overlaps, with the checkpoint's labels. None begins or ends with a blank
        character, or has a part that is repeated ten times (ーーーーーーーーーー).
    """
    if not len(subwords):
        return []
    tags = best_tags(logits, scheme, edge_costs=edge_costs, line_costs=line_costs)
    found = take_entities(subwords, logits, scheme, tags)
    if any(REPETITION.search(subwords.text, entity.char_start, entity.char_end) for entity in found):
        sense = np.where(find_repetitions(subwords)[:, None] & (scheme.label_ids > 0), -np.inf, logits)
        tags = best_tags(sense, scheme, edge_costs=edge_costs, line_costs=line_costs)
        found = take_entities(subwords, logits, scheme, tags)
    return [entity for entity in found if longest is None or entity.char_end - entity.char_start <= longest]


def find_repetitions(subwords: Subwords) -> np.ndarray:
    """(n_subwords,) bool: the subword has a character of a part that is repeated ten times."""
    repeated = np.zeros(len(subwords.text) + 1, dtype="int64")
    for match in REPETITION.finditer(subwords.text):
        repeated[match.start() + 1 : match.end() + 1] = 1
    n_before = np.cumsum(repeated)
    return n_before[subwords.char_offsets[:, 1]] > n_before[subwords.char_offsets[:, 0]]


def take_entities(subwords: Subwords, logits: np.ndarray, scheme: TagScheme, tags: np.ndarray) -> List[FoundEntity]:
    """The entities of a tag sequence that the scheme allows; tags: (n_subwords,) rows of scheme.tags."""
    offsets = subwords.char_offsets
    found: List[FoundEntity] = []
    for start, end in entity_runs(tags, scheme):
        # A character of several pieces (㈱) that two entities share stays with the first.
        first_free = found[-1].char_end if found else 0
        char_start, char_end = max(int(offsets[start, 0]), first_free), int(offsets[end - 1, 1])
        char_start, char_end = trim_blank(subwords.text, char_start, char_end)
        if char_start < char_end:  # else it was nothing but "▁"
            solid = start + np.flatnonzero(offsets[start:end, 0] < offsets[start:end, 1])
            found.append(FoundEntity(char_start, char_end, scheme.labels[tags[start]], logits[solid], tags[solid]))
    return found


def score_entities(entities: Sequence[FoundEntity], *, temperature: float) -> np.ndarray:
    """Say how sure the model is of each entity.

    temperature: what the logits are divided by: above 1, less sure; below, more. Which tags are the likeliest does not
        depend on it, so the entities come before it.
    RETURNS: (n_entities,) between 0 and 1: the geometric mean, over the entity's subwords, of the softmax probability
        of the tag each was given.
    """
    if not entities:
        return np.zeros(0)
    logits = np.concatenate([entity.logits for entity in entities]).astype("float64")
    tags = np.concatenate([entity.tags for entity in entities])
    lengths = np.array([len(entity.tags) for entity in entities])
    # The largest becomes 0 before it is divided: no temperature is too small.
    calibrated = (logits - logits.max(axis=1, keepdims=True)) / temperature
    log_probs = log_softmax(calibrated)[np.arange(len(tags)), tags]
    owner = np.repeat(np.arange(len(entities)), lengths)
    return np.exp(np.bincount(owner, weights=log_probs, minlength=len(entities)) / lengths)


def best_tags(
    logits: np.ndarray,
    scheme: TagScheme,
    *,
    edge_costs: Optional[np.ndarray] = None,
    line_costs: Optional[np.ndarray] = None,
) -> np.ndarray:
    """The most likely tag sequence in which every tag may follow the one before.

    logits: (n_subwords, n_tags), or log probabilities.
    edge_costs: (n_subwords,) what the sequence loses, as a natural logarithm of probability, when an entity begins or
        ends just before the subword; none loses anything when None.
    line_costs: (n_subwords,) the same when an entity goes on from the subword before.
    RETURNS: (n_subwords,) rows of scheme.tags.

    The search (Viterbi) leaves out where the best sequence surely has the likeliest tag of each subword, which is
    nearly everywhere, however long the text: see may_differ.
    """
    costs = Costs(*(np.zeros(len(logits)) if own is None else own for own in (edge_costs, line_costs)))
    likeliest = logits.argmax(axis=1)
    highest, tags = logits.max(axis=1), likeliest.copy()
    gaps = np.minimum(highest - np.partition(logits, -2, axis=1)[:, -2], MOST_LOST)
    searched = np.zeros(len(logits), dtype=bool)
    impossible, reach = None, 1
    while True:
        lost = highest - logits[np.arange(len(tags)), tags]
        steps = step_losses(tags, scheme, costs)
        is_allowed = np.isfinite(lost) & np.isfinite(steps[:-1]) & np.isfinite(steps[1:])
        is_possible = is_allowed.all()
        if is_possible:
            wanted = may_differ(np.where(tags == likeliest, gaps, -lost), steps)
        else:
            impossible = ~is_allowed if impossible is None else impossible
            wanted, reach = widen(impossible, reach), 2 * reach
        new = wanted & ~searched
        if not new.any() and (is_possible or searched.all()):
            return tags
        searched |= wanted
        for start, end in runs_of(searched):
            if new[start:end].any():
                tags[start:end] = search_run(logits, scheme, costs, likeliest, start, end)


def may_differ(gains: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Where the best tag sequence may have another tag than one that is known and allowed.

    gains: (n_subwords,) at least what any other tag loses beyond the known one: less than nothing where that loses.
    steps: (n_subwords + 1,) what the known sequence loses before each subword, and at the end.
    RETURNS: (n_subwords,) bool.

    Take a longest run in which the best sequence differs from the known one everywhere. The known one could stand
    in its place there, so what it loses in the run and at its edges is no less than what the best one loses. A subword
    that lies in no run with such a sum keeps its tag.
    """
    sums = np.concatenate([[0.0], np.cumsum(gains - steps[:-1] - steps[1:], dtype="float64")])
    lowest_behind = np.minimum.accumulate(sums[:0:-1])[::-1]
    return lowest_behind - np.maximum.accumulate(sums[:-1]) <= ROUNDING


def widen(mask: np.ndarray, reach: int) -> np.ndarray:
    """A mask of all that is no further than `reach` from where another one is True."""
    n = len(mask)
    places = np.flatnonzero(mask)
    opens = np.bincount(np.maximum(places - reach, 0), minlength=n + 1)
    closes = np.bincount(np.minimum(places + reach + 1, n), minlength=n + 1)
    return np.cumsum(opens - closes)[:n] > 0


def step_losses(tags: np.ndarray, scheme: TagScheme, costs: Costs) -> np.ndarray:
    """(n_subwords + 1,) what a tag sequence loses by costs before each subword; infinity where that is not allowed."""
    pairs = tags[:-1], tags[1:]
    inner = -step_gains(*pairs, costs.edges[1:], costs.lines[1:], scheme)
    ends = [0.0 if allowed else np.inf for allowed in (scheme.allowed_first[tags[0]], scheme.allowed_last[tags[-1]])]
    return np.concatenate([ends[:1], inner, ends[1:]])


def runs_of(mask: np.ndarray) -> List[List[int]]:
    """Where a mask is True: [start, end) pairs."""
    padded = np.concatenate([[False], mask, [False]])
    return np.flatnonzero(padded[:-1] != padded[1:]).reshape(-1, 2).tolist()


def search_run(
    logits: np.ndarray, scheme: TagScheme, costs: Costs, around: np.ndarray, start: int, end: int
) -> np.ndarray:
    """The best tags of subwords start … end - 1 (Viterbi), if those around them have the tags `around`."""
    columns = np.arange(logits.shape[1])
    score = logits[start]
    if start:
        score = score + step_gains(around[start - 1], columns, costs.edges[start], costs.lines[start], scheme)
    else:
        score = score + np.where(scheme.allowed_first, 0.0, -np.inf)
    came_from = np.zeros((end - start, len(score)), dtype="int32")
    step = step_over_pairs if len(columns) <= MOST_TAGS_IN_PAIRS else step_over_labels
    for i in range(start + 1, end):
        came_from[i - start], score = step(score, costs.edges[i], costs.lines[i], scheme)
        score = score + logits[i]
    if end < len(logits):
        score = score + step_gains(columns, around[end], costs.edges[end], costs.lines[end], scheme)
    else:
        score = score + np.where(scheme.allowed_last, 0.0, -np.inf)
    tags = np.zeros(end - start, dtype="int64")
    tags[-1] = score.argmax()
    for i in range(len(tags) - 1, 0, -1):
        tags[i - 1] = came_from[i, tags[i]]
    return tags


def cost_gains(first: Any, second: Any, edge_cost: Any, line_cost: Any, scheme: TagScheme) -> np.ndarray:
    """What going from one tag to another adds to a score by its costs: nothing or less."""
    return -edge_cost * scheme.is_edge(first, second) - line_cost * scheme.is_continued(first, second)


def step_gains(first: Any, second: Any, edge_cost: Any, line_cost: Any, scheme: TagScheme) -> np.ndarray:
    """What going from one tag to another adds to a score; minus infinity where the scheme does not allow it."""
    allowed = np.where(scheme.may_follow(first, second), 0.0, -np.inf)
    return allowed + cost_gains(first, second, edge_cost, line_cost, scheme)


def step_over_pairs(
    score: np.ndarray, edge_cost: float, line_cost: float, scheme: TagScheme
) -> Tuple[np.ndarray, np.ndarray]:
    """One step of the search, by all pairs of tags: quickest for few.

    score: (n_tags,) of the best sequence that ends with each tag.
    edge_cost, line_cost: Costs before the next subword.
    RETURNS: (n_tags,) the tag before each next one in the best sequence; and that sequence's score.
    """
    paths = score[:, None] + scheme.forbidden - edge_cost * scheme.edges - line_cost * scheme.continuations
    came_from = paths.argmax(axis=0)
    return came_from, paths[came_from, np.arange(len(score))]


def step_over_labels(
    score: np.ndarray, edge_cost: float, line_cost: float, scheme: TagScheme
) -> Tuple[np.ndarray, np.ndarray]:
    """As step_over_pairs, in time that grows with the tags and not with their pairs.

    Before a tag stands one of its own label, of which there are few; or the best of all that end an entity, which is
    the same tag for all labels but its own.
    """
    tags, columns = scheme.tags_of_label, np.arange(len(score))
    gains = step_gains(tags, columns[:, None], edge_cost, line_cost, scheme)
    within = np.where(tags >= 0, score[tags] + gains, -np.inf)
    best = within.argmax(axis=1)
    came_from, best_score = tags[columns, best], within[columns, best]
    ended = np.where(scheme.allowed_last, score, -np.inf) - edge_cost
    first = ended.argmax()
    before = np.full(len(score), first)
    own = tags[first][tags[first] >= 0]
    rest = ended.copy()
    rest[own] = -np.inf
    before[own] = rest.argmax()
    score_across = np.where(scheme.allowed_first, ended[before], -np.inf)
    score_across[own] = np.where(scheme.allowed_first[own], rest[before[own]], -np.inf)
    is_across = (score_across > best_score) | ((score_across == best_score) & (before < came_from))
    return np.where(is_across, before, came_from), np.where(is_across, score_across, best_score)


def entity_runs(tags: np.ndarray, scheme: TagScheme) -> List[List[int]]:
    """Runs of subwords that make up one entity: [subword_start, subword_end) pairs, in order.

    tags: (n_subwords,) rows of scheme.tags, a sequence that the scheme allows.
    """
    label_ids = scheme.label_ids[tags]
    if not label_ids.any():
        return []
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
