"""A checkpoint behind a thinc layer: what every way to run it has in common, which is how it is kept and saved."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence, Tuple

import numpy as np
from thinc.shims import Shim

from .hf_checkpoint import TOKENIZER_FILES, WEIGHT_FILES, Checkpoint
from .hf_tensors import Tensors, read_tensors
from .types import WindowBatch


class CheckpointShim(Shim, ABC):
    """Nothing until `load`, then what a checkpoint says of windows.

    Heirs say how the network is built and run, and which tensors are to be saved.
    """

    takes_type_ids = True  # of pairs of texts, see WindowBatch

    def __init__(self) -> None:
        super().__init__(None)
        self._checkpoint: Optional[Checkpoint] = None
        # How many terms the losses had of which gradients were added up since the last update.
        self.n_loss_terms = 0
        self.n_updates = 0

    @property
    def is_loaded(self) -> bool:
        return self._model is not None

    @property
    def checkpoint(self) -> Checkpoint:
        """What was loaded, with the tags that training gave it."""
        if self._checkpoint is None:
            raise ValueError("the model has no weights yet; call nlp.initialize(), or use the component once")
        return self._checkpoint

    @property
    @abstractmethod
    def precision_in_use(self) -> str:
        """What "auto" came to."""

    @property
    @abstractmethod
    def max_subwords(self) -> int:
        """The most subwords, special ones included, that the encoder takes at once."""

    @abstractmethod
    def load(self, checkpoint: Checkpoint, *, new_head: bool = False) -> None:
        """Build the network and fill it from the checkpoint.

        new_head: the classifier starts at random, with the checkpoint's tags.
        """

    @abstractmethod
    def infer(self, inputs: WindowBatch) -> np.ndarray:
        """RETURNS: logits (n_subwords, n_tags) float32, as the subwords of all windows are joined."""

    def infer_all(self, batches: Sequence[WindowBatch]) -> List[np.ndarray]:
        """Several batches, for what can begin one before the last is done."""
        return [self.infer(batch) for batch in batches]

    @abstractmethod
    def train_step(self, inputs: WindowBatch, *, dropout_rate: Optional[float]) -> Tuple[np.ndarray, Callable]:
        """RETURNS: logits as infer gives them, and a callback that takes their gradient."""

    @abstractmethod
    def resize(self, tags: Sequence[str], rows: Sequence[Optional[int]]) -> None:
        """Change the tags of the classifier; rows: per new tag, the old tag whose weights it keeps, or None."""

    @abstractmethod
    def tensors(self) -> Tensors:
        """The weights to save: as the checkpoint stores them, or as training has made them."""

    def to_bytes(self) -> bytes:
        from safetensors.torch import save

        return self.checkpoint.to_bytes(save(self.tensors()))

    def from_bytes(self, bytes_data: bytes) -> Any:
        self.load(Checkpoint.from_bytes(bytes_data))
        return self

    def save_checkpoint(self, path: Path) -> None:
        """Write a directory in the Hugging Face layout: config.json, model.safetensors, the tokenizer's files."""
        from safetensors.torch import save_file

        path.mkdir(parents=True, exist_ok=True)
        # The checkpoint may lie in this very directory: first all is written, then what was there goes.
        save_file(self.tensors(), path / "model.safetensors.part", metadata={"format": "pt"})
        for name in {*TOKENIZER_FILES, *WEIGHT_FILES} - {*self.checkpoint.files, "model.safetensors"}:
            (path / name).unlink(missing_ok=True)
        for name, content in self.checkpoint.files.items():
            (path / name).write_bytes(content)
        # safetensors lets nobody else read the file; config.json has what the user's umask allows.
        (path / "model.safetensors.part").chmod((path / "config.json").stat().st_mode)
        os.replace(path / "model.safetensors.part", path / "model.safetensors")

    def _read_stored(self) -> Tensors:
        return read_tensors(self.checkpoint)
