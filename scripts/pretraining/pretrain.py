"""A checkpoint to start from and arrays in, a pretrained encoder out (stage 5).

    python -m scripts.pretraining.pretrain build/pretraining build/pretraining/encoder

Learns masked words (whole morphemes, in Sudachi's longest units), the part of speech of every subword in short and
long units, and its name class, masked or not; from the other NER sets (WAC, GSD) their tags. The learning rate
rises, stays, and falls over the last steps. What a step reads depends on the seed and its number alone, so a killed
run goes on from state.pt as it would have. To lengthen a run that is done, put before-decay.pt in the place of state.pt
and give a larger --n-steps.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import torch
from torch import Tensor, nn

from spacy_luke_ja.models.roberta import Encoder

from .blocks import NONE, Blocks, mask_units, plan
from .encoder import PREFIX, best_device, load_encoder, write_checkpoint
from .heap import keep_heap
from .training import learn_rate_share, load_state, make_optimizer, save_state, set_learn_rate, settings_of

SETS = ("corpus", "wac", "gsd")
NONE_WORD = -100  # what cross_entropy leaves out
WEIGHTS = {"words": 1.0, "pos_a": 0.5, "pos_c": 0.5, "names": 0.5, "wac": 1.0, "gsd": 1.0}  # of the losses
TOKEN_TARGETS = {"pos_a": "pos", "pos_c": "pos", "names": "names", "wac": "wac", "gsd": "gsd"}  # → key in labels.json


class PretrainingModel(nn.Module):
    """The encoder with a linear head for each target, and masked words by the embeddings themselves."""

    def __init__(self, encoder: Encoder, labels: Dict[str, List[str]]):
        super().__init__()
        width = encoder.config.hidden_size
        self.encoder = encoder
        n_classes = {target: len(labels[key]) * (2 if key == "pos" else 1) for target, key in TOKEN_TARGETS.items()}
        self.heads = nn.ModuleDict({target: nn.Linear(width, n) for target, n in n_classes.items()})
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.word_bias = nn.Parameter(torch.zeros(encoder.config.vocab_size))

    def forward(self, ids: Tensor, words: Tensor, targets: Dict[str, Tensor]) -> Dict[str, Tensor]:
        """words: (n_rows, length) the masked subwords, NONE_WORD elsewhere. RETURNS: the mean loss of each target."""
        n_rows, length = ids.shape
        hidden = self.encoder(ids.flatten(), [length] * n_rows)
        losses = {}
        picked = (words.flatten() != NONE_WORD).nonzero()[:, 0]
        transformed = self.transform(hidden[picked])
        # Scaled, because the embeddings are about a hundred times larger than what a softmax wants at first.
        scale = 1 / math.sqrt(transformed.shape[-1])
        logits = nn.functional.linear(
            transformed * scale, self.encoder.embeddings.word_embeddings.weight, self.word_bias
        )
        losses["words"] = nn.functional.cross_entropy(logits.float(), words.flatten()[picked])
        for name, values in targets.items():
            logits = self.heads[name](hidden)
            losses[name] = nn.functional.cross_entropy(logits.float(), values.flatten(), ignore_index=NONE)
        return losses


def make_batch(sets: Dict[str, Blocks], what: Any, *, share: float, n_ids: int, rng: np.random.Generator) -> Any:
    name, first, n_rows, length = what
    ids, targets = sets[name].take(first, n_rows, length)
    if name == "corpus":
        is_start = targets["pos_c"] % 2 == 0
    else:
        targets = {name: targets["tags"]}
        is_start = np.ones(ids.shape, dtype=bool)
    masked, is_masked = mask_units(ids, is_start, share=share, mask_id=n_ids - 1, n_ids=n_ids, rng=rng)
    words = np.where(is_masked, ids, NONE_WORD)
    return torch.from_numpy(masked), torch.from_numpy(words), {k: torch.from_numpy(v) for k, v in targets.items()}


def save_encoder(encoder: Encoder, start: Path, output: Path) -> None:
    """In the layout of an XLM-RoBERTa checkpoint."""
    config = json.loads((start / "config.json").read_text(encoding="utf8"))
    tensors = {PREFIX + name: tensor for name, tensor in encoder.state_dict().items()}
    write_checkpoint(output, config, tensors, start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path, help="with corpus.npz, wac.npz, gsd.npz and labels.json")
    parser.add_argument("output", type=Path)
    parser.add_argument("--n-steps", type=int, default=15_000)
    parser.add_argument("--n-subwords", type=int, default=4096, help="of each step")
    parser.add_argument("--learn-rate", type=float, default=1e-3)
    parser.add_argument("--start", type=Path, help="the checkpoint to start from; INPUT/start when not given")
    parser.add_argument("--warmup", type=int, default=300)
    parser.add_argument(
        "--decay", type=int, default=3500, help="steps over which the learning rate falls at the end, or 0"
    )
    parser.add_argument("--mask-share", type=float, default=0.2)
    parser.add_argument("--every-ner", type=int, default=12)
    parser.add_argument("--every-long", type=int, default=16)
    parser.add_argument("--leave-out", nargs="*", default=[], choices=list(TOKEN_TARGETS), help="what not to predict")
    parser.add_argument("--save-every", type=int, default=500)
    parser.add_argument("--device", default=best_device())
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    keep_heap()
    torch.manual_seed(args.seed)
    labels = json.loads((args.input / "labels.json").read_text(encoding="utf8"))
    start = args.start or args.input / "start"
    model = PretrainingModel(load_encoder(start), labels).to(args.device)
    optimizer = make_optimizer({model: 1.0}, args.learn_rate)
    sets = {name: Blocks(args.input / f"{name}.npz", args.seed) for name in SETS}
    args.output.mkdir(parents=True, exist_ok=True)
    inputs = [start / "model.safetensors", *(args.input / f"{name}.npz" for name in SETS)]
    free = ("input", "output", "start", "n_steps", "decay", "save_every", "device")
    parts, settings = {"model": model, "optimizer": optimizer}, settings_of(args, inputs, free)
    state_path = args.output / "state.pt"
    first_step = 0
    if state_path.exists():
        first_step = load_state(state_path, parts, settings)["step"]
        if first_step > args.n_steps:
            raise ValueError(
                f"{state_path} has {first_step} steps behind it; --n-steps must be no less, got {args.n_steps}"
            )
        print(f"goes on after step {first_step}", flush=True)
    n_ids = model.encoder.config.vocab_size
    schedule = plan(args.n_steps, n_subwords=args.n_subwords, every_ner=args.every_ner, every_long=args.every_long)
    started, sums, counts = time.time(), dict.fromkeys(WEIGHTS, 0.0), dict.fromkeys(WEIGHTS, 0)
    for step, what in enumerate(schedule):
        if step < first_step:
            continue
        rng = np.random.default_rng((args.seed, step))
        ids, words, targets = make_batch(sets, what, share=args.mask_share, n_ids=n_ids, rng=rng)
        ids, words = ids.to(args.device), words.to(args.device)
        targets = {name: values.to(args.device) for name, values in targets.items() if name not in args.leave_out}
        set_learn_rate(optimizer, args.learn_rate * learn_rate_share(step, args.n_steps, args.warmup, args.decay))
        with torch.autocast(torch.device(args.device).type, dtype=torch.bfloat16):
            losses = model(ids, words, targets)
        loss = torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        for name, value in losses.items():
            sums[name] += value.item()
            counts[name] += 1
        if (step + 1) % 100 == 0:
            means = " ".join(f"{name} {sums[name] / max(counts[name], 1):.3f}" for name in WEIGHTS)
            speed = (step + 1 - first_step) * args.n_subwords / (time.time() - started)
            print(f"step {step + 1} {means} {speed:.0f} subwords/s", flush=True)
            sums, counts = dict.fromkeys(WEIGHTS, 0.0), dict.fromkeys(WEIGHTS, 0)
        done = {"step": step + 1}
        if (step + 1) % args.save_every == 0 or step + 1 == args.n_steps:
            save_state(state_path, parts, done, settings)
        if step + 1 == args.n_steps - args.decay:
            save_state(args.output / "before-decay.pt", parts, done, settings)
    save_encoder(model.encoder, start, args.output)


if __name__ == "__main__":
    main()
