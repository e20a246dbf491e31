"""The metrics and texts of an evaluation in, and perhaps a training log; an HTML page out."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from typer import Argument, Exit, Option

from . import app

NEEDED = {
    *("pipeline", "n_texts", "n_entities", "counted", "characters", "tokens", "seqeval", "seqeval_prefixless"),
    *("calibration", "errors", "confusion", "texts_per_second"),
}


@app.command("report")
def report(
    metrics_path: Path = Argument(..., metavar="METRICS", help="metrics.json of an evaluation"),
    texts_path: Path = Argument(..., metavar="TEXTS", help="texts.jsonl of the same evaluation"),
    output: Path = Argument(..., metavar="OUTPUT", help="Where to write the HTML page"),
    title: str = Option("Named entities in Japanese texts", "--title", "-t", help="The page's heading"),
    log_path: Optional[Path] = Option(None, "--log", "-l", help="training-log.jsonl, for the training curve"),
) -> None:
    """Draw the scores, errors and texts of an evaluation on one page that needs no network."""
    from wasabi import msg

    from ..evaluation.report import render_report
    from ..evaluation.texts import read_texts
    from ..training.directories import replace_file
    from ..training.outputs import file_for

    try:
        file_for(output, "page", inputs=(metrics_path, texts_path, log_path), needs_parent=True)
        metrics = read(metrics_path, read_metrics, "the metrics.json of an evaluation")
        texts = read(texts_path, read_texts, "the texts.jsonl of an evaluation")
        history = read(log_path, read_log, "a training-log.jsonl") if log_path else []
        page = render_report(metrics, texts, title=title, history=history)
        replace_file(output, lambda path: path.write_text(page, encoding="utf8", newline="\n"))
    except (OSError, ValueError, ImportError) as error:
        msg.fail(str(error))
        raise Exit(1) from error
    print(f"{len(texts)} texts, micro F1 {metrics['characters']['micro']['f']:.3f}")
    print(f"a page to open in a browser: {output}")


def read(path: Path, read_file: Callable[[Path], Any], expected: str) -> Any:
    """Call read_file(path); its error then names the file and what it should be."""
    try:
        return read_file(path)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not {expected}: {error!r}") from error


def read_metrics(path: Path) -> Dict[str, Any]:
    metrics = json.loads(path.read_text(encoding="utf8"))
    missing = NEEDED - set(metrics)
    if missing:
        raise ValueError(f"there is no {', '.join(sorted(missing))}")
    return metrics


def read_log(path: Path) -> List[Dict[str, Any]]:
    """Lines with at least step, score and losses."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf8").split("\n") if line.strip()]
    return [
        {**line, "step": int(line["step"]), "score": float(line["score"]), "losses": line["losses"]} for line in lines
    ]
