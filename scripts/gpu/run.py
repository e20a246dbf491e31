"""The whole run on a machine with one GPU: a pretrained encoder of 12 layers, what it teaches, and what small ones learn.

    python -m scripts.gpu.run build/gpu out --seconds 540
    python -m scripts.gpu.run build/gpu out --seconds 4 --tiny          # on a CPU, to see that it runs

Reads what pack.py wrote. Everything is written as soon as it is there, in shards of at most 15 MiB (unpack.py puts them
together): encoders, classifiers and answerers of both sizes, the logits of both devs, and run.log. --seconds are those of
the trainings together; their shares are below.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Mapping

import numpy as np
import torch
from torch import Tensor

from .network import Encoder, Model, widen
from .rows import Stream, load_array, load_rows
from .shards import read_shards, to_tensors, write_shards
from .stages import Pairs, Pretrained, StuckError, exact_match, finetune, predict, pretrain, train_answers

# Stage → its share of the seconds.
SHARES = {
    "md encoder": 0.40, "md tags": 0.05, "md questions": 0.05, "md answers": 0.10, "sm encoder": 0.15, "sm tags": 0.11,
    "sm questions": 0.03, "sm answers": 0.06, "ablations": 0.05,
}  # fmt: skip
MD = {"width": 384, "n_heads": 12, "inner": 1536, "layers": (0, 1, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5)}
TINY = {"width": 320, "n_heads": 10, "inner": 1100, "layers": (0, 5, 5)}
# Rows of each set in an epoch.
COUNTS = {"stockmark": 6000, "other": 4000, "slots": 22000, "empty": 2500}


def say(*parts: Any) -> None:
    print(f"[{time.time() - STARTED:6.1f} s]", *parts, flush=True)


STARTED = time.time()


def save(output: Path, name: str, tensors: Mapping[str, Tensor], config: Mapping[str, Any], *, bits: int) -> None:
    say(f"wrote {name}: {write_shards(output, name, tensors, config, bits=bits) / 2**20:.1f} MiB")


def tensors_of(model: Model, head: str, theirs: str) -> Dict[str, Tensor]:
    own = {f"{theirs}.{kind}": getattr(model.heads[head], kind).detach() for kind in ("weight", "bias")}
    return {**model.encoder.tensors(), **own}


class Run:
    def __init__(self, args: argparse.Namespace):
        self.args, self.device = args, "cuda" if torch.cuda.is_available() else "cpu"
        self.facts = json.loads((args.input / "facts.json").read_text(encoding="utf8"))
        self.streams = {
            name: Stream(args.input, name, ("is_start", "names") if name == "corpus" else ("tags",), self.device)
            for name in ("corpus", "wac", "gsd")
        }
        self.sets = {name: load_rows(args.input, name, self.device) for name in (*COUNTS, "poor", "dev", "everyday")}
        windows = self.streams["corpus"].sentence_windows(
            self.facts["full_stops"], (32, 32, 64, 126), np.random.default_rng(0)
        )
        self.sets["corpus"] = windows
        self.qa = {name: self._pairs(name) for name in ("qa", "qa-heldout")}
        say(f"{len(windows):,} windows of the corpus;", {name: len(rows) for name, rows in self.sets.items()})

    def _pairs(self, name: str) -> Pairs:
        parts = ("ids", "lengths", "first", "start", "end")
        return Pairs({part: load_array(self.args.input, f"{name}-{part}") for part in parts}, self.device)

    def seconds(self, stage: str) -> float:
        return self.args.shares.get(stage, SHARES[stage]) * self.args.seconds

    def n_subwords(self, n: int) -> int:
        return n // 16 if self.args.tiny else n

    def fresh(self, encoder: Encoder, **heads: int) -> Model:
        """A copy whose layers are not compiled, with new heads."""
        own = Encoder(encoder.config)
        own.load(encoder.tensors())
        torch.manual_seed(0)
        return Model(own, **heads).to(self.device)

    def pretrain(self, make: Callable[[], Encoder], stage: str, learn_rate: float) -> Encoder:
        """make: the encoder to begin with, anew each time."""
        model = Pretrained(make(), self.facts["labels"]).to(self.device)
        if self.device == "cuda" and not self.args.eager:
            model.encoder.compile()
        say(stage, f"learning rate {learn_rate}")
        try:
            pretrain(model, self.streams, self.seconds(stage), learn_rate=learn_rate, n_subwords=self.n_subwords(32768))
        except StuckError:
            say("it learned no words; once more, more slowly")
            return self.pretrain(make, stage, learn_rate / 3)
        return model.encoder

    def tags(self, encoder: Encoder, stage: str, learn_rate: float, *, counts: Mapping[str, int], seconds: float,
             teachers: Any = (), name: str = "", seed: int = 0) -> Model:  # fmt: skip
        model = self.fresh(encoder, tags=len(self.facts["tags"]))
        say(stage, dict(counts))
        finetune(model, self.sets, counts, seconds, learn_rate=learn_rate, n_subwords=self.n_subwords(16384), teachers=teachers,
                 seed=seed)  # fmt: skip
        for dev in ("dev", "everyday"):
            if self.args.tiny:
                continue
            logits, *scores = predict(model, self.sets[dev])
            say(f"  {name or stage} on {dev}: P {scores[0]:.4f} R {scores[1]:.4f} F1 {scores[2]:.4f}")
            self.args.logits.setdefault(f"{name or stage} {dev}", logits)
        np.savez_compressed(self.args.output / "logits.npz", **self.args.logits)
        return model

    def answers(self, encoder: Encoder, size: str, learn_rate: float, cloze: Pairs, teacher: Any = None) -> Model:
        model = self.fresh(encoder, answers=2)
        say(f"{size} questions")
        train_answers(
            model, cloze, self.seconds(f"{size} questions"), learn_rate=learn_rate, n_subwords=self.n_subwords(16384)
        )
        torch.nn.init.normal_(model.heads["answers"].weight, std=0.02)
        say(f"{size} answers")
        train_answers(model, self.qa["qa"], self.seconds(f"{size} answers"), learn_rate=0.7 * learn_rate,
                      n_subwords=self.n_subwords(12288), teacher=teacher)  # fmt: skip
        say(
            f"  {size} answers, windows held out: exact match {exact_match(model, self.qa['qa-heldout'], 32 if self.args.tiny else None):.4f}"
        )
        return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--keep", type=Path, help="where what is not needed at once goes; OUTPUT when not given")
    parser.add_argument("--seconds", type=float, default=540)
    parser.add_argument("--tiny", action="store_true", help="small batches and a small md, to try it")
    parser.add_argument("--eager", action="store_true", help="compile nothing")
    parser.add_argument("--learn-rate", type=float, default=1e-3, help="of the encoders")
    parser.add_argument("--shares", type=json.loads, default={}, help="other shares of the seconds, as JSON")
    parser.add_argument("--md-alone", action="store_true", help="stop when md is a classifier")
    args = parser.parse_args()
    args.logits = {}
    args.output.mkdir(parents=True, exist_ok=True)
    keep = args.keep or args.output
    keep.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for each shape, which takes longer than many steps
    cloze_path = keep / "cloze.npz"
    workers = str(min(10, os.cpu_count() or 1))
    command = [sys.executable, "-m", "scripts.gpu.cloze", str(args.input), str(cloze_path), "--workers", workers]
    cloze_run = subprocess.Popen([*command, "--n-questions", "2000" if args.tiny else "200000"])
    run = Run(args)
    arrays = read_shards(args.input, "start")

    def start() -> Encoder:
        encoder = Encoder(json.loads(str(arrays["config"])))
        encoder.load(to_tensors(arrays))
        return encoder

    md = run.pretrain(lambda: widen(start(), **(TINY if args.tiny else MD)), "md encoder", 0.6 * args.learn_rate)
    save(keep, "md-encoder", md.tensors(), md.config, bits=8)
    md_tags = run.tags(md, "md tags", 4e-4, counts=COUNTS, seconds=run.seconds("md tags"))
    save(args.output, "md-tags", tensors_of(md_tags, "tags", "classifier"), md.config, bits=8)
    if args.md_alone:
        return
    sm = run.pretrain(start, "sm encoder", args.learn_rate)
    save(keep, "sm-encoder", sm.tensors(), sm.config, bits=16)
    taught = {**{name: 2 * n // 3 for name, n in COUNTS.items()}, "corpus": 30000}
    sm_tags = run.tags(sm, "sm tags", 6e-4, counts=taught, seconds=run.seconds("sm tags"), teachers=[md_tags])
    save(args.output, "sm-tags", tensors_of(sm_tags, "tags", "classifier"), sm.config, bits=16)
    cloze_run.wait()
    with np.load(cloze_path) as arrays:
        cloze = Pairs(dict(arrays), run.device)
    md_answers = run.answers(md, "md", 4e-4, cloze)
    save(keep, "md-answers", tensors_of(md_answers, "answers", "qa_outputs"), md.config, bits=8)
    sm_answers = run.answers(sm, "sm", 6e-4, cloze, teacher=md_answers)
    save(args.output, "sm-answers", tensors_of(sm_answers, "answers", "qa_outputs"), sm.config, bits=8)
    without = {
        "all": COUNTS, "no patterns": {**COUNTS, "slots": 0}, "no negatives": {**COUNTS, "empty": 0},
        "few names": {"poor" if name == "slots" else name: n for name, n in COUNTS.items()},
    }  # fmt: skip
    for name, counts in without.items():
        own = {key: n for key, n in counts.items() if n}
        run.tags(sm, "ablation", 6e-4, counts=own, seconds=run.seconds("ablations") / len(without), name=name)
    say("done")


if __name__ == "__main__":
    main()
