"""Texts with gold and found entities in, numbers out; what counts is exact characters and the label."""

import warnings
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..text.decoding import CharSpan

OUTSIDE = "O"
# What may become of an entity, gold or found.
CORRECT, WRONG_LABEL, WRONG_EDGE, WRONG_BOTH, MISSED, SPURIOUS = (
    "correct",
    "wrong label",
    "wrong edge",
    "wrong label and edge",
    "missed",
    "spurious",
)
KINDS = (CORRECT, WRONG_LABEL, WRONG_EDGE, WRONG_BOTH, MISSED, SPURIOUS)


@dataclass(frozen=True)
class EvaluatedText:
    """A text, its gold entities, and those that a pipeline found, each without overlaps and in text order.

    has_scores: whether the found ones say how sure the pipeline is.
    """

    text: str
    gold: Tuple[CharSpan, ...]
    found: Tuple[CharSpan, ...]
    has_scores: bool = False


class Match(NamedTuple):
    """A gold and a found entity that belong together, or one of them alone."""

    kind: str
    gold: Optional[CharSpan]
    found: Optional[CharSpan]


def labels_of(texts: Iterable[EvaluatedText], first: Sequence[str] = ()) -> List[str]:
    """All labels of the texts: those of `first` in its order, then the others by name."""
    there = {span.label for text in texts for span in (*text.gold, *text.found)}
    return [label for label in first if label in there] + sorted(there - set(first))


# Precision, recall, F1


def count_matrix(texts: Sequence[EvaluatedText], labels: Sequence[str]) -> np.ndarray:
    """RETURNS: (n_texts, n_labels, 3) of correct, found and gold entities."""
    counts = np.zeros((len(texts), len(labels), 3), dtype="int64")
    column = {label: i for i, label in enumerate(labels)}
    for row, text in zip(counts, texts):
        gold, found = {span[:3] for span in text.gold}, {span[:3] for span in text.found}
        for i, spans in enumerate((gold & found, found, gold)):
            for span in spans:
                row[column[span[2]], i] += 1
    return counts


