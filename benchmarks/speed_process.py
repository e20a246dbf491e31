"""The rivals' processes as the benchmark sees them: started with threads pinned alike, asked in turn."""

import json
import os
import subprocess
import threading
from collections import deque
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

WORKER = Path(__file__).with_name("speed_worker.py")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",  # of Hugging Face's tokenizers
)  # fmt: skip
LONGEST_ANSWER_SECONDS = 900


class Failed(Exception):
    """Why a rival gives no answer."""


class Worker:
    """A process that runs speed_worker.py."""

    def __init__(
        self, python: str, title: str, paths: Mapping[str, Any], texts_path: Path, log_path: Path, *, n_threads: int
    ):
        threads = dict.fromkeys(THREAD_VARIABLES, str(n_threads))
        # The project that this file belongs to, whatever is installed.
        project = os.pathsep.join(filter(None, [str(WORKER.parents[1]), os.environ.get("PYTHONPATH")]))
        quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "PYTHONWARNINGS": "ignore"}
        arguments = [title, json.dumps(dict(paths)), str(texts_path), str(n_threads)]
        self.log_path = log_path
        with log_path.open("w", encoding="utf8") as log:
            self._process = subprocess.Popen(
                [python, str(WORKER), *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf8",
                env={**os.environ, **threads, **quiet, "PYTHONPATH": project},
            )  # fmt: skip

    def answer(self) -> Any:
        timer = threading.Timer(LONGEST_ANSWER_SECONDS, self._process.kill)
        timer.start()
        try:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise Failed(f"its process ended with {self._process.wait()}: {self._last_words()}")
        content = json.loads(line)
        if "error" in content:
            raise Failed(content["error"])
        return content["result"]

    def ask(self, request: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(dict(request)) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # answer says why
        return self.answer()

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _last_words(self) -> str:
        with self.log_path.open(encoding="utf8", errors="replace") as log:
            lines = deque((line.strip() for line in log if line.strip()), maxlen=1)
        return lines[0] if lines else "it said nothing"


class Workers:
    """The processes of all rivals of one model, by title; `failed` says why one is no longer among them."""

    def __init__(self, log_directory: Path, texts_path: Path, *, n_threads: int):
        self.log_directory, self.texts_path, self.n_threads = log_directory, texts_path, n_threads
        self.failed: Dict[str, str] = {}
        self._workers: Dict[str, Worker] = {}

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *exception: Any) -> None:
        for title in list(self._workers):
            self.stop(title)

    @property
    def titles(self) -> List[str]:
        return list(self._workers)

    def start(self, pythons: Mapping[str, str], paths: Mapping[str, Any], *, together: bool) -> Dict[str, Any]:
        """Start each with its imports, one after the other, or together where nobody looks at the time it takes.

        pythons: title → the interpreter it runs on.
        RETURNS: title → what it said of its imports.
        """
        said = {}
        for group in [list(pythons)] if together else [[title] for title in pythons]:
            for title in group:
                log = self.log_directory / f"{title.replace(' ', '_').replace(',', '')}.log"
                self._workers[title] = Worker(
                    pythons[title], title, paths, self.texts_path, log, n_threads=self.n_threads
                )
            for title in group:
                said[title] = self._answer(title, None)
        return {title: answer for title, answer in said.items() if answer is not None}

    def ask(self, title: str, do: str, **settings: Any) -> Optional[Any]:
        """RETURNS: the answer; None when the rival failed, now or before."""
        return self._answer(title, {"do": do, **settings}) if title in self._workers else None

    def stop(self, title: str) -> None:
        if title in self._workers:
            self._workers.pop(title).stop()

    def _answer(self, title: str, request: Optional[Mapping[str, Any]]) -> Optional[Any]:
        worker = self._workers[title]
        try:
            return worker.answer() if request is None else worker.ask(request)
        except Failed as error:
            self.failed[title] = str(error)
            self.stop(title)
            return None
