"""`spacy luke annotate` beside nlp.pipe on the same texts in the same run: rate, processes, memory over size of input.

    python benchmarks/annotate.py --texts 20000 --rounds 5 --sizes 1 4 16
    python benchmarks/annotate.py --ray  # with --engine ray
    python benchmarks/annotate.py --rounds 0 --blank xx --note 1800 --sizes 1 5 25 --texts 20000 --chunk-size 1024

Each round measures all of them, one after the other, each in a process of its own, on input made of the texts of
data/everyday. Rates are without loading. A ratio is the median over the rounds; memory is the peak of the process.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import spacy

DATA = Path(__file__).parents[1] / "data" / "everyday" / "dev.jsonl"
# What is measured → what it is compared with.
BASES = {
    "pipe, 1 thread": "pipe, 1 thread",
    "annotate, 1 thread": "pipe, 1 thread",
    "pipe, 2 threads": "pipe, 2 threads",
    "annotate, 2 threads": "pipe, 2 threads",
    "annotate, 2 processes": "annotate, 2 threads",
    "ray, 1 actor": "pipe, 1 thread",
    "ray, 2 actors": "annotate, 2 processes",
}
# What a process measures; it prints seconds of work, the peak of its memory and of its children's in KiB; and annotate
# in one process which share of the seconds was spent in nlp.pipe, which no other work on the machine changes.
PEAK = "from resource import *; peak = [getrusage(who).ru_maxrss for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]"
PIPE = f"""
import json, sys, time
import torch
from spacy_luke_ja.annotation.work import PipelineSettings, load
torch.set_num_threads(int(sys.argv[3]))
nlp = load(PipelineSettings(sys.argv[2]))
list(nlp.pipe(["東京へ行った。"] * 64))
texts = [json.loads(line)["text"] for line in open(sys.argv[1], encoding="utf8")]
started = time.perf_counter()
n = 0
with nlp.memory_zone():
    for doc in nlp.pipe(texts):
        n += len(doc.ents)
seconds = time.perf_counter() - started
{PEAK}
print(json.dumps([seconds, *peak]))
"""
ANNOTATE = f"""
import json, sys, time
from pathlib import Path
import torch
from spacy_luke_ja.annotation import run, work
torch.set_num_threads(int(sys.argv[3]))
n_process, engine = int(sys.argv[4]), sys.argv[7]
is_elsewhere = n_process > 1 or engine == "ray"
inside = [0.0, 0]  # seconds in nlp.pipe; how deep in it, which calls itself
def clocked(pipe):
    def own_pipe(*args, **settings):
        docs = pipe(*args, **settings)
        while True:
            started = time.perf_counter()
            inside[1] += 1
            try:
                doc = next(docs)
            except StopIteration:
                return
            finally:
                inside[1] -= 1
                inside[0] += 0 if inside[1] else time.perf_counter() - started
            yield doc
    return own_pipe
if not is_elsewhere:
    nlp = work.load(work.PipelineSettings(sys.argv[2]))
    list(nlp.pipe(["東京へ行った。"] * 64))
    work.load = lambda settings: nlp
    nlp.pipe = clocked(nlp.pipe)
if __name__ == "__main__":
    started = time.perf_counter()
    first = []
    real = run.do_all
    def timed(*args):
        for pair in real(*args):
            first.append(time.perf_counter())
            yield pair
    run.do_all = timed
    several = {{"concurrency": n_process}} if engine == "ray" else {{"n_process": n_process}}
    settings = run.AnnotateSettings(sys.argv[2], engine=engine, chunk_bytes=int(sys.argv[6]) * 1024, **several)
    run.annotate_files([sys.argv[1]], Path(sys.argv[5]), settings)
    seconds = time.perf_counter() - started
    if is_elsewhere and len(first) > 1:  # from the first chunk that was done, as what loads is not at work
        seconds = (first[-1] - first[0]) * len(first) / (len(first) - 1)
    {PEAK}
    print(json.dumps([seconds, *peak, inside[0] / seconds]))
