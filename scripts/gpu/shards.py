"""Tensors in, files that are small enough to be handed back out, and back: float16, or matrices in eight bits."""

import io
import json
from pathlib import Path
from typing import Any, Dict, Mapping

import numpy as np
import torch
from torch import Tensor

SHARD = 15 * 2**20  # bytes


def eight_bits(tensor: Tensor) -> Dict[str, np.ndarray]:
    """Each row of a matrix as whole numbers up to 127 and what one is worth, by suffix; vectors in float16."""
    if tensor.ndim < 2:
        return {"": tensor.cpu().half().numpy()}
    scale = (tensor.abs().amax(1, keepdim=True) / 127).clamp(min=1e-7).half()
    whole = (tensor / scale.float()).round().clamp(-127, 127).to(torch.int8)
    return {".q8": whole.cpu().numpy(), ".scale": scale.cpu().numpy()}


def write_shards(
    output: Path, name: str, tensors: Mapping[str, Tensor], config: Mapping[str, Any], *, bits: int
) -> int:
    """bits: 8, or 16 for float16. RETURNS: how many bytes."""
    arrays: Dict[str, Any] = {"config": np.array(json.dumps(config))}
    for key, tensor in tensors.items():
        parts = eight_bits(tensor.float()) if bits == 8 else {"": tensor.half().cpu().numpy()}
        arrays.update({key + suffix: array for suffix, array in parts.items()})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    content = buffer.getvalue()
    output.mkdir(parents=True, exist_ok=True)
    for i, start in enumerate(range(0, len(content), SHARD)):
        (output / f"{name}.npz.{i}").write_bytes(content[start : start + SHARD])
    return len(content)


def read_shards(directory: Path, name: str) -> Dict[str, np.ndarray]:
    """RETURNS: what to_tensors takes, and config, a string of JSON."""
    paths = sorted(directory.glob(f"{name}.npz.*"), key=lambda path: int(path.suffix[1:]))
    if not paths:
        raise FileNotFoundError(f"{directory} has no {name}.npz.0")
    with np.load(io.BytesIO(b"".join(path.read_bytes() for path in paths))) as arrays:
        return dict(arrays)


def to_tensors(arrays: Mapping[str, np.ndarray]) -> Dict[str, Tensor]:
    """In float32."""
    tensors = {}
    for key, array in arrays.items():
        if key == "config" or key.endswith(".scale"):
            continue
        tensor = torch.from_numpy(array.astype("float32"))
        if key.endswith(".q8"):
            key = key.removesuffix(".q8")
            tensor = tensor * torch.from_numpy(arrays[f"{key}.scale"].astype("float32"))
        tensors[key] = tensor
    return tensors
