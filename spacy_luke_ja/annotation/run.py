"""Inputs and settings in; OUTPUT, its rejects and what was counted out; what is done is not done again after a kill."""

import os
import shutil
import sys
import time
import warnings
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ..corpora.files import ending_of, packing_of
from ..text.messages import count
from ..training.directories import lock_directory
from ..training.outputs import OutputRefused, follow_links
from . import parquet, progress
from .checks import check_fields, check_names
from .chunks import Chunk, plan_chunks
from .encodings import encoding_of
from .progress import Progress
from .ray_engine import do_in_actors
from .readers import TEXT_FORMATS, ReadSettings, check_source
from .records import RecordSettings
from .settings import CHUNK_RECORDS, AnnotateSettings, check_settings, delimiter_in, described, named_label_map
from .sources import STDIN, Source, find_sources, format_of_stream, is_stream
from .work import Job, PipelineSettings, do_chunk, prepare, start_worker, work
from .writers import PLACE_COLUMNS, WRITERS, WriteSettings, choose_writer

N_WARNINGS = 20
REJECTS = ".rejects.jsonl"


@dataclass(frozen=True)
class Result:
    """
    counts: of each chunk, in order.
    n_characters, seconds: of this run alone; what was done before is in counts.
    is_written: whether there is an output: not where all records were rejected.
    first_reject: file, line or row, and reason of a record that could not be annotated; "" where all were.
    """

    counts: Callable[[], Iterator[Dict[str, Any]]]
    n_records: int
    n_rejects: int
    n_characters: int
    seconds: float
    notes: Sequence[str]
    n_chunks: int
    is_written: bool
    first_reject: str = ""


def annotate_files(
    inputs: Sequence[str],
    output: Path,
    settings: Optional[AnnotateSettings] = None,
    *,
    other_outputs: Sequence[Path] = (),
    report: Callable[[Result], None] = lambda result: None,
    stdin: Optional[IO[bytes]] = None,
    stderr: Optional[IO[str]] = None,
) -> Result:
    """Annotate files chunk by chunk, and put the whole at `output` once all is done.

    other_outputs: places that the caller writes to, which are no inputs. report: called before OUTPUT.parts goes.
    Raises a ValueError or an OSError; what was done stays in OUTPUT.parts, and the same call goes on from there.
    """
    settings = settings or AnnotateSettings()
    writer = choose_writer(output, settings.output_format)
    place = follow_links(output)
    rejects = place.with_name(place.name + REJECTS)
    parts = progress.parts_of(place)
    check_settings(settings, inputs, output)
    records = record_settings(settings, writer)
    check_outputs(output, place, rejects, parts, settings, inputs)
    with progress.parts_directory(parts, output):
        with lock_directory(parts, "annotation"):
            progress.check_parts(parts)
            state = Progress(parts, ending_of(place))
            outputs = [place, parts, rejects, *other_outputs]
            sources, notes = open_sources(inputs, settings, state, outputs=outputs, stdin=stdin)
            reading = ReadSettings(settings.text_column, settings.encoding, delimiter_in(settings.delimiter))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what there is to say of lines is said when they are annotated
                for i, source in enumerate(sources):
                    if source.format in TEXT_FORMATS:
                        source = sources[i] = replace(source, encoding=encoding_of(source, settings.encoding))
                    check_source(source, reading.of(source), records)
                    check_fields(source, reading.of(source), settings.id_column)
                    check_names(source, reading.of(source), writer, records, with_source=settings.with_source)
            run = progress.describe_run(described(settings, writer), [(each.name, each.path) for each in sources])
            begin(state, run, settings)
            sources = [replace(each, path=state.spool) if each.name == STDIN else each for each in sources]
            job = make_job(settings, sources, reading, records, writer, place, state)
            started, n_characters = time.perf_counter(), 0
            if not (parts / progress.DONE).exists():
                done = set(state.finished())
                numbers: List[int] = []
                n_before = 0
                with show_bar(sources, stderr) as bar:
                    for chunk, counts in do_all(job, done, settings):
                        numbers.append(chunk.number)
                        if counts is None:
                            n_before += chunk.share
                            bar.initial = n_before
                        else:
                            n_characters += counts["n_characters"]
                            rate = n_characters / (time.perf_counter() - started)
                            bar.set_postfix_str(f"{rate:,.0f} characters/s", refresh=False)
                        bar.update(chunk.share)
                join = WRITERS[writer].join
                progress.join_parts(state, lambda paths, to: join(paths, to, job.writing), sorted(numbers), run)
            is_written = progress.put_in_place(state, place, rejects, overwrite=settings.overwrite)
            result = sum_up(state, is_written, n_characters, time.perf_counter() - started, notes)
            report(result)
            progress.remove_parts(parts, but=(progress.DONE,))
        (parts / progress.DONE).unlink(missing_ok=True)  # last of all, after the lock
    return result


