"""Found entities and whether each is right in; the temperature that makes scores probabilities, and thresholds, out.

Temperature scaling: Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv 1706.04599. They choose the one
temperature at which the softmax of single predictions has the least log loss. What luke_ner gives out is a score per
entity, so it is chosen here by the log loss of that score.
"""

import math
from typing import Callable, NamedTuple, Optional, Sequence

import numpy as np

from ..text.ner import FoundEntity, score_entities

# Natural logarithms of the lowest and the highest temperature that is tried: about 0.08 to 12.
LOG_TEMPERATURES = (-2.5, 2.5)


def fit_temperature(entities: Sequence[FoundEntity], correct: np.ndarray) -> float:
    """Find the temperature at which the entities' scores have the least log loss.

    entities: at least one.
    correct: (n_entities,) bool.
    """
    loss_at = lambda x: log_loss(score_entities(entities, temperature=math.exp(x)), correct)
    # A grid first: this loss may have more than one valley.
    grid = np.linspace(*LOG_TEMPERATURES, 51)
    losses = [loss_at(x) for x in grid]
    best = int(np.argmin(losses))
    refined = golden_section(loss_at, grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    return math.exp(refined if loss_at(refined) < losses[best] else grid[best])


class Threshold(NamedTuple):
    """The least score at which the entities of a label are as precise as asked for.

    score: None where no score is.
    precision, recall: of the entities that it keeps; where there is none, of the most precise ones, a best try.
    n_kept, n_found, n_gold: entities that it keeps, that were found, and that there are.
    full_recall: what the entities had without a threshold.
    """

    score: Optional[float]
    precision: float
    recall: float
    full_recall: float
    n_kept: int
    n_found: int
    n_gold: int


def choose_threshold(scores: np.ndarray, correct: np.ndarray, *, n_gold: int, precision: float) -> Threshold:
    """Keep as many entities of one label as a precision allows.

    scores: (n_found,); correct: (n_found,) bool; n_found > 0.
    n_gold: entities of the label that there are, found or not.
    """
    order = np.argsort(-scores, kind="stable")
    falling, n_right = scores[order], np.cumsum(correct[order])
    # How many are kept: what has the same score goes or stays together.
    n_kept = np.flatnonzero(np.append(falling[1:] < falling[:-1], True)) + 1
    shares = n_right[n_kept - 1] / n_kept
    enough = np.flatnonzero(shares >= precision)
    n = int(n_kept[enough[-1]] if len(enough) else n_kept[shares.argmax()])
    last = float(falling[n - 1])
    if not len(enough):
        score = None
    elif n == len(falling):
        score = 0.0
    else:
        # Between the two, since the last digits of a score depend on the batch.
        middle = (last + float(falling[n])) / 2
        score = next(value for value in (round(middle, 4), middle, last) if falling[n] < value <= last)
    recall, full_recall = (float(n_right[i]) / n_gold if n_gold else 0.0 for i in (n - 1, -1))
    return Threshold(score, float(n_right[n - 1]) / n, recall, full_recall, n, len(falling), n_gold)


def log_loss(scores: np.ndarray, correct: np.ndarray) -> float:
    """The mean of -ln(probability of what came true), where a score is the probability that the entity is right."""
    probabilities = np.where(correct, scores, 1.0 - scores)
    return float(-np.log(np.maximum(probabilities, 1e-12)).mean())


def golden_section(function: Callable[[float], float], low: float, high: float, *, tolerance: float = 1e-5) -> float:
    """Where between low and high a function with one valley is lowest."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > tolerance:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2
