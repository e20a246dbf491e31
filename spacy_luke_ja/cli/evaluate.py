"""A pipeline and annotated texts in, its metrics and what it found out."""

import json
import time
from pathlib import Path
from typing import Any, Dict, Optional

from spacy.cli._util import import_code, setup_gpu
from typer import Argument, Exit, Option

from . import app


@app.command("evaluate")
def evaluate_cli(
    pipeline: str = Argument(..., help="A pipeline (directory or package) or a checkpoint"),
    data_path: Path = Argument(..., help="Annotated texts: .spacy, .jsonl or .conll"),
    output_path: Path = Argument(..., help="Directory for metrics.json and texts.jsonl"),
    seed: int = Option(0, "--seed", help="Of the bootstrap"),
    label_map: str = Option(
        "", "--label-map", help="Rename gold and found labels: ontonotes, ene, irex, conll, presidio, stockmark"
    ),
    on_bad_record: str = Option("raise", "--on-bad-record", help='"raise", or "skip" with a warning'),
    code_path: Optional[Path] = Option(None, "--code", "-c", help="A Python file with registered functions to import"),
    use_gpu: int = Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Score exact characters, tokens and as model cards do, with intervals, errors by kind and calibration."""
    from wasabi import msg

    from ..corpora.formats import read_records
    from ..corpora.ner import example_of
    from ..evaluation.ner import evaluate
    from ..evaluation.pipelines import fingerprint, load_pipeline, size_on_disk
    from ..evaluation.run import describe_unmarked
    from ..evaluation.texts import write_texts
    from ..label_maps import get_label_map
    from ..training.directories import replace_file
    from ..training.outputs import directory_for_files
    from .tables import warnings_as_messages

    import_code(code_path)
    try:
        renamed = get_label_map(label_map, setting="--label-map") if label_map else {}
        setup_gpu(use_gpu, silent=True)
        directory_for_files(output_path, ("metrics.json", "texts.jsonl"), inputs=(pipeline, data_path, code_path))
        output_path.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        nlp = load_pipeline(pipeline)
        load_seconds = time.perf_counter() - started
        with warnings_as_messages():
            records = read_records(data_path, on_bad_record=on_bad_record, setting="--on-bad-record")
            examples = [example_of(nlp, record) for record in records]
        metrics, texts = evaluate(nlp, examples, seed=seed, label_map=renamed)
        metrics["data"] = data_path.name
        metrics["label_map"] = label_map or None
        metrics["load_seconds"] = load_seconds
        metrics["size"] = size_on_disk(nlp, pipeline)
        if nlp.path is not None and (nlp.path / "config.cfg").is_file():
            metrics["pipeline"]["fingerprint"] = fingerprint(nlp.path)
        content = json.dumps(metrics, ensure_ascii=False, indent=2)
        replace_file(output_path / "metrics.json", lambda path: path.write_text(content, encoding="utf8"))
        replace_file(output_path / "texts.jsonl", lambda path: write_texts(path, texts))
    except (OSError, ValueError) as error:
        msg.fail(str(error))
        raise Exit(1) from error
    print_metrics(metrics)
    gold = {span.label for text in texts for span in text.gold}
    found = [span.label for text in texts for span in text.found]
    unmarked = describe_unmarked(found, gold)
    if gold and found and not gold & {*found}:
        labels = [", ".join(sorted({*side})) for side in (found, gold)]
        msg.warn(
            f"No label of the pipeline stands in the data: it finds {labels[0]}, the data has {labels[1]}; --label-map "
            "renames both"
        )
    elif unmarked:
        msg.warn(unmarked)
    if gold and not found:
        msg.warn(
            f"The pipeline found no entity; its components are {', '.join(nlp.pipe_names) or 'none'}. "
            "Answers of luke_qa are scored by evaluate-qa"
        )
    msg.good(f"Wrote metrics.json and texts.jsonl to {output_path}")
    print(f"As a page: python -m spacy luke report {output_path}/metrics.json {output_path}/texts.jsonl report.html")


def print_metrics(metrics: Dict[str, Any]) -> None:
    from wasabi import msg

    from .tables import print_table

    counted = metrics["counted"]
    print(f"{metrics['n_texts']} texts with {metrics['n_entities']} entities")
    msg.divider("Exact characters")
    print(f"Counted: {counted['characters']}.")
    print_report(metrics["characters"])
    micro = metrics["characters"]["intervals"]["micro"]
    intervals = ", ".join(f"{name} {low:.3f}–{high:.3f}" for name, (low, high) in zip(("P", "R", "F1"), micro.values()))
    print(f"95 % intervals by bootstrap over texts, micro: {intervals}")
    msg.divider("Other ways to count")
    rows = [("tokens", *(number(metrics["tokens"]["micro"][key]) for key in "prf"))]
    if metrics["seqeval"]:
        rows.append(("seqeval", *(number(metrics["seqeval"]["micro"][key]) for key in "prf")))
    if metrics["seqeval_prefixless"]:
        rows.append(("seqeval_prefixless", "", "", number(metrics["seqeval_prefixless"]["f"])))
    print_table(("micro", "P", "R", "F1"), rows)
    for name, *_ in rows:
        print(f"{name}: {counted[name]}.")
    if not metrics["seqeval"]:
        print("As model cards count: needs a luke_ner or luke_span_ner in the pipeline, and pip install seqeval")
    errors = ", ".join(f"{n} {kind}" for kind, n in metrics["errors"].items())
    print(f"Entities, gold or found: {errors}")
    if metrics["calibration"]:
        print(f"Expected calibration error of the scores: {metrics['calibration']['ece']:.3f}")
    print(f"{metrics['texts_per_second']:.0f} texts a second")


def number(score: Optional[float]) -> str:
    return "–" if score is None else f"{score:.3f}"


def print_report(table: Dict[str, Any]) -> None:
    """In the layout of scikit-learn's classification_report, as the model cards have it."""
    from .tables import pad

    width = 18
    print(f"{'':{width}} precision    recall  f1-score   support\n")
    averages = {f"{name} avg": table[name] for name in ("micro", "macro", "weighted")}
    for name, row in {**table["labels"], **averages}.items():
        if name == "micro avg":
            print()
        print(f"{pad(name, width)} {row['p']:9.3f} {row['r']:9.3f} {row['f']:9.3f} {row['support']:9d}")
    print()
