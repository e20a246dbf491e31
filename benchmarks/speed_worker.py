"""One rival in a process of its own: requests on stdin, answers on stdout, both JSON, one a line.

    python benchmarks/speed_worker.py luke_ner '{"checkpoint": …, "fast": …, "spacy_ner": null}' texts.json 2

It answers once when the rival's modules are imported. Then each request {"do": "load" | "run" | "latency" | …} gets an
answer {"result": …} or {"error": …}. The processes of all rivals wait for their turn; only one works at a time.
"""

import gc
import importlib
import json
import os
import platform
import sys
import time
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from speed_machine import forget_peak, peak_mb, resident_mb

PACKAGES = (
    "torch", "transformers", "tokenizers", "sentencepiece", "spacy", "thinc", "sudachipy", "sudachidict_core", "numpy",
    "spacy-transformers", "spacy-huggingface-pipelines", "spacy-wrap",
)  # fmt: skip


class RivalProcess:
    """What requests do; each method is one of them."""

    def __init__(self, title: str, paths: Dict[str, Any], texts: Dict[str, List[str]]):
        from speed_rivals import RIVALS, Paths

        self.rival = RIVALS[title]
        self.paths = Paths(**{key: Path(path) if path else None for key, path in paths.items()})  # type: ignore[arg-type]
        self.texts = texts
        self.prepared: Dict[Any, Any] = {}

    def load(self) -> Dict[str, Any]:
        """Until the first text is read: some load late. Memory: above what the imports took, at most and at the end."""
        gc.collect()
        before_mb = resident_mb()
        forget_peak()
        started = time.perf_counter()
        self.loaded = self.rival.load(self.paths)
        first = self.texts["sentences"][:1]
        self.loaded.run(self.loaded.prepare(first), 1)
        seconds = time.perf_counter() - started
        memory = {"peak_mb": peak_mb() - before_mb, "kept_mb": resident_mb() - before_mb}
        return {"seconds": seconds, **memory, "note": self.loaded.note}

    def run(self, work: str, n: int, batch_size: int = 1) -> Dict[str, float]:
        """Read the first n texts of a work; the batch size is for those who have one."""
        if (work, n) not in self.prepared:
            self.prepared = {(work, n): self.loaded.prepare(self.texts[work][:n])}
        gc.collect()
        started = time.perf_counter()
        n_entities = self.loaded.run(self.prepared[work, n], batch_size if self.rival.has_batch_size else 1)
        return {"seconds": time.perf_counter() - started, "entities": n_entities}

    def latency(self, start: int, end: int) -> List[float]:
        """Milliseconds of each of the sentences start … end, one at a time."""
        if self.loaded.one is None:
            return []
        gc.collect()
        milliseconds = []
        for text in self.texts["sentences"][start:end]:
            started = time.perf_counter()
            self.loaded.one(text)
            milliseconds.append(1000 * (time.perf_counter() - started))
        return milliseconds

    def extra(self, name: str, work: str, n: Optional[int] = None, **settings: Any) -> Any:
        """What the rival can tell besides, of the first n texts of a work, or of all."""
        return self.loaded.extras[name](self.texts[work][:n], **settings)

    def peak(self) -> float:
        return peak_mb()


def import_all(names: List[str]) -> Dict[str, Any]:
    started = time.perf_counter()
    for name in names:
        module, _, attribute = name.partition(":")
        imported = importlib.import_module(module)
        if attribute:
            getattr(imported, attribute)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "resident_mb": resident_mb(), "versions": versions()}


def versions() -> Dict[str, str]:
    """Of this process's environment, which need not be that of the others."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            pass
    return found


def main() -> None:
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    title, paths, texts_path, n_threads = sys.argv[1:]

    def answer(function: Callable[[], Any]) -> bool:
        try:
            content = {"result": function()}
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            content = {"error": f"{type(error).__name__}: {lines[0]}"}
        print(json.dumps(content, ensure_ascii=False), file=answers, flush=True)
        return "result" in content

    process: Any = None

    def start() -> Dict[str, Any]:
        nonlocal process
        from speed_rivals import RIVALS

        imported = import_all(list(RIVALS[title].imports))
        import torch

        torch.set_num_threads(int(n_threads))
        process = RivalProcess(title, json.loads(paths), json.loads(Path(texts_path).read_text(encoding="utf8")))
        return imported

    if not answer(start):
        return
    for line in sys.stdin:
        request = json.loads(line)
        answer(lambda request=request: getattr(process, request.pop("do"))(**request))  # type: ignore[misc]


if __name__ == "__main__":
    main()
