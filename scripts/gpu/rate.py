"""The package's network on one GPU: whether it is right, how fast it is, and where its time goes.

    python -m scripts.gpu.rate build/gpu --profile

Weights are random. Logits are compared with those of transformers' XLM-RoBERTa, which is the same network. Rates are
those of the windows of Stockmark's 1069 test sentences, of which only the lengths are here, beside what a large
product of matrices reaches on the card.
"""

import argparse
import importlib.util
import sys
import time
import types
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from .arrays import PAD, load_array

# width, layers, heads, inner
SIZES = {"sm": (256, 6, 8, 1024), "base": (768, 12, 12, 3072), "large": (1024, 24, 16, 4096)}
N_TAGS = 17
BATCHES = (4096, 16384, 65536, 10**9)  # subwords, ours
BATCHES_OF_ROWS = (32, 128, 512)  # transformers'
SIDE = 8192  # of the matrices


def load_network(path: Path) -> Any:
    """models/roberta.py and attention.py by themselves: the package imports spaCy, which need not be there."""
    for name in ("luke_net", "luke_net.models"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(path.parent)]
    needed: Dict[str, Dict[str, Any]] = {
        "hf_checkpoint": {"FIRST_POSITION": "first_position"},
        "devices": {"has_amx": lambda: False},
    }
    for name, content in needed.items():
        module = types.ModuleType(f"luke_net.models.{name}")
        module.__dict__.update(content)
        sys.modules[module.__name__] = module
    spec = importlib.util.spec_from_file_location("luke_net.models.roberta", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def make_models(network: Any, size: str, device: str) -> Tuple[Any, Any]:
    """RETURNS: ours and transformers', with the same random weights."""
    from transformers import XLMRobertaConfig, XLMRobertaForTokenClassification

    width, n_layers, n_heads, inner = SIZES[size]
    config: Dict[str, Any] = {
        "model_type": "xlm-roberta", "vocab_size": 32772, "hidden_size": width, "num_hidden_layers": n_layers,
        "num_attention_heads": n_heads, "intermediate_size": inner, "max_position_embeddings": 514,
        "type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": PAD, "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }  # fmt: skip
    torch.manual_seed(0)
    theirs: Any = XLMRobertaForTokenClassification(
        XLMRobertaConfig(**{**config, "num_labels": N_TAGS, "attn_implementation": "sdpa"})
    )
    theirs = theirs.to(device).eval()
    ours = network.Classifier(config, N_TAGS)
    buffers = ("position_ids", "token_type_ids")
    tensors = {name: tensor for name, tensor in theirs.state_dict().items() if not name.endswith(buffers)}
    ours.load_state_dict(tensors, assign=True)
    return ours.to(device).eval(), theirs


def compare_logits(ours: Any, theirs: Any, ids: Tensor, lengths: Sequence[int]) -> Tuple[float, float]:
    """ids: windows joined. RETURNS: the greatest difference of logits, and the greatest logit."""
    own = ours(ids, list(lengths)).float()
    padded = torch.nn.utils.rnn.pad_sequence(list(ids.split(list(lengths))), batch_first=True, padding_value=PAD)
    other = theirs(padded, attention_mask=(padded != PAD).long()).logits.float()
    other = torch.cat([row[:n] for row, n in zip(other, lengths)])
    return float((own - other).abs().max()), float(other.abs().max())


def seconds_of(run: Callable[[], Any], n_runs: int = 5) -> float:
    """The median, after one run that does not count."""
    run()
    torch.cuda.synchronize()
    times = []
    for _ in range(n_runs):
        started = time.perf_counter()
        run()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def make_batches(lengths: Sequence[int], n_subwords: int) -> List[List[int]]:
    """Lengths of neighbouring windows, together n_subwords at most."""
    batches: List[List[int]] = [[]]
    for n in lengths:
        if sum(batches[-1]) + n > n_subwords:
            batches.append([])
        batches[-1].append(n)
    return batches


def run_ours(ours: Any, ids: Tensor, batches: Sequence[List[int]]) -> None:
    start = 0
    for batch in batches:
        ours(ids[start : start + sum(batch)], batch)
        start += sum(batch)


@contextmanager
def by_length(network: Any) -> Iterator[None]:
    """As where PyTorch has no kernel for windows of different lengths; without cuDNN's, which plans for each shape."""
    can_attend, network.can_attend_at_once = network.can_attend_at_once, lambda joined, n_heads: False
    torch.backends.cuda.enable_cudnn_sdp(False)
    yield
    torch.backends.cuda.enable_cudnn_sdp(True)
    network.can_attend_at_once = can_attend


def run_theirs(theirs: Any, batches: Sequence[Tuple[Tensor, Tensor]]) -> None:
    """batches: ids and attention masks."""
    for ids, mask in batches:
        theirs(ids, attention_mask=mask)


def pad_batches(lengths: Sequence[int], n_rows: int, device: str) -> List[Tuple[Tensor, Tensor]]:
    batches = []
    for i in range(0, len(lengths), n_rows):
        own = torch.tensor(lengths[i : i + n_rows], device=device)
        mask = (torch.arange(int(own.max()), device=device)[None] < own[:, None]).long()
        batches.append((torch.full_like(mask, 5), mask))
    return batches


def n_operations(size: str, lengths: Sequence[int]) -> int:
    """Of the products of one pass: linear layers, and attention."""
    width, n_layers, _, inner = SIZES[size]
    linear = 2 * sum(lengths) * n_layers * (4 * width**2 + 2 * width * inner)
    return linear + sum(4 * n * n * width * n_layers for n in lengths)


def print_profile(run: Callable[[], Any]) -> None:
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as prof:
        run()
        torch.cuda.synchronize()
    print(prof.key_averages().table(sort_by="cuda_time_total", row_limit=9, max_name_column_width=40))


@torch.no_grad()
def measure(network: Any, size: str, lengths: List[int], matrix_rate: float, *, with_profile: bool) -> None:
    """lengths: of the windows, rising. matrix_rate: operations a second."""
    ours, theirs = make_models(network, size, "cuda")
    n_subwords, some = sum(lengths), lengths[-8:]
    ids = torch.randint(4, 32000, (n_subwords,), device="cuda")
    for dtype in (torch.float32, torch.bfloat16):
        ours, theirs = ours.to(dtype), theirs.to(dtype)
        difference, greatest = compare_logits(ours, theirs, ids[: sum(some)], some)
        print(f"{size} {dtype}: greatest difference of logits {difference:.2e}, of {greatest:.2f}", flush=True)
    own = {n: seconds_of(partial(run_ours, ours, ids, make_batches(lengths, n))) for n in BATCHES}
    with by_length(network):
        before = {n: seconds_of(partial(run_ours, ours, ids, make_batches(lengths, n))) for n in BATCHES[1:]}
    other = {n: seconds_of(partial(run_theirs, theirs, pad_batches(lengths, n, "cuda"))) for n in BATCHES_OF_ROWS}
    for name, seconds in (("ours", own), ("ours, a call a length", before), ("transformers", other)):
        best = min(seconds, key=seconds.__getitem__)
        share = n_operations(size, lengths) / seconds[best] / matrix_rate
        by_batch = ", ".join(f"{n}: {1e3 * own_seconds:.1f}" for n, own_seconds in seconds.items())
        print(
            f"{size}: {name} {n_subwords / seconds[best] / 1e3:.0f}k subwords/s, {share:.0%} of the card's rate, "
            f"in batches of {best}; ms by batch {by_batch}",
            flush=True,
        )
    if with_profile:
        print_profile(partial(run_ours, ours, ids, make_batches(lengths, min(own, key=own.__getitem__))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path, help="as pack.py writes it")
    parser.add_argument("--network", type=Path, default=Path("spacy_luke_ja/models/roberta.py"))
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    network = load_network(args.network)
    lengths = sorted((load_array(args.input, "test-lengths").astype(int) + 2).tolist())
    a, b = (torch.randn(SIDE, SIDE, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    matrix_rate = 2 * SIDE**3 / seconds_of(lambda: a @ b)
    print(f"{torch.cuda.get_device_name()}, products of matrices in bfloat16: {matrix_rate / 1e12:.0f} TFLOP/s")
    for size in args.sizes:
        measure(network, size, lengths, matrix_rate, with_profile=args.profile)


if __name__ == "__main__":
    main()
