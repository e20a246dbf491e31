"""A job and its chunks in; the same chunks out as they are done, by actors of a Ray cluster that write to OUTPUT.parts.

An actor does what a process of --n-process does: so output, rejects and what is kept after a kill are the same.
"""

import platform
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Collection, Dict, Iterator, List, Optional, Tuple

import spacy_luke_ja

from ..evaluation.pipelines import name_anywhere
from .chunks import Chunk
from .progress import RUN
from .work import Job, close_cursors, digest_of_model, do_chunk, prepare, try_each

MAX_LOSSES = 4  # of a chunk's actors, or of actors that load the pipeline, one after the other
LETHAL = "the process that annotates it ends there, each time"


def import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ImportError('--engine ray needs the package ray: pip install "spacy_luke_ja[ray]"') from error
    return ray


@dataclass
class Trial:
    """A chunk to do.

    lethal: which of its records ended their processes. suspect: the record that the last process ended at.
    n_losses: processes that ended since the chunk came, or since a record of it was found to be lethal.
    """

    chunk: Chunk
    lethal: List[int] = field(default_factory=list)
    suspect: Optional[int] = None
    n_losses: int = 0

    def lose(self, job: Job) -> None:
        """Learn from a process that ended; raises an OSError when there is nothing more to try."""
        suspect = read_note(job.progress.note(self.chunk.number))
        self.n_losses += 1
        if suspect is not None and suspect == self.suspect:
            self.lethal.append(suspect)
            self.suspect, self.n_losses = None, 1
        else:
            self.suspect = suspect
        if self.n_losses >= MAX_LOSSES:
            piece = self.chunk.pieces[0]
            place = f"{job.sources[piece.source].name} from line or record {piece.line} on"
            raise OSError(
                f"{self.n_losses} actors ended, one after the other, at the texts of {place}: for lack of memory, say. "
                "What is done is kept; the same command goes on"
            )


def do_in_actors(
    job: Job, chunks: Iterator[Chunk], done: Collection[int], concurrency: Optional[int]
) -> Iterator[Tuple[Chunk, Optional[Dict[str, Any]]]]:
    """concurrency: actors; None takes as many as the cluster has cores, or GPUs where they are asked for.

    RETURNS: each chunk with what was counted, as it is done; None for one that was done before.
    """
    for chunk in chunks:
        if chunk.number not in done:
            chunks = chain([chunk], chunks)
            break
        yield chunk, None
    else:
        return
    job = absolute(job)
    content = digest_of_model(job.pipeline.model)
    with cluster() as ray:
        unit, n_units = count_units(ray, with_gpus=job.pipeline.gpu_id >= 0)
        make = ray.remote(num_cpus=1, num_gpus=int(unit == "GPU"))(ChunkActor).remote
        idle: List[Any] = []
        running: Dict[Any, Tuple[Any, Optional[Trial]]] = {}  # without a trial, an actor that loads the pipeline
        lost: List[Trial] = []
        n_failed, is_planned = 0, False

        def start() -> None:
            actor = make(job, content)
            running[actor.get_ready.remote()] = actor, None

        for _ in range(concurrency or n_units):
            start()
        try:
            while True:
                while idle and (lost or not is_planned):
                    next_chunk = None if lost else next(chunks, None)
                    if not lost and next_chunk is None:
                        is_planned = True
                    elif next_chunk is not None and next_chunk.number in done:
                        yield next_chunk, None
                    else:
                        trial = lost.pop() if next_chunk is None else Trial(next_chunk)
                        actor = idle.pop()
                        is_careful = trial.n_losses > 0
                        running[actor.work.remote(trial.chunk, trial.lethal, is_careful)] = actor, trial
                if is_planned and not lost and not any(own for _, own in running.values()):
                    return  # actors that the cluster has no room for are not waited for
                (ready,), _ = ray.wait(list(running), num_returns=1)
                actor, tried = running.pop(ready)
                try:
                    counts = ray.get(ready)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause from error
                except ray.exceptions.RayError as error:
                    ray.kill(actor)
                    if tried is not None:
                        tried.lose(job)
                        lost.append(tried)
                    else:
                        n_failed += 1
                        if n_failed >= MAX_LOSSES:
                            raise OSError(f"actors end before they have loaded the pipeline: {error}") from error
                    start()
                else:
                    idle.append(actor)
                    n_failed = 0
                    if tried is not None:
                        yield tried.chunk, counts
        finally:
            for actor in [*idle, *(own for own, _ in running.values())]:
                ray.kill(actor)


