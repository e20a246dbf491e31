"""Attention among windows of any lengths that are joined end to end."""

import math
from functools import cache
from itertools import groupby
from typing import Any, Callable, List, NamedTuple, Optional, Sequence

import torch
from torch import Tensor, nn

from .devices import has_amx

HALF_PRECISION = (torch.bfloat16, torch.float16)
# From this length on, plain products in bfloat16 are quicker than PyTorch's kernel of attention on a CPU without AMX.
# In float32, and with AMX, they never are (benchmarks/attention.py).
PLAIN_LENGTH = 96


class Run(NamedTuple):
    """Neighbouring windows of one length: rows first_row … first_row + n_windows × length of the joined windows.

    n_entities: how many of the rows of each are entities, behind its words; see luke.py.
    """

    first_row: int
    n_windows: int
    length: int
    n_entities: int = 0


class Runs(List[Run]):
    """All runs of some joined windows."""

    _edges: Optional[Tensor] = None

    def edges(self, device: torch.device) -> Tensor:
        """(n_windows + 1,) int32: where each window begins, and the last one ends. Made once for all layers."""
        if self._edges is None or self._edges.device != device:
            lengths = [torch.full((run.n_windows,), run.length) for run in self]
            edges = nn.functional.pad(torch.cat(lengths).cumsum(0), (1, 0))
            self._edges = edges.to(device, torch.int32)
        return self._edges


def find_runs(lengths: Sequence[int], entity_counts: Sequence[int] = ()) -> Runs:
    """entity_counts: how many entities are among the rows of each window; none where there are no counts."""
    runs = Runs()
    row = 0
    for (length, n_entities), group in groupby(zip(lengths, entity_counts or [0] * len(lengths))):
        runs.append(Run(row, len(list(group)), length, n_entities))
        row += runs[-1].n_windows * length
    return runs


def is_plain_quicker(query: Tensor) -> bool:
    """Whether this CPU computes attention sooner by plain products than by PyTorch's kernel."""
    return query.dtype == torch.bfloat16 and query.shape[-2] >= PLAIN_LENGTH and not has_amx()


def plain_attention(
    query: Tensor, key: Tensor, value: Tensor, dropout: Callable[[Tensor], Tensor] = lambda weights: weights
) -> Tensor:
    """(n_windows, n_heads, length, width of a head) each."""
    return softmax_of_scores(query @ key.transpose(-1, -2), value, dropout)


def softmax_of_scores(
    scores: Tensor, value: Tensor, dropout: Callable[[Tensor], Tensor], mask: Optional[Tensor] = None
) -> Tensor:
    """
    scores: (n_windows, n_heads, length, length), products of queries and keys.
    mask: False where a query does not see a key.
    """
    scaled = scores * (1 / math.sqrt(value.shape[-1]))
    if mask is not None:
        scaled = scaled.masked_fill(~mask, -torch.inf)
    return dropout(torch.softmax(scaled, dim=-1)).to(value.dtype) @ value


def attend_runs(
    joined: Tensor, runs: Sequence[Run], n_heads: int, attend: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> Tensor:
    """Let the rows of each window attend to each other.

    joined: (n, 3 × width), the query, key and value of each row.
    attend: what becomes of those of a run, (n_windows, n_heads, length, width of a head) each.
    RETURNS: (n, width), zeros for rows of no window.
    """
    width = joined.shape[1] // 3
    attended = []
    for run in runs:
        rows = joined[run.first_row : run.first_row + run.n_windows * run.length]
        shape = (run.n_windows, run.length, 3, n_heads, width // n_heads)
        query, key, value = rows.view(shape).permute(2, 0, 3, 1, 4)
        attended.append(attend(query, key, value).transpose(1, 2).reshape(-1, width))
    n_rows = runs[-1].first_row + runs[-1].n_windows * runs[-1].length
    if n_rows < len(joined):
        attended.append(joined.new_zeros(len(joined) - n_rows, width))
    return attended[0] if len(attended) == 1 else torch.cat(attended)


def can_attend_at_once(joined: Tensor, n_heads: int) -> bool:
    """Whether there is a kernel for windows of different lengths.

    From PyTorch 2.10 on, where it has FlashAttention: in half precision, on CUDA from Ampere on, for heads whose width
    is a multiple of 8 up to 256.
    """
    head_width = joined.shape[1] // 3 // n_heads
    return (
        joined.is_cuda
        and joined.dtype in HALF_PRECISION
        and head_width % 8 == 0
        and head_width <= 256
        and has_flash_attention(joined.device)
        and varlen_attention() is not None
    )


@cache
def has_flash_attention(device: torch.device) -> bool:
    is_built = getattr(torch.backends.cuda, "is_flash_attention_available", lambda: False)()
    return is_built and torch.version.hip is None and torch.cuda.get_device_capability(device)[0] >= 8


@cache
def varlen_attention() -> Optional[Callable[..., Any]]:
    """PyTorch's, loaded when it is first used: that takes 1.4 seconds and 70 MiB."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn


def attend_at_once(joined: Tensor, runs: Runs, n_heads: int) -> Tensor:
    """As attend_runs, in one call for all windows: a GPU waits for each call."""
    query, key, value = joined.view(len(joined), 3, n_heads, -1).unbind(1)
    edges, longest = runs.edges(joined.device), max(run.length for run in runs)
    attend = varlen_attention()
    assert attend is not None
    return attend(query, key, value, edges, edges, longest, longest).flatten(1)
