"""Weight matrices of eight bits: each row divided by its largest number over 127, and rounded.

In a safetensors file such a matrix is NAME (int8) and NAME.scales (n_rows, 1) float32, of which it is the product.
"""

from typing import Dict, Mapping, Tuple

import torch
from torch import Tensor

LARGEST = 127
SCALES = ".scales"
MATRICES = tuple(f".{part}.weight" for part in ("word_embeddings", "query", "key", "value", "dense"))


def is_rounded(name: str) -> bool:
    """Whether a tensor of this name is one of the encoder's large matrices."""
    return name.endswith(MATRICES) and (".layer." in name or ".word_embeddings." in name)


def round_rows(matrix: Tensor) -> Tuple[Tensor, Tensor]:
    """matrix: (n_rows, n_columns).

    RETURNS: the rounded numbers, int8; and the scales (n_rows, 1) float32, of which the product is nearly the matrix.
        What is such a product already is rounded to the same.
    """
    matrix = matrix.detach().float()
    scales = matrix.abs().amax(dim=1, keepdim=True) / LARGEST
    scales[scales == 0] = 1.0
    return (matrix / scales).round().to(torch.int8), scales


def round_matrices(tensors: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """The tensors of a checkpoint as a file of eight bits has them."""
    rounded: Dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if is_rounded(name):
            rounded[name], rounded[name + SCALES] = round_rows(tensor)
        else:
            rounded[name] = tensor
    return rounded


def multiply_scales(tensors: Dict[str, Tensor], dtype: torch.dtype) -> None:
    """Make matrices of what round_matrices made of them, in place; others stay as they are.

    Raises a ValueError where a matrix of eight bits and its scales do not make a matrix.
    """
    for name in [name for name in tensors if name.endswith(SCALES)]:
        scales, rounded = tensors.pop(name), tensors.get(name[: -len(SCALES)])
        if rounded is None or rounded.dtype != torch.int8 or rounded.ndim != 2:
            raise ValueError(f"{name} are scales without a matrix of eight bits")
        if scales.shape != (len(rounded), 1) or not scales.is_floating_point() or not scales.float().isfinite().all():
            raise ValueError(f"{name} must be finite numbers of the shape {(len(rounded), 1)}, got {describe(scales)}")
        tensors[name[: -len(SCALES)]] = (rounded.float() * scales.float()).to(dtype)
    for name, tensor in tensors.items():
        if tensor.dtype == torch.int8:
            raise ValueError(f"{name} has numbers of eight bits, and no {name}{SCALES} says what they stand for")


def describe(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).rpartition('.')[2]} {tuple(tensor.shape)}"
