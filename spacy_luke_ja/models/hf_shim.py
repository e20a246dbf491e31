"""A PyTorch model as thinc sees it: loaded late, kept in safetensors, run in the precision asked for."""

import contextlib
import ctypes
import sys
import warnings
from dataclasses import replace
from typing import Any, Callable, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import torch
from spacy.util import logger
from thinc.api import xp2torch
from thinc.shims import PyTorchShim, Shim

from .checkpoint_shim import CheckpointShim
from .devices import (
    PRECISIONS,
    check_device,
    choose_device,
    choose_dtype,
    get_random_state,
    random_state,
    send,
    torch_device,
)
from .hf_checkpoint import Checkpoint
from .hf_loader import build_module, max_subwords, resize_head
from .hf_tensors import Tensors
from .luke import Entities
from .roberta import Encoder, JoinedClassifier
from .settings import ModelSettings
from .task import TOKEN_CLASSIFIER, Head
from .types import WindowBatch

# float16 has too small a range for gradients.
TRAINING_PRECISIONS = ("float32", "bfloat16")

# Batches of changing size fragment glibc's heap: without this, training on a CPU had grown to 24 GB after 1,700
# updates of a model of 30 MB, all but 0.8 GB of it free.
UPDATES_PER_TRIM = 16
# New rows of a classifier learn at this rate, or at so many times the optimizer's where that is less.
NEW_ROWS_RATE = 5e-3
MOST_TIMES_QUICKER = 100.0