# Outputs


def check_outputs(
    output: Path, place: Path, rejects: Path, parts: Path, settings: AnnotateSettings, inputs: Sequence[str]
) -> None:
    """Raise OutputRefused where something would be lost."""
    if place.is_dir():
        raise OutputRefused(f"{output} must be a file to write, and there is a directory; name a file in it")
    if place.exists() and not place.is_file():
        raise OutputRefused(f"{output} must be a plain file, because what is done is kept beside it")
    if not place.parent.is_dir():
        raise OutputRefused(f"{output} cannot be written: there is no directory {output.parent}")
    for name in (settings.model, *inputs):
        if os.path.isfile(name) and place.exists() and os.path.samefile(name, place):
            raise OutputRefused(f"{output} would be overwritten, and is what the command reads ({name})")
    if (Path(settings.model) / "config.cfg").is_file() and Path(settings.model).resolve() in place.parents:
        raise OutputRefused(f"{output} lies in the pipeline ({settings.model}); name a place outside of it")
    progress.remove_empty(parts)  # of a run that was killed at its very end
    if not settings.overwrite:
        refuse_existing(output, place, rejects, parts)


def refuse_existing(output: Path, place: Path, rejects: Path, parts: Path) -> None:
    if (parts / progress.DONE).exists():
        return  # it may be what was put there; put_in_place looks
    for path in (place, rejects):
        if path.exists() and not (path == rejects and not place.exists() and progress.are_rejects(path)):
            shown = output if path == place else path
            raise OutputRefused(f"{shown} is there already; give another output, or --overwrite to replace it")


# Inputs


def open_sources(
    inputs: Sequence[str],
    settings: AnnotateSettings,
    state: Progress,
    *,
    outputs: Sequence[Path],
    stdin: Optional[IO[bytes]],
) -> Tuple[List[Source], List[str]]:
    streams = [given for given in inputs if is_stream(given)]
    if not streams:
        return find_sources(inputs, format=settings.input_format, text_per=settings.text_per, outputs=outputs)
    if len(inputs) > 1:
        raise ValueError(f"{streams[0]} can be read only once, and must be the only input; got {', '.join(inputs)}")
    return [spool(streams[0], settings, state, stdin)], []


def spool(given: str, settings: AnnotateSettings, state: Progress, stdin: Optional[IO[bytes]]) -> Source:
    """Copy what can be read only once to a file beside the output."""
    path = state.spool.with_name(state.spool.name + ".tmp")
    stream: Any = (stdin or sys.stdin.buffer) if given == STDIN else open(given, "rb")
    with progress.writing(path), path.open("wb") as file_:
        shutil.copyfileobj(stream, file_, progress.READ_AT_ONCE)
    with path.open("rb") as file_:
        start = file_.read(1024)
    packing = packing_of(start)
    format = settings.input_format or ("" if packing else format_of_stream(start, None))
    if not format:
        raise ValueError(f"what {given} gives is packed with {packing}; --input-format must say what it is")
    if format == "lines" and settings.text_per == "file":
        format = "file"
    return Source(path, STDIN, format, packing, path.stat().st_size)


def begin(state: Progress, run: Mapping[str, Any], settings: AnnotateSettings) -> None:
    """Go on with the run that was begun, or begin one; raises OutputRefused where another was begun."""
    known = progress.read_json(state.path / progress.RUN) or progress.read_json(state.path / progress.DONE)
    if known is not None:
        try:
            progress.check_same_run(state.path, known, run)
        except OutputRefused:
            if not settings.overwrite:
                raise
            progress.remove_parts(state.path, but=(state.spool.name + ".tmp",))
            known = None
    temporary = state.spool.with_name(state.spool.name + ".tmp")
    if temporary.exists():
        os.replace(temporary, state.spool)
    if known is None:
        progress.write_json(state.path / progress.RUN, run)


# Work


