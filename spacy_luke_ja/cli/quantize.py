"""A pipeline in, the same pipeline on OpenVINO out."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Set, Tuple

from spacy.cli._util import import_code
from typer import Argument, Exit, Option

from . import app

if TYPE_CHECKING:
    from spacy.language import Language


@app.command("quantize")
def quantize_cli(
    pipeline: str = Argument(..., help="A pipeline (directory or package) or a checkpoint"),
    output_path: Path = Argument(..., help="Directory for the pipeline; a pipeline there is replaced"),
    precision: str = Option("int8", "--precision", "-p", help="int8, bfloat16 or float32"),
    data_path: Optional[Path] = Option(
        None, "--data", "-d", help="Texts (.spacy, .jsonl, .conll; annotated or not) to compare both pipelines on"
    ),
    component: Optional[str] = Option(None, "--component", help="Which component, where there are several"),
    code_path: Optional[Path] = Option(None, "--code", "-c", help="A Python file with registered functions to import"),
) -> None:
    """Write a pipeline that runs one of our components by OpenVINO, as a rule in eight bits: smaller, and quicker.

    It needs the extra openvino wherever it runs. It does not train: keep the pipeline it was made from.
    """
    import spacy
    from wasabi import msg

    from ..corpora.formats import read_texts
    from ..evaluation.pipelines import choose_component, factory_for, load_pipeline
    from ..training.directories import replace_directory
    from ..training.outputs import directory_for_pipeline, find_foreign_in_pipeline

    import_code(code_path)
    try:
        directory_for_pipeline(output_path, inputs=(pipeline, data_path, code_path))
        texts = list(read_texts(data_path)) if data_path else []
        nlp = load_pipeline(pipeline, factory=factory_for(pipeline))
        name = choose_component(nlp, component, find_runnable(nlp), "component that OpenVINO runs")
        factory = nlp.get_pipe_meta(name).factory
        if texts and factory != "luke_ner":
            how = "by spacy luke evaluate-qa" if factory == "luke_qa" else "by their scores on gold data"
            raise ValueError(f"--data compares entities, which {factory} does not find; compare {how}")
        replace_directory(
            output_path,
            lambda path: write_on_openvino(nlp, name, precision, path),
            find_foreign=find_foreign_in_pipeline,
        )
        quantized = spacy.load(output_path)
    except (OSError, ValueError, ImportError) as error:
        msg.fail(str(error))
        raise Exit(1) from error
    print_comparison(pipeline, nlp, output_path, quantized, texts)
    msg.good(f"Wrote the pipeline to {output_path}")


def find_runnable(nlp: "Language") -> List[str]:
    """RETURNS: the names of our components whose checkpoints OpenVINO may run: of those that need no entities."""
    from ..pipeline.checkpoint_pipe import CheckpointPipe

    pipes = [(name, nlp.get_pipe(name)) for name in nlp.pipe_names]
    return [name for name, pipe in pipes if isinstance(pipe, CheckpointPipe) and not pipe.task.needs_entities]


def write_on_openvino(nlp: "Language", name: str, precision: str, path: Path) -> None:
    """Write a pipeline of which the component of this name runs by OpenVINO, with the same weights."""
    import tempfile

    import spacy

    config = nlp.config.copy()
    model = config["components"][name]["model"]
    settings = {key: model[key] for key in ("name", "revision", "window", "overlap", "max_batch_subwords")}
    architecture = model["@architectures"].replace("-ja.HF", "-ja.OpenVINO")
    config["components"][name]["model"] = {"@architectures": architecture, **settings, "precision": precision}
    with tempfile.TemporaryDirectory() as directory:
        nlp.to_disk(directory)
        config.to_disk(Path(directory) / "config.cfg")
        spacy.load(directory).to_disk(path)


def print_comparison(
    pipeline: str, nlp: "Language", output_path: Path, quantized: "Language", texts: List[str]
) -> None:
    """How the two differ on these texts, if there are any."""
    from ..evaluation.pipelines import directory_size, size_on_disk
    from .tables import print_table

    sizes = (size_on_disk(nlp, pipeline), directory_size(output_path))
    rows: List[Tuple[str, ...]] = [("MB on disk", *(f"{size / 1e6:.1f}" for size in sizes))]
    if texts:
        (before, n_before), (after, n_after) = find_all(nlp, texts), find_all(quantized, texts)
        rows += [
            ("texts/s", f"{n_before:.1f}", f"{n_after:.1f}"),
            ("entities", str(len(before)), str(len(after))),
            ("the other has them too", *(f"{len(before & after) / max(1, len(own)):.2%}" for own in (before, after))),
        ]
    print_table(("", "before", "after"), rows)


def find_all(nlp: "Language", texts: List[str]) -> Tuple[Set[Tuple[int, int, int, str]], float]:
    """RETURNS: the entities by text and characters; texts a second."""
    for _ in nlp.pipe(texts[:8]):  # the first ones load
        pass
    started = time.perf_counter()
    found = {(i, ent.start_char, ent.end_char, ent.label_) for i, doc in enumerate(nlp.pipe(texts)) for ent in doc.ents}
    return found, len(texts) / (time.perf_counter() - started)
