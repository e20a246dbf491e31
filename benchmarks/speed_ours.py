"""What luke_ner does with its time and memory, stage by stage, and what the machine would allow."""

import time
from pathlib import Path
from statistics import median
from typing import Any, Callable, Dict, Iterable, List, Sequence, Tuple

import numpy as np
import torch
from spacy.language import Language
from speed_machine import resident_mb
from speed_texts import stream_of_texts

import spacy_luke_ja
from spacy_luke_ja.models.roberta import Classifier, Encoder
from spacy_luke_ja.models.types import WindowBatch
from spacy_luke_ja.models.with_windows import join_windows
from spacy_luke_ja.text.windows import group_by_length

STREAM_CHUNK = 1000  # Docs to a memory zone
STREAM_POINTS = 10


def load_pipeline(checkpoint: Path, *, precision: str = "auto", runtime: str = "HF") -> Language:
    """runtime: "HF" or "OpenVINO", of the architecture's name."""
    nlp = spacy_luke_ja.blank()
    architecture = f"spacy-luke-ja.{runtime}Model.v1"
    model = {"@architectures": architecture, "name": str(checkpoint), "precision": precision}
    component: Any = nlp.add_pipe("luke_ner", config={"model": model})
    component.load()
    return nlp


# Stages


class Clock:
    """Adds up the seconds spent in a function."""

    def __init__(self, function: Callable):
        self.function = function
        self.seconds = 0.0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            return self.function(*args, **kwargs)
        finally:
            self.seconds += time.perf_counter() - started


def stage_seconds(nlp: Language, texts: Sequence[str]) -> Dict[str, float]:
    """Read texts with a clock around each stage's functions. RETURNS: stage → seconds, and "rest"."""
    pipe: Any = nlp.get_pipe("luke_ner")
    encoder, shim = pipe.model.attrs["encoder"], pipe.model.get_ref("classifier").shims[0]
    places: Dict[str, List[Tuple[Any, str]]] = {
        "Sudachi and Doc": [(nlp, "tokenizer")],
        "subwords": [(encoder, "encode")],
        "model": [(shim, "infer_all")],
        "decoding": [(pipe, "_decode")],
        "alignment and annotation": [(pipe, "set_annotations")],
    }
    clocks: Dict[str, List[Clock]] = {stage: [] for stage in places}
    tokenizer = nlp.tokenizer
    for stage, functions in places.items():
        for owner, name in functions:
            clocks[stage].append(Clock(getattr(owner, name)))
            setattr(owner, name, clocks[stage][-1])
    try:
        started = time.perf_counter()
        for _ in nlp.pipe(texts):
            pass
        total = time.perf_counter() - started
    finally:
        for functions in places.values():
            for owner, name in functions:
                if owner is nlp:
                    nlp.tokenizer = tokenizer
                else:
                    delattr(owner, name)
    seconds = {stage: sum(clock.seconds for clock in own) for stage, own in clocks.items()}
    return {**seconds, "rest": total - sum(seconds.values())}


def padding_of_batches(nlp: Language, texts: Sequence[str]) -> Dict[str, int]:
    """The subwords that the model gets for texts, and the positions it computes; "padded": if it padded its batches."""
    shim = get_shim(nlp)
    infer_all, batches = shim.infer_all, []

    def note(own: List[WindowBatch]) -> List[np.ndarray]:
        batches.extend(own)
        return infer_all(own)

    shim.infer_all = note
    try:
        for _ in nlp.pipe(texts):
            pass
    finally:
        del shim.infer_all
    n_subwords = sum(len(batch.ids) for batch in batches)
    padded = sum(batch.is_subword().size for batch in batches)
    is_unpadded = isinstance(shim.module, (Encoder, Classifier))
    return {"subwords": n_subwords, "positions": n_subwords if is_unpadded else padded, "padded": padded}


