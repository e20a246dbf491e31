"""All trainings on a machine with one GPU: an encoder of 12 layers, what it teaches, and what small ones learn.

    python -m scripts.gpu.run build/gpu out --seconds 540 | tee out/run.log
    python -m scripts.gpu.run build/gpu out --seconds 390 --shares '{"md tags": 0.6, "sm tags": 0.4}'
    python -m scripts.gpu.run build/gpu out --seconds 4 --tiny          # on a CPU, to see that it runs

Reads what pack.py wrote. Writes as soon as they are there, in shards of at most 15 MiB (unpack.py puts them together):
encoders, classifiers and answerers of both sizes; and the logits of both devs. --seconds are those of the trainings
together. Where pack.py was given a classifier to begin with, its last layer stays, and a larger one whose training is
left out teaches as it is.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

import numpy as np
import torch

from .growth import widen
from .learner import Budget
from .network import Encoder, Model
from .pretrain import PretrainingModel, StuckError, pretrain
from .rows import load_rows
from .shards import read_shards, to_tensors, write_shards
from .stream import Stream
from .train_ner import predict_tags, train_tags
from .train_qa import Pairs, exact_match, load_pairs, train_answers

# Stage → its share of the seconds.
SHARES = {
    "md encoder": 0.40, "md tags": 0.05, "md questions": 0.05, "md answers": 0.10, "sm encoder": 0.15, "sm tags": 0.11,
    "sm questions": 0.03, "sm answers": 0.06, "ablations": 0.05,
}  # fmt: skip
GROWTH = 1.5  # how many times as wide md is as sm
LAYERS = (0, 1, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5)  # which of sm's each of md's starts as
# Rows of each set in an epoch.
COUNTS = {"stockmark": 6000, "other": 3500, "soft": 3500, "slots": 32000, "empty": 2000}
TAUGHT_COUNTS = {**COUNTS, "corpus": 16000}
ABLATIONS = {
    "all": COUNTS,
    "no patterns": {name: n for name, n in COUNTS.items() if name != "slots"},
    "no negatives": {name: n for name, n in COUNTS.items() if name != "empty"},
    "few names": {"poor" if name == "slots" else name: n for name, n in COUNTS.items()},
}
WINDOWS = (32, 32, 64, 126)  # of the corpus, in subwords, of which one is drawn each time
STARTED = time.time()


def say(*parts: Any) -> None:
    print(f"[{time.time() - STARTED:6.1f} s]", *parts, flush=True)


class Run:
    """What is read once, and the stages with their settings."""

    def __init__(self, args: argparse.Namespace):
        self.args, self.device = args, "cuda" if torch.cuda.is_available() else "cpu"
        self.keep = args.keep or args.output
        self.facts = json.loads((args.input / "facts.json").read_text(encoding="utf8"))
        self.starts = {
            size: read_shards(args.input, name)
            for size, name in (("sm", "start"), ("md", "start-md"))
            if (args.input / f"{name}.npz.0").exists()
        }
        names = (*COUNTS, "dev", "everyday", *(["poor"] if "ablations" in args.shares else []))
        self.sets = {name: load_rows(args.input, name, self.device) for name in names}
        if "sm tags" in args.shares:
            self.sets["corpus"] = self.streams["corpus"].sentence_windows(
                self.facts["full_stops"], WINDOWS, np.random.default_rng(0)
            )
        self.logits: Dict[str, Any] = {}
        say("rows:", {name: len(rows) for name, rows in self.sets.items()})

    @cached_property
    def streams(self) -> Dict[str, Stream]:
        targets = {"corpus": ("is_start", "names"), "wac": ("tags",), "gsd": ("tags",)}
        return {name: Stream(self.args.input, name, own, self.device) for name, own in targets.items()}

    def budget(self, stage: str, n_parts: int = 1) -> Budget:
        return Budget(seconds=self.args.shares[stage] * self.args.seconds / n_parts)

    def n_subwords(self, n: int) -> int:
        """Of a step."""
        return n // 16 if self.args.tiny else n

    def read_start(self, size: str) -> Encoder:
        encoder = Encoder(json.loads(str(self.starts[size]["config"])))
        encoder.load(to_tensors(self.starts[size]))
        return encoder

    def make_sm(self) -> Encoder:
        return self.read_start("sm")

    def make_md(self) -> Encoder:
        if "md" in self.starts:
            return self.read_start("md")
        sm = self.make_sm()
        sizes = (sm.config[name] for name in ("hidden_size", "num_attention_heads", "intermediate_size"))
        width, n_heads, inner = (round(GROWTH * size) for size in sizes)
        last = sm.config["num_hidden_layers"] - 1
        layers = (0, last, last) if self.args.tiny else LAYERS
        return widen(sm, width=width, n_heads=n_heads, inner=inner, layers=layers)

    def fresh(self, encoder: Encoder, **heads: int) -> Model:
        """A copy whose layers are not compiled, with new heads."""
        own = Encoder(encoder.config)
        own.load(encoder.tensors())
        torch.manual_seed(0)
        return Model(own, **heads).to(self.device)

    def classifier(self, encoder: Encoder, size: str) -> Model:
        """With the last layer of the one to begin with, if that had been pretrained no further."""
        model = self.fresh(encoder, tags=len(self.facts["tags"]))
        tensors = to_tensors(self.starts[size]) if size in self.starts else {}
        if f"{size} encoder" not in self.args.shares and "classifier.weight" in tensors:
            model.heads["tags"].load_state_dict({kind: tensors[f"classifier.{kind}"] for kind in ("weight", "bias")})
        return model

    def pretrain(self, make: Callable[[], Encoder], stage: str, learn_rate: float) -> Encoder:
        """make: the encoder to begin with. It is made anew when a learning rate was too high for it."""
        if stage not in self.args.shares:
            return make()
        model = PretrainingModel(make(), self.facts["labels"]).to(self.device)
        if self.device == "cuda" and not self.args.eager:
            model.encoder.compile_layers()
        say(stage, f"learning rate {learn_rate}")
        budget, n_subwords = self.budget(stage), self.n_subwords(32768)
        try:
            pretrain(model, self.streams, budget, learn_rate=learn_rate, n_subwords=n_subwords)
        except StuckError:
            say("it learned no words; once more, more slowly")
            return self.pretrain(make, stage, learn_rate / 3)
        return model.encoder

    def tags(
        self,
        model: Model,
        name: str,
        learn_rate: float,
        counts: Mapping[str, int],
        budget: Budget,
        teacher: Optional[Model] = None,
    ) -> Model:
        """Train a classifier; its F1 on both devs, and its logits."""
        say(name, dict(counts))
        if self.device == "cuda" and self.args.compile_tags:
            model.encoder.compile_layers(dynamic=True)
        self.judge(model, name)
        train_tags(
            model, self.sets, counts, budget, learn_rate=learn_rate, n_subwords=self.n_subwords(self.args.n_subwords),
            mask_share=self.args.mask_share, teacher=teacher, judge=lambda: self.judge(model, name),
        )  # fmt: skip
        self.judge(model, name)
        np.savez_compressed(self.args.output / "logits.npz", **self.logits)
        return model

    def judge(self, model: Model, name: str) -> None:
        for dev in ("dev", "everyday"):
            found = predict_tags(model, self.sets[dev])
            say(f"  {name} on {dev}: P {found.precision:.4f} R {found.recall:.4f} F1 {found.f1:.4f}")
            self.logits[f"{name} {dev}"] = found.logits

    def answers(
        self, encoder: Encoder, size: str, learn_rate: float, cloze: Pairs, teacher: Optional[Model] = None
    ) -> Model:
        """An answerer, which learns from the corpus's questions first."""
        model = self.fresh(encoder, answers=2)
        stage = f"{size} questions"
        say(stage)
        train_answers(model, cloze, self.budget(stage), learn_rate=learn_rate, n_subwords=self.n_subwords(16384))
        torch.nn.init.normal_(model.heads["answers"].get_parameter("weight"), std=0.02)
        stage = f"{size} answers"
        say(stage)
        train_answers(
            model, load_pairs(self.args.input, "qa", self.device), self.budget(stage),
            learn_rate=0.7 * learn_rate, n_subwords=self.n_subwords(12288), teacher=teacher,
        )  # fmt: skip
        heldout = load_pairs(self.args.input, "qa-heldout", self.device)
        share = exact_match(model, heldout, 32 if self.args.tiny else None)
        say(f"  {stage}, windows held out: exact match {share:.4f}")
        return model

    def save_encoder(self, encoder: Encoder, name: str, *, bits: int) -> None:
        n_bytes = write_shards(self.keep, name, encoder.tensors(), encoder.config, bits=bits)
        say(f"wrote {name}: {n_bytes / 2**20:.1f} MiB")

    def save_model(self, model: Model, directory: Path, name: str, head: str, *, bits: int) -> None:
        """head: the name of the model's only head in a checkpoint."""
        (own,) = model.heads.values()
        tensors = {**model.encoder.tensors(), **{f"{head}.{key}": value for key, value in own.state_dict().items()}}
        n_bytes = write_shards(directory, name, tensors, model.encoder.config, bits=bits)
        say(f"wrote {name}: {n_bytes / 2**20:.1f} MiB")


