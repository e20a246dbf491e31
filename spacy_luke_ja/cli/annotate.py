"""Files of texts in, the same with entities out: chunk by chunk, and on from there after a kill."""

from pathlib import Path
from typing import TYPE_CHECKING, List, Optional

from typer import Argument, Exit, Option

from . import app

if TYPE_CHECKING:
    from ..annotation.run import Result

HAS_REJECTS, INTERRUPTED = 3, 130


@app.command("annotate")
def annotate_cli(
    inputs: List[str] = Argument(
        ...,
        metavar="INPUT...",
        help="Files, folders, patterns, or - for stdin: .txt, .jsonl, .csv, .tsv, .parquet, .json, .spacy; .gz, .zst, "
        ".bz2, .xz may follow",
    ),
    output: Path = Argument(
        ..., help="A file: .jsonl, .parquet, .csv, .tsv, .spacy, .conll, .json (Label Studio); .gz or .zst may follow"
    ),
    model: str = Option("ja_luke_ner_sm", "--model", "-m", help="A pipeline or a checkpoint"),
    text_column: str = Option("text", "--text-column", help="The field or column with the text"),
    id_column: Optional[str] = Option(None, "--id-column", help="A field that each record must have"),
    entities_column: str = Option("entities", "--entities-column", help="The field that entities get"),
    with_source: bool = Option(False, "--with-source", help="Add source_file and source_line to each record"),
    input_format: str = Option(
        "", "--input-format", help="lines, file, jsonl, json, csv, tsv, parquet, docbin; default: by the names' endings"
    ),
    output_format: str = Option(
        "",
        "--output-format",
        help="jsonl, parquet, csv, tsv, docbin, conll, label-studio, doccano; default: by the name's ending",
    ),
    text_per: str = Option("line", "--text-per", help="line or file: what one text is in plain text"),
    encoding: str = Option(
        "utf-8",
        "--encoding",
        help="Of text files; cp932 for those of Japanese Windows; auto: UTF-8 or cp932, by each file",
    ),
    delimiter: str = Option(
        "", "--delimiter", help="Between the cells of tables, or tab; default: by the names' endings"
    ),
    questions: List[str] = Option(
        [], "--qa-question", help="A question to ask of each text, by luke_qa; may be given several times"
    ),
    label_map: Optional[str] = Option(None, "--label-map", help="Other names for the labels: ontonotes …"),
    threshold: Optional[float] = Option(None, "--threshold", help="luke_ner's least score; default: the pipeline's"),
    min_score: float = Option(0.0, "--min-score", help="The least score of what is written"),
    batch_size: Optional[int] = Option(None, "--batch-size", help="Texts at once; default: the pipeline's"),
    n_process: int = Option(1, "--n-process", help="Processes, each with a pipeline; they share the cores"),
    engine: str = Option("local", "--engine", help="local: this machine; ray: the actors of a Ray cluster"),
    concurrency: Optional[int] = Option(
        None, "--concurrency", help="Actors of --engine ray, each with a pipeline; default: as many as cores or GPUs"
    ),
    use_gpu: int = Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
    html: Optional[Path] = Option(None, "--html", help="Write a page of a sample, in displaCy's colours"),
    stats: bool = Option(False, "--stats", help="Print entities per label, the most frequent names and the rate"),
    chunk_size: int = Option(
        1024, "--chunk-size", help="KiB of input that are done and kept together; memory grows with it"
    ),
    overwrite: bool = Option(False, "--overwrite", help="Replace OUTPUT, and an unfinished run that was another"),
    code_path: Optional[Path] = Option(None, "--code", "-c", help="A Python file with registered functions to import"),
) -> None:
    """Write the entities of all texts of INPUT to OUTPUT, with all other fields, in order.

    What is done is kept in OUTPUT.parts until all is: the same command goes on after a kill. Records that cannot be
    annotated go to OUTPUT.rejects.jsonl, with the reason; the exit code is then 3.
    """
    from wasabi import msg

    from ..annotation.run import AnnotateSettings, Result, annotate_files
    from ..text.messages import count
    from ..training.outputs import file_for

    settings = AnnotateSettings(
        model=model,
        text_column=text_column,
        id_column=id_column,
        entities_column=entities_column,
        with_source=with_source,
        input_format=input_format,
        output_format=output_format,
        text_per=text_per,
        encoding=encoding,
        delimiter=delimiter,
        questions=tuple(questions),
        label_map=label_map,
        threshold=threshold,
        min_score=min_score,
        batch_size=batch_size,
        n_process=n_process,
        engine=engine,
        concurrency=concurrency,
        gpu_id=use_gpu,
        chunk_bytes=chunk_size * 1024,
        code=code_path,
        with_sample=html is not None,
        overwrite=overwrite,
    )

    def report(result: Result) -> None:
        if html is not None:
            write_page(result, html)
        if stats:
            print_statistics(result)

    try:
        if html is not None:
            file_for(html, "page", inputs=(*inputs, output, model), needs_parent=True)
        result = annotate_files(inputs, output, settings, other_outputs=[] if html is None else [html], report=report)
    except (OSError, ValueError, ImportError) as error:
        msg.fail(str(error))
        raise Exit(1) from error
    except KeyboardInterrupt:
        msg.fail(f"Stopped. What is done is in {output}.parts; the same command goes on")
        raise Exit(INTERRUPTED) from None
    for note in result.notes:
        msg.warn(note)
    if result.n_records:
        msg.good(f"Wrote {count(result.n_records, 'record')} to {output}")
    elif result.is_written:
        msg.warn(f"There are no records in the inputs, and none in {output}")
    else:
        msg.warn(
            f"Nothing was written to {output}, because no record could be annotated; the next run may use that name"
        )
    if result.n_rejects:
        msg.warn(
            f"{count(result.n_rejects, 'record')} could not be annotated; {output}.rejects.jsonl says why. "
            f"The first is {result.first_reject}"
        )
        raise Exit(HAS_REJECTS)


def write_page(result: "Result", path: Path) -> None:
    from ..annotation.reports import choose_sample, draw_page
    from ..training.directories import replace_file

    page = draw_page(choose_sample(result.counts(), result.n_chunks))
    replace_file(path, lambda own: own.write_text(page, encoding="utf8"))


def print_statistics(result: "Result") -> None:
    from wasabi import msg

    from ..annotation.reports import add_up
    from ..text.messages import count
    from .tables import print_table

    found = add_up(result.counts())
    n_texts, n_characters = count(found.n_records, "text"), count(found.n_characters, "character")
    print(f"{count(found.n_entities, 'entity')} in {n_texts} of {n_characters}")
    if found.labels:
        msg.divider("Entities")
        print_table(("label", "entities"), [(label, f"{n:,}") for label, n in found.labels])
        msg.divider("Most frequent names")
        print_table(("name", "entities"), [(f"{text} ({label})", f"{n:,}") for label, text, n in found.names])
    if result.n_characters:
        print(f"{result.n_characters / result.seconds:,.0f} characters a second, loading included")
