"""An initialised pipeline in, a trained one on disk out: spaCy's training loop, which can also go on after a kill."""

import itertools
import json
import random
import sys
import zlib
from pathlib import Path
from timeit import default_timer
from typing import IO, Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

from spacy.errors import Errors
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.loop import create_before_to_disk_callback, create_evaluation_callback, subdivide_batch, update_meta
from spacy.util import registry, resolve_dot_names
from thinc.api import constant, fix_random_seed, set_gpu_allocator

from ..doc_answers import get_gold_answers
from .directories import recover_directory, remove_directory, replace_directory
from .progress import Progress, dump_random_states, load_random_states, load_run, save_run

BEST, LAST, RESUME, LOG = "model-best", "model-last", "resume", "training-log.jsonl"
# What may change between a kill and going on: how long to train, and what is shown of it.
MAY_CHANGE = ("max_steps", "max_epochs", "patience", "logger")


def train(
    nlp: Language,
    output_path: Path,
    *,
    resume: bool = False,
    use_gpu: int = -1,
    stdout: Optional[IO] = None,
    stderr: Optional[IO] = None,
) -> Path:
    """Train as `spacy train` does, with the same result, and write what a killed run needs to go on.

    nlp: initialised (spacy.training.initialize.init_nlp), with the full config.
    output_path: gets model-best, model-last, training-log.jsonl (a line per evaluation), and, while training goes on,
        resume. Each is replaced as a whole, so that a kill or a full disk leaves the one before.
    resume: go on from the last evaluation of a run that was killed, if there is one, with the same result as if it had
        not been; raises CannotResume when the settings or the data have changed since.
    RETURNS: the directory of the last pipeline.
    """
    stdout, stderr = stdout or sys.stdout, stderr or sys.stderr
    config = nlp.config.interpolate()
    settings = registry.resolve(config["training"], schema=ConfigSchemaTraining)
    if use_gpu >= 0 and settings["gpu_allocator"]:
        set_gpu_allocator(settings["gpu_allocator"])
    check_eval_frequency(settings, stdout)
    if settings["seed"] is not None:
        fix_random_seed(settings["seed"])
    train_corpus, dev_corpus = resolve_dot_names(config, [settings["train_corpus"], settings["dev_corpus"]])
    optimizer = settings["optimizer"]
    evaluate = create_evaluation_callback(nlp, dev_corpus, settings["score_weights"])
    before_to_disk = create_before_to_disk_callback(settings["before_to_disk"])
    frozen = settings["frozen_components"]
    batches = TrainingBatches(nlp, train_corpus, settings)
    dev_checksum = check_dev(nlp, dev_corpus, batches, stdout)
    dropouts = constant(settings["dropout"]) if isinstance(settings["dropout"], float) else settings["dropout"]

    output_path.mkdir(parents=True, exist_ok=True)
    fingerprint = {
        **setting_values(config),
        "the checksum of the training data": batches.checksum,
        "the checksum of the dev data": dev_checksum,
    }
    for name in (BEST, LAST, RESUME):
        recover_directory(output_path / name)
    progress = Progress()
    if resume and (output_path / RESUME).exists():
        progress, batches.states = load_run(output_path / RESUME, nlp, optimizer, fingerprint, exclude=frozen)
        print(f"going on from step {progress.next_step}", file=stdout)
    else:
        if resume:
            print(f"no run to go on with in {output_path}: starting anew", file=stdout)
        # The pipelines of an earlier run stay until the first evaluation of this one replaces them.
        remove_directory(output_path / RESUME)
    steps = steps_after(batches, dropouts, progress.next_step)

    with nlp.select_pipes(disable=frozen):
        log_step, finish_logging = settings["logger"](nlp, stdout, stderr)
    started = default_timer() - progress.seconds
    try:
        for step in itertools.count(progress.next_step):
            if is_finished(progress, step - 1, settings):
                break
            taken = next(steps, None)
            if taken is None:
                break
            epoch, batch, dropout = taken
            update(nlp, batch, settings, optimizer, dropout, step, epoch, progress.losses)
            progress.n_words += sum(len(example) for example in batch)
            progress.next_step = step + 1
            if step % settings["eval_frequency"]:
                log_step(None)
                continue
            with nlp.use_params(optimizer.averages or {}):
                score, other_scores = evaluate()
            progress.results.append((score, step))
            progress.seconds = default_timer() - started
            info = describe_step(progress, step, epoch, other_scores)
            progress.history.append(log_line(info))
            with nlp.select_pipes(disable=frozen):
                update_meta(settings, nlp, info)
            is_best = score == max(progress.results)[0]
            save_pipelines(nlp, optimizer, output_path, before_to_disk, [LAST, BEST] if is_best else [LAST])
            write_log(output_path / LOG, progress.history)
            log_step({**info, "output_path": str(output_path / LAST)})
            progress.losses = {}
            replace_directory(
                output_path / RESUME,
                lambda path: save_run(path, nlp, optimizer, progress, batches.states, fingerprint),
            )
    finally:
        finish_logging()
    save_pipelines(nlp, optimizer, output_path, before_to_disk, [LAST])
    remove_directory(output_path / RESUME)
    return output_path / LAST


