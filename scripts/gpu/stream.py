"""Documents as arrays in; rows from places at random, or windows of whole sentences, on the device out."""

from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from .arrays import BOS, EOS, NONE, load_array
from .rows import Rows

MAX_SENTENCE = 126  # subwords; what is behind them is left out


class Stream:
    """Documents, each followed by </s>, as one long row with its targets."""

    def __init__(self, directory: Path, name: str, targets: Sequence[str], device: str):
        """targets: the arrays beside the ids; is_start is stored as bits."""
        ids, lengths = load_array(directory, f"{name}-ids"), load_array(directory, f"{name}-lengths").astype("int64")
        at = np.insert(np.arange(len(ids)), np.cumsum(lengths), -1)  # −1 for </s>
        self.ids = torch.from_numpy(np.where(at < 0, EOS, ids[at]).astype("int32")).to(device)
        self.targets = {}
        for target in targets:
            values = load_array(directory, f"{name}-{target}")
            values = np.unpackbits(values)[: len(ids)] if target == "is_start" else values
            self.targets[target] = torch.from_numpy(np.where(at < 0, NONE, values[at]).astype("uint8")).to(device)
        self.n_passes = 0.0

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, n_rows: int, length: int, generator: torch.Generator) -> Tuple[Tensor, Dict[str, Tensor]]:
        """RETURNS: ids (n_rows, length) from places at random, between <s> and </s>, and their targets."""
        device = self.ids.device
        firsts = torch.randint(len(self) - length, (n_rows, 1), device=device, generator=generator)
        places = firsts + torch.arange(length - 2, device=device)
        self.n_passes += n_rows * (length - 2) / len(self)
        ids = pad(self.ids[places].long(), (1, 1), value=EOS)
        ids[:, 0] = BOS
        return ids, {name: pad(values[places].long(), (1, 1), value=NONE) for name, values in self.targets.items()}

    def sentence_windows(self, full_stops: Sequence[int], windows: Sequence[int], rng: np.random.Generator) -> Rows:
        """Whole sentences, as many as a window holds.

        full_stops: their ids. windows: in subwords, of which one is drawn each time.
        """
        ids = self.ids.cpu().numpy()
        ends = np.flatnonzero(np.isin(ids, list(full_stops)) | (ids == EOS)) + 1
        is_last = ids[ends - 1] == EOS  # of a document
        runs: List[Tuple[int, int]] = []  # start, length
        start, window = 0, int(windows[0])
        before = 0  # the end of the sentence before
        for end, last in zip(ends.tolist(), is_last.tolist()):
            if end - start > window and before > start:
                runs.append((start, before - start))
                start, window = before, int(rng.choice(windows))
            if last or end - start > MAX_SENTENCE:
                if end - last - start > 2:
                    runs.append((start, min(end - last - start, MAX_SENTENCE)))
                start, window = end, int(rng.choice(windows))
            before = end
        starts, lengths = np.array(runs).reshape(-1, 2).T
        return Rows(self.ids, starts, lengths)
