"""Windows of any lengths in, the rows of a classifier for each out, by batches of about one length."""

from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np

from ..text.windows import group_by_length
from .types import ClassifierModel, WindowBatch


def run_windows(
    layer: ClassifierModel,
    windows: Sequence[np.ndarray],
    *,
    type_ids: Optional[Sequence[np.ndarray]] = None,
    pad_id: int,
    max_batch_subwords: int,
    is_train: bool,
) -> Tuple[List[np.ndarray], Callable[[Sequence[np.ndarray]], None]]:
    """
    windows: the ids of each, special ones included.
    type_ids: as in WindowBatch, per window.
    max_batch_subwords: the most subwords given to the layer at a time, if it pads them.
    RETURNS: per window (n_subwords, n_tags), and a callback that takes their gradients.
    """
    groups = list(group_by_length([len(ids) for ids in windows], max_subwords=max_batch_subwords))
    batches = [
        WindowBatch(
            np.concatenate([windows[k] for k in group]),
            np.array([len(windows[k]) for k in group]),
            pad_id,
            np.concatenate([type_ids[k] for k in group]) if type_ids is not None else None,
        )
        for group in groups
    ]
    outputs, backprop_batches = layer(batches, is_train)
    rows: List[np.ndarray] = [np.zeros((0, 0), dtype="float32")] * len(windows)
    for group, batch, output in zip(groups, batches, outputs):
        end = 0
        for k, length in zip(group, batch.lengths.tolist()):
            rows[k] = output[end : end + length]
            end += length

    def backprop(d_rows: Sequence[np.ndarray]) -> None:
        backprop_batches([np.concatenate([d_rows[k] for k in group]) for group in groups])

    return rows, backprop
