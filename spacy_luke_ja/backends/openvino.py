"""A checkpoint on OpenVINO: for processors, quicker than PyTorch, also with weights of eight bits."""

import os
import threading
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from spacy.util import logger
from thinc.api import Model

from ..models.architectures import windowed_model
from ..models.checkpoint_shim import CheckpointShim
from ..models.devices import cpu_has_bfloat16
from ..models.hf_checkpoint import Checkpoint
from ..models.hf_loader import build_module, max_subwords
from ..models.hf_tensors import Tensors
from ..models.int8 import round_matrices
from ..models.roberta import PREFIXES, can_build
from ..models.settings import OF_TRAINING, ModelSettings, takes_settings
from ..models.task import TOKEN_CLASSIFIER, FramedWindow, Head
from ..models.types import WindowBatch
from ..models.with_windows import run_windows

PRECISIONS = ("float32", "bfloat16", "int8")

# Of the positions computed at a time, how many may be padding; OpenVINO takes windows side by side.
MAX_PADDING = 0.05
# More of them at a time are no quicker, and take memory.
MAX_POSITIONS = 2048


@partial(takes_settings, without=OF_TRAINING)
def OpenVINOModel(settings: ModelSettings) -> Model[List[Any], List[Any]]:
    """As spacy-luke-ja.HFModel.v1, for checkpoints of BERT's family, run by OpenVINO (spacy-luke-ja.OpenVINOModel.v1).

    precision: "float32"; "bfloat16", for products, where the processor has it; "int8", which rounds each row of a
        weight matrix to eight bits and, as they come, the numbers that it is multiplied with, in groups; "auto" for
        bfloat16 where the processor has it, else float32.

    It does not train. Encoders that are told which text is the question, as BERT is, answer none here.
    """
    return windowed_model(OpenVINOShim(settings), settings)


class OpenVINOShim(CheckpointShim):
    """Runs a checkpoint by OpenVINO, and saves it as it was stored, or in eight bits where it runs in them."""

    takes_type_ids = takes_entities = False
    can_train = False

    def __init__(self, settings: ModelSettings = ModelSettings()):
        self.precision = settings.precision
        if self.precision not in ("auto", *PRECISIONS):
            choices = ", ".join(PRECISIONS)
            raise ValueError(f"precision must be one of auto, {choices} with OpenVINO, got {self.precision}")
        super().__init__()
        self.head = TOKEN_CLASSIFIER
        # A request of OpenVINO serves one thread at a time.
        self._requests = threading.local()

    def __getstate__(self) -> Dict[str, Any]:
        """Without what only this process can use: a copy compiles the network again."""
        return {**self.__dict__, "_model": None, "_requests": None}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        super().__setstate__(state)
        self._requests = threading.local()
        if self._checkpoint is not None:
            self.load(self._checkpoint, head=self.head)

    @property
    def precision_in_use(self) -> str:
        if self.precision in ("float32", "int8"):
            return self.precision
        return "bfloat16" if cpu_has_bfloat16() else "float32"

    def load(
        self,
        checkpoint: Checkpoint,
        *,
        head: Head = TOKEN_CLASSIFIER,
        new_head: bool = False,
        check: Callable[[int], None] = lambda max_subwords: None,
    ) -> None:
        if new_head:
            raise ValueError(no_training("a new classifier"))
        if not can_build(checkpoint.config):
            raise ValueError(
                f"the checkpoint {checkpoint.name} is of the type {checkpoint.config.get('model_type')}, and the "
                f"OpenVINO model runs {', '.join(PREFIXES)} with absolute positions and GELU; use "
                "the architecture that begins with HF"
            )
        openvino = import_openvino()
        check_not_forked()
        from .openvino_graph import build_graph

        self.use_one_thread_after_fork()
        module: Any = build_module(checkpoint, head=head)
        check(max_subwords(module, checkpoint.config))
        width = module.config.hidden_size
        graph = build_graph(module, int8=self.precision_in_use == "int8")
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision != "float32" and cpu_has_bfloat16() else "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": width // 2 if self.precision_in_use == "int8" else 0,
        }
        network = openvino.Core().compile_model(graph, "CPU", settings)
        self._model, self._names = network, list(module.state_dict())
        self._checkpoint, self.head = checkpoint, head
        self._requests = threading.local()
        logger.info("checkpoint %s runs in %s by OpenVINO", checkpoint.name, self.precision_in_use)

    def infer(self, inputs: WindowBatch) -> np.ndarray:
        windows = [FramedWindow(ids) for ids in np.split(inputs.ids, np.cumsum(inputs.lengths)[:-1])]
        rows, _ = run_windows(
            self._infer_padded,
            windows,
            pad_id=inputs.pad_id,
            max_batch_subwords=MAX_POSITIONS,
            max_padding=MAX_PADDING,
        )
        return np.concatenate(rows)

    def _infer_padded(self, batches: List[WindowBatch]) -> Tuple[List[np.ndarray], Callable]:
        """Windows of a batch are computed side by side."""
        request, outputs = self._request(), []
        for batch in batches:
            found = request.infer([batch.padded_ids().astype("int32"), batch.lengths.astype("int32")])[0]
            outputs.append(found[batch.is_subword()])
        return outputs, no_training

    def _request(self) -> Any:
        if not hasattr(self._requests, "own"):
            self._requests.own = self._model.create_infer_request()
        return self._requests.own

    def train_all(
        self, batches: Sequence[WindowBatch], *, dropout_rate: Optional[float]
    ) -> Tuple[List[np.ndarray], Callable[[Sequence[np.ndarray]], None]]:
        raise ValueError(no_training("an update"))

    def resize(self, tags: Sequence[str], rows: Sequence[int], lowered: Sequence[float]) -> None:
        raise ValueError(no_training("a change of labels"))

    def tensors(self) -> Tensors:
        stored = self._read_stored()
        tensors = {name: stored[name].contiguous().clone() for name in self._names}
        return round_matrices(tensors) if self.precision_in_use == "int8" else tensors

    def finish_update(self, optimizer: Any) -> None:
        pass

    def to_device(self, device_type: str, device_id: int) -> None:
        if device_type != "cpu":
            raise ValueError("the OpenVINO model runs on the CPU; use an architecture that begins with HF on a GPU")


def no_training(what: str) -> str:
    return (
        f"the OpenVINO model does not train, and {what} needs it; train with an architecture that begins with HF, then "
        "use spacy luke quantize"
    )


# The process that compiled the first network.
_first_process_id: Optional[int] = None


def check_not_forked() -> None:
    """A fork can go on with a network that was compiled before, but OpenVINO ends it when it compiles another."""
    global _first_process_id
    _first_process_id = _first_process_id or os.getpid()
    if os.getpid() != _first_process_id:
        raise RuntimeError(
            "OpenVINO was in use when this process was forked, and can load nothing more here: call the component's "
            'load() before nlp.pipe with n_process, or multiprocessing.set_start_method("spawn")'
        )


def import_openvino() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise ImportError(
            "the OpenVINO model needs the package openvino: pip install 'spacy-luke-ja[openvino]'"
        ) from error
    return openvino
