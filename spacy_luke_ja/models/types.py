"""The records that pass between layers."""

from dataclasses import dataclass
from typing import List

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model

from ..text.subwords import Subwords


@dataclass(frozen=True)
class SubwordLogits:
    """What the model says of one text.

    logits: (n_subwords, n_tags) float32.
    """

    subwords: Subwords
    logits: np.ndarray


@dataclass(frozen=True)
class WindowBatch:
    """Windows of about one length, special subwords included, padded on the right.

    ids: (n_windows, n_subwords) int64.
    lengths: (n_windows,) subwords that are not padding.
    """

    ids: np.ndarray
    lengths: np.ndarray


# Windows in, logits (n_windows, n_subwords, n_tags) out; what a backend has to be.
ClassifierModel = Model[WindowBatch, np.ndarray]
LukeNerModel = Model[List[Doc], List[SubwordLogits]]
