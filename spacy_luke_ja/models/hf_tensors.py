"""An opened checkpoint in, the tensors that its module needs out, read from safetensors or .bin files.

A LUKE checkpoint without entity inputs computes what XLM-RoBERTa computes from the same word weights: the
plain query branch is the only one in use. So, unless it was opened with its entities, its tensors get XLM-RoBERTa's
names, and its entity embeddings (584 MB in the published base size) and entity queries are never read into memory.
"""

import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Sequence, Tuple

import torch

from .hf_checkpoint import NEW_ROW, Checkpoint, stamps_of
from .int8 import SCALES, describe, multiply_scales

ENTITY_TABLE = "entity_embeddings.entity_embeddings.weight"
ENTITY_BIAS = "entity_predictions.bias"  # a number for each row of that table
# What has the same numbers as another tensor, in .bin files.
TIED = ("entity_predictions.decoder.", "lm_head.decoder.")
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


def own_name(name: str) -> Optional[str]:
    """The same for a LUKE with its entities: all but what is there twice."""
    return None if name.startswith(TIED) else name


def text_classifier_name(name: str) -> Optional[str]:
    """The same for classes of texts: LUKE's pooler and last layer are the two that XLM-RoBERTa's classifier has."""
    if name in ("classifier.weight", "classifier.bias"):
        return name.replace("classifier.", "classifier.out_proj.")
    if name.startswith("luke.pooler.dense."):
        return name.replace("luke.pooler.", "classifier.")
    return tensor_name(name)


def read_tensors(checkpoint: Checkpoint, *, dtype: Optional[torch.dtype] = None) -> Tensors:
    """Read the tensors that the module needs, each cast to dtype as it comes.

    dtype: None leaves them as they are stored. What is stored so stays mapped into memory, and is read when it is used;
        so do entity embeddings, whatever their type, unless all is to be float32.
    RETURNS: tensors by their XLM-RoBERTa names where the checkpoint is a LUKE without entities, else by their own.
    """
    sources = checkpoint.weights if isinstance(checkpoint.weights, list) else [checkpoint.weights]
    check_unchanged(checkpoint)
    rename: Rename = own_name if checkpoint.has_entities else tensor_name
    if checkpoint.config.get("model_type") == "xlm-roberta" and checkpoint.task == "SequenceClassification":
        rename = text_classifier_name
    rows = checkpoint.entity_rows
    tensors: Tensors = {}
    for source in sources:
        where = source.name if isinstance(source, Path) else "the serialised pipeline"
        try:
            for name, tensor in iterate_tensors(source, dtype, rename, few_entities=rows is not None):
                check_tensor(name, tensor)
                if rows is not None and name.endswith((ENTITY_TABLE, ENTITY_BIAS)):
                    tensor = take_rows(tensor, rows)
                tensors[name] = tensor.to(dtype) if must_cast(name, tensor, dtype) else tensor
        except NotOnlyTensors as error:
            raise OSError(f"{where} of the checkpoint {checkpoint.name} {error}") from None
        except MemoryError:
            raise
        except Exception as error:  # of many kinds, by what is wrong with the file
            raise OSError(f"{where} of the checkpoint {checkpoint.name} is damaged or cut short: {error}") from error
    try:
        multiply_scales(tensors, dtype or torch.float32)
    except ValueError as error:
        raise ValueError(f"in the checkpoint {checkpoint.name}, {error}") from error
    return tensors


class NotOnlyTensors(Exception):
    """What a .bin file holds besides tensors by name."""


def check_tensor(name: str, tensor: torch.Tensor) -> None:
    """Raise a ValueError for a tensor that no weights are stored as."""
    odd = tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex() or tensor.device.type != "cpu"
    # A few numbers that pose as very many would be written out when they are cast.
    odd = odd or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes()
    if odd:
        raise ValueError(f"{name} is no plain tensor ({describe(tensor)})")


