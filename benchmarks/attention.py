"""Which kernel of attention is quicker on this processor, by type, length and width: PyTorch's, or plain products.

    python benchmarks/attention.py --threads 1

Each pair runs by turns; above 1, plain products are quicker. The rule in spacy_luke_ja/models/roberta.py,
is_plain_quicker, is read off it.
"""

import argparse
import time
from statistics import median
from typing import Callable, List, Optional, Sequence

import torch

from spacy_luke_ja.models.attention import plain_attention

LENGTHS = (8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512)
SHAPES = ((256, 8), (768, 12), (1024, 16))  # width and heads: ja_luke_ner_sm, base, large
ROWS = 1024  # subwords together, as roberta.BLOCK_ROWS


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.5, help="about how long to measure each pair")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    print(" | ".join(["| type, width", *map(str, LENGTHS)]) + " |")
    print("|---" * (len(LENGTHS) + 1) + "|")
    for dtype in (torch.float32, torch.bfloat16):
        for width, n_heads in SHAPES:
            ratios = [time_pair(n, width, n_heads, dtype, seconds=args.seconds) for n in LENGTHS]
            name = f"| {str(dtype).removeprefix('torch.')}, {width}"
            print(" | ".join([name, *(f"{ratio:.2f}" for ratio in ratios)]) + " |", flush=True)


def time_pair(length: int, width: int, n_heads: int, dtype: torch.dtype, *, seconds: float) -> float:
    """RETURNS: the time of PyTorch's kernel by that of plain products, for windows of one length."""
    n_windows = max(1, ROWS // length)
    joined = torch.randn(n_windows * length, 3 * width).to(dtype)
    query, key, value = joined.view(n_windows, length, 3, n_heads, width // n_heads).permute(2, 0, 3, 1, 4)
    kernels = (torch.nn.functional.scaled_dot_product_attention, plain_attention)
    ratios: List[float] = []
    end = time.perf_counter() + seconds
    with torch.inference_mode():
        while len(ratios) < 4 or time.perf_counter() < end:
            fused, plain = (seconds_of(kernel, query, key, value) for kernel in kernels)
            ratios.append(fused / plain)
    return median(ratios[1:])


def seconds_of(kernel: Callable, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> float:
    started = time.perf_counter()
    for _ in range(3):
        # As in the network: the heads' rows end in one row of each subword.
        kernel(query, key, value).transpose(1, 2).reshape(-1, key.shape[1] * key.shape[3])
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
