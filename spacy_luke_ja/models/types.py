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
    """Windows of about one length, joined end to end, special subwords included.

    ids: (n_subwords,) int64, those of all windows.
    lengths: (n_windows,) subwords of each.
    pad_id: for models that take windows side by side.
    """

    ids: np.ndarray
    lengths: np.ndarray
    pad_id: int

    def is_subword(self) -> np.ndarray:
        """(n_windows, length of the longest) bool: False is padding."""
        return np.arange(self.lengths.max()) < self.lengths[:, None]

    def padded_ids(self) -> np.ndarray:
        """(n_windows, length of the longest) int64: padded on the right."""
        is_subword = self.is_subword()
        ids = np.full(is_subword.shape, self.pad_id, dtype="int64")
        ids[is_subword] = self.ids
        return ids


# Batches of windows in, logits (n_subwords, n_tags) of each out.
ClassifierModel = Model[List[WindowBatch], List[np.ndarray]]
LukeNerModel = Model[List[Doc], List[SubwordLogits]]
