"""Speed, memory and load time of luke_ner and its rivals on the same weights, and what the machine would allow.

    make bench
    python benchmarks/speed.py --output metrics/speed           # at most a quarter of an hour on two cores
    python benchmarks/speed.py --quick --output build/quick     # about a minute, to see that all runs

Each rival runs in a process of its own, with the same number of threads, on the same texts; the repeats go round the
rivals. How many of the texts fit into --minutes is found out by trying; all rivals read the same. Base and large are
random weights in the published layout (speed_checkpoints.py). Whoever cannot run is named with its reason.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import speed_checkpoints as checkpoints
from speed_machine import describe_machine
from speed_measure import STREAM_SECONDS, Budget, Settings, load_model, measure_model, measure_stream, say
from speed_plot import plot_speeds
from speed_report import to_markdown
from speed_rivals import OURS, RIVALS
from speed_texts import make_documents, read_sentences

LOAD_ONLY = ("large",)
QUICK = {"minutes": 2.0, "sentences": 64, "documents": 2, "repeats": 1, "loads": 1, "stream": 2000}
SPACY_NER = Path("training/spacy_ner/model-best")  # where the project's train-spacy-ner leaves it


def main(argv: Optional[Sequence[str]] = None) -> None:
    args = parse_arguments(argv)
    started = time.monotonic()
    machine = describe_machine(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    data = args.data if args.data.exists() else None
    if data is None:
        say(f"there is no {args.data}: the sentences are made up")
    sentences = read_sentences(data)[: args.sentences]
    texts = {"sentences": sentences, "documents": make_documents(sentences, args.documents)}
    texts_path = args.work / "texts.json"
    texts_path.write_text(json.dumps(texts, ensure_ascii=False), encoding="utf8")

    paths = {name: find_paths(name, path, args) for name, path in args.models.items()}
    load_only = [name for name in paths if name in LOAD_ONLY]
    budget = Budget(
        deadline=started + 60 * args.minutes, n_measured=len(paths) - len(load_only), n_load_only=len(load_only),
        loads=args.loads, stream_seconds=STREAM_SECONDS * args.stream / 100_000,
    )  # fmt: skip
    results: Dict[str, Any] = {
        "command": shlex.join(["benchmarks/speed.py", *(sys.argv[1:] if argv is None else argv)]),
        "machine": machine,
        "data": data.name if data else "no data, made up",
        "texts": {work: len(own) for work, own in texts.items()},
        "repeats": args.repeats,
        "is_quick": args.quick,
        "models": {},
    }
    for name in paths:
        settings = make_settings(name, texts_path, args)
        if name in load_only:
            loads, failed = load_model(name, paths[name], settings, args.loads)
            results["models"][name] = {"loads": loads, "failed": failed}
            budget.n_load_only -= 1
        else:
            results["models"][name] = measure_model(name, paths[name], texts, settings, budget)
            budget.n_measured -= 1
    if args.stream:
        name = next(iter(paths))
        say(f"memory over {args.stream:,} texts")
        settings = make_settings(name, texts_path, args)
        results["stream"] = {"model": name, **measure_stream(paths[name], settings, args.stream)}
    results["seconds"] = time.monotonic() - started
    write_results(results, args.output)


def parse_arguments(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--models", nargs="+", help="of sm, base, large, or NAME=PATH; all three if not given, sm alone with --quick")
    add("--rivals", nargs="+", default=list(RIVALS), choices=list(RIVALS), metavar="RIVAL", help="by their titles")
    add("--data", type=Path, default=Path("corpus/test.spacy"), help="annotated texts, or Stockmark's ner.json")
    add("--spacy-ner", type=Path, default=SPACY_NER, help="spaCy's ner, trained; random weights where there is none")
    add("--peers-python", default=sys.executable, help="the interpreter for rivals that need another environment")
    add("--minutes", type=float, default=10, help="for all; fewer texts are read to keep it")
    add("--sentences", type=int, help="at most so many; all if not given")
    add("--documents", type=int, default=200, help="at most so many")
    add("--repeats", type=int, default=3, help="of each measurement")
    add("--loads", type=int, default=2, help="how often each rival is loaded in a fresh process")
    add("--stream", type=int, default=100_000, help="short texts to watch memory over; 0 for none")
    add("--threads", type=int, default=n_cores(), help="of each process")
    add("--no-large", action="store_true", help="leave out the model that is only loaded")
    add("--quick", action="store_true", help="a minute: " + ", ".join(f"{key} {n}" for key, n in QUICK.items()))
    add("--work", type=Path, default=Path("build/bench"), help="where random weights are kept")
    add("--output", type=Path, default=Path("metrics/speed"), help="for speed.md, speed.json and the plot")
    args = parser.parse_args(argv)
    if args.quick:
        for key, value in QUICK.items():
            if getattr(args, key) == parser.get_default(key):
                setattr(args, key, value)
    names = args.models or (["sm"] if args.quick else ["sm", "base", "large"])
    args.models = {name.partition("=")[0]: name.partition("=")[2] for name in names}
    if args.no_large:
        args.models.pop("large", None)
    unknown = [name for name, path in args.models.items() if not path and name not in ("sm", *checkpoints.SIZES)]
    if unknown:
        parser.error(f"--models must be of sm, {', '.join(checkpoints.SIZES)}, or NAME=PATH, got {', '.join(unknown)}")
    if OURS not in args.rivals:
        parser.error(f"--rivals must have {OURS} among them: the others are compared with it")
    return args


def n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_settings(name: str, texts_path: Path, args: argparse.Namespace) -> Settings:
    """The rivals are those that are there for the model of this name."""
    titles = [title for title in RIVALS if title in args.rivals and RIVALS[title].only in (None, name)]
    pythons = {title: args.peers_python if RIVALS[title].is_peer else sys.executable for title in titles}
    return Settings(
        args.work, texts_path, pythons, n_threads=args.threads, repeats=args.repeats, loads=args.loads,
        together=args.quick,
    )  # fmt: skip


def find_paths(name: str, path: str, args: argparse.Namespace) -> Dict[str, Optional[str]]:
    """The fields of speed_rivals.Paths for a model; its files are read once, so that the disk is nobody's."""
    source = find_checkpoint(name, path, args.work)
    for file_path in source.iterdir():
        with file_path.open("rb") as file_:
            while file_.read(2**24):
                pass
    fast = checkpoints.write_with_fast_tokenizer(args.work / f"{name}-fast", source)
    spacy_ner = args.spacy_ner if args.spacy_ner.exists() else None
    return {"checkpoint": str(source), "fast": str(fast), "spacy_ner": str(spacy_ner) if spacy_ner else None}


def find_checkpoint(name: str, path: str, work: Path) -> Path:
    """The directory of a model; random weights are written once, by a process that goes away with its memory."""
    if path:
        return Path(path)
    if name == "sm":
        return checkpoints.EMBEDDED
    directory = work / name
    if not (directory / "config.json").exists():
        say(f"writing random weights of the size {name}")
        subprocess.run([sys.executable, checkpoints.__file__, name, str(directory)], check=True)
    return directory


def write_results(results: Dict[str, Any], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    report = to_markdown(results)
    (directory / "speed.json").write_text(json.dumps(results, ensure_ascii=False, indent=2), encoding="utf8")
    (directory / "speed.md").write_text(report, encoding="utf8")
    print(report)
    try:
        plot_speeds(results, [directory / "speed.svg", directory / "speed.png"])
    except ImportError as error:
        say(f"no plot: {error}")


if __name__ == "__main__":
    main()
