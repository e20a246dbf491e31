"""The package's network on one GPU: is it right, how fast is it, and where does the time go.

    python -m scripts.gpu.rate build/gpu

Needs no checkpoint: weights are random. Logits are compared with those of transformers' XLM-RoBERTa and LUKE, which are
the same network; rates are those of the windows of Stockmark's 1069 test sentences, of which the lengths alone are known
here, as a share of what a large matrix product reaches on the card.
"""

import argparse
import importlib.util
import sys
import time
import types
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import torch

from .rows import load_array

SIZES = {"sm": (256, 6, 8, 1024), "base": (768, 12, 12, 3072), "large": (1024, 24, 16, 4096)}


def load_network(path: Path) -> Any:
    """models/roberta.py by itself: the package imports spaCy, which need not be there."""
    for name in ("luke_net", "luke_net.models"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []  # type: ignore[attr-defined]
    checkpoint = types.ModuleType("luke_net.models.hf_checkpoint")
    checkpoint.FIRST_POSITION = "first_position"  # type: ignore[attr-defined]
    sys.modules[checkpoint.__name__] = checkpoint
    spec = importlib.util.spec_from_file_location("luke_net.models.roberta", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def config_of(size: str, vocab_size: int = 32772) -> Dict[str, Any]:
    width, n_layers, n_heads, inner = SIZES[size]
    return {"model_type": "xlm-roberta", "vocab_size": vocab_size, "hidden_size": width, "num_hidden_layers": n_layers,
            "num_attention_heads": n_heads, "intermediate_size": inner, "max_position_embeddings": 514, "type_vocab_size": 1,
            "layer_norm_eps": 1e-5, "pad_token_id": 1, "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0}  # fmt: skip


def seconds_of(run: Callable[[], Any], n: int = 5) -> float:
    run()
    torch.cuda.synchronize()
    times = []
    for _ in range(n):
        started = time.perf_counter()
        run()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path, help="as pack.py writes it")
    parser.add_argument("--network", type=Path, default=Path("spacy_luke_ja/models/roberta.py"))
    parser.add_argument("--sizes", nargs="+", default=list(SIZES))
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    from transformers import XLMRobertaConfig, XLMRobertaForTokenClassification

    network, device = load_network(args.network), "cuda" if torch.cuda.is_available() else "cpu"
    lengths: List[int] = sorted(load_array(args.input, "test-lengths").astype(int) + 2)
    n_subwords = sum(lengths)
    a, b = (torch.randn(8192, 8192, device=device, dtype=torch.bfloat16) for _ in range(2))
    matrix_rate = 2 * 8192**3 / seconds_of(lambda: a @ b)
    print(f"{torch.cuda.get_device_name()}, matrix products in bfloat16: {matrix_rate / 1e12:.0f} TFLOP/s", flush=True)
    for size in args.sizes:
        config = config_of(size)
        torch.manual_seed(0)
        theirs = (
            XLMRobertaForTokenClassification(XLMRobertaConfig(**config, num_labels=17, attn_implementation="sdpa"))
            .to(device)
            .eval()
        )
        ours = network.Classifier(config, 17)
        ours.load_state_dict(
            {k: v for k, v in theirs.state_dict().items() if "position_ids" not in k and "token_type_ids" not in k},
            assign=True,
        )
        ours = ours.to(device).eval()
        ids = torch.randint(4, 32000, (n_subwords,), device=device)
        with torch.no_grad():
            for dtype in (torch.float32, torch.bfloat16):
                ours, theirs = ours.to(dtype), theirs.to(dtype)
                some = lengths[-8:]
                mine = ours(ids[: sum(some)], some).float()
                padded = torch.ones(8, some[-1], dtype=torch.long, device=device)
                for i, own in enumerate(ids[: sum(some)].split(some)):
                    padded[i, : len(own)] = own
                other = theirs(padded, attention_mask=(padded != 1).long()).logits.float()
                other = torch.cat([other[i, :n] for i, n in enumerate(some)])
                print(
                    f"{size} {dtype}: greatest difference of logits {float((mine - other).abs().max()):.2e}, of {float(other.abs().max()):.2f}"
                )

            def batches(limit: int) -> List[List[int]]:
                out: List[List[int]] = [[]]
                for n in lengths:
                    if sum(out[-1]) + n > limit:
                        out.append([])
                    out[-1].append(n)
                return out

            width, n_layers, _, inner = SIZES[size]
            work = 2 * n_subwords * n_layers * (4 * width**2 + 2 * width * inner) + sum(
                4 * n * n * width * n_layers for n in lengths
            )
            best = {}
            for limit in (4096, 16384, 65536, 10**9):
                groups = batches(limit)

                def run_ours(groups: List[List[int]] = groups) -> None:
                    start = 0
                    for group in groups:
                        ours(ids[start : start + sum(group)], group)
                        start += sum(group)

                best[limit] = seconds_of(run_ours)
            limit, seconds = min(best.items(), key=lambda item: item[1])
            rates = {}
            for n_rows in (32, 128, 512):
                rows = [lengths[i : i + n_rows] for i in range(0, len(lengths), n_rows)]
                padded_rows = [(torch.full((len(r), max(r)), 5, device=device), r) for r in rows]
                masks = [
                    (torch.arange(max(r), device=device)[None] < torch.tensor(r, device=device)[:, None]).long()
                    for r in rows
                ]

                def run_theirs() -> None:
                    for (own, _), mask in zip(padded_rows, masks):
                        theirs(own, attention_mask=mask)

                rates[n_rows] = seconds_of(run_theirs)
            share = work / seconds / matrix_rate
            print(f"{size}: ours {n_subwords / seconds / 1e3:.0f}k subwords/s at {limit} a batch ({share:.0%} of the card's rate), "
                  f"by batch {({k: round(v * 1e3, 1) for k, v in best.items()})} ms; transformers "
                  f"{n_subwords / min(rates.values()) / 1e3:.0f}k at its best of {({k: round(v * 1e3, 1) for k, v in rates.items()})} ms", flush=True)  # fmt: skip
            if args.profile:
                from torch.profiler import ProfilerActivity, profile

                with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as prof:
                    run_ours(batches(limit))
                    torch.cuda.synchronize()
                print(prof.key_averages().table(sort_by="cuda_time_total", row_limit=9, max_name_column_width=40))


if __name__ == "__main__":
    main()