def make_job(
    settings: AnnotateSettings,
    sources: Sequence[Source],
    reading: ReadSettings,
    records: RecordSettings,
    writer: str,
    place: Path,
    state: Progress,
) -> Job:
    n_threads = max(1, n_cores() // settings.n_process) if settings.n_process > 1 else 0
    types: Dict[str, Any] = {}
    metadata: List[Dict[bytes, bytes]] = []
    if writer == "parquet":
        for source in sources:
            if source.format == "parquet":
                types = {**parquet.types_of_parquet(source.path), **types}
            metadata.append(parquet.metadata_of_parquet(source.path) if source.format == "parquet" else {})
    agreed = metadata[0].items() if metadata else ()
    has_place = set(PLACE_COLUMNS) <= set(WRITERS[writer].names)
    suffix = place.suffix.lower()
    writing = WriteSettings(
        records,
        model=settings.model,
        as_lines=ending_of(place) != ".json",
        packed=suffix if suffix in (".gz", ".zst") else "",
        types=types,
        metadata={key: value for key, value in agreed if all(own.get(key) == value for own in metadata)},
    )
    pipeline = PipelineSettings(
        settings.model, settings.code, settings.threshold, settings.questions, settings.gpu_id, n_threads
    )
    return Job(
        sources,
        reading,
        pipeline,
        records,
        writing,
        writer,
        state,
        settings.with_sample,
        settings.with_source and not has_place,
        settings.chunk_bytes,
    )


def record_settings(settings: AnnotateSettings, writer: str) -> RecordSettings:
    return RecordSettings(
        text_column=settings.text_column,
        id_column=settings.id_column,
        entities_column=settings.entities_column,
        label_map=named_label_map(settings.label_map),
        min_score=settings.min_score,
        with_answers=bool(settings.questions),
        batch_size=settings.batch_size,
        keep_docs=WRITERS[writer].needs_docs,
    )


def n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def do_all(job: Job, done: Any, settings: AnnotateSettings) -> Iterator[Tuple[Chunk, Optional[Dict[str, Any]]]]:
    """RETURNS: each chunk with what was counted, as it is done; None for one that was done before."""
    chunks = plan_chunks(job.sources, job.reading, chunk_bytes=job.chunk_bytes, chunk_records=CHUNK_RECORDS)
    with closing(chunks):  # type: ignore[type-var]
        if settings.engine == "ray":
            yield from do_in_actors(job, chunks, done, settings.concurrency)
            return
        if settings.n_process > 1:
            yield from do_in_processes(job, chunks, done, settings.n_process)
            return
        ready = None
        for chunk in chunks:
            if chunk.number in done:
                yield chunk, None
            else:
                ready = ready or prepare(job)
                yield chunk, do_chunk(*ready, chunk)


def do_in_processes(
    job: Job, chunks: Iterator[Chunk], done: Any, n_process: int
) -> Iterator[Tuple[Chunk, Optional[Dict[str, Any]]]]:
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(n_process, mp_context=context, initializer=start_worker, initargs=(job,))
    running: Dict[Future, Chunk] = {}
    try:
        for chunk in chunks:
            if chunk.number in done:
                yield chunk, None
                continue
            while len(running) >= 2 * n_process:
                yield from finished_of(running)
            running[pool.submit(work, chunk)] = chunk
        while running:
            yield from finished_of(running)
    except BrokenProcessPool as error:
        raise OSError(
            "a process of the pipeline ended before its time: the model could not be loaded, as it says above, or it "
            "was killed, for lack of memory say. What is done is kept; the same command goes on"
        ) from error
    except BaseException:
        for process in list((pool._processes or {}).values()):  # the executor itself would let them finish
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def finished_of(running: Dict[Future, Chunk]) -> Iterator[Tuple[Chunk, Optional[Dict[str, Any]]]]:
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        yield running.pop(future), future.result()


def show_bar(sources: Sequence[Source], stderr: Optional[IO[str]]) -> Any:
    """Bytes of the inputs on disk; where stderr is no terminal there is no bar."""
    from tqdm import tqdm

    total = sum(source.size for source in sources)
    return tqdm(total=total, unit="B", unit_scale=True, disable=None, file=stderr, dynamic_ncols=True, leave=False)


def sum_up(state: Progress, is_written: bool, n_characters: int, seconds: float, notes: Sequence[str]) -> Result:
    numbers = state.finished()

    def counts() -> Iterator[Dict[str, Any]]:
        return (state.read_counts(number) for number in numbers)

    n_records = n_rejects = n_nulls = 0
    warned: Dict[str, None] = {}
    for each in counts():
        n_records, n_rejects = n_records + each["n_records"], n_rejects + each["n_rejects"]
        n_nulls += each.get("n_nulls", 0)
        warned.update(dict.fromkeys(each["warnings"]))
    said = [*notes, *list(warned)[:N_WARNINGS]]
    if n_nulls:
        said.append(f"{count(n_nulls, 'number')} (NaN or infinite) of other fields became null, because JSON has none")
    if len(warned) > N_WARNINGS:
        said.append(f"{len(warned) - N_WARNINGS:,} other warnings are left out here")
    first = next((state.first_reject(own) for own in numbers if state.rejects(own).exists()), "")
    return Result(counts, n_records, n_rejects, n_characters, seconds, said, len(numbers), is_written, first)
