"""A pipeline and annotated texts in, the same pipeline with scores that are probabilities out."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Tuple

from spacy.cli._util import import_code, setup_gpu
from typer import Argument, Exit, Option

from . import app

if TYPE_CHECKING:
    import numpy as np

    from ..text.ner import FoundEntity


@app.command("calibrate")
def calibrate_cli(
    pipeline: str = Argument(..., help="A pipeline (directory or package) or a checkpoint"),
    data_path: Path = Argument(..., help="Annotated texts that it was not trained on: .spacy, .jsonl or .conll"),
    output_path: Path = Argument(..., help="Directory for the pipeline; a pipeline there is replaced"),
    component: Optional[str] = Option(None, "--component", help="Which luke_ner, where the pipeline has several"),
    label_map: str = Option(
        "", "--label-map", help="Rename gold and found labels: ontonotes, ene, irex, conll, presidio, stockmark"
    ),
    on_bad_record: str = Option("raise", "--on-bad-record", help='"raise", or "skip" with a warning'),
    code_path: Optional[Path] = Option(None, "--code", "-c", help="A Python file with registered functions to import"),
    use_gpu: int = Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Set luke_ner's temperature so that of the entities with a score of 0.8, 80 % are right.

    One temperature, by the least log loss over all entities found, those below the threshold too. Which entities are
    found does not depend on it; what a threshold leaves of them does. The pipeline keeps the temperature that it has
    where the new one makes the expected calibration error no less.
    """
    from wasabi import msg

    from ..corpora.formats import read_records
    from ..corpora.inspection import count_labels
    from ..evaluation.calibration import LOG_TEMPERATURES, fit_temperature
    from ..evaluation.measures import calibration_of
    from ..evaluation.pipelines import find_component, load_pipeline
    from ..evaluation.run import describe_unmarked, judge_entities
    from ..label_maps import get_label_map
    from ..text.ner import score_entities
    from ..training.directories import replace_directory
    from ..training.outputs import directory_for_pipeline, find_foreign_in_pipeline
    from .tables import warnings_as_messages

    import_code(code_path)
    try:
        renamed = get_label_map(label_map, setting="--label-map") if label_map else {}
        setup_gpu(use_gpu, silent=True)
        directory_for_pipeline(output_path, inputs=(pipeline, data_path, code_path))
        nlp = load_pipeline(pipeline)
        name = find_component(nlp, component)
        luke_ner: Any = nlp.get_pipe(name)
        with warnings_as_messages():
            read = list(read_records(data_path, on_bad_record=on_bad_record, setting="--on-bad-record"))
        records = [record.renamed(renamed) for record in read]
        entities, correct = judge_entities(
            nlp,
            name,
            [(record.text, record.char_spans) for record in records],
            labels=[record.annotated_labels for record in records],
            label_map=renamed,
        )
        before, after = luke_ner.score_temperature, round(fit_temperature(entities, correct), 4)
        errors = [calibration_of(score_entities(entities, temperature=t), correct)["ece"] for t in (before, after)]
        is_better = errors[1] < errors[0]
        if is_better:
            luke_ner.temperature = after
        replace_directory(output_path, nlp.to_disk, find_foreign=find_foreign_in_pipeline)
    except (OSError, ValueError) as error:
        msg.fail(str(error))
        raise Exit(1) from error
    unmarked = describe_unmarked([entity.label for entity in entities], count_labels(records))
    if unmarked:
        msg.warn(unmarked)
    print(f"{len(correct)} entities found, {int(correct.sum())} of them right to the character")
    print_comparison(entities, correct, before, after)
    if min(abs(math.log(after) - end) for end in LOG_TEMPERATURES) < 0.01:
        msg.warn(f"{after} is as far as the search goes: these texts say too little of how sure to be")
    if not is_better and after != before:
        msg.warn(
            f"The temperature that was found, {after}, takes the expected calibration error from {errors[0]:.4f} to "
            f"{errors[1]:.4f}: the pipeline keeps {before:.4g}"
        )
    if luke_ner.threshold and is_better:
        threshold = luke_ner.threshold if isinstance(luke_ner.threshold, float) else dict(luke_ner.threshold)
        msg.warn(f"The threshold, {threshold}, is of the new scores from now on: choose it again")
    kept = f"with temperature = {after}" if is_better else f"with the temperature that it had, {before:.4g}"
    msg.good(f"Wrote the pipeline to {output_path}, {kept}")


def print_comparison(entities: List["FoundEntity"], correct: "np.ndarray", before: float, after: float) -> None:
    from ..evaluation.calibration import log_loss
    from ..evaluation.measures import calibration_of
    from ..text.ner import score_entities
    from .tables import print_table

    rows: List[Tuple[str, ...]] = [("temperature", f"{before:.4g}", f"{after:.4g}")]
    scores = [score_entities(entities, temperature=temperature) for temperature in (before, after)]
    for title, measure in (
        ("expected calibration error", lambda s: calibration_of(s, correct)["ece"]),
        ("log loss", lambda s: log_loss(s, correct)),
        ("mean score", lambda s: s.mean()),
    ):
        rows.append((title, *(f"{measure(side):.3f}" for side in scores)))
    print_table(("", "before", "after"), rows)
