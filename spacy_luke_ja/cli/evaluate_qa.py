"""A pipeline, and questions with their right answers in, its metrics and what it answered out."""

import json
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from spacy.cli._util import import_code, setup_gpu
from typer import Argument, Exit, Option

from . import app

if TYPE_CHECKING:
    from spacy.language import Language

    from ..evaluation.qa import GoldQuestion


@app.command("evaluate-qa")
def evaluate_qa_cli(
    pipeline: str = Argument(..., help="A pipeline (directory or package) with a luke_qa, or a checkpoint for it"),
    data_path: Path = Argument(..., help="Questions: a file in SQuAD's format, or a DocBin, .spacy, with gold answers"),
    output_path: Path = Argument(..., help="Directory for metrics.json and answers.jsonl"),
    component: Optional[str] = Option(None, "--component", help="Which luke_qa, where the pipeline has several"),
    pipeline_output: Optional[Path] = Option(
        None, "--pipeline-output", help="Directory for the pipeline with the best null_threshold; one there is replaced"
    ),
    limit: int = Option(0, "--limit", min=0, help="How many questions to ask, from the first; 0 asks all"),
    on_bad_record: str = Option("raise", "--on-bad-record", help='"raise", or "skip" with a warning'),
    code_path: Optional[Path] = Option(None, "--code", "-c", help="A Python file with registered functions to import"),
    use_gpu: int = Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Score answers as JSQuAD does: exact match, and F1 over characters; and find the null_threshold of the best F1."""
    from wasabi import msg

    from ..evaluation.pipelines import find_component, load_pipeline, size_on_disk
    from ..evaluation.qa import evaluate_answers, write_answers
    from ..training.directories import replace_directory, replace_file
    from ..training.outputs import directory_for_files, directory_for_pipeline, find_foreign_in_pipeline

    import_code(code_path)
    try:
        setup_gpu(use_gpu, silent=True)
        directory_for_files(output_path, ("metrics.json", "answers.jsonl"), inputs=(pipeline, data_path, code_path))
        if pipeline_output is not None:
            directory_for_pipeline(pipeline_output, inputs=(pipeline, data_path, code_path, output_path))
        output_path.mkdir(parents=True, exist_ok=True)
        questions = read_questions(data_path, on_bad_record)[: limit or None]
        started = time.perf_counter()
        nlp = load_pipeline(pipeline, factory="luke_qa")
        load_seconds = time.perf_counter() - started
        name = find_component(nlp, component, ("luke_qa",))
        metrics, answers = evaluate_answers(nlp, name, questions)
        metrics["data"] = data_path.name
        metrics["load_seconds"] = load_seconds
        metrics["size"] = size_on_disk(nlp, pipeline)
        content = json.dumps(metrics, ensure_ascii=False, indent=2)
        replace_file(output_path / "metrics.json", lambda path: path.write_text(content, encoding="utf8"))
        replace_file(output_path / "answers.jsonl", lambda path: write_answers(path, answers))
        if pipeline_output is not None:
            set_threshold(nlp, name, metrics["best_null_threshold"])
            replace_directory(pipeline_output, nlp.to_disk, find_foreign=find_foreign_in_pipeline)
    except (OSError, ValueError) as error:
        msg.fail(str(error))
        raise Exit(1) from error
    print_metrics(metrics)
    for id_, message in list(metrics["not_asked"].items())[:5]:
        msg.warn(f"{id_}: {message}")
    if metrics["not_asked"]:
        msg.warn(f"{len(metrics['not_asked'])} questions could not be asked, and count as not answered")
    msg.good(f"Wrote metrics.json and answers.jsonl to {output_path}")
    if pipeline_output is not None:
        best = metrics["best_null_threshold"]
        msg.good(f"Wrote the pipeline to {pipeline_output}, with null_threshold = {best:.4g}")


def set_threshold(nlp: "Language", name: str, best: Optional[float]) -> None:
    if best is None:
        raise ValueError(
            "--pipeline-output needs questions without an answer to choose null_threshold by; there is none"
        )
    luke_qa: Any = nlp.get_pipe(name)
    luke_qa.null_threshold = best


def read_questions(path: Path, on_bad_record: str) -> "List[GoldQuestion]":
    from ..corpora.qa import read_paragraphs
    from ..evaluation.qa import GoldQuestion
    from .tables import print_warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        paragraphs = list(read_paragraphs(path, on_bad_record=on_bad_record, setting="--on-bad-record"))
    print_warnings(caught)
    return [
        GoldQuestion(question.id, paragraph.text, question.text, question.answers)
        for paragraph in paragraphs
        for question in paragraph.questions
    ]


def print_metrics(metrics: Dict[str, Any]) -> None:
    from .evaluate import number
    from .tables import print_table

    rows = []
    for name in ("all", "answerable", "unanswerable"):
        block = metrics[name]
        scores = (number(block[key]) for key in ("exact_match", "f1", "jaquad_exact_match", "jaquad_f1"))
        rows.append((name, *scores, str(block["n"])))
    print_table(("", "exact match", "F1", "JaQuAD's EM", "JaQuAD's F1", "questions"), rows)
    for name, counted in metrics["counted"].items():
        print(f"{name}: {counted}.")
    print(f"{metrics['questions_per_second']:.1f} questions a second")
    if metrics["best_null_threshold"] is None:
        print("The text answers every question: what null_threshold should be cannot be said.")
    else:
        best, scores = metrics["best_null_threshold"], metrics["all_at_best"]
        print(
            f"null_threshold is {metrics['null_threshold']:.4g}; best is {best:.4g}: exact match "
            f"{number(scores['exact_match'])}, F1 {number(scores['f1'])}"
        )
