"""A chunk in; its part of the output, its rejects and what was counted, written, out: in this process or another."""

import os
import threading
import warnings
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Collection, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from spacy.language import Language

from ..corpora.records import BadRecord
from ..text.messages import show
from .chunks import Chunk, Piece
from .progress import Progress, digest_of, digest_of_texts
from .readers import READERS, Placed, ReadSettings
from .records import AnnotatedRecord, RecordSettings, annotate_records, has_field, look_up
from .sources import Source
from .streams import DamagedFile
from .writers import PLACE_COLUMNS, WRITERS, WriteSettings, Written

N_NAMES_KEPT = 1000  # of a chunk, the most frequent
N_SAMPLED, SAMPLED_CHARACTERS = 50, 600  # of a chunk, for the page


@dataclass(frozen=True)
class PipelineSettings:
    """
    model: a pipeline or a checkpoint. code: a Python file with registered functions.
    threshold: of each luke_ner; None leaves it. questions: of each luke_qa.
    n_threads: of PyTorch; 0 leaves them.
    """

    model: str
    code: Optional[Path] = None
    threshold: Optional[float] = None
    questions: Tuple[str, ...] = ()
    gpu_id: int = -1
    n_threads: int = 0


@dataclass(frozen=True)
class Job:
    """All that a process needs to work on chunks.

    writer: a key of WRITERS. with_source: whether records get fields that say where they stood.
    """

    sources: Sequence[Source]
    reading: ReadSettings
    pipeline: PipelineSettings
    records: RecordSettings
    writing: WriteSettings
    writer: str
    progress: Progress
    with_sample: bool = False
    with_source: bool = False
    chunk_bytes: int = 1 << 20
    cursors: Dict[int, Any] = field(default_factory=dict, compare=False)


def load(settings: PipelineSettings) -> Language:
    """Load the pipeline with its weights, ready for use."""
    from spacy.cli._util import import_code, setup_gpu

    from ..evaluation.pipelines import factory_for, load_pipeline

    if settings.n_threads:
        import torch

        torch.set_num_threads(settings.n_threads)
    import_code(settings.code)
    setup_gpu(settings.gpu_id, silent=True)
    nlp = load_pipeline(settings.model, factory=factory_for(settings.model))
    if settings.questions and not components_of(nlp, "luke_qa"):
        nlp.add_pipe("luke_qa")
    for component in components_of(nlp, "luke_qa"):
        if settings.questions:
            component.questions = settings.questions
    named = components_of(nlp, "luke_ner")
    if settings.threshold is not None and not named:
        raise ValueError(f"--threshold is a setting of luke_ner, which {settings.model} does not have; see --min-score")
    for component in named:
        if settings.threshold is not None:
            component.threshold = settings.threshold
    for _, component in nlp.pipeline:
        if hasattr(component, "load") and hasattr(component, "max_batch_subwords"):
            component.load()
    if all(hasattr(component, "max_batch_subwords") for _, component in nlp.pipeline):
        nlp.max_length = 2**31  # spaCy's limit is for parsers; ours read in windows
    return nlp


def digest_of_model(name: str) -> str:
    """Of the files of a directory or an installed pipeline; else there is the name alone."""
    from spacy.util import get_package_path, is_package

    path = Path(name)
    if not path.is_dir():
        if not is_package(name):
            return name
        path = get_package_path(name)
    files = sorted(each for each in path.rglob("*") if each.is_file() and each.suffix != ".pyc")
    return " ".join([str(len(files)), digest_of_texts(digest_of(each) for each in files)])


def prepare(job: Job) -> Tuple[Language, Job]:
    """RETURNS: the pipeline, and the job with what only the pipeline knows."""
    nlp = load(job.pipeline)
    with_answers = any(component.questions for component in components_of(nlp, "luke_qa"))
    records = replace(job.records, with_answers=with_answers)
    return nlp, replace(job, records=records, writing=replace(job.writing, records=records))


def components_of(nlp: Language, factory: str) -> List[Any]:
    return [component for name, component in nlp.pipeline if nlp.get_pipe_meta(name).factory == factory]


def read_piece(job: Job, piece: Piece) -> Iterator[Placed]:
    """The records of a piece, by a cursor that stays open for the next one of its source."""
    source = job.sources[piece.source]
    reader, reading = READERS[source.format], job.reading.of(source)
    for other in [own for own in job.cursors if own != piece.source]:
        job.cursors.pop(other).close()
    if piece.damage:
        yield Placed(piece.line, BadRecord(piece.damage))
        return
    if piece.source not in job.cursors:
        job.cursors[piece.source] = reader.open(source, reading)
    try:
        yield from reader.read(job.cursors[piece.source], source, piece.start, piece.end, piece.line, reading)
    except DamagedFile as error:
        raise OSError(f"{source.name} has changed while it was read: {error}") from error


def close_cursors(job: Job) -> None:
    """So that what was read can be read once more: cursors go forwards."""
    while job.cursors:
        job.cursors.popitem()[1].close()


def read_chunk(job: Job, chunk: Chunk) -> Tuple[List[Tuple[Source, int]], List[Any]]:
    """RETURNS: where each record stands, and the records."""
    places: List[Tuple[Source, int]] = []
    records: List[Any] = []
    for piece in chunk.pieces:
        source = job.sources[piece.source]
        for placed in read_piece(job, piece):
            places.append((source, placed.line))
            records.append(with_place(placed, source) if job.with_source else placed.fields)
    return places, records


