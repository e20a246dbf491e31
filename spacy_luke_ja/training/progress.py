"""A training run in, what it needs to go on out; and back."""

import json
import random
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import srsly
import torch
from spacy.language import Language
from thinc.api import get_current_ops, to_numpy

from .outputs import MADE_BY, describe, entries_of, join_names, list_names

STATE, CHECKSUMS = "state.msgpack", "checksums.json"
# What to do with a run that cannot go on.
ADVICE = (
    "To start anew, train without --resume, which replaces model-best and model-last at the first evaluation, or give "
    "another output directory"
)


class CannotResume(ValueError):
    """A run cannot go on: settings or data are others now, or what it needs is damaged or gone."""


Key = Tuple[int, str]  # of a weight in thinc's optimizers


@dataclass
class Progress:
    """How far a training run has come.

    next_step: the first step that is still to be taken.
    results: (score, step) of each evaluation, as spaCy's loop keeps them.
    losses: added up since the last evaluation.
    history: what was logged at each evaluation; the lines of training-log.jsonl.
    """

    next_step: int = 0
    results: List[Tuple[float, int]] = field(default_factory=list)
    losses: Dict[str, float] = field(default_factory=dict)
    n_words: int = 0
    seconds: float = 0.0
    history: List[Dict[str, Any]] = field(default_factory=list)

    @property
    def best_step(self) -> int:
        """The earliest of the steps with the best score."""
        return -max((score, -step) for score, step in self.results)[1]


def save_run(
    path: Path, nlp: Language, optimizer: Any, progress: Progress, epoch_states: List[Any], fingerprint: Dict[str, Any]
) -> None:
    """Write a directory from which load_run goes on with the same result as if it had not stopped.

    epoch_states: Python's random state at the beginning of each epoch.
    fingerprint: what must be the same for that; settings and data.
    """
    nlp.to_disk(path / "pipeline")
    state = {
        "progress": asdict(progress),
        "optimizer": dump_optimizer(nlp, optimizer),
        "random": dump_random_states(),
        "epoch_states": [[version, list(numbers), gauss] for version, numbers, gauss in epoch_states],
        "fingerprint": fingerprint,
    }
    (path / STATE).write_bytes(srsly.msgpack_dumps(state))
    write_checksums(path)


def load_run(
    path: Path, nlp: Language, optimizer: Any, fingerprint: Dict[str, Any], *, exclude: Sequence[str] = ()
) -> Tuple[Progress, List[Any]]:
    """Put weights, optimizer and random states back; raises CannotResume when settings or data are others now.

    The files must be those that check_run has found whole.

    exclude: components that are not trained, which are as they were.
    RETURNS: the progress and the epoch_states that save_run was given.
    """
    state = srsly.msgpack_loads((path / STATE).read_bytes())
    for name, value in fingerprint.items():
        before = state["fingerprint"].get(name)
        if before != value:
            raise CannotResume(
                f"the training run in {path} cannot go on: {name} was {before!r} and is {value!r} now. Put it back. "
                f"{ADVICE}"
            )
    nlp.from_disk(path / "pipeline", exclude=exclude)
    load_optimizer(nlp, optimizer, state["optimizer"])
    for _ in range(state["progress"]["next_step"]):
        optimizer.step_schedules()
    load_random_states(state["random"])
    progress = Progress(**state["progress"])
    progress.results = [(score, step) for score, step in progress.results]
    return progress, [(version, tuple(numbers), gauss) for version, numbers, gauss in state["epoch_states"]]


# The files of a run


def write_checksums(path: Path) -> None:
    """Write down what the directory of a run holds: nothing else, before the first evaluation."""
    files = {file_.relative_to(path).as_posix(): checksum(file_) for file_ in path.rglob("*") if file_.is_file()}
    (path / CHECKSUMS).write_text(json.dumps({**MADE_BY, "files": files}, indent=2), encoding="utf8")