"""


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ja_luke_ner_sm")
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1, 4], help="times as many texts, for memory")
    parser.add_argument(
        "--blank", default="", help="for memory, a pipeline of this language's tokenizer alone: gigabytes in minutes"
    )
    parser.add_argument("--note", type=int, default=0, help="characters of another field beside each text")
    parser.add_argument("--chunk-size", type=int, default=128, help="KiB")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ray", action="store_true", help="measure --engine ray on this machine, too")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        path = write_texts(folder / "in.jsonl", args.texts, args.seed, args.note)
        shares: Dict[str, List[float]] = {}
        rounds = [
            measure_round(path, args.model, folder, args.chunk_size, args.ray, shares) for _ in range(args.rounds)
        ]
        print(f"{args.texts} texts, {path.stat().st_size / 1e6:.1f} MB, {os.cpu_count()} cores, {args.rounds} rounds\n")
        n_characters = sum(len(json.loads(line)["text"]) for line in path.open(encoding="utf8"))
        print("| | seconds | characters/s | rate / rate of | |\n|---|---|---|---|---|")
        for name, base in BASES.items():
            if not rounds or name not in rounds[0]:
                continue
            seconds = statistics.median(own[name] for own in rounds)
            ratio = statistics.median(own[base] / own[name] for own in rounds)
            print(f"| {name} | {seconds:.1f} | {n_characters / seconds:,.0f} | {ratio:.3f} | {base} |")
        for name, each in shares.items():
            print(f"\nShare of nlp.pipe in {name}: {min(each):.3f} to {max(each):.3f}, {statistics.median(each):.3f}")
        model = args.model
        if args.blank:
            model = str(folder / "blank")
            spacy.blank(args.blank).to_disk(model)
        print("\n| input, MB | seconds | peak memory, MiB |\n|---|---|---|")
        for times in args.sizes:
            path = write_texts(folder / "in.jsonl", args.texts * times, args.seed, args.note)
            seconds, peak, *_ = run(ANNOTATE, path, model, 1, 1, folder / "out.jsonl", args.chunk_size, "local")
            print(f"| {path.stat().st_size / 1e6:.1f} | {seconds:.0f} | {peak / 1024:.0f} |", flush=True)


def write_texts(path: Path, n: int, seed: int, n_note: int = 0) -> Path:
    """Texts with words that do not repeat: numbers, which a vocabulary would keep."""
    texts = [json.loads(line)["text"] for line in DATA.read_text(encoding="utf8").splitlines()]
    rng = random.Random(seed)
    with path.open("w", encoding="utf8") as file_:
        for i in range(n):
            note = {"note": f"備考{i}。" * (n_note // len(f"備考{i}。"))} if n_note else {}
            row = {"id": i, "text": f"{rng.choice(texts)}（{rng.randrange(10**9)}）", **note}
            file_.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def measure_round(
    path: Path, model: str, folder: Path, chunk_size: int, with_ray: bool, shares: Dict[str, List[float]]
) -> Dict[str, float]:
    def annotate(n_threads: int, n_process: int, engine: str = "local") -> float:
        seconds, *_, share = run(ANNOTATE, path, model, n_threads, n_process, folder / "out.jsonl", chunk_size, engine)
        if share:
            shares.setdefault(f"annotate, {n_threads} threads", []).append(share)
        return seconds

    measures = {
        "pipe, 1 thread": lambda: run(PIPE, path, model, 1)[0],
        "annotate, 1 thread": lambda: annotate(1, 1),
        "pipe, 2 threads": lambda: run(PIPE, path, model, 2)[0],
        "annotate, 2 threads": lambda: annotate(2, 1),
        "annotate, 2 processes": lambda: annotate(1, 2),
    }
    if with_ray:
        measures.update({"ray, 1 actor": lambda: annotate(1, 1, "ray"), "ray, 2 actors": lambda: annotate(1, 2, "ray")})
    seconds = {}
    for name, measure in measures.items():
        seconds[name] = measure()
        print(f"{name}: {seconds[name]:.1f} s", file=sys.stderr, flush=True)
    return seconds


def run(code: str, *arguments: object) -> List[float]:
    """RETURNS: seconds of work, peak memory of the process and of the largest child in KiB; the share of nlp.pipe."""
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "measured.py"  # processes that are spawned import it
        script.write_text(code, encoding="utf8")
        command = [sys.executable, str(script), *map(str, arguments)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    for written in arguments[4:5]:
        Path(str(written)).unlink()
    return json.loads(output.splitlines()[-1])


if __name__ == "__main__":
    main()
