"""A trained pipeline, its metrics and a description in, the meta.json of its package out."""

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

from typer import Argument, Exit, Option

from . import app


@app.command("card")
def card_cli(
    pipeline_path: Path = Argument(..., help="Directory of a trained pipeline"),
    metrics_path: Path = Argument(..., help="metrics.json, from `spacy luke evaluate`"),
    output_path: Path = Argument(..., help="The meta.json to write, for `spacy package --meta`"),
    description_path: Optional[Path] = Option(
        None, "--meta", "-m", help="JSON with description, author, license, sources, notes: configs/meta.json is one"
    ),
) -> None:
    """Write the model card of a package: what it was made from, its licence, and how well it does."""
    from wasabi import msg

    from ..training.directories import replace_file
    from ..training.outputs import file_for

    try:
        file_for(output_path, "card", inputs=(pipeline_path, metrics_path, description_path))
        meta, metrics = read_json(pipeline_path / "meta.json"), read_json(metrics_path)
        description = read_json(description_path) if description_path else {}
        checkpoints = checkpoints_of(pipeline_path)
    except (OSError, ValueError) as error:
        msg.fail(str(error))
        raise Exit(1) from error
    try:
        check_measured(metrics, pipeline_path, metrics_path)
        card = {
            **meta,
            **description,
            "sources": [*description.get("sources", []), *checkpoints],
            "performance": flat_scores(metrics),
            "notes": "\n\n".join(
                filter(None, [description.get("notes", ""), describe_scores(pipeline_path), describe_metrics(metrics)])
            ),
        }
    except ValueError as error:
        msg.fail(str(error))
        raise Exit(1) from error
    except KeyError as error:
        msg.fail(f"{metrics_path} is no metrics.json of `spacy luke evaluate`: it has no {error}")
        raise Exit(1) from error
    content = json.dumps(card, ensure_ascii=False, indent=2)
    try:
        replace_file(output_path, lambda path: path.write_text(content, encoding="utf8"))
    except OSError as error:
        msg.fail(str(error))
        raise Exit(1) from error
    msg.good(f"Wrote the model card to {output_path}")


def read_json(path: Path) -> Dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a JSON object")
    return content


def check_measured(metrics: Dict[str, Any], pipeline_path: Path, metrics_path: Path) -> None:
    """Raise a ValueError for the metrics of another pipeline, or of this one before it was changed."""
    from ..evaluation.pipelines import fingerprint

    measured = metrics["pipeline"]
    if measured.get("fingerprint") != fingerprint(pipeline_path):
        raise ValueError(
            f"{metrics_path} is not of the pipeline {pipeline_path} as it is, but of {measured['name']} "
            f"{measured['version']} as it was measured; measure this one: spacy luke evaluate {pipeline_path} DATA DIR"
        )


def describe_scores(pipeline_path: Path) -> str:
    """Whether the scores of its luke_ner are calibrated; nothing for a pipeline without one."""
    from spacy.util import load_config

    sentences = []
    for name, component in load_config(pipeline_path / "config.cfg").get("components", {}).items():
        if component.get("factory") == "luke_ner":
            temperature = component.get("temperature")
            if temperature is None:
                config = read_json(pipeline_path / name / "model" / "config.json")
                temperature = config.get("score_temperature", 1.0)
            calibrated = f"calibrated (temperature {temperature:.4g})" if temperature != 1.0 else "not calibrated"
            sentences.append(f"Scores of entities ({name}) are {calibrated}.")
    return " ".join(sentences)


def checkpoints_of(pipeline_path: Path) -> List[Dict[str, str]]:
    """The checkpoints that training started from, by the pipeline's config; of a directory, its name alone."""
    from spacy.util import load_config

    from ..models.hf_checkpoint import may_be_on_hub

    components = load_config(pipeline_path / "config.cfg").get("components", {}).values()
    models = [component["model"] for component in components if isinstance(component.get("model"), dict)]
    ours = [model for model in models if str(model.get("@architectures", "")).startswith("spacy-luke-ja.")]
    names = [model["name"] if may_be_on_hub(model["name"]) else Path(model["name"]).name for model in ours]
    return [{"name": f"{name}, the checkpoint that training started from", **note_of(name)} for name in names]


def note_of(name: str) -> Dict[str, str]:
    from ..models.hf_checkpoint import is_embedded

    if is_embedded(name):
        return {"author": "spacy_luke_ja, CC BY-SA 4.0; its NOTICE names the texts it was trained on"}
    return {"url": f"https://huggingface.co/{name}"} if "/" in name else {}


def flat_scores(metrics: Dict[str, Any]) -> Dict[str, Any]:
    """In the names of spaCy's scorers, as `spacy evaluate` would give them."""
    characters, tokens = metrics["characters"], metrics["tokens"]
    scores: Dict[str, Any] = {f"char_ents_{key}": characters["micro"][key] for key in "frp"}
    scores.update({f"char_ents_macro_{key}": characters["macro"][key] for key in "f"})
    scores.update({f"ents_{key}": tokens["micro"][key] for key in "frp"})
    if metrics["calibration"]:
        scores["char_ents_ece"] = metrics["calibration"]["ece"]
    scores["char_ents_per_type"] = characters["labels"]
    return scores


def describe_metrics(metrics: Dict[str, Any]) -> str:
    """The table of the card, in Markdown."""
    low, high = metrics["characters"]["intervals"]["micro"]["f"]
    calibration = metrics["calibration"]
    error_of_scores = f" Expected calibration error of the scores: {calibration['ece']:.3f}." if calibration else ""
    lines: List[str] = [
        "### Entities on exact characters",
        "",
        f"Measured on {metrics['n_texts']} texts with {metrics['n_entities']} entities ({metrics['data']}); micro F1 "
        f"is within {low:.3f}–{high:.3f} at 95 % (bootstrap over texts).{error_of_scores}",
        "",
        "| label | P | R | F1 | support |",
        "|---|---|---|---|---|",
    ]
    averages = {name: metrics["characters"][name] for name in ("micro", "macro", "weighted")}
    for name, row in {**metrics["characters"]["labels"], **averages}.items():
        lines.append(f"| {name} | {row['p']:.3f} | {row['r']:.3f} | {row['f']:.3f} | {row['support']} |")
    return "\n".join(lines)
