"""A pipeline, annotated texts and a precision in; the same pipeline with a threshold per label out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Sequence

from spacy.cli._util import import_code, setup_gpu
from typer import Argument, Exit, Option

from . import app

if TYPE_CHECKING:
    from ..corpora.records import Record
    from ..evaluation.calibration import Threshold

FEW = 20  # entities, of which a share says little


@app.command("threshold")
def threshold_cli(
    pipeline: str = Argument(..., help="A pipeline (directory or package) or a checkpoint"),
    data_path: Path = Argument(..., help="Annotated texts that it was not trained on: .spacy, .jsonl or .conll"),
    output_path: Path = Argument(..., help="Directory for the pipeline; a pipeline there is replaced"),
    precision: float = Option(0.95, "--precision", "-p", help="The share of a label's entities that must be right"),
    component: Optional[str] = Option(None, "--component", help="Which luke_ner, where the pipeline has several"),
    label_map: str = Option(
        "", "--label-map", help="Rename gold and found labels: ontonotes, ene, irex, conll, presidio, stockmark"
    ),
    on_bad_record: str = Option("raise", "--on-bad-record", help='"raise", or "skip" with a warning'),
    code_path: Optional[Path] = Option(None, "--code", "-c", help="A Python file with registered functions to import"),
    use_gpu: int = Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Keep only sure entities: set luke_ner's threshold, label by label, to the least that gives this precision.

    Right is an entity with exact characters and label. A label that no threshold makes so precise gets 1.0, which keeps
    next to nothing of it; one that is not in the texts keeps the threshold that it has. Labels that --label-map makes
    one are measured together, and get one threshold. Calibrate before.
    """
    from wasabi import msg

    from ..corpora.formats import read_records
    from ..evaluation.pipelines import find_component, load_pipeline
    from ..label_maps import get_label_map
    from ..training.directories import replace_directory
    from ..training.outputs import directory_for_pipeline, find_foreign_in_pipeline
    from .tables import warnings_as_messages

    import_code(code_path)
    try:
        renamed = get_label_map(label_map, setting="--label-map") if label_map else {}
        setup_gpu(use_gpu, silent=True)
        if not 0.0 < precision <= 1.0:
            raise ValueError(f"--precision must be above 0 and at most 1, got {precision}")
        directory_for_pipeline(output_path, inputs=(pipeline, data_path, code_path))
        nlp = load_pipeline(pipeline)
        name = find_component(nlp, component)
        luke_ner: Any = nlp.get_pipe(name)
        with warnings_as_messages():
            read = list(read_records(data_path, on_bad_record=on_bad_record, setting="--on-bad-record"))
        records = [record.renamed(renamed) for record in read]
        chosen = choose_thresholds(nlp, name, records, precision, renamed)
        name_of = {label: renamed.get(label, label) for label in luke_ner.labels}
        before = luke_ner.threshold if not isinstance(luke_ner.threshold, float) else None
        old = {label: before.get(label, 0.0) if before is not None else luke_ner.threshold for label in luke_ner.labels}
        new = {label: 1.0 if own.score is None else own.score for label, own in chosen.items()}
        luke_ner.threshold = {label: new.get(name_of[label], old[label]) for label in luke_ner.labels}
        replace_directory(output_path, nlp.to_disk, find_foreign=find_foreign_in_pipeline)
    except (OSError, ValueError) as error:
        msg.fail(str(error))
        raise Exit(1) from error
    print_thresholds(chosen)
    for label, own in chosen.items():
        if own.score is None:
            msg.warn(
                f"{label}: no threshold gives a precision of {precision:g}; {own.precision:.3f} is the best, with a "
                f"recall of {own.recall:.3f}. Its threshold is 1.0"
            )
        elif own.n_found < FEW:
            msg.warn(f"{label}: {own.n_found} entities were found, and so few say little")
    for label in luke_ner.labels:
        if name_of[label] not in chosen:
            msg.warn(f"{label}: the texts have none, or none was found; its threshold stays {old[label]:g}")
    n_labels = sum(own in chosen for own in name_of.values())
    msg.good(f"Wrote the pipeline to {output_path}, with a threshold for each of {n_labels} labels")


def choose_thresholds(
    nlp: Any, name: str, records: Sequence["Record"], precision: float, label_map: Mapping[str, str]
) -> Dict[str, "Threshold"]:
    """
    label_map: of the component's labels; the records have its names already.
    RETURNS: by renamed label, in the component's order; without those that are not in the texts, or not found.
    """
    import numpy as np

    from ..corpora.inspection import count_labels
    from ..evaluation.calibration import choose_threshold
    from ..evaluation.run import judge_entities
    from ..text.ner import score_entities

    luke_ner = nlp.get_pipe(name)
    annotated = [(record.text, record.char_spans) for record in records]
    known = [record.annotated_labels for record in records]
    entities, correct = judge_entities(nlp, name, annotated, labels=known, label_map=label_map)
    scores, n_gold = score_entities(entities, temperature=luke_ner.score_temperature), count_labels(records)
    names = dict.fromkeys(label_map.get(label, label) for label in luke_ner.labels)
    own = {label: np.array([entity.label == label for entity in entities]) for label in names}
    return {
        label: choose_threshold(scores[mask], correct[mask], n_gold=n_gold[label], precision=precision)
        for label, mask in own.items()
        if mask.any() and n_gold[label]
    }


def print_thresholds(chosen: Dict[str, "Threshold"]) -> None:
    from .tables import print_table

    rows = [
        (
            label,
            "1.0" if own.score is None else f"{own.score:.4g}",
            *(("–", "–") if own.score is None else (f"{own.precision:.3f}", f"{own.recall:.3f}")),
            f"{own.full_recall:.3f}",
            f"{0 if own.score is None else own.n_kept} of {own.n_found}",
        )
        for label, own in chosen.items()
    ]
    print_table(("label", "threshold", "precision", "recall", "recall without", "kept"), rows)
