"""An initialised pipeline in, a trained one on disk out: spaCy's training loop, which can also go on after a kill."""

import json
import sys
from pathlib import Path
from timeit import default_timer
from typing import IO, Any, Callable, Dict, List, Optional, Sequence, Union

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example
from spacy.training.loop import create_before_to_disk_callback, create_evaluation_callback, subdivide_batch, update_meta
from spacy.util import registry, resolve_dot_names
from thinc.api import Config, constant, fix_random_seed, set_gpu_allocator

from .bar import show_bar
from .batches import TrainingBatches, check_dev, steps_after
from .directories import lock_directory, recover, replace_directory, replace_file
from .outputs import (
    OutputRefused,
    directory_for_pipeline,
    file_for,
    find_foreign_in_pipeline,
    follow_links,
    paths_in,
    refuse_inputs,
)
from .progress import (
    ADVICE,
    CannotResume,
    Progress,
    check_run,
    find_foreign_in_run,
    load_run,
    save_run,
    write_checksums,
)

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
    inputs: Sequence[Path] = (),
) -> Path:
    """Train as `spacy train` does, with the same result, and write what a run needs to go on.

    nlp: initialised (spacy.training.initialize.init_nlp), with the full config.
    output_path: gets model-best, model-last, training-log.jsonl (a line per evaluation) and resume. Each is replaced as
        a whole, so that a kill or a full disk leaves the one before; raises OutputRefused where another's files are in
        their places, and OSError while another training writes there.
    resume: go on from the last evaluation of a run that was killed, if there is one, with the same result as if it had
        not been; or with one that has finished, when training.max_steps, max_epochs or patience is higher now. Raises
        CannotResume when other settings or the data have changed since, or files are damaged.
    inputs: what was read besides what the config names.
    RETURNS: the directory of the last pipeline. Stopped by Ctrl-C, it has the weights of the last step, too.
    """
    stdout, stderr = stdout or sys.stdout, stderr or sys.stderr
    config = nlp.config.interpolate()
    check_outputs(output_path, config, inputs=inputs)
    output_path.mkdir(parents=True, exist_ok=True)
    with lock_directory(output_path):
        settings = registry.resolve(config["training"], schema=ConfigSchemaTraining)
        if use_gpu >= 0 and settings["gpu_allocator"]:
            set_gpu_allocator(settings["gpu_allocator"])
        check_eval_frequency(settings, stdout)
        if settings["seed"] is not None:
            fix_random_seed(settings["seed"])
        return take_steps(nlp, output_path, config, settings, resume=resume, stdout=stdout, stderr=stderr)


def take_steps(
    nlp: Language,
    output_path: Path,
    config: Config,
    settings: Dict[str, Any],
    *,
    resume: bool,
    stdout: IO,
    stderr: IO,
) -> Path:
    """
    config: with its variables filled in.
    settings: its section training, resolved.
    """
    train_corpus, dev_corpus = resolve_dot_names(config, [settings["train_corpus"], settings["dev_corpus"]])
    optimizer = settings["optimizer"]
    evaluate = create_evaluation_callback(nlp, dev_corpus, settings["score_weights"])
    before_to_disk = create_before_to_disk_callback(settings["before_to_disk"])
    frozen = settings["frozen_components"]
    batches = TrainingBatches(nlp, train_corpus, settings)
    dev_checksum = check_dev(nlp, dev_corpus, batches, stdout)
    dropouts = constant(settings["dropout"]) if isinstance(settings["dropout"], float) else settings["dropout"]
    fingerprint = {
        **setting_values(config),
        "the checksum of the training data": batches.checksum,
        "the checksum of the dev data": dev_checksum,
    }

    def save_progress() -> None:
        replace_directory(
            output_path / RESUME,
            lambda path: save_run(path, nlp, optimizer, progress, batches.states, fingerprint),
            find_foreign=find_foreign_in_run,
        )

    for name in (BEST, LAST, RESUME, LOG):
        recover(follow_links(output_path / name))
    progress = Progress()
    goes_on = resume and find_run(output_path, stdout)
    if goes_on:
        progress, batches.states = load_run(output_path / RESUME, nlp, optimizer, fingerprint, exclude=frozen)
    else:
        # The pipelines of an earlier run stay until the first evaluation of this one replaces them.
        replace_directory(output_path / RESUME, write_checksums, find_foreign=find_foreign_in_run)
    first_step = n_saved = progress.next_step
    steps = steps_after(batches, dropouts, first_step)
    taken = None if is_finished(progress, first_step - 1, settings) else next(steps, None)
    if goes_on and taken is None:
        print(describe_finished(output_path, progress), file=stdout)
        if not (output_path / LAST).exists():
            save_pipelines(nlp, optimizer, output_path, before_to_disk, [LAST])
        return output_path / LAST
    if goes_on:
        print(f"going on from step {first_step}", file=stdout)

    with nlp.select_pipes(disable=frozen):
        log_step, finish_logging = settings["logger"](nlp, stdout, stderr)
    has_bar = bool(config["training"]["logger"].get("progress_bar"))
    started = default_timer() - progress.seconds
    try:
        with show_bar(settings, logger_has_bar=has_bar, first_step=first_step, stderr=stderr) as bar:
            while taken is not None:
                step = progress.next_step
                epoch, batch, dropout = taken
                update(nlp, batch, settings, optimizer, dropout, step, epoch, progress.losses)
                progress.n_words += sum(len(example) for example in batch)
                progress.next_step = step + 1
                bar.update()
                if step % settings["eval_frequency"]:
                    log_step(None)
                else:
                    bar.set_description("scoring dev")
                    with nlp.use_params(optimizer.averages or {}):
                        score, other_scores = evaluate()
                    progress.results.append((score, step))
                    progress.seconds = default_timer() - started
                    info = describe_step(progress, step, epoch, other_scores)
                    progress.history.append(log_line(info))
                    with nlp.select_pipes(disable=frozen):
                        update_meta(settings, nlp, info)
                    is_best = score == max(progress.results)[0]
                    bar.set_description("saving")
                    save_pipelines(nlp, optimizer, output_path, before_to_disk, [LAST, BEST] if is_best else [LAST])
                    write_log(output_path / LOG, progress.history)
                    bar.clear()
                    log_step({**info, "output_path": str(output_path / LAST)})
                    progress.losses = {}
                    save_progress()
                    n_saved = progress.next_step
                    bar.set_description(f"best {max(progress.results)[0]:.3f} at {progress.best_step}")
                taken = None if is_finished(progress, step, settings) else next(steps, None)
    except KeyboardInterrupt:
        if progress.next_step > first_step:
            save_pipelines(nlp, optimizer, output_path, before_to_disk, [LAST])
        raise
    finally:
        finish_logging()
    save_pipelines(nlp, optimizer, output_path, before_to_disk, [LAST])
    if n_saved < progress.next_step:
        save_progress()  # for a run that is to go on longer
    return output_path / LAST


