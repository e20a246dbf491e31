"""What the stages on the GPU read: arrays on the device, and rows cut from them without a step through the CPU."""

import lzma
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

BOS, PAD, EOS, UNK = 0, 1, 2, 3  # fairseq's
NONE = 255  # of a target: nothing is to be predicted here
BUCKETS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 320, 384, 448, 512)  # widths of batches


def save_array(path: Path, array: np.ndarray) -> None:
    """As path.dtype.xz; the bytes of a number are kept apart, for they compress better so."""
    planes = array.reshape(-1).view("uint8").reshape(-1, array.dtype.itemsize).T
    with lzma.open(path.with_name(f"{path.name}.{array.dtype.name}.xz"), "wb", preset=2) as file_:
        file_.write(planes.tobytes())


def load_array(directory: Path, name: str) -> np.ndarray:
    (path,) = directory.glob(f"{name}.*.xz")
    dtype = np.dtype(path.name.split(".")[-2])
    with lzma.open(path) as file_:
        planes = np.frombuffer(file_.read(), dtype="uint8").reshape(dtype.itemsize, -1)
    return np.ascontiguousarray(planes.T).reshape(-1).view(dtype)


class Batch(NamedTuple):
    """ids, is_real: (n_rows, length), each row between <s> and </s>. tags, weights: the same shape, NONE and 0 where
    nothing is to be learned."""

    ids: Tensor
    is_real: Tensor
    tags: Tensor
    weights: Tensor


class Rows:
    """Runs of a flat array of ids, each with tags and how much they count."""

    def __init__(self, ids: Tensor, starts: np.ndarray, lengths: np.ndarray, tags: Optional[Tensor], weights: Optional[Tensor]):  # fmt: skip
        self.ids, self.tags, self.weights = ids, tags, weights
        self.starts, self.lengths = starts.astype("int64"), lengths.astype("int64")

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, picked: np.ndarray) -> Batch:
        device = self.ids.device
        lengths = self.lengths[picked]
        width = next(bucket for bucket in BUCKETS if bucket >= lengths.max() + 2)
        places = torch.from_numpy(self.starts[picked]).to(device)[:, None] + torch.arange(-1, width - 1, device=device)
        column = torch.arange(width, device=device)[None]
        ends = torch.from_numpy(lengths).to(device)[:, None] + 1
        is_inner = (column > 0) & (column < ends)
        places = places.clamp(0, len(self.ids) - 1)
        ids = torch.where(is_inner, self.ids[places].long(), PAD)
        ids[:, 0] = BOS
        ids = torch.where(column == ends, EOS, ids)
        if self.tags is None or self.weights is None:
            nothing = torch.zeros_like(ids)
            return Batch(ids, column <= ends, nothing + NONE, nothing.float())
        tags = torch.where(is_inner, self.tags[places].long(), NONE)
        weights = torch.where(is_inner, self.weights[places].float() / 255, 0.0)
        return Batch(ids, column <= ends, tags, weights)


def load_rows(directory: Path, name: str, device: str) -> Rows:
    arrays = {part: load_array(directory, f"{name}-{part}") for part in ("ids", "tags", "weights", "lengths")}
    lengths = arrays["lengths"].astype("int64")
    flat = {part: torch.from_numpy(arrays[part].astype("int32" if part == "ids" else "uint8")).to(device)
            for part in ("ids", "tags", "weights")}  # fmt: skip
    return Rows(flat["ids"], np.cumsum(lengths) - lengths, lengths, flat["tags"], flat["weights"])


def make_batches(
    sets: Dict[str, Rows], counts: Dict[str, int], n_subwords: int, rng: np.random.Generator
) -> Iterator[Tuple[str, Batch]]:
    """One epoch: so many rows of each set, those of one set and of similar lengths together, in random order.

    YIELDS: the set's name, and the batch.
    """
    plan: List[Tuple[str, np.ndarray]] = []
    for name, count in counts.items():
        rows = sets[name]
        whole, rest = divmod(count, len(rows))
        picked = np.concatenate([*[np.arange(len(rows))] * whole, rng.permutation(len(rows))[:rest]])
        picked = picked[np.lexsort((rng.random(len(picked)), rows.lengths[picked]))]
        start = 0
        while start < len(picked):
            n = max(1, n_subwords // int(rows.lengths[picked[min(start + 64, len(picked) - 1)]] + 2))
            plan.append((name, picked[start : start + n]))
            start += n
    for i in rng.permutation(len(plan)):
        yield plan[i][0], sets[plan[i][0]].take(plan[i][1])


class Stream:
    """Documents, each followed by </s>, as one long row with its targets, on the device."""

    def __init__(self, directory: Path, name: str, targets: Sequence[str], device: str):
        ids, lengths = load_array(directory, f"{name}-ids"), load_array(directory, f"{name}-lengths").astype("int64")
        ends = np.cumsum(lengths)
        at = np.insert(np.arange(len(ids)), ends, -1)  # −1 for </s>
        self.ids = torch.from_numpy(np.where(at < 0, EOS, ids[at]).astype("int32")).to(device)
        self.starts = np.concatenate([[0], ends + np.arange(1, len(ends) + 1)])  # of the documents
        self.targets = {}
        for target in targets:
            values = load_array(directory, f"{name}-{target}")
            values = np.unpackbits(values)[: len(ids)] if target == "is_start" else values
            self.targets[target] = torch.from_numpy(np.where(at < 0, NONE, values[at]).astype("uint8")).to(device)
        self.passes = 0.0

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, n_rows: int, length: int, generator: torch.Generator) -> Tuple[Tensor, Dict[str, Tensor]]:
        """Rows from places at random, between <s> and </s>, and their targets."""
        device = self.ids.device
        firsts = torch.randint(len(self) - length, (n_rows, 1), device=device, generator=generator)
        places = firsts + torch.arange(length - 2, device=device)
        self.passes += n_rows * (length - 2) / len(self)
        ids = torch.nn.functional.pad(self.ids[places].long(), (1, 1), value=EOS)
        ids[:, 0] = BOS
        targets = {name: torch.nn.functional.pad(values[places].long(), (1, 1), value=NONE)
                   for name, values in self.targets.items()}  # fmt: skip
        return ids, targets

    def sentence_windows(self, full_stops: Sequence[int], windows: Sequence[int], rng: np.random.Generator) -> Rows:
        """Whole sentences, as many as a window of one of these sizes holds; longer ones are cut."""
        ids = self.ids.cpu().numpy()
        ends = np.flatnonzero(np.isin(ids, list(full_stops)) | (ids == EOS)) + 1
        is_last = ids[ends - 1] == EOS  # of a document
        starts: List[int] = []
        lengths: List[int] = []
        start, window = 0, int(windows[0])
        before = 0  # the end of the sentence before
        for end, last in zip(ends.tolist(), is_last.tolist()):
            if end - start > window and before > start:
                starts.append(start)
                lengths.append(before - start)
                start, window = before, int(rng.choice(windows))
            if last or end - start > 126:
                if end - last - start > 2:
                    starts.append(start)
                    lengths.append(min(end - last - start, 126))
                start, window = end, int(rng.choice(windows))
            before = end
        return Rows(self.ids, np.array(starts), np.array(lengths), None, None)
