"""The records that pass between layers."""

from dataclasses import dataclass
from typing import List, Optional, Tuple, Union

import numpy as np
from spacy.tokens import Doc, Span
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
    type_ids: (n_subwords,) int64, which of a pair's two texts each belongs to, for encoders that are told; None: the
        first everywhere.
    entity_counts: (n_windows,) how many of the ids of each, the last ones, are entities; None: none.
    mentions: (n_entities, 2) int64, the first subword of each one's mention and the one behind its last, counted in its
        window with the special ones.
    """

    ids: np.ndarray
    lengths: np.ndarray
    pad_id: int
    type_ids: Optional[np.ndarray] = None
    entity_counts: Optional[np.ndarray] = None
    mentions: Optional[np.ndarray] = None

    def is_subword(self) -> np.ndarray:
        """(n_windows, length of the longest) bool: False is padding."""
        return np.arange(self.lengths.max()) < self.lengths[:, None]

    def padded_ids(self) -> np.ndarray:
        """(n_windows, length of the longest) int64: padded on the right."""
        return self._pad(self.ids, self.pad_id)

    def padded_type_ids(self) -> Optional[np.ndarray]:
        """(n_windows, length of the longest) int64."""
        return None if self.type_ids is None else self._pad(self.type_ids, 0)

    def _pad(self, values: np.ndarray, fill_value: int) -> np.ndarray:
        is_subword = self.is_subword()
        padded = np.full(is_subword.shape, fill_value, dtype="int64")
        padded[is_subword] = values
        return padded


# Batches of windows in, logits (n_subwords, n_tags) of each out.
ClassifierModel = Model[List[WindowBatch], List[np.ndarray]]
# What is asked, and a question.
AskedPair = Tuple[Union[Doc, Span], str]
