"""ModernBERT of base size by models/modernbert.py beside transformers' class: the same random weights, ids and windows.

    python benchmarks/modernbert.py --lengths ner.json

Lengths of windows: Stockmark's sentences (a character counts as a subword, divided by 1.7), batches of at most 4096
subwords sorted by length, which transformers pads; then single windows of 512, 2048 and 8192. Each round runs one
after the other, and the median of the rounds' ratios is given. Memory: what a window of 8192 adds to the process.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, List, Sequence

import numpy as np
import torch
import transformers

from spacy_luke_ja.models.hf_checkpoint import CONFIG, Checkpoint
from spacy_luke_ja.models.hf_shim import HFShim
from spacy_luke_ja.models.settings import ModelSettings
from spacy_luke_ja.models.types import WindowBatch

SIZES: Any = {
    "num_labels": 17,
    "vocab_size": 32_000,
    "pad_token_id": 3,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "cls_token_id": 1,
    "sep_token_id": 2,
}


def random_batches(lengths: Sequence[int], *, most: int, seed: int) -> List[WindowBatch]:
    rng = np.random.default_rng(seed)
    batches: List[List[int]] = [[]]
    for length in sorted(lengths):
        if batches[-1] and (len(batches[-1]) + 1) * length > most:
            batches.append([])
        batches[-1].append(length)
    make = lambda own: WindowBatch(rng.integers(10, 32_000, sum(own)), np.array(own), pad_id=3)
    return [make(own) for own in batches]


def run_theirs(model: Any, batch: WindowBatch) -> np.ndarray:
    is_subword = torch.from_numpy(batch.is_subword())
    with torch.inference_mode():
        logits = model(input_ids=torch.from_numpy(batch.padded_ids()), attention_mask=is_subword.long()).logits
    return logits[is_subword].float().numpy()


def seconds(run: Any, batches: Sequence[WindowBatch]) -> float:
    start = time.perf_counter()
    for batch in batches:
        run(batch)
    return time.perf_counter() - start


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=Path, required=True, help="Stockmark's ner.json")
    parser.add_argument("--n-texts", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    dtype = getattr(torch, args.precision)
    theirs = transformers.ModernBertForTokenClassification(transformers.ModernBertConfig(**SIZES)).eval()
    with tempfile.TemporaryDirectory() as directory:
        theirs.save_pretrained(directory)
        weights = Path(directory, "model.safetensors").read_bytes()
        config = Path(directory, CONFIG).read_bytes()
    shim = HFShim(ModelSettings(precision=args.precision))
    shim.load(Checkpoint("random", {CONFIG: config}, weights))
    theirs = theirs.to(dtype)
    texts = [item["text"] for item in json.loads(args.lengths.read_text(encoding="utf8"))][: args.n_texts]
    sets = {"sentences": random_batches([2 + int(len(text) / 1.7) for text in texts], most=4096, seed=0)}
    for length in (512, 2048):
        sets[f"one window of {length}"] = random_batches([length], most=length, seed=length)
    print(
        f"{args.precision}, {args.threads} thread, transformers {transformers.__version__}, torch {torch.__version__}"
    )
    for name, batches in sets.items():
        shim.infer(batches[0])
        difference = max(float(np.abs(shim.infer(b) - run_theirs(theirs, b)).max()) for b in batches[:1])
        run_peer = lambda b: run_theirs(theirs, b)
        times = [(seconds(shim.infer, batches), seconds(run_peer, batches)) for _ in range(args.rounds)]
        ratio = statistics.median(other / own for own, other in times)
        n_subwords = sum(int(batch.lengths.sum()) for batch in batches)
        own = n_subwords / min(own for own, _ in times)
        print(
            f"{name}: {n_subwords} subwords, {own:.0f} a second, {ratio:.2f} × transformers; "
            f"logits differ by {difference:.1e}"
        )
    before = peak()
    batch = random_batches([8192], most=8192, seed=1)[0]
    own = seconds(shim.infer, [batch])
    ours = peak() - before
    other = seconds(lambda b: run_theirs(theirs, b), [batch])
    print(
        f"one window of 8192: {other / own:.2f} × transformers; "
        f"adds {ours:.0f} MB, transformers {peak() - before:.0f} MB"
    )


if __name__ == "__main__":
    main()
