"""Batches of windows in, logits out: a Hugging Face model, run by what its shim runs it with."""

from typing import Any, Callable, List, Optional, Tuple, cast

import numpy as np
from thinc.api import Model

from .checkpoint_shim import CheckpointShim
from .types import ClassifierModel, WindowBatch


def hf_classifier(shim: CheckpointShim) -> ClassifierModel:
    """The layer is empty until its shim, model.shims[0], is given a checkpoint."""
    return Model("hf_classifier", forward, shims=[shim], attrs={"n_tags": None, "dropout_rate": None})


def forward(model: Model, batches: List[WindowBatch], is_train: bool) -> Tuple[List[np.ndarray], Callable]:
    shim = cast(CheckpointShim, model.shims[0])
    return run_shim(shim, batches, is_train=is_train, dropout_rate=model.attrs["dropout_rate"])


def run_shim(
    shim: CheckpointShim, batches: List[WindowBatch], *, is_train: bool, dropout_rate: Optional[float]
) -> Tuple[List[np.ndarray], Callable[[List[np.ndarray]], Any]]:
    if not is_train:
        return shim.infer_all(batches), lambda d_outputs: batches
    outputs, backprop_batches = shim.train_all(batches, dropout_rate=dropout_rate)

    def backprop(d_outputs: List[np.ndarray]) -> List[WindowBatch]:
        backprop_batches(d_outputs)
        return batches

    return outputs, backprop