def precision_recall_f1(counts: np.ndarray, *, undefined: float = 0.0) -> np.ndarray:
    """(…, 3) of correct, found and gold → (…, 3) of precision, recall and F1.

    undefined: stands where there is nothing to divide by.
    """
    correct, found, gold = np.moveaxis(np.asarray(counts, dtype="float64"), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = np.stack([correct / found, correct / gold, 2 * correct / (found + gold)], axis=-1)
    return np.nan_to_num(scores, nan=undefined)


def score_table(texts: Sequence[EvaluatedText], labels: Sequence[str]) -> Dict[str, Any]:
    """Precision, recall, F1 and support per label, and their averages, as in scikit-learn's classification_report.

    RETURNS: "labels": label → p, r, f, support; "micro" over all entities; "macro", the mean over the labels;
        "weighted", their mean weighted by support.
    """
    return table_of_counts(count_matrix(texts, labels).sum(axis=0), labels)


def table_of_counts(counts: np.ndarray, labels: Sequence[str]) -> Dict[str, Any]:
    """counts: (n_labels, 3) of correct, found and gold entities."""
    scores = precision_recall_f1(counts)
    support = counts[:, 2]
    total = int(support.sum())
    weights = support / max(1, total)
    macro = scores.mean(axis=0) if len(labels) else np.zeros(3)
    return {
        "labels": {label: as_row(row, int(n)) for label, row, n in zip(labels, scores, support)},
        "micro": as_row(precision_recall_f1(counts.sum(axis=0)), total),
        "macro": as_row(macro, total),
        "weighted": as_row(weights @ scores, total),
    }


def as_row(scores: np.ndarray, support: int) -> Dict[str, Any]:
    return {**dict(zip("prf", scores.tolist())), "support": support}


# Intervals and comparison


# How many numbers of times that a text was drawn are in memory at once: 8 MB.
DRAWS_AT_ONCE = 2**20


def bootstrap_sums(counts: np.ndarray, *, n_samples: int, seed: int) -> np.ndarray:
    """Sum counts over samples of as many texts as there are, drawn with replacement.

    counts: (n_texts, n_columns).
    RETURNS: (n_samples, n_columns) float64, whole numbers. Memory does not grow with n_texts × n_samples.
    """
    n_texts = len(counts)
    rng = np.random.default_rng(seed)
    sums = np.zeros((n_samples, counts.shape[1]))
    if not n_texts:
        return sums
    columns = counts.astype("float64")
    n_rows = max(1, DRAWS_AT_ONCE // n_texts)
    for start in range(0, n_samples, n_rows):
        part = sums[start : start + n_rows]
        times_drawn = [np.bincount(rng.integers(0, n_texts, n_texts), minlength=n_texts) for _ in part]
        part[:] = np.array(times_drawn, dtype="float64") @ columns
    return sums


def bootstrap_intervals(
    texts: Sequence[EvaluatedText],
    labels: Sequence[str],
    *,
    n_samples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Dict[str, Any]:
    """How far the scores would move with other texts of the same kind: percentiles over texts drawn with replacement.

    A sample in which a score is undefined, because it has none of the entities, says nothing of it.
    RETURNS: "micro" and "labels" as score_table's, with (low, high) for each of p, r, f.
    """
    counts = count_matrix(texts, labels)
    sums = bootstrap_sums(counts.reshape(len(texts), 3 * len(labels)), n_samples=n_samples, seed=seed)
    sampled = sums.reshape(n_samples, len(labels), 3)
    tails = [50 * (1 - level), 50 * (1 + level)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a score that no sample defines
        micro = np.nanpercentile(precision_recall_f1(sampled.sum(axis=1), undefined=np.nan), tails, axis=0)
        per_label = np.nanpercentile(precision_recall_f1(sampled, undefined=np.nan), tails, axis=0)
    return {
        "level": level,
        "n_samples": n_samples,
        "seed": seed,
        "micro": as_intervals(micro),
        "labels": {label: as_intervals(per_label[:, i]) for i, label in enumerate(labels)},
    }


def as_intervals(percentiles: np.ndarray) -> Dict[str, List[float]]:
    return {key: np.nan_to_num(percentiles[:, i]).tolist() for i, key in enumerate("prf")}


def compare_paired(
    texts: Sequence[EvaluatedText], others: Sequence[EvaluatedText], *, n_samples: int = 2000, seed: int = 0
) -> Dict[str, float]:
    """Whether one pipeline's micro F1 is better than another's on the same texts, by paired bootstrap over texts.

    RETURNS: "difference" of F1 (the first minus the other), its 95 % interval "low" and "high", and "p", the two-sided
        share of samples in which the difference has the other sign, or is none.
    """
    if [text.text for text in texts] != [text.text for text in others]:
        raise ValueError("both pipelines must have read the same texts in the same order")
    labels = labels_of([*texts, *others])
    totals = [count_matrix(side, labels).sum(axis=1) for side in (texts, others)]
    sums = bootstrap_sums(np.concatenate(totals, axis=1), n_samples=n_samples, seed=seed)
    sampled = [precision_recall_f1(side)[:, 2] for side in np.split(sums, 2, axis=1)]
    real = [precision_recall_f1(counts.sum(axis=0))[2] for counts in totals]
    differences = sampled[0] - sampled[1]
    low, high = np.percentile(differences, [2.5, 97.5])
    # One is added, so that no finite number of samples proves anything to be impossible.
    tail = (min((differences <= 0).sum(), (differences >= 0).sum()) + 1) / (n_samples + 1)
    return {"difference": real[0] - real[1], "low": float(low), "high": float(high), "p": float(min(1.0, 2 * tail))}


# Calibration


def calibration(texts: Sequence[EvaluatedText], *, n_bins: int = 10) -> Optional[Dict[str, Any]]:
    """Whether entities with a score of 0.8 are right in 80 % of cases.

    RETURNS: as calibration_of; None where no found entity has a score.
    """
    scores: List[float] = []
    correct: List[bool] = []
    for text in texts:
        gold = {span[:3] for span in text.gold}
        if text.has_scores:
            scores += [span.score for span in text.found]
            correct += [span[:3] in gold for span in text.found]
    return calibration_of(np.array(scores), np.array(correct), n_bins=n_bins) if scores else None


def calibration_of(scores: np.ndarray, correct: np.ndarray, *, n_bins: int = 10) -> Dict[str, Any]:
    """
    scores: (n_entities,) between 0 and 1, n_entities > 0.
    correct: (n_entities,) bool.
    RETURNS: "ece", the expected calibration error (Guo et al., arXiv 1706.04599): the mean distance between score and
        share of correct entities over n_bins equal ranges of score, weighted by entities; and the "bins".
    """
    bin_of = np.minimum((scores * n_bins).astype(int), n_bins - 1)
    bins: List[Dict[str, Any]] = []
    for i in range(n_bins):
        inside = bin_of == i
        n = int(inside.sum())
        bins.append(
            {
                "low": i / n_bins,
                "high": (i + 1) / n_bins,
                "n": n,
                "score": float(scores[inside].mean()) if n else None,
                "correct": float(correct[inside].mean()) if n else None,
            }
        )
    ece = sum(b["n"] * abs(b["score"] - b["correct"]) for b in bins if b["n"]) / len(scores)
    return {"ece": ece, "n": len(scores), "bins": bins}


# Errors


def match_entities(text: EvaluatedText) -> List[Match]:
    """Pair gold with found entities: exact ones first, then those of one label, then by shared characters.

    RETURNS: matches in text order. Each entity belongs to one; those that share no character with a free one of the
        other side are missed or spurious.
    """
    pairs = []
    for i, gold in enumerate(text.gold):
        for j, found in enumerate(text.found):
            shared = min(gold.char_end, found.char_end) - max(gold.char_start, found.char_start)
            if shared > 0:
                same = gold[:2] == found[:2], gold.label == found.label
                pairs.append((same, shared, -i, -j))
    matches, used_gold, used_found = [], set(), set()
    for same, _, minus_i, minus_j in sorted(pairs, reverse=True):
        if -minus_i not in used_gold and -minus_j not in used_found:
            used_gold.add(-minus_i)
            used_found.add(-minus_j)
            kind = {(True, True): CORRECT, (True, False): WRONG_LABEL, (False, True): WRONG_EDGE}.get(same, WRONG_BOTH)
            matches.append(Match(kind, text.gold[-minus_i], text.found[-minus_j]))
    matches += [Match(MISSED, span, None) for i, span in enumerate(text.gold) if i not in used_gold]
    matches += [Match(SPURIOUS, None, span) for j, span in enumerate(text.found) if j not in used_found]
    return sorted(matches, key=lambda match: (match.gold or match.found or ())[:2])


def count_errors(texts: Iterable[EvaluatedText]) -> Dict[str, int]:
    """How many matches are of each kind."""
    counts = dict.fromkeys(KINDS, 0)
    for text in texts:
        for match in match_entities(text):
            counts[match.kind] += 1
    return counts


def confusion(texts: Iterable[EvaluatedText], labels: Sequence[str]) -> Dict[str, Any]:
    """Which label was given to which, edges aside; O stands for missed and spurious entities.

    RETURNS: "labels", with O at the end, and "counts": a row per gold label, a column per found one.
    """
    names = [*labels, OUTSIDE]
    place = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), dtype="int64")
    for text in texts:
        for match in match_entities(text):
            row = place[match.gold.label if match.gold else OUTSIDE]
            counts[row, place[match.found.label if match.found else OUTSIDE]] += 1
    return {"labels": names, "counts": counts.tolist()}