def with_place(placed: Placed, source: Source) -> Any:
    """The fields of a record with those that say where it stood."""
    if isinstance(placed.fields, BadRecord):
        return placed.fields
    taken = [name for name in PLACE_COLUMNS if name in placed.fields]
    if taken:
        return BadRecord(f"there is a field {show(taken[0])} already, and --with-source gives one of that name")
    return {**placed.fields, **dict(zip(PLACE_COLUMNS, (source.name, placed.line)))}


def try_each(nlp: Language, job: Job, chunk: Chunk, lethal: Collection[int], note: Callable[[int], Any]) -> None:
    """Annotate the records one by one, without those of lethal, only to see whether the process survives it.

    note: called before each, so that the one that it ends at is known.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        records = read_chunk(job, chunk)[1]
    for i, record in enumerate(records):
        if i not in lethal:
            note(i)
            with warnings.catch_warnings(), nlp.memory_zone():
                warnings.simplefilter("ignore")
                annotate_records(nlp, [record], job.records)


def do_chunk(nlp: Language, job: Job, chunk: Chunk, refused: Optional[Mapping[int, str]] = None) -> Dict[str, Any]:
    """refused: records of the chunk that are rejected unseen, with the reason. RETURNS: what was counted."""
    part = WRITERS[job.writer].part(job.writing)
    with warnings.catch_warnings(record=True) as caught, nlp.memory_zone():
        warnings.simplefilter("always")
        places, records = read_chunk(job, chunk)
        given = [BadRecord(refused[i]) if refused and i in refused else record for i, record in enumerate(records)]
        annotated, rejected = annotate_records(nlp, given, job.records)
        reasons: Dict[int, str] = dict(rejected)
        written: List[AnnotatedRecord] = []
        for record in annotated:
            source, line = places[record.i]
            try:
                part.add(Written(record, source.name, line))
                written.append(record)
            except (ValueError, OverflowError) as error:
                reasons[record.i] = f"it cannot be written as {job.writer}: {error}"
        counts = count(written, job)
        rejects = [describe_reject(*places[i], records[i], reason, job) for i, reason in sorted(reasons.items())]
        counts.update(
            n_rejects=len(rejects),
            n_nulls=part.n_nulls,
            warnings=sorted({str(own.message) for own in caught if own.category is UserWarning}),
        )
        job.progress.finish(chunk.number, part.write, rejects, counts)
    return counts


def describe_reject(source: Source, line: int, record: Any, reason: str, job: Job) -> Dict[str, Any]:
    reject: Dict[str, Any] = {"file": source.name, READERS[source.format].unit.lower(): line, "reason": reason}
    id_column = job.records.id_column or "id"
    id_ = look_up(record, id_column) if isinstance(record, Mapping) and has_field(record, id_column) else None
    if isinstance(id_, (str, int)):
        reject["id"] = id_
    return {name: escaped(value) for name, value in reject.items()}


def escaped(value: Any) -> Any:
    """A string as UTF-8 can hold it: ? stands for a lone surrogate."""
    return value.encode("utf8", "replace").decode("utf8") if isinstance(value, str) else value


def count(records: Sequence[AnnotatedRecord], job: Job) -> Dict[str, Any]:
    counts: Dict[str, Any] = {"n_records": len(records), "n_characters": sum(len(record.text) for record in records)}
    entities = [entity for record in records for entity in record.entities]
    counts["n_entities"] = len(entities)
    counts["labels"] = dict(Counter(entity.label for entity in entities).most_common())
    names = Counter((entity.label, entity.text) for entity in entities)
    most = sorted(names.items(), key=lambda item: (-item[1], item[0]))[:N_NAMES_KEPT]
    counts["names"] = [[*name, n] for name, n in most]
    if job.with_sample:
        found = [record for record in records if record.entities]
        step = max(1, len(found) // N_SAMPLED)
        counts["sample"] = [sampled(record) for record in found[::step][:N_SAMPLED]]
    return counts


def sampled(record: AnnotatedRecord) -> Dict[str, Any]:
    """A text, or its beginning, for the page."""
    end = min(len(record.text), SAMPLED_CHARACTERS)
    end = max([end, *(entity.end for entity in record.entities if entity.start < end < entity.end)])
    ents = [entity._asdict() for entity in record.entities if entity.end <= end]
    keys = ("start", "end", "label")
    text = record.text[:end] + " …" * (end < len(record.text))
    return {"text": text, "ents": [{key: ent[key] for key in keys} for ent in ents]}


# In a process of their own

_nlp: Optional[Language] = None
_job: Optional[Job] = None
_error: Optional[Exception] = None


def start_worker(job: Job) -> None:
    """Load the pipeline once; end with the process that began this one, however that ends."""
    import multiprocessing
    import signal

    global _nlp, _job, _error
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process hears it, too
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    try:
        _nlp, _job = prepare(job)
    except (OSError, ValueError, ImportError) as error:
        _error = error


def work(chunk: Chunk) -> Dict[str, Any]:
    if _error is not None:
        raise _error
    assert _nlp is not None and _job is not None
    return do_chunk(_nlp, _job, chunk)