class TrainingBatches:
    """The batches of a run, epoch by epoch, shuffled as spaCy does.

    states: Python's random state at the beginning of each epoch so far. Given those of a run that was killed, the same
        batches come again, so that it can pass over the ones that were done; unless a stream draws random numbers while
        it is read, and components do so between.
    checksum: of the examples; None for a stream, which is read anew in every epoch.
    """

    def __init__(self, nlp: Language, corpus: Callable, settings: Dict[str, Any]):
        self.nlp = nlp
        self.corpus = corpus
        self.batcher = settings["batcher"]
        self.max_epochs = settings["max_epochs"]
        self.states: List[Any] = []
        self.examples: Optional[List[Example]] = None
        self.checksum: Optional[int] = None
        if self.max_epochs >= 0:  # -1 is a stream
            self.examples = list(corpus(nlp))
            if not self.examples:
                raise ValueError(Errors.E986)
            self.checksum = checksum_of(example.reference for example in self.examples)

    def __iter__(self) -> Iterator[Tuple[int, List[Example]]]:
        for epoch in itertools.count():
            if self.max_epochs > 0 and epoch == self.max_epochs:
                return
            if epoch < len(self.states):
                random.setstate(self.states[epoch])
            else:
                self.states.append(random.getstate())
            examples: Iterable[Example] = self.corpus(self.nlp) if self.examples is None else self.examples
            if self.examples is not None:
                random.shuffle(self.examples)
            for batch in self.batcher(examples):
                yield epoch, list(batch)


def checksum_of(docs: Iterable[Doc]) -> int:
    """Of texts and annotation: two that differ in a label or an answer have another."""
    attributes: Any = [
        "ORTH",
        "SPACY",
        "TAG",
        "POS",
        "MORPH",
        "LEMMA",
        "HEAD",
        "DEP",
        "SENT_START",
        "ENT_IOB",
        "ENT_TYPE",
    ]
    checksum = 0
    for doc in docs:
        spans = {key: [(span.start, span.end, span.label_) for span in group] for key, group in doc.spans.items()}
        checksum = zlib.crc32(doc.to_array(attributes).tobytes(), checksum)
        checksum = zlib.crc32(f"{spans} {sorted(doc.cats.items())}".encode(), checksum)
        checksum = zlib.crc32("".join(map(str, get_gold_answers(doc))).encode(), checksum)
    return checksum


def check_eval_frequency(settings: Dict[str, Any], stdout: IO) -> None:
    frequency = settings["eval_frequency"]
    if frequency < 1:
        raise ValueError(f"training.eval_frequency must be at least 1, got {frequency}")
    if 0 < settings["max_steps"] < frequency:
        print(
            f"training.max_steps is {settings['max_steps']}, and training.eval_frequency {frequency}: only the first "
            "step will be scored and can be the best; lower eval_frequency",
            file=stdout,
        )


