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
    resume: bool = Option(False, "--resume", help="Go on with a run that was killed, if there is one in --output"),
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

    from ..training.loop import BEST, train

    overrides = parse_config_overrides(ctx.args)
    import_code(code_path)
    with show_validation_error(config_path):
        config = load_config(config_path, overrides=overrides, interpolate=False)
    for key in unknown_settings(overrides, load_config(config_path, interpolate=False)):
        msg.warn(f"--{key} is not in {config_path}: is it spelt right?")
    try:
        setup_gpu(use_gpu)
        msg.divider("Initializing pipeline")
        with show_validation_error(config_path, hint_fill=False):
            nlp = init_nlp(config, use_gpu=use_gpu)
        msg.divider("Training pipeline")
        last = train(nlp, output_path, resume=resume, use_gpu=use_gpu)
    except (OSError, ValueError) as error:
        msg.fail(str(error))
        raise Exit(1) from error
    best = last.parent / BEST
    msg.good(f"Saved the last pipeline to {last} and the best on dev to {best}")


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
