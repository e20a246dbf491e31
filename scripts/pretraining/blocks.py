"""Documents as arrays in; rows of equal length without padding, and what is masked in them, out."""

from pathlib import Path
from typing import Dict, Iterator, Tuple

import numpy as np

from scripts.gpu.arrays import BOS, EOS, NONE, UNK


class Blocks:
    """A stream of documents, each followed by </s>, cut into rows; another order and other cuts in every pass."""

    def __init__(self, path: Path, seed: int):
        """path: an .npz with ids, starts (of the documents) and targets of the length of ids."""
        with np.load(path) as arrays:
            self.ids = arrays["ids"]
            self.starts = arrays["starts"]
            self.targets = {name: arrays[name] for name in arrays.files if name not in ("ids", "starts")}
        self.seed = seed
        self._pass = -1

    def __len__(self) -> int:
        return len(self.ids) + len(self.starts) - 1

    def take(self, first: int, n_rows: int, length: int) -> Tuple[np.ndarray, Dict[str, np.ndarray]]:
        """The rows that begin `first` subwords after the start of the first pass.

        Rows that would reach past the end of a pass are moved back to end with it: they repeat some subwords of the
        rows before, and the rows after them leave out as many at the start of the next pass.
        What comes depends on the arguments and the seed alone, whatever was taken before.

        RETURNS: ids (n_rows, length) with <s> before and </s> after each row, and the targets in the same shape.
        """
        n_taken = n_rows * (length - 2)
        if n_taken > len(self):
            raise ValueError(
                f"a step reads {n_taken:,} subwords, but the set has {len(self):,}: use a smaller n_subwords"
            )
        pass_, start = divmod(first, len(self))
        if start + n_taken > len(self):  # the rest of a pass is too short for rows
            start = len(self) - n_taken
        self._shuffle(pass_)
        picked = self._order[start : start + n_taken].reshape(n_rows, length - 2)
        is_end = picked < 0
        ids = np.full((n_rows, length), EOS, dtype="int64")
        ids[:, 0] = BOS
        ids[:, 1:-1] = np.where(is_end, EOS, self.ids[picked])
        targets = {}
        for name, values in self.targets.items():
            rows = np.full((n_rows, length), NONE, dtype="int64")
            rows[:, 1:-1] = np.where(is_end, NONE, values[picked])
            targets[name] = rows
        return ids, targets

    def _shuffle(self, pass_: int) -> None:
        """Sets, for this pass, the place of each subword of the stream in self.ids; −1 for </s>."""
        if pass_ == self._pass:
            return
        rng = np.random.default_rng((self.seed, pass_))
        documents = rng.permutation(len(self.starts) - 1)
        lengths = (self.starts[1:] - self.starts[:-1])[documents] + 1
        ends = np.cumsum(lengths)
        order = np.arange(len(self)) + np.repeat(self.starts[:-1][documents] - (ends - lengths), lengths)
        order[ends - 1] = -1
        self._order = np.roll(order.astype("int32"), int(rng.integers(len(self))))
        self._pass = pass_


def mask_units(
    ids: np.ndarray, is_start: np.ndarray, *, share: float, mask_id: int, n_ids: int, rng: np.random.Generator
) -> Tuple[np.ndarray, np.ndarray]:
    """Whole units masked as BERT masks: 8 of 10 become <mask>, 1 a random subword each, 1 stays.

    is_start: (n_rows, length) bool, a unit (a morpheme, say) starts here; special ids are units of their own.
    share: of the units that are masked.
    RETURNS: the ids to give to the model, and a bool array: what is to be predicted.
    """
    is_special = (ids == BOS) | (ids == EOS)
    units = np.cumsum((is_start | is_special).reshape(-1)).reshape(ids.shape)
    draws = rng.random(int(units.max()) + 1)[units]
    is_masked = (draws < share) & ~is_special
    masked = np.where(is_masked & (draws < 0.8 * share), mask_id, ids)
    is_random = is_masked & (draws >= 0.8 * share) & (draws < 0.9 * share)
    return np.where(is_random, rng.integers(UNK + 1, n_ids - 1, ids.shape), masked), is_masked


def plan(n_steps: int, *, n_subwords: int, every_ner: int, every_long: int) -> Iterator[Tuple[str, int, int, int]]:
    """What each step reads: (set, first subword of it, rows, length).

    n_subwords: of each step. every_ner: each n-th step reads a NER set, in turn. every_long: each n-th of the
        corpus' steps reads rows of 512 instead of 128.
    """
    if n_subwords < 512:
        raise ValueError(f"n_subwords must be 512 or more, the length of a long row, got {n_subwords}")
    positions: Dict[str, int] = {}
    for step in range(n_steps):
        name = "corpus"
        if step % every_ner == every_ner - 1:
            name = ("wac", "gsd")[step // every_ner % 2]
        is_long = name == "corpus" and step % every_long == every_long - 1
        length = 512 if is_long else 128
        n_rows = n_subwords // length
        first = positions.get(name, 0)
        positions[name] = first + n_rows * (length - 2)
        yield name, first, n_rows, length