def check_outputs(output_path: Path, config: Dict[str, Any], *, inputs: Sequence[Path] = ()) -> None:
    """Refuse, before anything is loaded, what would overwrite files that no training wrote, or that this one reads.

    config: with its variables filled in.
    """
    if follow_links(output_path).exists() and not output_path.is_dir():
        raise OutputRefused(f"the output directory {output_path} is a file; name another")
    read: List[Union[str, Path, None]] = [*inputs, *paths_in(config)]
    places = {name: directory_for_pipeline(output_path / name, inputs=read) for name in (BEST, LAST)}
    if places[BEST] == places[LAST] or places[BEST] in places[LAST].parents or places[LAST] in places[BEST].parents:
        raise OutputRefused(f"{BEST} and {LAST} in {output_path} are links to one place; remove one of them")
    file_for(output_path / LOG, LOG, inputs=read)
    resume_path = follow_links(output_path / RESUME)
    refuse_inputs(output_path / RESUME, resume_path, read)
    foreign = find_foreign_in_run(resume_path)
    if foreign:
        raise OutputRefused(
            f"{output_path / RESUME} is where a training writes what it needs to go on, but {foreign}. Move it away, "
            "or give another output directory"
        )


def find_run(output_path: Path, stdout: IO) -> bool:
    """
    RETURNS: whether there is a run to go on with; False where none has come to its first evaluation. Raises
        CannotResume where there is one without what it needs to go on.
    """
    if not (output_path / RESUME).exists():
        there = [name for name in (BEST, LAST) if (output_path / name).exists()]
        if there:
            found = f"there is {' and '.join(there)}, and no {RESUME}"
            raise CannotResume(f"the training run in {output_path} cannot go on: {found}. {ADVICE}")
    elif check_run(output_path / RESUME):
        return True
    print(f"no run to go on with in {output_path}: starting anew", file=stdout)
    return False


def describe_finished(output_path: Path, progress: Progress) -> str:
    return (
        f"the training run in {output_path} is finished, after step {progress.next_step - 1}, the best being "
        f"{progress.best_step}; nothing is changed. To go on longer, raise training.max_steps, training.max_epochs or "
        f"training.patience, whichever it reached. {ADVICE}"
    )


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
            replace_directory(output_path / name, before_to_disk(nlp).to_disk, find_foreign=find_foreign_in_pipeline)


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
    lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in history)
    replace_file(path, lambda new: new.write_text(lines, encoding="utf8"))


def setting_values(config: Dict[str, Any]) -> Dict[str, str]:
    """The settings that must not change between a kill and going on: "training.dropout" → its value."""
    values = {}
    for section in ("nlp", "components", "corpora", "training", "initialize"):
        for key, value in config[section].items():
            if not (section == "training" and key in MAY_CHANGE):
                values[f"{section}.{key}"] = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return values
