"""An encoder without its classifier, and the tokenizer that goes with it, as thinc sees them."""

from typing import Any, Callable, List, Optional, Sequence, Tuple

import numpy as np
import torch

from ..text.subwords import SubwordEncoder
from .hf_checkpoint import Checkpoint, open_checkpoint
from .hf_loader import build_encoder
from .hf_shim import HFShim
from .hf_tensors import Tensors
from .hf_tokenizer import open_encoder, settle_tokenizer
from .task import TOKEN_CLASSIFIER, Frame, Head, Task
from .types import WindowBatch


class EncoderShim(HFShim):
    """Holds the encoder of a checkpoint; infer and train_all give hidden states (n_subwords, width).

    Its bytes hold the checkpoint's tokenizer too. self.tokenizer encodes the subwords; self.frame is what the encoder
    has around a window. The checkpoint of the settings is loaded when it is needed and from_bytes has brought none.
    """

    tokenizer: SubwordEncoder
    frame: Frame

    @property
    def width(self) -> int:
        return self._model.config.hidden_size

    def load(
        self,
        checkpoint: Checkpoint,
        *,
        head: Head = TOKEN_CLASSIFIER,
        new_head: bool = False,
        check: Callable[[int], None] = lambda max_subwords: None,
    ) -> None:
        task, checkpoint = Task(), settle_tokenizer(checkpoint)
        tokenizer = open_encoder(checkpoint)
        frame = task.frame(tokenizer, checkpoint)
        frames: List[Frame] = []

        def check_frame(limit: int) -> None:
            frames.append(frame.within(limit))
            task.check_fit(self.settings, frames[0], checkpoint.name)

        super().load(checkpoint, check=check_frame)
        self.frame, self.tokenizer = frames[0], tokenizer

    def load_once(self) -> None:
        if not self.is_loaded:
            self.load(open_checkpoint(self.settings.name or "", revision=self.settings.revision))

    def train_all(
        self, batches: Sequence[WindowBatch], *, dropout_rate: Optional[float]
    ) -> Tuple[List[np.ndarray], Callable[[Sequence[np.ndarray]], None]]:
        hidden, backprop = super().train_all(batches, dropout_rate=dropout_rate)
        is_frozen = not any(parameter.requires_grad for parameter in self._model.parameters())
        return hidden, (lambda d_hidden: None) if is_frozen else backprop

    def copy(self) -> "EncoderShim":
        copied = super().copy()
        copied.id = EncoderShim().id  # optimizers tell weights apart by it
        return copied

    def to_bytes(self) -> bytes:
        self.load_once()
        return super().to_bytes()

    def _rows(self, outputs: Any, n_subwords: int) -> torch.Tensor:
        return outputs.last_hidden_state

    def _build(
        self, checkpoint: Checkpoint, head: Head, *, dtype: torch.dtype = torch.float32, new_head: bool = False
    ) -> torch.nn.Module:
        return build_encoder(checkpoint, dtype=dtype)

    def _read_stored(self) -> Tensors:
        prefix = self._model.base_model_prefix + "."
        return {name.removeprefix(prefix): tensor for name, tensor in super()._read_stored().items()}