@contextmanager
def cluster() -> Iterator[Any]:
    """The cluster that RAY_ADDRESS names or this machine is part of; where there is none, one of this machine alone."""
    ray = import_ray()
    is_ours = not ray.is_initialized()
    if is_ours:
        ray.init(logging_level="WARNING")
    try:
        yield ray
    finally:
        if is_ours:
            ray.shutdown()


def count_units(ray: Any, *, with_gpus: bool) -> Tuple[str, int]:
    """RETURNS: what each actor has one of, and how many of these the cluster has."""
    unit = "GPU" if with_gpus else "CPU"
    n_units = int(ray.cluster_resources().get(unit, 0))
    if not n_units:
        raise ValueError(f"--engine ray gives each actor a {unit}, and the Ray cluster has none")
    return unit, n_units


def absolute(job: Job) -> Job:
    """The job with paths that hold in any working directory."""
    model, code = name_anywhere(job.pipeline.model), job.pipeline.code
    return replace(
        job,
        sources=[replace(source, path=source.path.absolute()) for source in job.sources],
        progress=replace(job.progress, path=job.progress.path.absolute()),
        pipeline=replace(job.pipeline, model=model, code=code and code.absolute()),
    )


# In an actor


class ChunkActor:
    """version, content: of this package and of the pipeline, where the command runs."""

    def __init__(self, job: Job, content: str, version: str = spacy_luke_ja.__version__):
        self.error: Optional[Exception] = None
        self.n_chunks = 0  # all of a lower number are behind the cursors
        try:
            check_machine(job, content, version)
            gpu_id = min(job.pipeline.gpu_id, 0)  # Ray shows an actor its own GPU alone
            self.nlp, self.job = prepare(replace(job, pipeline=replace(job.pipeline, n_threads=1, gpu_id=gpu_id)))
        except (OSError, ValueError, ImportError) as error:
            self.error = error
        except SystemExit:  # of spaCy, which has printed why
            self.error = OSError(f"{platform.node()} cannot import --code {job.pipeline.code}")

    def get_ready(self) -> None:
        if self.error is not None:
            raise self.error

    def work(self, chunk: Chunk, lethal: List[int], is_careful: bool) -> Dict[str, Any]:
        note = self.job.progress.note(chunk.number)
        if is_careful or chunk.number < self.n_chunks:
            close_cursors(self.job)
        if is_careful:
            try_each(self.nlp, self.job, chunk, lethal, lambda i: note.write_text(str(i), encoding="utf8"))
            note.unlink(missing_ok=True)
            close_cursors(self.job)
        self.n_chunks = chunk.number + 1
        return do_chunk(self.nlp, self.job, chunk, dict.fromkeys(lethal, LETHAL))


def check_machine(job: Job, content: str, version: str) -> None:
    """Raise an OSError where this machine would read, write or find something else than the others."""
    host = platform.node()
    if spacy_luke_ja.__version__ != version:
        raise OSError(f"{host} has spacy_luke_ja {spacy_luke_ja.__version__}, and needs {version}, as the command has")
    for path in (job.progress.path / RUN, *(source.path for source in job.sources)):
        if not path.is_file():
            raise OSError(f"{host} has no {path}: inputs and OUTPUT must be on a file system that all machines share")
    if digest_of_model(job.pipeline.model) != content:
        raise OSError(f"{host} has another pipeline {job.pipeline.model} than the machine where the command runs")


def read_note(path: Path) -> Optional[int]:
    """Which record a process was at when it ended."""
    try:
        return int(path.read_text(encoding="utf8"))
    except (FileNotFoundError, ValueError):
        return None
