"""Inputs of any length in, what the model says of each out, through windows that the encoder can take."""

from dataclasses import replace
from typing import Any, Callable, List, Sequence, Tuple

import numpy as np
from thinc.api import Model

from ..text.windows import group_by_length
from .settings import ModelSettings
from .task import FramedWindow, Task
from .types import ClassifierModel, WindowBatch

NO_MENTIONS = np.zeros((0, 2), dtype="int64")
Runner = Callable[[List[WindowBatch]], Tuple[List[np.ndarray], Callable[[List[np.ndarray]], Any]]]


def with_windows(layer: ClassifierModel, settings: ModelSettings) -> Model[List[Any], List[Any]]:
    """Run a layer that takes batches of windows over inputs of any length, as attrs["task"] asks for it.

    The layer gives logits, a row for each of their subwords.

    attrs["task"], a Task; encoder, a SubwordEncoder; and frame come with the checkpoint. attrs["settings"] may be
    replaced while it is in use.
    """
    attrs = {"settings": settings, "task": None, "encoder": None, "frame": None}
    return Model("with_windows", forward, layers=[layer], attrs=attrs)


def forward(model: Model, inputs: List[Any], is_train: bool) -> Tuple[List[Any], Callable]:
    layer = model.layers[0]
    task: Task = model.attrs["task"]
    settings, frame = model.attrs["settings"], model.attrs["frame"]
    items = task.encode(model.attrs["encoder"], inputs)
    plans = [task.plan(item, settings, frame) for item in items]
    framed = [task.place(item, window, frame) for item, plan in zip(items, plans) for window in plan]
    all_rows, backprop_rows = run_windows(
        lambda batches: layer(batches, is_train),
        framed,
        pad_id=frame.pad_id,
        max_batch_subwords=settings.max_batch_subwords,
    )
    rows = [own[window.rows] for own, window in zip(all_rows, framed)]
    ends = np.cumsum([0, *map(len, plans)]).tolist()
    n_tags = layer.attrs["n_tags"]
    outputs = [
        task.join(item, plan, rows[start:end], n_tags=n_tags)
        for item, plan, start, end in zip(items, plans, ends, ends[1:])
    ]

    def backprop_outputs(d_outputs: List[Any]) -> List[Any]:
        d_rows = [np.zeros(own.shape, dtype="float32") for own in all_rows]
        d_windows = (d_window for d, plan in zip(d_outputs, plans) for d_window in task.split(d, plan))
        for d_own, window, d_window in zip(d_rows, framed, d_windows):
            if isinstance(window.rows, slice):
                d_own[window.rows] = d_window
            else:
                np.add.at(d_own, window.rows, d_window)  # a row may be read more than once
        backprop_rows(d_rows)
        return []

    return outputs, backprop_outputs


def run_windows(
    run: Runner, windows: Sequence[FramedWindow], *, pad_id: int, max_batch_subwords: int, max_padding: float = 1.0
) -> Tuple[List[np.ndarray], Callable[[Sequence[np.ndarray]], None]]:
    """Run windows of any number and length by batches of about one length.

    run: batches in; per batch the rows of all its windows out, and a callback that takes their gradients.
    max_batch_subwords, max_padding: of a batch, as in group_by_length.
    RETURNS: per window (n_subwords, n_tags), and a callback that takes their gradients.
    """
    lengths = [len(window.ids) for window in windows]
    groups = list(group_by_length(lengths, max_subwords=max_batch_subwords, max_padding=max_padding))
    batches = [join_windows([windows[k] for k in group], pad_id=pad_id) for group in groups]
    outputs, backprop_batches = run(batches)
    rows: List[np.ndarray] = [np.zeros((0, 0), dtype="float32")] * len(windows)
    for group, output in zip(groups, outputs):
        end = 0
        for k in group:
            rows[k] = output[end : end + lengths[k]]
            end += lengths[k]

    def backprop(d_rows: Sequence[np.ndarray]) -> None:
        backprop_batches([np.concatenate([d_rows[k] for k in group]) for group in groups])

    return rows, backprop


def join_windows(windows: Sequence[FramedWindow], *, pad_id: int) -> WindowBatch:
    """Put windows end to end."""
    ids = np.concatenate([window.ids for window in windows])
    type_ids = [window.type_ids for window in windows if window.type_ids is not None]
    lengths = np.array([len(window.ids) for window in windows])
    batch = WindowBatch(ids, lengths, pad_id, np.concatenate(type_ids) if type_ids else None)
    if all(window.mentions is None for window in windows):
        return batch
    mentions = [NO_MENTIONS if window.mentions is None else window.mentions for window in windows]
    return replace(batch, entity_counts=np.array(list(map(len, mentions))), mentions=np.concatenate(mentions))
