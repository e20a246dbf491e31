"""A pipeline in, a directory that transformers' own pipeline reads out."""

from pathlib import Path
from typing import Optional

from spacy.cli._util import import_code
from typer import Argument, Exit, Option

from . import app


@app.command("export-hf")
def export_hf_cli(
    pipeline: str = Argument(..., help="A pipeline (directory or package) or a checkpoint"),
    output_path: Path = Argument(..., help="Directory for the model; one that this command wrote is replaced"),
    component: Optional[str] = Option(None, "--component", help="Which luke_ner, where the pipeline has several"),
    label_map: str = Option(
        "", "--label-map", help="Names of the labels in the model: ontonotes, ene, irex, conll, presidio, stockmark"
    ),
    code_path: Optional[Path] = Option(None, "--code", "-c", help="A Python file with registered functions to import"),
) -> None:
    """Write luke_ner as a model for transformers' pipeline("token-classification"), with the same subwords and logits.

    Its README.md says what spaCy does beyond it. What transformers cannot run is refused by name.
    """
    from wasabi import msg

    from ..evaluation.pipelines import find_component, load_pipeline
    from ..label_maps import get_label_map
    from ..pipeline.hf_export import export_hf
    from ..training.directories import replace_directory
    from ..training.outputs import directory_for_export, find_foreign_in_export

    import_code(code_path)
    try:
        renamed = get_label_map(label_map, setting="--label-map") if label_map else {}
        directory_for_export(output_path, inputs=(pipeline, code_path))
        nlp = load_pipeline(pipeline)
        luke_ner = nlp.get_pipe(find_component(nlp, component))
        title = Path(pipeline).name
        replace_directory(
            output_path,
            lambda path: export_hf(luke_ner, path, title=title, label_map=renamed),
            find_foreign=find_foreign_in_export,
        )
    except (OSError, ValueError, ImportError) as error:
        msg.fail(str(error))
        raise Exit(1) from error
    msg.good(f"Wrote the model to {output_path}; its README.md says what spaCy does beyond it")
