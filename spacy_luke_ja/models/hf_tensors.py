"""An opened checkpoint in, the tensors that its module needs out, read from safetensors or .bin files.

A LUKE checkpoint without entity inputs computes what XLM-RoBERTa computes from the same word weights: the
plain query branch is the only one in use. So its tensors get XLM-RoBERTa's names, and its entity embeddings (584 MB in
the published base size) and entity queries are never read into memory.
"""

from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple

import torch

from .hf_checkpoint import Checkpoint, stamps_of
from .int8 import SCALES, multiply_scales

ENTITY_TENSORS = ("entity_embeddings.", "w2e_query.", "e2w_query.", "e2e_query.")

# Of a file, cast at a time.
PART_BYTES = 2**24

Tensors = Dict[str, torch.Tensor]


def tensor_name(name: str) -> Optional[str]:
    """A LUKE tensor's name in XLM-RoBERTa; None for what word inputs do not use. Other names stay."""
    if any(part in name for part in ENTITY_TENSORS) or name.endswith("embeddings.position_ids"):
        return None
    if name.startswith(("entity_predictions.", "luke.pooler.")):
        return None
    return "roberta." + name[len("luke.") :] if name.startswith("luke.") else name


def read_tensors(checkpoint: Checkpoint, *, dtype: Optional[torch.dtype] = None) -> Tensors:
    """Read the tensors that the module needs, each cast to dtype as it comes.

    dtype: None leaves them as they are stored. What is stored so stays mapped into memory, and is read when it is used.
    RETURNS: tensors by their XLM-RoBERTa names where the checkpoint is a LUKE, else by their own.
    """
    sources = checkpoint.weights if isinstance(checkpoint.weights, list) else [checkpoint.weights]
    check_unchanged(checkpoint)
    tensors: Tensors = {}
    for source in sources:
        for name, tensor in iterate_tensors(checkpoint.name, source, dtype):
            tensors[name] = tensor.to(dtype) if must_cast(name, tensor, dtype) else tensor
    multiply_scales(tensors, dtype or torch.float32)
    return tensors


def must_cast(name: str, tensor: torch.Tensor, dtype: Optional[torch.dtype]) -> bool:
    """Scales of matrices of eight bits are cast with their matrices."""
    return dtype is not None and tensor.is_floating_point() and tensor.dtype != dtype and not name.endswith(SCALES)


def check_unchanged(checkpoint: Checkpoint) -> None:
    """Raise an OSError when the weights on disk are not those that were there when the checkpoint was opened."""
    if isinstance(checkpoint.weights, list):
        try:
            stamps = stamps_of(checkpoint.weights)
        except OSError as error:
            raise OSError(f"the weights of the checkpoint {checkpoint.name} are gone: {error}") from error
        if stamps != checkpoint.stamps:
            raise OSError(f"the weights of the checkpoint {checkpoint.name} have changed since it was opened")


def iterate_tensors(
    checkpoint_name: str, source: Any, dtype: Optional[torch.dtype]
) -> Iterator[Tuple[str, torch.Tensor]]:
    """source: the path of a .safetensors or .bin file, or the content of a safetensors file."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    where = source.name if isinstance(source, Path) else "the serialised pipeline"
    try:
        if isinstance(source, bytes):
            yield from load(source).items()
        elif source.suffix == ".safetensors":
            yield from iterate_safetensors(source, dtype)
        else:
            for name, tensor in load_bin(source).items():
                if tensor_name(name) is not None:
                    yield str(tensor_name(name)), tensor
    except (SafetensorError, RuntimeError, EOFError) as error:
        raise OSError(f"{where} of the checkpoint {checkpoint_name} is damaged or cut short: {error}") from error


def iterate_safetensors(path: Path, dtype: Optional[torch.dtype]) -> Iterator[Tuple[str, torch.Tensor]]:
    """What needs no cast comes mapped; the rest is cast part by part.

    What was read of a mapped file stays in memory as long as it is open: so it is opened anew for each PART_BYTES.
    """
    from safetensors import safe_open

    file_, n_read = safe_open(path, framework="pt"), 0
    for name in file_.keys():
        own_name = tensor_name(name)
        if own_name is None:
            continue
        stored = file_.get_slice(name)
        shape = stored.get_shape()
        if not shape or not must_cast(name, stored[:0], dtype):
            yield own_name, file_.get_tensor(name)
            continue
        cast = torch.empty(shape, dtype=dtype)
        row_bytes = stored[:1].nbytes
        n_rows = max(1, PART_BYTES // max(row_bytes, 1))
        for start in range(0, shape[0], n_rows):
            part = file_.get_slice(name)[start : start + n_rows]
            cast[start : start + n_rows] = part
            n_read += part.nbytes
            if n_read >= PART_BYTES:
                del part
                file_, n_read = safe_open(path, framework="pt"), 0
        yield own_name, cast


def load_bin(path: Path) -> Tensors:
    """Read a .bin file without running what a pickle may hold; mapped into memory where its format allows."""
    import pickle

    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            return torch.load(path, map_location="cpu", weights_only=True)  # the format before torch 1.6
    except pickle.UnpicklingError as error:
        raise OSError(f"{path.name} holds more than tensors, or is damaged, and is not loaded: {error}") from error
