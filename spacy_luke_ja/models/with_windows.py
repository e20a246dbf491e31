"""Subwords of any length in, one row of logits per subword out, through windows that the encoder can take."""

from typing import Callable, List, Optional, Tuple

import numpy as np
from thinc.api import Model

from ..text.subwords import Subwords
from ..text.windows import Window, merge_windows, plan_windows, split_rows
from .types import ClassifierModel, SubwordLogits, WindowBatch
from .window_rows import run_windows


def with_windows(
    layer: ClassifierModel, *, window: Optional[int], overlap: int, max_batch_subwords: int
) -> Model[List[Subwords], List[SubwordLogits]]:
    """Run a layer that takes windows over texts of any length, in windows of whole sentences (plan_windows).

    layer: batches of windows in, logits out, a row for each of their subwords.
    window: subwords that a window of several sentences may have, special ones not counted; the checkpoint's when None.
    overlap: subwords that the windows of one sentence share, where it is too long for one.
    max_batch_subwords: the most subwords given to the layer at a time, special ones included, if it pads them.

    attrs["usual_window"], max_window (the most that the encoder takes), prefix_ids, suffix_ids and pad_id come with the
    checkpoint.
    """
    check_window_settings(window=window, overlap=overlap, max_batch_subwords=max_batch_subwords)
    return Model(
        "with_windows",
        forward,
        layers=[layer],
        attrs={
            "window": window,
            "overlap": overlap,
            "max_batch_subwords": max_batch_subwords,
            "max_window": None,
            "usual_window": None,
            "prefix_ids": (),
            "suffix_ids": (),
            "pad_id": 0,
        },
    )


def check_window_settings(*, window: Optional[int], overlap: int, max_batch_subwords: int) -> None:
    """Raise a ValueError for what no checkpoint could do."""
    if overlap < 0:
        raise ValueError(f"overlap must be at least 0, got {overlap}")
    if window is not None and window < 1:
        raise ValueError(f"window must be at least 1 subword, got {window}")
    if max_batch_subwords < 1:
        raise ValueError(f"max_batch_subwords must be at least 1, got {max_batch_subwords}")


def forward(model: Model, texts: List[Subwords], is_train: bool) -> Tuple[List[SubwordLogits], Callable]:
    layer = model.layers[0]
    n_prefix = len(model.attrs["prefix_ids"])
    plans = [plan_text(model, text) for text in texts]
    ends = np.cumsum([0, *map(len, plans)]).tolist()
    rows, backprop_rows = run_windows(
        layer,
        [surround(model, text, w) for text, plan in zip(texts, plans) for w in plan],
        pad_id=model.attrs["pad_id"],
        max_batch_subwords=model.attrs["max_batch_subwords"],
        is_train=is_train,
    )
    n_tags = layer.attrs["n_tags"]
    merged = []
    for plan, start, end in zip(plans, ends, ends[1:]):
        own_rows = [own[n_prefix : n_prefix + len(w)] for own, w in zip(rows[start:end], plan)]
        merged.append(merge_windows(own_rows, plan) if plan else np.zeros((0, n_tags), dtype="float32"))

    def backprop_windows(d_logits: List[np.ndarray]) -> List[Subwords]:
        d_rows = [np.zeros(own.shape, dtype="float32") for own in rows]
        d_windows = [d_window for d, plan in zip(d_logits, plans) for d_window in split_rows(d, plan)]
        for d_own, d_window in zip(d_rows, d_windows):
            d_own[n_prefix : n_prefix + len(d_window)] = d_window
        backprop_rows(d_rows)
        return []

    return [SubwordLogits(text, logits) for text, logits in zip(texts, merged)], backprop_windows


def plan_text(model: Model, subwords: Subwords) -> List[Window]:
    """RETURNS: the windows that a model made by with_windows reads a text in."""
    attrs = model.attrs
    window = attrs["window"] or attrs["usual_window"]
    return plan_windows(subwords, window=window, overlap=attrs["overlap"], limit=attrs["max_window"])


def surround(model: Model, subwords: Subwords, window: Window) -> np.ndarray:
    """RETURNS: the ids of a window, special ones around them."""
    ids = subwords.ids[window.subword_start : window.subword_end]
    return np.concatenate([model.attrs["prefix_ids"], ids, model.attrs["suffix_ids"]]).astype("int64")


def join_windows(model: Model, windows: List[Tuple[Subwords, Window]]) -> WindowBatch:
    """Put special subwords around windows, and the windows end to end."""
    surrounded = [surround(model, subwords, window) for subwords, window in windows]
    return WindowBatch(np.concatenate(surrounded), np.array([len(ids) for ids in surrounded]), model.attrs["pad_id"])