def checksum(path: Path) -> List[int]:
    """RETURNS: size and CRC-32."""
    crc = 0
    with path.open("rb") as file_:
        while block := file_.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return [path.stat().st_size, crc]


def read_checksums(path: Path) -> Optional[Dict[str, List[int]]]:
    """RETURNS: file → size and CRC-32; None when there is nothing of this kind to read."""
    try:
        content = json.loads((path / CHECKSUMS).read_text(encoding="utf8"))
        return dict(content["files"]) if MADE_BY.items() <= content.items() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def find_foreign_in_run(path: Path) -> Optional[str]:
    """What there is at a path that no training run wrote, in words; None when nothing would be lost."""
    if not path.exists() or path.is_dir() and not entries_of(path):
        return None
    if not path.is_dir():
        return f"it is a file ({describe(path)})"
    files = read_checksums(path)
    if files is None:
        return f"it is a directory with {list_names(path)}, and no {CHECKSUMS} of a training run that can be read"
    known = {path / CHECKSUMS, *(path / name for name in files)}
    known.update([folder for file_ in known for folder in file_.parents])
    foreign = sorted(str(entry.relative_to(path)) for entry in path.rglob("*") if entry not in known)
    return f"beside a training run it holds {join_names(foreign)}" if foreign else None


def check_run(path: Path) -> bool:
    """
    RETURNS: whether the run in this directory was saved; False when it was killed before its first evaluation. Raises
        CannotResume, which names the first file that is not as it was written.
    """
    files = read_checksums(path) or {}
    for name, written in files.items():
        if not (path / name).is_file():
            raise CannotResume(f"the training run in {path} cannot go on: {name} is missing. {ADVICE}")
        if checksum(path / name) != written:
            raise CannotResume(f"the training run in {path} cannot go on: {name} is damaged. {ADVICE}")
    return STATE in files


# Weights and random states


def weight_keys(nlp: Language) -> Iterator[Tuple[str, int]]:
    """A name for each layer and shim that lasts beyond the process, and the id that it has in this one."""
    for pipe_name, pipe in nlp.pipeline:
        model: Any = getattr(pipe, "model", None)
        for i, layer in enumerate(model.walk() if hasattr(model, "walk") else []):
            yield f"{pipe_name}/{i}", layer.id
            for j, shim in enumerate(layer.shims):
                yield f"{pipe_name}/{i}/shim{j}", shim.id


def dump_optimizer(nlp: Language, optimizer: Any) -> Dict[str, Any]:
    names = {layer_id: name for name, layer_id in weight_keys(nlp)}
    dump: Dict[str, Any] = {}
    for table in ("mom1", "mom2", "averages", "nr_update"):
        values: Dict[Key, Any] = getattr(optimizer, table) or {}
        dump[table] = [
            [names[layer_id], weight, value if table == "nr_update" else to_numpy(value)]
            for (layer_id, weight), value in values.items()
        ]
    return dump


def load_optimizer(nlp: Language, optimizer: Any, dump: Dict[str, Any]) -> None:
    ids = dict(weight_keys(nlp))
    ops = get_current_ops()
    for table, rows in dump.items():
        for name, weight, value in rows:
            # msgpack gives arrays that cannot be written to
            getattr(optimizer, table)[ids[name], weight] = value if table == "nr_update" else ops.asarray(value.copy())


def dump_random_states() -> Dict[str, Any]:
    version, numbers, gauss = random.getstate()
    return {
        "python": [version, list(numbers), gauss],
        "numpy": list(np.random.get_state()),
        "torch": torch.get_rng_state().numpy(),
        "cuda": [state.numpy() for state in torch.cuda.get_rng_state_all()] if torch.cuda.is_available() else [],
    }


def load_random_states(states: Dict[str, Any]) -> None:
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    np.random.set_state(tuple(states["numpy"]))
    torch.set_rng_state(torch.from_numpy(states["torch"].copy()))
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([torch.from_numpy(state.copy()) for state in states["cuda"]])
