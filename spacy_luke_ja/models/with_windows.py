"""Subwords of any length in, one row of logits per subword out, through windows that the encoder can take."""

from typing import Any, Callable, List, Optional, Tuple

import numpy as np
from thinc.api import Model

from ..text.subwords import Subwords
from ..text.windows import Window, check_window, group_by_length, merge_windows, plan_windows, split_rows
from .types import ClassifierModel, SubwordLogits, WindowBatch


def with_windows(
    layer: ClassifierModel, *, window: Optional[int], overlap: int, max_batch_subwords: int
) -> Model[List[Subwords], List[SubwordLogits]]:
    """Run a layer that takes windows over texts of any length.

    layer: batches of windows in, logits out, a row for each of their subwords.
    window: subwords in a window, special ones not counted; the most that the encoder takes when None.
    overlap: subwords that neighbouring windows share.
    max_batch_subwords: the most subwords given to the layer at a time, special ones included, if it pads them.

    attrs["max_window"], prefix_ids, suffix_ids and pad_id come with the checkpoint.
    """
    if overlap < 0:
        raise ValueError(f"overlap must be at least 0, got {overlap}")
    if window is not None:
        check_window(window, overlap)
    if max_batch_subwords < 1:
        raise ValueError(f"max_batch_subwords must be at least 1, got {max_batch_subwords}")
    return Model(
        "with_windows",
        forward,
        layers=[layer],
        attrs={
            "window": window,
            "overlap": overlap,
            "max_batch_subwords": max_batch_subwords,
            "max_window": None,
            "prefix_ids": (),
            "suffix_ids": (),
            "pad_id": 0,
        },
    )


def forward(model: Model, texts: List[Subwords], is_train: bool) -> Tuple[List[SubwordLogits], Callable]:
    layer = model.layers[0]
    n_prefix = len(model.attrs["prefix_ids"])
    window = model.attrs["window"] or model.attrs["max_window"]
    plans = [plan_windows(text, window=window, overlap=model.attrs["overlap"]) for text in texts]
    places = [(i, j) for i, plan in enumerate(plans) for j in range(len(plan))]
    n_special = n_prefix + len(model.attrs["suffix_ids"])
    lengths = [len(plans[i][j]) + n_special for i, j in places]
    groups = list(group_by_length(lengths, max_subwords=model.attrs["max_batch_subwords"]))
    windows = [(texts[i], plans[i][j]) for i, j in places]
    batches = [join_windows(model, [windows[k] for k in group]) for group in groups]
    outputs, backprop_batches = layer(batches, is_train)
    starts = [n_prefix + np.cumsum(batch.lengths) - batch.lengths for batch in batches]
    rows: List[List] = [[None] * len(plan) for plan in plans]
    for group, own_starts, logits in zip(groups, starts, outputs):
        for k, start in zip(group, own_starts.tolist()):
            i, j = places[k]
            rows[i][j] = logits[start : start + len(plans[i][j])]
    n_tags = layer.attrs["n_tags"]
    merged = [
        merge_windows(rows[i], plan) if plan else np.zeros((0, n_tags), dtype="float32") for i, plan in enumerate(plans)
    ]

    def backprop_windows(d_logits: List[np.ndarray]) -> List[Subwords]:
        d_rows = [split_rows(d, plan) for d, plan in zip(d_logits, plans)]
        d_outputs = [np.zeros(logits.shape, dtype="float32") for logits in outputs]
        for group, own_starts, d_output in zip(groups, starts, d_outputs):
            for k, start in zip(group, own_starts.tolist()):
                i, j = places[k]
                d_output[start : start + len(plans[i][j])] = d_rows[i][j]
        backprop_batches(d_outputs)
        return []

    return [SubwordLogits(text, logits) for text, logits in zip(texts, merged)], backprop_windows


def join_windows(model: Model, windows: List[Tuple[Subwords, Window]]) -> WindowBatch:
    """Put special subwords around windows, and the windows end to end."""
    prefix, suffix = model.attrs["prefix_ids"], model.attrs["suffix_ids"]
    parts: List[Any] = []
    for subwords, window in windows:
        parts += (prefix, subwords.ids[window.subword_start : window.subword_end], suffix)
    lengths = np.array([len(prefix) + len(window) + len(suffix) for _, window in windows])
    return WindowBatch(np.concatenate(parts).astype("int64"), lengths, model.attrs["pad_id"])