def start_cloze(args: argparse.Namespace, output: Path) -> "subprocess.Popen[bytes]":
    """Make questions beside the first trainings."""
    n_questions, workers = 2000 if args.tiny else 200_000, min(10, os.cpu_count() or 1)
    options = ["--n-questions", str(n_questions), "--workers", str(workers)]
    return subprocess.Popen([sys.executable, "-m", "scripts.gpu.cloze", str(args.input), str(output), *options])


def train_md(run: Run) -> Tuple[Encoder, Model]:
    """RETURNS: the encoder and the classifier."""
    shares = run.args.shares
    md = run.pretrain(run.make_md, "md encoder", 0.6 * run.args.learn_rate)
    if "md encoder" in shares:
        run.save_encoder(md, "md-encoder", bits=8)
    tags = run.classifier(md, "md")
    if "md tags" in shares:
        run.tags(tags, "md tags", 4e-4, COUNTS, run.budget("md tags"))
        run.save_model(tags, run.args.output, "md-tags", "classifier", bits=8)
    return md, tags


def train_sm(run: Run, teacher: Model) -> Encoder:
    shares = run.args.shares
    sm = run.pretrain(run.make_sm, "sm encoder", run.args.learn_rate)
    if "sm encoder" in shares:
        run.save_encoder(sm, "sm-encoder", bits=16)
    if "sm tags" in shares:
        tags = run.classifier(sm, "sm")
        run.tags(tags, "sm tags", 6e-4, TAUGHT_COUNTS, run.budget("sm tags"), teacher)
        run.save_model(tags, run.args.output, "sm-tags", "classifier", bits=16)
    return sm


