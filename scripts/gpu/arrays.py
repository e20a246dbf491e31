"""Arrays of ids and targets in, small files out, and back; on a GPU's machine they are all that there is to read."""

import lzma
from pathlib import Path
from typing import Dict, NamedTuple, Sequence

import numpy as np

BOS, PAD, EOS, UNK = 0, 1, 2, 3  # fairseq's
NONE = 255  # of a target: nothing is to be predicted here
# The arrays of pairs.
PARTS = ("ids", "lengths", "first", "start", "end")


class Pair(NamedTuple):
    """A question and a window of a text.

    ids: <s> question </s></s> window </s>. first: where the window begins. start, end: first and last subword of the
        answer, 0 where it is not in the window as a whole.
    """

    ids: np.ndarray
    first: int
    start: int
    end: int


def flatten_pairs(pairs: Sequence[Pair]) -> Dict[str, np.ndarray]:
    """RETURNS: PARTS, in uint16."""
    ids, *places = zip(*pairs)
    parts = (np.concatenate(ids), [len(own) for own in ids], *places)
    return {name: np.array(part, dtype="uint16") for name, part in zip(PARTS, parts)}


def save_array(path: Path, array: np.ndarray) -> None:
    """As path.dtype.xz. First bytes of all numbers come before second bytes: so they compress better."""
    planes = array.reshape(-1).view("uint8").reshape(-1, array.dtype.itemsize).T
    with lzma.open(path.with_name(f"{path.name}.{array.dtype.name}.xz"), "wb", preset=2) as file_:
        file_.write(planes.tobytes())


def load_array(directory: Path, name: str) -> np.ndarray:
    (path,) = directory.glob(f"{name}.*.xz")
    dtype = np.dtype(path.name.split(".")[-2])
    with lzma.open(path) as file_:
        planes = np.frombuffer(file_.read(), dtype="uint8").reshape(dtype.itemsize, -1)
    return np.ascontiguousarray(planes.T).reshape(-1).view(dtype)
