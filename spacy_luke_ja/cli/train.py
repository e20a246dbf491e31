"""A config in, a trained pipeline on disk out, also after a kill."""

from pathlib import Path
from typing import Any, Dict, List, Optional

from spacy.cli._util import import_code, parse_config_overrides, setup_gpu, show_validation_error
from typer import Argument, Context, Exit, Option

from . import app


@app.command("train", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train_cli(
    ctx: Context,
    config_path: Path = Argument(..., help="Path to the config", exists=True),
    output_path: Path = Option(..., "--output", "-o", help="Where to write model-best, model-last, training-log.jsonl"),
    resume: bool = Option(
        False, "--resume", help="Go on with a run in --output, if there is one: killed, or to be longer now"
    ),
    code_path: Optional[Path] = Option(None, "--code", "-c", help="A Python file with registered functions to import"),
    use_gpu: int = Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Train as `spacy train`, resumable.

    Takes the config, overrides (--paths.train, --training.max_steps …) and gives the result of `spacy train`; keeps
    model-best and model-last whole, whatever happens; and with --resume goes on after a kill.
    """
    from spacy.training.initialize import init_nlp
    from spacy.util import load_config
    from wasabi import msg

    from ..training.loop import BEST, LAST, check_outputs, train

    overrides = parse_config_overrides(ctx.args)
    import_code(code_path)
    with show_validation_error(config_path):
        config = load_config(config_path, overrides=overrides, interpolate=False)
    for key in unknown_settings(overrides, load_config(config_path, interpolate=False)):
        msg.warn(f"--{key} is not in {config_path}: is it spelt right?")
    inputs = [config_path, *([code_path] if code_path else [])]
    try:
        check_outputs(output_path, config.interpolate(), inputs=inputs)
        check_corpora(config)
        setup_gpu(use_gpu)
        msg.divider("Initializing pipeline")
        with show_validation_error(config_path, hint_fill=False):
            nlp = init_nlp(config, use_gpu=use_gpu)
        msg.divider("Training pipeline")
        before = changed_at(output_path / LAST)
        last = train(nlp, output_path, resume=resume, use_gpu=use_gpu, inputs=inputs)
    except (OSError, ValueError) as error:
        msg.fail(str(error))
        raise Exit(1) from error
    except KeyboardInterrupt as error:
        msg.warn(f"Stopped; the pipelines in {output_path} are whole, and --resume goes on from the last evaluation")
        raise Exit(130) from error
    best = last.parent / BEST
    if changed_at(last) != before:
        msg.good(f"Saved the last pipeline to {last} and the best on dev to {best}")


def changed_at(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def check_corpora(config: Dict[str, Any]) -> None:
    """Name the option that gives a corpus of the training its path, where there is none.

    config: with its variables as they are written.
    """
    values = config.interpolate()  # type: ignore[attr-defined]
    for name in ("train_corpus", "dev_corpus"):
        corpus = str(values.get("training", {}).get(name, ""))
        section, _, key = corpus.partition(".")
        reader = values.get(section, {}).get(key)
        if isinstance(reader, dict) and "path" in reader and not reader["path"]:
            written = str(config[section][key]["path"])
            option = written[2:-1] if written.startswith("${") else f"{corpus}.path"
            raise ValueError(f"training.{name} is {corpus}, which has no file to read: give it by --{option} FILE")


def unknown_settings(overrides: Dict[str, Any], config: Dict[str, Any]) -> List[str]:
    """Overrides of settings that a config does not have. In a filled config they are wrong, and spaCy ignores them."""
    unknown = []
    for key in overrides:
        *sections, name = key.split(".")
        section: Any = config
        for title in sections:
            section = section.get(title, {}) if isinstance(section, dict) else {}
        if not isinstance(section, dict) or name not in section:
            unknown.append(key)
    return unknown
