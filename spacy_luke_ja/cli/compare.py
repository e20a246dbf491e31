"""Several pipelines and annotated texts in, one table of quality, speed, size and memory out."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional

from typer import Argument, Exit, Option

from . import app


@app.command("compare")
def compare_cli(
    data_path: Path = Argument(..., help="Annotated texts: .spacy, .jsonl or .conll"),
    output_path: Path = Argument(..., help="Directory for compare.md and compare.json"),
    pipelines: List[str] = Option(..., "--pipeline", "-p", help="A pipeline or checkpoint, also as NAME=PATH; repeat"),
    n_runs: int = Option(3, "--runs", min=1, help="How often each runs; the runs take turns"),
    label_map: str = Option(
        "", "--label-map", help="Rename all labels: ontonotes, ene, irex, conll, presidio, stockmark"
    ),
    on_bad_record: str = Option("raise", "--on-bad-record", help='"raise", or "skip" with a warning'),
    code_path: Optional[Path] = Option(None, "--code", "-c", help="A Python file with registered functions to import"),
    use_gpu: int = Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
    cards: bool = Option(False, "--cards", help="Add what the published cards say of Stockmark's test sentences"),
) -> None:
    """Run pipelines in turn on the same texts, each in a process of its own, and compare them with the first."""
    from wasabi import msg

    from ..evaluation.compare import compare, to_markdown
    from ..evaluation.pipelines import named_pipelines
    from ..evaluation.texts import read_texts
    from ..label_maps import get_label_map
    from ..training.directories import replace_file
    from ..training.outputs import directory_for_files

    try:
        if label_map:
            get_label_map(label_map, setting="--label-map")
        paths = named_pipelines(pipelines)
        directory_for_files(output_path, ("compare.json", "compare.md"), inputs=(*paths.values(), data_path, code_path))
    except ValueError as error:
        msg.fail(str(error))
        raise Exit(1) from error
    runs: Dict[str, List[Dict[str, Any]]] = {name: [] for name in paths}
    texts = {}
    for n in range(n_runs):
        for name, path in paths.items():
            msg.text(f"run {n + 1} of {n_runs}: {name}")
            with tempfile.TemporaryDirectory() as directory:
                command = [sys.executable, "-m", "spacy", "luke", "evaluate", path, str(data_path), directory]
                command += ["--gpu-id", str(use_gpu), *(["--code", str(code_path)] if code_path else [])]
                command += ["--label-map", label_map] if label_map else []
                command += ["--on-bad-record", on_bad_record]
                env = {**os.environ, "PYTHONIOENCODING": "utf-8"}
                result = subprocess.run(command, capture_output=True, encoding="utf8", errors="replace", env=env)
                if result.returncode:
                    msg.fail(
                        f"{name} cannot be evaluated", result.stdout.strip()[-500:] or result.stderr.strip()[-500:]
                    )
                    raise Exit(1)
                metrics = (Path(directory) / "metrics.json").read_text(encoding="utf8")
                runs[name].append(json.loads(metrics))
                texts[name] = read_texts(Path(directory) / "texts.jsonl")
    rows = compare(runs, texts)
    n_texts = len(next(iter(texts.values())))
    table = to_markdown(rows, n_texts=n_texts, n_runs=n_runs, cards=cards)
    content = json.dumps(rows, ensure_ascii=False, indent=2)
    try:
        replace_file(output_path / "compare.json", lambda path: path.write_text(content, encoding="utf8"))
        replace_file(output_path / "compare.md", lambda path: path.write_text(table, encoding="utf8"))
    except OSError as error:
        msg.fail(str(error))
        raise Exit(1) from error
    print("\n" + table)
    msg.good(f"Wrote compare.md and compare.json to {output_path}")