def take_rows(tensor: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
    """rows: as in Checkpoint.entity_rows. New embeddings are random, new biases 0."""
    taken = tensor[[max(row, 0) for row in rows]]
    is_new = torch.tensor(rows) == NEW_ROW
    shape = (int(is_new.sum()), *tensor.shape[1:])
    taken[is_new] = (torch.randn(shape) * 0.02 if tensor.ndim > 1 else torch.zeros(shape)).to(taken.dtype)
    return taken


def must_cast(name: str, tensor: torch.Tensor, dtype: Optional[torch.dtype]) -> bool:
    """Scales of matrices of eight bits are cast with their matrices."""
    if dtype is None or tensor.dtype == dtype or not tensor.is_floating_point():
        return False
    return not name.endswith(SCALES) and (dtype == torch.float32 or not name.endswith(ENTITY_TABLE))


def check_unchanged(checkpoint: Checkpoint) -> None:
    """Raise an OSError when the weights on disk are not those that were there when the checkpoint was opened."""
    if isinstance(checkpoint.weights, list):
        try:
            stamps = stamps_of(checkpoint.weights)
        except OSError as error:
            raise OSError(f"the weights of the checkpoint {checkpoint.name} are gone: {error}") from error
        if stamps != checkpoint.stamps:
            raise OSError(f"the weights of the checkpoint {checkpoint.name} have changed since it was opened")


# A tensor's name in a file → that in the module; None for one that is not needed.
Rename = Callable[[str], Optional[str]]


def iterate_tensors(
    source: Any, dtype: Optional[torch.dtype], rename: Rename, *, few_entities: bool = False
) -> Iterator[Tuple[str, torch.Tensor]]:
    """source: the path of a .safetensors or .bin file, or the content of a safetensors file.

    few_entities: few of the rows of the entity embeddings are needed; they come mapped, as they are stored.
    """
    from safetensors.torch import load

    if isinstance(source, bytes):
        yield from load(source).items()
    elif source.suffix == ".safetensors":
        yield from iterate_safetensors(source, dtype, rename, few_entities=few_entities)
    else:
        for name, tensor in load_bin(source).items():
            own_name = rename(name)
            if own_name is not None:
                yield own_name, tensor


def iterate_safetensors(
    path: Path, dtype: Optional[torch.dtype], rename: Rename, *, few_entities: bool
) -> Iterator[Tuple[str, torch.Tensor]]:
    """What needs no cast comes mapped; the rest is cast part by part.

    What was read of a mapped file stays in memory as long as it is open: so it is opened anew for each PART_BYTES.
    """
    from safetensors import safe_open

    file_, n_read = safe_open(path, framework="pt"), 0
    for name in file_.keys():
        own_name = rename(name)
        if own_name is None:
            continue
        stored = file_.get_slice(name)
        shape = stored.get_shape()
        is_mapped = few_entities and name.endswith(ENTITY_TABLE)
        if is_mapped or not shape or not must_cast(name, stored[:0], dtype):
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
    import zipfile

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file_:  # PyTorch compresses nothing
            if sum(record.file_size for record in file_.infolist()) > path.stat().st_size:
                raise ValueError("it would be larger than it is")
    try:
        try:
            tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            tensors = torch.load(path, map_location="cpu", weights_only=True)  # the format before torch 1.6
    except pickle.UnpicklingError as error:
        # PyTorch's own message tells how to run what is in the file.
        named = re.search(r"GLOBAL (\S+)", str(error))
        asked = f" ({named[1]})" if named else ""
        raise NotOnlyTensors(f"holds more than tensors{asked}, or is damaged, and is not loaded") from None
    if not isinstance(tensors, dict):
        raise NotOnlyTensors(f"must hold tensors by name, got a {type(tensors).__name__}")
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise NotOnlyTensors(f"must hold tensors by name, got {str(name)[:40]!r}: a {type(tensor).__name__}")
    return tensors
