"""An encoder without its classifier, and the tokenizer that goes with it, as thinc sees them."""

from typing import Any, Callable, List, Optional, Tuple

import numpy as np
import torch

from ..text.subwords import SubwordEncoder
from .hf_checkpoint import Checkpoint, open_checkpoint
from .hf_loader import build_encoder, max_window
from .hf_shim import HFShim
from .hf_tensors import Tensors
from .hf_tokenizer import open_encoder
from .types import WindowBatch


class EncoderShim(HFShim):
    """Holds the encoder of a checkpoint; infer and train_step give hidden states (n_subwords, width).

    Its bytes hold the checkpoint's tokenizer too. self.tokenizer encodes the subwords; self.max_window is the most of
    them in a window, special ones not counted, self.usual_window how many a window has unless it is set.
    """

    tokenizer: SubwordEncoder
    max_window: int
    usual_window: int

    def __init__(self, name: str, *, revision: Optional[str], window: Optional[int], **settings: Any):
        """
        name, revision: the checkpoint that is loaded when it is needed and from_bytes has brought none.
        window: subwords in a window, checked when the checkpoint is there; None for the checkpoint's own.
        settings: as HFShim takes them.
        """
        super().__init__(**settings)
        self.name = name
        self.revision = revision
        self.window = window

    @property
    def width(self) -> int:
        return self._model.config.hidden_size

    def load(self, checkpoint: Checkpoint, *, new_head: bool = False) -> None:
        tokenizer = open_encoder(checkpoint)
        super().load(checkpoint)
        n_special = len(tokenizer.prefix_ids) + len(tokenizer.suffix_ids)
        self.max_window = max_window(self.max_subwords, checkpoint, n_special=n_special, window=self.window)
        self.usual_window = min(self.max_window, checkpoint.window)
        self.tokenizer = tokenizer

    def load_once(self) -> None:
        if not self.is_loaded:
            self.load(open_checkpoint(self.name, revision=self.revision))

    def train_step(self, inputs: WindowBatch, *, dropout_rate: Optional[float]) -> Tuple[np.ndarray, Callable]:
        hidden, backprop = super().train_step(inputs, dropout_rate=dropout_rate)
        is_frozen = not any(parameter.requires_grad for parameter in self._model.parameters())
        return hidden, (lambda d_hidden: inputs) if is_frozen else backprop

    def copy(self) -> "EncoderShim":
        copied = super().copy()
        copied.id = EncoderShim("", revision=None, window=None).id  # optimizers tell weights apart by it
        return copied

    def to_bytes(self) -> bytes:
        self.load_once()
        return super().to_bytes()

    def _rows(self, outputs: Any) -> torch.Tensor:
        return outputs.last_hidden_state

    def _build(
        self, checkpoint: Checkpoint, *, dtype: torch.dtype = torch.float32, new_head: bool = False
    ) -> torch.nn.Module:
        return build_encoder(checkpoint, dtype=dtype)

    def _read_stored(self) -> Tensors:
        prefix = self._model.base_model_prefix + "."
        return {name.removeprefix(prefix): tensor for name, tensor in super()._read_stored().items()}


def piece_strings(tokenizer: Any, ids: List[int]) -> List[str]:
    """The names of subwords in the vocabulary, special ones included; `tokenizer`: a SubwordEncoder."""
    if hasattr(tokenizer, "tokenizer"):
        return tokenizer.tokenizer.convert_ids_to_tokens(ids)
    special = ("<s>", "<pad>", "</s>", "<unk>")
    return [special[i] if i < len(special) else tokenizer.processor.id_to_piece(i - 1) for i in ids]
