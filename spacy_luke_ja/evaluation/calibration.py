"""Found entities and whether each is right in; the temperature that makes their scores probabilities out.

Temperature scaling: Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv 1706.04599. They choose the one
temperature at which the softmax of single predictions has the least log loss. What luke_ner gives out is a score per
entity, so it is chosen here by the log loss of that score.
"""

import math
from typing import Callable, Sequence

import numpy as np

from ..text.decoding import FoundEntity, score_entities

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