def memory_of_stream(nlp: Language, sentences: Sequence[str], n: int, *, in_zones: bool) -> List[Tuple[int, float]]:
    """Read n short texts, no Doc kept. RETURNS: (texts read so far, resident MB), ten times on the way."""
    texts = stream_of_texts(sentences, n)
    points = []
    chunk = min(STREAM_CHUNK, max(1, n // STREAM_POINTS))
    every = max(1, n // chunk // STREAM_POINTS)
    for i in range(-(-n // chunk)):
        part = [text for _, text in zip(range(chunk), texts)]
        if in_zones:
            with nlp.memory_zone():
                read_all(nlp.pipe(part))
        else:
            read_all(nlp.pipe(part))
        if (i + 1) % every == 0:
            points.append((min((i + 1) * chunk, n), resident_mb()))
    return points


def read_all(stream: Iterable[Any]) -> None:
    for _ in stream:
        pass


# The machine's limit


def get_shim(nlp: Language) -> Any:
    pipe: Any = nlp.get_pipe("luke_ner")
    return pipe.model.get_ref("classifier").shims[0]


def sorted_batches(nlp: Language, texts: Sequence[str]) -> List[WindowBatch]:
    """All windows of all texts, sorted by length as if they had come at once, and joined into batches."""
    pipe: Any = nlp.get_pipe("luke_ner")
    task, settings, frame = (pipe.model.attrs[name] for name in ("task", "settings", "frame"))
    encoded = [pipe.subword_encoder.encode(text) for text in texts]
    framed = [task.place(own, w, frame) for own in encoded for w in task.plan(own, settings, frame)]
    groups = group_by_length([len(window.ids) for window in framed], max_subwords=settings.max_batch_subwords)
    return [join_windows([framed[k] for k in group], pad_id=frame.pad_id) for group in groups]


def run_batches(nlp: Language, batches: Sequence[WindowBatch]) -> int:
    """RETURNS: 0, for the entities that nobody looked for."""
    shim = get_shim(nlp)
    for batch in batches:
        shim.infer(batch)
    return 0


def flops_of_texts(nlp: Language, texts: Sequence[str]) -> Dict[str, float]:
    """The operations of the network for texts, a multiplication and an addition counted as two; their subwords."""
    lengths = [int(length) for batch in sorted_batches(nlp, texts) for length in batch.lengths]
    shim = get_shim(nlp)
    config = shim.module.config
    flops = count_flops(
        lengths,
        width=config.hidden_size,
        inner_width=config.intermediate_size,
        n_layers=config.num_hidden_layers,
        n_tags=len(shim.checkpoint.tags),
    )
    return {"flops": flops, "subwords": sum(lengths)}


def count_flops(lengths: Sequence[int], *, width: int, inner_width: int, n_layers: int, n_tags: int) -> float:
    """Matrix products alone: query, key, value and output; scores and their sums of values; feed-forward; tags.

    lengths: subwords of each window, special ones included.
    """
    per_subword = n_layers * 2 * (4 * width**2 + 2 * width * inner_width) + 2 * width * n_tags
    per_pair = n_layers * 2 * 2 * width
    return float(sum(n * per_subword + n * n * per_pair for n in lengths))


def product_rates(nlp: Language, *, seconds: float) -> Dict[str, Dict[str, float]]:
    """Operations per second of matrix products, per type: large squares, and the shapes of this network.

    seconds: about how long to measure each.
    """
    shim = get_shim(nlp)
    config = shim.module.config
    width, inner_width = config.hidden_size, config.intermediate_size
    pipe: Any = nlp.get_pipe("luke_ner")
    n_rows = pipe.model.attrs["settings"].max_batch_subwords
    sides = [(3 * width, width), (width, width), (inner_width, width), (width, inner_width)]
    shapes = [(n_rows, n_columns, n_inner) for n_columns, n_inner in sides]
    types = {"float32": torch.float32, shim.precision_in_use: next(shim.module.parameters()).dtype}
    with torch.inference_mode():
        return {
            name: {
                "squares": product_rate([(2048, 2048, 2048)], dtype, seconds=seconds),
                "layer": product_rate(shapes, dtype, seconds=seconds),
            }
            for name, dtype in types.items()
        }


def product_rate(shapes: Sequence[Tuple[int, int, int]], dtype: torch.dtype, *, seconds: float) -> float:
    """Operations per second of (rows × inner) · (inner × columns), one after the other; shapes: (rows, columns, inner).

    RETURNS: the median of the repeats.
    """
    pairs = [(torch.randn(m, k).to(dtype), torch.randn(n, k).to(dtype)) for m, n, k in shapes]
    flops = sum(2 * m * n * k for m, n, k in shapes)
    rates: List[float] = []
    end = time.perf_counter() + seconds
    while len(rates) < 4 or time.perf_counter() < end:
        started = time.perf_counter()
        for left, right in pairs:
            torch.nn.functional.linear(left, right)
        rates.append(flops / (time.perf_counter() - started))
    return median(rates[1:])
