"""A checkpoint behind a thinc layer: what every way to run it has in common, which is how it is kept and saved."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from thinc.shims import Shim

from .hf_checkpoint import ALIASES, TOKENIZER_FILES, WEIGHT_FILES, Checkpoint
from .hf_tensors import Tensors, read_tensors
from .task import Head
from .types import WindowBatch

# The forked process in which PyTorch was told to use one thread.
_limited_process_id: Optional[int] = None


class CheckpointShim(Shim, ABC):
    """Nothing until `load`, then what a checkpoint says of windows.

    Subclasses define how the network is built and run, and which tensors are to be saved.
    """

    takes_type_ids = True  # of pairs of texts, see WindowBatch
    takes_entities = True  # behind the words, see WindowBatch
    can_train = True
    head: Head  # of what is loaded

    def __init__(self) -> None:
        super().__init__(None)
        self._checkpoint: Optional[Checkpoint] = None
        # How many terms the losses had of which gradients were added up since the last update.
        self.n_loss_terms = 0
        self.n_updates = 0
        self._process_id = os.getpid()

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state, _process_id=os.getpid())

    def use_one_thread_after_fork(self) -> None:
        """To be called before anything is computed.

        A forked process (of nlp.pipe with n_process, say) inherits PyTorch's thread pool without its threads and would
        wait for them for ever. One thread needs no pool, and such processes share the cores anyway. What a process
        makes or reads itself runs with its own threads.
        """
        global _limited_process_id
        process_id = os.getpid()
        if process_id not in (self._process_id, _limited_process_id):
            torch.set_num_threads(1)
            _limited_process_id = process_id

    @property
    def is_loaded(self) -> bool:
        return self._model is not None

    @property
    def checkpoint(self) -> Checkpoint:
        """What was loaded, with the tags that training gave it."""
        if self._checkpoint is None:
            raise ValueError("the model has no weights yet; call nlp.initialize(), or use the component once")
        return self._checkpoint

    def set_file(self, name: str, content: Optional[bytes]) -> None:
        """Put a file beside the weights, to be saved with them, or take it away."""
        self._checkpoint = self.checkpoint.with_file(name, content)

    @property
    @abstractmethod
    def precision_in_use(self) -> str:
        """What "auto" came to."""

    @abstractmethod
    def load(
        self,
        checkpoint: Checkpoint,
        *,
        head: Head,
        new_head: bool = False,
        check: Callable[[int], None] = lambda max_subwords: None,
    ) -> None:
        """Build the network, fill it from the checkpoint, and put it in the place of the one before, if nothing fails.

        head: what the checkpoint has, or gets, behind its encoder.
        new_head: the classifier starts at random, with the checkpoint's tags.
        check: is called with the most subwords, special ones included, that the encoder takes at once.
        """

    @abstractmethod
    def infer(self, inputs: WindowBatch) -> np.ndarray:
        """RETURNS: logits (n_subwords, n_tags) float32, as the subwords of all windows are joined."""

    def infer_all(self, batches: Sequence[WindowBatch]) -> List[np.ndarray]:
        """Several batches, for what can begin one before the last is done."""
        return [self.infer(batch) for batch in batches]

    @abstractmethod
    def train_all(
        self, batches: Sequence[WindowBatch], *, dropout_rate: Optional[float]
    ) -> Tuple[List[np.ndarray], Callable[[Sequence[np.ndarray]], None]]:
        """RETURNS: logits of each batch as infer gives them, and a callback that takes their gradients."""

    @abstractmethod
    def resize(self, tags: Sequence[str], rows: Sequence[int], lowered: Sequence[float]) -> None:
        """Change the tags of the classifier.

        rows: per new tag, the old tag whose weights it starts with.
        lowered: per new tag, how much lower than the old tag's its logit is, everywhere.
        """

    @abstractmethod
    def tensors(self) -> Tensors:
        """The weights to save: as the checkpoint stores them, or as training has made them."""

    def to_bytes(self) -> bytes:
        from safetensors.torch import save

        return self.checkpoint.to_bytes(save(self.tensors()))

    def from_bytes(self, bytes_data: bytes) -> Any:
        self.load(Checkpoint.from_bytes(bytes_data), head=self.head)
        return self

    def save_checkpoint(self, path: Path) -> None:
        """Write a directory in the Hugging Face layout: config.json, model.safetensors, the tokenizer's files."""
        from safetensors.torch import save_file

        path.mkdir(parents=True, exist_ok=True)
        # The checkpoint may lie in this very directory: first all is written, then what was there goes.
        save_file(self.tensors(), path / "model.safetensors.part", metadata={"format": "pt"})
        for name in {*TOKENIZER_FILES, *WEIGHT_FILES, ALIASES} - {*self.checkpoint.files, "model.safetensors"}:
            (path / name).unlink(missing_ok=True)
        for name, content in self.checkpoint.files.items():
            (path / name).write_bytes(content)
        # safetensors lets nobody else read the file; config.json has what the user's umask allows.
        (path / "model.safetensors.part").chmod((path / "config.json").stat().st_mode)
        os.replace(path / "model.safetensors.part", path / "model.safetensors")

    def _read_stored(self) -> Tensors:
        return read_tensors(self.checkpoint)
