"""A model and its rivals in, what each took to load and to read out: raw seconds, megabytes and counts."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from speed_process import Workers
from speed_rivals import BATCHES, LIMIT, OURS, RIVALS

Texts = Mapping[str, Sequence[str]]  # work → its texts

WORKS = ("sentences", "documents")
BATCH_SIZES = {"sentences": (1, 8, 16, 32, 64), "documents": (1, 8)}
N_WARM, N_PROBED = 8, 64  # sentences, to see how fast a rival is, and to find the best batch size
N_LATENCIES = 100
# However little time there is, so many texts are read.
LEAST = {"sentences": 8, "documents": 1}
# Of the seconds for reading.
SHARES = {"sentences": 0.6, "documents": 0.3, "latency": 0.1}
# What is left of the time for steps that take what they take, on two cores.
LOAD_SECONDS, EXTRAS_SECONDS, STREAM_SECONDS = 45, 30, 130


@dataclass(frozen=True)
class Settings:
    """work: a directory for logs. pythons: title → interpreter. loads: in fresh processes. Others as in speed.py."""

    work: Path
    texts_path: Path
    pythons: Mapping[str, str]
    n_threads: int
    repeats: int
    loads: int
    together: bool


@dataclass
class Budget:
    """deadline: of time.monotonic(). The numbers are of models that are not done; loads: as in Settings."""

    deadline: float
    n_measured: int
    n_load_only: int
    loads: int
    stream_seconds: float

    def for_reading(self) -> float:
        """Seconds for the model that is loaded now, so that the others will have as many."""
        loads = self.loads * LOAD_SECONDS * (self.n_measured - 1 + self.n_load_only)
        later = loads + EXTRAS_SECONDS * self.n_measured + self.stream_seconds
        return max(0.0, self.deadline - time.monotonic() - later) / self.n_measured


def load_model(
    name: str, paths: Mapping[str, Any], settings: Settings, n_loads: int
) -> Tuple[Dict[str, List[Any]], Dict[str, str]]:
    """Load each rival n_loads times, in turn, each time in a fresh process that ends then.

    RETURNS: title → what it said each time, and title → why it cannot.
    """
    loads: Dict[str, List[Any]] = {title: [] for title in settings.pythons if RIVALS[title].is_own_load}
    failed: Dict[str, str] = {}
    for _ in range(n_loads):
        for title in loads:
            if title not in failed:
                say(f"{name}: load {title}")
                with open_workers(settings) as workers:
                    loads[title] += start_and_load(workers, [title], paths, settings).values()
                failed.update(workers.failed)
    return loads, failed


def measure_model(
    name: str, paths: Mapping[str, Any], texts: Texts, settings: Settings, budget: Budget
) -> Dict[str, Any]:
    """Load the rivals, the last time to stay, and let them read in turn."""
    loads, failed = load_model(name, paths, settings, settings.loads - 1)
    with open_workers(settings) as workers:
        say(f"{name}: load all")
        titles = [title for title in settings.pythons if title not in failed]
        loaded = start_and_load(workers, titles, paths, settings)
        for title in loads:
            loads[title] += [loaded[title]] if title in loaded else []
        measured = measure_loaded(name, workers, texts, settings, budget.for_reading())
    return {"loads": loads, "failed": {**failed, **workers.failed}, "loaded": loaded, **measured}


def open_workers(settings: Settings) -> Workers:
    return Workers(settings.work, settings.texts_path, n_threads=settings.n_threads)


def start_and_load(
    workers: Workers, titles: Sequence[str], paths: Mapping[str, Any], settings: Settings
) -> Dict[str, Any]:
    """RETURNS: title → "imports" and "load", what the process said of either."""
    pythons = {title: settings.pythons[title] for title in titles}
    imports = workers.start(pythons, paths, together=settings.together)
    loaded = {title: workers.ask(title, "load") for title in imports}
    return {title: {"imports": imports[title], "load": load} for title, load in loaded.items() if load is not None}


def measure_loaded(name: str, workers: Workers, texts: Texts, settings: Settings, seconds: float) -> Dict[str, Any]:
    """seconds: for all reading together. RETURNS: what speed_report takes, but for what loading said."""
    say(f"{name}: {seconds:.0f} seconds to read in")
    deadline, repeats = time.monotonic() + seconds, settings.repeats
    batch_seconds = try_batch_sizes(workers)
    best = {work: min(own, key=lambda size: own[size], default=1) for work, own in batch_seconds.items()}
    speeds = probe_speeds(workers, texts["sentences"], best["sentences"])
    seconds = max(0.0, deadline - time.monotonic())
    runs: Dict[str, Any] = {work: {title: [] for title in settings.pythons} for work in WORKS}
    counts: Dict[str, int] = {}
    for work in WORKS:
        n = counts[work] = how_many(texts[work], speeds, repeats, SHARES[work] * seconds, least=LEAST[work])
        for i, title in rounds(workers.titles, repeats):
            say(f"{name}: {n} {work}, {i + 1} of {repeats}: {title}")
            answer = workers.ask(title, "run", work=work, n=n, batch_size=best[work])
            runs[work][title] += [answer] if answer else []
    return {
        "counts": counts,
        "characters": {work: count_characters(texts[work][: counts[work]]) for work in WORKS},
        "batch_sizes": best,
        "batch_seconds": batch_seconds,
        "runs": runs,
        "latencies": measure_latencies(workers, texts["sentences"], speeds, repeats, SHARES["latency"] * seconds),
        "extras": {work: ask_extras(workers, work, counts[work], best[work]) for work in WORKS},
        "precision": workers.ask(OURS, "extra", name="precision", work="sentences"),
        "products": workers.ask(LIMIT, "extra", name="products", work="sentences", seconds=min(1.0, seconds / 60)),
        "peaks": {title: workers.ask(title, "peak") for title in workers.titles},
    }


def rounds(titles: Sequence[str], repeats: int) -> List[Tuple[int, str]]:
    """(repeat, title) in the order of measuring: each repeat goes round all, beginning with another."""
    return [(i, titles[(i + j) % len(titles)]) for i in range(repeats) for j in range(len(titles))]


def try_batch_sizes(workers: Workers) -> Dict[str, Dict[int, float]]:
    """RETURNS: work → batch size → seconds that the HF pipeline takes for some sentences, and for one document."""
    workers.ask(BATCHES, "run", work="sentences", n=N_WARM)
    found: Dict[str, Dict[int, float]] = {}
    for work, n in (("sentences", N_PROBED), ("documents", 1)):
        answers = {size: workers.ask(BATCHES, "run", work=work, n=n, batch_size=size) for size in BATCH_SIZES[work]}
        found[work] = {size: answer["seconds"] for size, answer in answers.items() if answer}
    return found


def probe_speeds(workers: Workers, sentences: Sequence[str], batch_size: int) -> Dict[str, float]:
    """RETURNS: title → characters a second, roughly; by the way all are warm."""
    speeds: Dict[str, float] = {}
    for title in workers.titles:
        for n in (N_WARM, N_PROBED):
            answer = workers.ask(title, "run", work="sentences", n=n, batch_size=batch_size)
            if not answer:
                speeds.pop(title, None)
                break
            speeds[title] = count_characters(sentences[:n]) / answer["seconds"]
            if answer["seconds"] > 0.2:  # long enough to tell
                break
    return speeds


def how_many(texts: Sequence[str], speeds: Mapping[str, float], repeats: int, seconds: float, *, least: int) -> int:
    """How many of the texts, from the first on, all rivals together can read `repeats` times in so many seconds.

    speeds: title → characters a second.
    """
    n_chars = seconds / repeats / sum(1 / speed for speed in speeds.values()) if speeds else 0.0
    n = 0
    while n < len(texts) and n_chars >= len(texts[n]):
        n_chars -= len(texts[n])
        n += 1
    return min(len(texts), max(n, least))


def measure_latencies(
    workers: Workers, sentences: Sequence[str], speeds: Mapping[str, float], repeats: int, seconds: float
) -> Dict[str, List[float]]:
    """RETURNS: title → milliseconds of each sentence, read by itself; each repeat has sentences of its own."""
    n = how_many(sentences[:N_LATENCIES], speeds, 1, seconds, least=2 * repeats)
    latencies: Dict[str, List[float]] = {title: [] for title in workers.titles if title != LIMIT}
    for i, title in rounds(list(latencies), repeats):
        start, end = i * n // repeats, (i + 1) * n // repeats
        latencies[title] += workers.ask(title, "latency", start=start, end=end) or []
    return latencies


def ask_extras(workers: Workers, work: str, n: int, batch_size: int) -> Dict[str, Any]:
    ask: Any = lambda title, name, **settings: workers.ask(title, "extra", name=name, work=work, n=n, **settings)
    return {
        "stages": ask(OURS, "stages"),
        "padding": ask(OURS, "padding"),
        "batches_padding": ask(BATCHES, "padding", batch_size=batch_size),
        "flops": ask(LIMIT, "flops"),
    }


def measure_stream(paths: Mapping[str, Any], settings: Settings, n: int) -> Dict[str, Any]:
    """Resident memory over n short texts, with memory zones and without, side by side: no time is taken here.

    RETURNS: for either, (texts read, MB) on the way, or why it cannot be had.
    """

    def watch(kind: str) -> Any:
        directory = settings.work / kind.replace(" ", "_")
        directory.mkdir(exist_ok=True)
        with Workers(directory, settings.texts_path, n_threads=1) as workers:
            start_and_load(workers, [OURS], paths, settings)
            zone = kind == "with memory zones"
            points = workers.ask(OURS, "extra", name="stream", work="sentences", n_stream=n, zone=zone)
        return workers.failed[OURS] if points is None else points

    kinds = ("with memory zones", "without")
    with ThreadPoolExecutor(len(kinds)) as executor:
        return {"n": n, **dict(zip(kinds, executor.map(watch, kinds)))}


def count_characters(texts: Sequence[str]) -> int:
    return sum(map(len, texts))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
