"""Arrays of ids and targets in, small files out, and back; on a GPU's machine they are all that there is to read."""

import lzma
from pathlib import Path

import numpy as np

BOS, PAD, EOS, UNK = 0, 1, 2, 3  # fairseq's
NONE = 255  # of a target: nothing is to be predicted here


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