def train_answerers(run: Run, md: Encoder, sm: Encoder, cloze: Pairs) -> None:
    """The large one teaches the small one."""
    teacher = run.answers(md, "md", 4e-4, cloze)
    run.save_model(teacher, run.keep, "md-answers", "qa_outputs", bits=8)
    answers = run.answers(sm, "sm", 6e-4, cloze, teacher)
    run.save_model(answers, run.args.output, "sm-answers", "qa_outputs", bits=8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path, help="as pack.py writes it")
    parser.add_argument("output", type=Path)
    parser.add_argument("--keep", type=Path, help="where what is not needed at once goes; OUTPUT when not given")
    parser.add_argument("--seconds", type=float, default=540)
    parser.add_argument(
        "--shares", type=json.loads, default=SHARES, help="of the seconds, by stage, as JSON; other stages are left out"
    )
    parser.add_argument("--tiny", action="store_true", help="small batches and a small md, to try it")
    parser.add_argument("--eager", action="store_true", help="compile nothing")
    parser.add_argument("--compile-tags", action="store_true", help="compile classifiers, too")
    parser.add_argument("--learn-rate", type=float, default=1e-3, help="of sm's encoder; md's is 0.6 times as high")
    parser.add_argument("--n-subwords", type=int, default=16384, help="of a step of a classifier, about")
    parser.add_argument("--mask-share", type=float, default=0.0, help="of a classifier's subwords, that are masked")
    args = parser.parse_args()
    unknown = set(args.shares) - set(SHARES)
    if unknown:
        parser.error(f"--shares has no stage {', '.join(unknown)}; the stages are {', '.join(SHARES)}")
    args.output.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for each shape, which takes longer than many steps
    cloze_path = (args.keep or args.output) / "cloze.npz"
    cloze_path.parent.mkdir(parents=True, exist_ok=True)
    cloze_process = start_cloze(args, cloze_path) if "sm answers" in args.shares else None
    run = Run(args)
    md, teacher = train_md(run)
    if not any(stage.startswith(("sm", "ablations")) for stage in args.shares):
        return
    sm = train_sm(run, teacher)
    if cloze_process is not None:
        if cloze_process.wait():
            raise RuntimeError("scripts.gpu.cloze failed: see above")
        with np.load(cloze_path) as arrays:
            train_answerers(run, md, sm, Pairs(dict(arrays), run.device))
    if "ablations" in args.shares:
        for name, counts in ABLATIONS.items():
            run.tags(run.classifier(sm, "sm"), name, 6e-4, counts, run.budget("ablations", len(ABLATIONS)))
    say("done")


if __name__ == "__main__":
    main()