def check_dev(nlp: Language, dev_corpus: Callable, batches: TrainingBatches, stdout: IO) -> int:
    """Say what would make the scores on dev meaningless: no texts, or labels that cannot be learned.

    RETURNS: the checksum of the dev data.
    """
    references = [example.reference for example in dev_corpus(nlp)]
    if not references:
        raise ValueError("training.dev_corpus is empty, so no step could be told to be the best")
    if batches.examples is not None:
        learned = {ent.label_ for example in batches.examples for ent in example.reference.ents}
        lacking = {ent.label_ for reference in references for ent in reference.ents} - learned
        if lacking:
            labels = ", ".join(sorted(lacking))
            print(f"dev has labels that train lacks: {labels}; they cannot be learned and count as missed", file=stdout)
    return checksum_of(references)


def steps_after(
    batches: TrainingBatches, dropouts: Iterable[float], n_steps: int
) -> Iterator[Tuple[int, List[Example], float]]:
    """YIELDS: epoch, batch and dropout of each step after the first n_steps, which are passed over."""
    steps = ((epoch, batch, dropout) for (epoch, batch), dropout in zip(batches, dropouts))
    if n_steps:
        states = dump_random_states()
        next(itertools.islice(steps, n_steps - 1, None), None)
        load_random_states(states)
    return steps


def is_finished(progress: Progress, last_step: int, settings: Dict[str, Any]) -> bool:
    """Whether the steps so far are enough, by training.patience or training.max_steps."""
    if not progress.results:
        return False
    waited = last_step - progress.best_step
    is_patient = not settings["patience"] or waited < settings["patience"]
    return not is_patient or bool(settings["max_steps"] and last_step >= settings["max_steps"])


def update(
    nlp: Language,
    batch: List[Example],
    settings: Dict[str, Any],
    optimizer: Any,
    dropout: float,
    step: int,
    epoch: int,
    losses: Dict[str, float],
) -> None:
    """Take one step, in training.accumulate_gradient parts."""
    frozen = settings["frozen_components"]
    if settings["before_update"]:
        settings["before_update"](nlp, {"step": step, "epoch": epoch})
    for part in subdivide_batch(batch, settings["accumulate_gradient"]):
        annotating = settings["annotating_components"]
        nlp.update(part, drop=dropout, losses=losses, sgd=False, exclude=frozen, annotates=annotating)  # type: ignore[arg-type]
    for name, pipe in nlp.pipeline:
        if name not in frozen and getattr(pipe, "is_trainable", False) and pipe.model not in (True, False, None):  # type: ignore[attr-defined]
            pipe.finish_update(optimizer)  # type: ignore[attr-defined]
    optimizer.step_schedules()


def save_pipelines(
    nlp: Language, optimizer: Any, output_path: Path, before_to_disk: Callable, names: List[str]
) -> None:
    with nlp.use_params(optimizer.averages or {}):
        for name in names:
            try:
                replace_directory(output_path / name, before_to_disk(nlp).to_disk)
            except OSError as error:
                kept = "; the one saved before is untouched" if (output_path / name).exists() else ""
                raise OSError(f"{output_path / name} cannot be written: {error}{kept}") from error


def describe_step(progress: Progress, step: int, epoch: int, other_scores: Dict[str, Any]) -> Dict[str, Any]:
    """What spaCy's loggers are told of a step that was evaluated."""
    return {
        "epoch": epoch,
        "step": step,
        "score": progress.results[-1][0],
        "other_scores": other_scores,
        "losses": progress.losses,
        "checkpoints": progress.results,
        "seconds": int(progress.seconds),
        "words": progress.n_words,
    }


def log_line(info: Dict[str, Any]) -> Dict[str, Any]:
    """A line of training-log.jsonl, in the form of spaCy's ConsoleLogger."""
    scores = {k: v for k, v in info["other_scores"].items() if isinstance(v, (int, float))}
    losses = {name: float(loss) for name, loss in info["losses"].items()}
    return {**{k: info[k] for k in ("epoch", "step", "score", "seconds", "words")}, "losses": losses, "scores": scores}


def write_log(path: Path, history: List[Dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in history), encoding="utf8")


def setting_values(config: Dict[str, Any]) -> Dict[str, str]:
    """The settings that must not change between a kill and going on: "training.dropout" → its value."""
    values = {}
    for section in ("nlp", "components", "corpora", "training", "initialize"):
        for key, value in config[section].items():
            if not (section == "training" and key in MAY_CHANGE):
                values[f"{section}.{key}"] = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return values