class HFShim(CheckpointShim, PyTorchShim):
    """Runs a checkpoint by PyTorch, and trains it.

    Weights that were never trained here are saved as the checkpoint has them, whatever the precision they run
    in. Training keeps weights in float32 and goes on with them. self.trained: the module, not the checkpoint, is what
    to save.
    """

    def __init__(self, settings: ModelSettings = ModelSettings()):
        for name, choices in (("precision", PRECISIONS), ("training_precision", TRAINING_PRECISIONS)):
            value = getattr(settings, name)
            if value not in ("auto", *choices):
                raise ValueError(f"{name} must be one of auto, {', '.join(choices)}, got {value}")
        super().__init__()
        self._device = choose_device(settings.device)
        self.settings = settings
        self.head = TOKEN_CLASSIFIER
        self.trained = False
        self._dropout_rate: Optional[float] = None
        # The layer that resize made, and the first of its rows that are new.
        self._new_rows: Optional[Tuple[torch.nn.Linear, int]] = None

    @property
    def precision_in_use(self) -> str:
        return str(next(self._model.parameters()).dtype).rpartition(".")[2]

    @property
    def module(self) -> torch.nn.Module:
        return self._model

    @property
    def device(self) -> torch.device:
        return next(self._model.parameters()).device if self.is_loaded else self._device

    def to_device(self, device_type: str, device_id: int) -> None:
        """What the thinc model's to_cpu and to_gpu call. Weights that are not there yet go there when they come."""
        self._device = torch_device(device_type, device_id)
        if self.is_loaded:
            self._model.to(self._device)

    def load(
        self,
        checkpoint: Checkpoint,
        *,
        head: Head = TOKEN_CLASSIFIER,
        new_head: bool = False,
        check: Callable[[int], None] = lambda max_subwords: None,
    ) -> None:
        self.use_one_thread_after_fork()
        device = self._device
        check_device(device)
        dtype = torch.float32 if new_head else choose_dtype(self.settings.precision, device)
        module = self._build(checkpoint, head, dtype=dtype, new_head=new_head).to(device)
        check(max_subwords(module, checkpoint.config))
        self._model, self.head = module, head
        self._checkpoint = checkpoint
        self.trained = new_head
        self._dropout_rate = self._new_rows = None  # what the last module was told, and had
        self.n_loss_terms = self.n_updates = 0
        if isinstance(checkpoint.weights, bytes) and dtype == torch.float32:
            # The module holds all that the bytes do, once is enough.
            self._checkpoint, self.trained = replace(checkpoint, weights=[]), True
        logger.info("checkpoint %s runs in %s on %s", checkpoint.name, self.precision_in_use, device)

    def infer(self, inputs: WindowBatch) -> np.ndarray:
        return self.infer_all([inputs])[0]

    def infer_all(self, batches: Sequence[WindowBatch]) -> List[np.ndarray]:
        """On a GPU, all are begun before the first is waited for."""
        self.use_one_thread_after_fork()
        if self._model.training:
            self._model.eval()
        with torch.inference_mode():
            on_cuda = self.device.type == "cuda"
            outputs = [self._forward(batch).float().to("cpu", non_blocking=on_cuda) for batch in batches]
        if on_cuda:
            torch.cuda.synchronize(self.device)
        return [output.numpy() for output in outputs]

    def train_all(
        self, batches: Sequence[WindowBatch], *, dropout_rate: Optional[float]
    ) -> Tuple[List[np.ndarray], Callable[[Sequence[np.ndarray]], None]]:
        """What PyTorch notes for the gradient is kept of the first batch alone; the others are computed once more, with
        the same random numbers, when their gradient comes. So memory is bounded by a batch, whatever their number, and
        one batch costs no more than ever.
        """
        if not batches:
            return [], lambda d_outputs: None
        self._prepare_training(dropout_rate)
        device = self.device
        states = [get_random_state(device)]
        first = [self._forward_to_train(batches[0])]
        outputs = [to_numpy(first[0])]
        with torch.no_grad():
            for batch in batches[1:]:
                states.append(get_random_state(device))
                outputs.append(to_numpy(self._forward_to_train(batch)))

        def backprop(d_outputs: Sequence[np.ndarray]) -> None:
            for i, (batch, state, d_output) in enumerate(zip(batches, states, d_outputs)):
                if i == 0:
                    logits = first.pop()
                else:
                    with random_state(state, device):
                        logits = self._forward_to_train(batch)
                torch.autograd.backward((logits,), grad_tensors=(torch.from_numpy(d_output).to(logits),))
                del logits

        return outputs, backprop

    def _forward_to_train(self, batch: WindowBatch) -> torch.Tensor:
        device = self.device
        dtype = choose_dtype(self.settings.training_precision, device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            return self._forward(batch)

    def finish_update(self, optimizer: Any) -> None:
        """Take a step with the gradients added up since the last one, divided by self.n_loss_terms where it was set.

        The gradient of all weights together is clipped to the optimizer's grad_clip.
        """
        if not self.is_loaded:
            return
        gradients = [p.grad for p in self._model.parameters() if p.grad is not None]
        if self.n_loss_terms:
            for gradient in gradients:
                gradient /= self.n_loss_terms
            self.n_loss_terms = 0
        if optimizer.grad_clip and gradients:
            torch.nn.utils.clip_grad_norm_(self._model.parameters(), optimizer.grad_clip)
        with self._quicker_new_rows(optimizer.learn_rate):
            super().finish_update(optimizer)
        self.n_updates += 1
        if self.n_updates % UPDATES_PER_TRIM == 0:
            release_freed_memory()

    @contextlib.contextmanager
    def _quicker_new_rows(self, learn_rate: float) -> Iterator[None]:
        """Lengthen the step of rows that resize added: all else has learned before, and bears small steps alone."""
        times = min(NEW_ROWS_RATE / learn_rate, MOST_TIMES_QUICKER) if learn_rate else 1.0
        if self._new_rows is None or times <= 1.0:
            yield
            return
        layer, first = self._new_rows
        before = [weights.detach()[first:].clone() for weights in (layer.weight, layer.bias)]
        yield
        for weights, start in zip((layer.weight, layer.bias), before):
            weights.data[first:] = start + times * (weights.data[first:] - start)

    @contextlib.contextmanager
    def use_params(self, params: Mapping[Any, Any]) -> Iterator[None]:
        """Put an optimizer's averages in place of the weights for a while. (PyTorchShim looks for other keys.)"""
        weights = dict(self._model.named_parameters()) if self.is_loaded else {}
        averaged = {name: params[self.id, name] for name in weights if (self.id, name) in params}
        backup = {name: weights[name].data for name in averaged}
        for name, average in averaged.items():
            weights[name].data = xp2torch(average, device=weights[name].device).clone()
        try:
            yield
        finally:
            for name, weight in backup.items():
                weights[name].data = weight

    def resize(self, tags: Sequence[str], rows: Sequence[int], lowered: Sequence[float]) -> None:
        self._prepare_training(None)
        layer = resize_head(self._model, rows, lowered)
        first = next((i for i, row in enumerate(rows) if i != row), len(rows))
        self._new_rows = layer, min(first, self._new_rows[1] if self._new_rows else first)
        # What an optimizer noted of the weights, by the id, is of another shape.
        with Shim.global_id_lock:
            Shim.global_id += 1
            self.id = Shim.global_id
        self._checkpoint = self.checkpoint.with_tags(tags)

    def tensors(self) -> Tensors:
        self.use_one_thread_after_fork()
        names = self._model.state_dict().keys()
        state: Mapping[str, torch.Tensor] = self._model.state_dict()
        if not self.trained:
            try:
                stored = self._read_stored()
                # transformers renames some old tensors as it loads; what it makes of them is as good.
                state = stored if names <= stored.keys() else self._build(self.checkpoint, self.head).state_dict()
            except OSError as error:
                self._warn_of_lost_weights(error)
        return {name: state[name].detach().cpu().contiguous().clone() for name in names}

    def _warn_of_lost_weights(self, error: OSError) -> None:
        if self.precision_in_use != "float32":
            warnings.warn(f"{error}; they go on from what is in memory, in {self.precision_in_use}")

    def _forward(self, inputs: WindowBatch) -> torch.Tensor:
        device = self.device
        if isinstance(self._model, (Encoder, JoinedClassifier)):
            ids, type_ids = (send(array, device) for array in (inputs.ids, inputs.type_ids))
            arguments: Any = {}
            if inputs.entity_counts is not None and inputs.mentions is not None:
                arguments["entities"] = Entities(inputs.entity_counts.tolist(), inputs.mentions.tolist())
            return self._model(ids, inputs.lengths.tolist(), type_ids, **arguments)
        is_subword = torch.from_numpy(inputs.is_subword()).to(device)
        arguments = {"input_ids": send(inputs.padded_ids(), device), "attention_mask": is_subword.long()}
        if inputs.type_ids is not None:
            arguments["token_type_ids"] = send(inputs.padded_type_ids(), device)
        return self._rows(self._model(**arguments), is_subword.shape[1])[is_subword]

    def _rows(self, outputs: Any, n_subwords: int) -> torch.Tensor:
        """outputs: of a module of transformers. RETURNS: (n_windows, n_subwords, n_tags)."""
        logits = [getattr(outputs, name) for name in self.head.outputs]
        if self.head.of_window:
            logits = [own[:, None].expand(-1, n_subwords, -1) for own in logits]
        return logits[0] if len(logits) == 1 else torch.stack(logits, dim=-1)

    def _build(
        self, checkpoint: Checkpoint, head: Head, *, dtype: torch.dtype = torch.float32, new_head: bool = False
    ) -> torch.nn.Module:
        return build_module(checkpoint, head=head, dtype=dtype, new_head=new_head)

    def _prepare_training(self, dropout_rate: Optional[float]) -> None:
        self.use_one_thread_after_fork()
        if next(self._model.parameters()).dtype != torch.float32:
            device = self.device
            try:
                # A new module draws random weights before it gets its own; a run that is resumed must not notice.
                with torch.random.fork_rng(devices=[]):
                    self._model = self._build(self.checkpoint, self.head).to(device)
                self._dropout_rate = None
            except OSError as error:
                self._warn_of_lost_weights(error)
                self._model = self._model.float()
        self.trained = True
        if not self._model.training:
            self._model.train()
        freeze_weights(self._model, n_layers=self.settings.frozen_layers, embeddings=self.settings.freeze_embeddings)
        if dropout_rate is not None and dropout_rate != self._dropout_rate:
            self._dropout_rate = dropout_rate
            for part in self._model.modules():
                if isinstance(part, torch.nn.Dropout):
                    part.p = dropout_rate
                elif hasattr(part, "dropout_prob"):  # attention weights, in transformers 4
                    part.dropout_prob = dropout_rate


def to_numpy(outputs: torch.Tensor) -> np.ndarray:
    return outputs.detach().float().cpu().numpy()


def freeze_weights(module: Any, *, n_layers: int, embeddings: bool) -> None:
    """Keep the lower layers of an encoder, or its embeddings, out of training."""
    encoder = getattr(module, module.base_model_prefix, module)
    stacks = [part for part in encoder.modules() if isinstance(part, torch.nn.ModuleList)]
    layers: Any = next((part for part in stacks if len(part) == module.config.num_hidden_layers), [])
    if n_layers > len(layers):
        raise ValueError(f"frozen_layers must be at most {len(layers)}, the layers of this encoder, got {n_layers}")
    parts = list(layers[:n_layers])
    if embeddings:
        parts.append(encoder.embeddings if hasattr(encoder, "embeddings") else encoder.get_input_embeddings())
    for part in parts:
        part.requires_grad_(False)


def release_freed_memory() -> None:
    """Give memory that is free back to the system, where the C library is glibc; elsewhere nothing."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
