"""A training run in, what it needs to go on out; and back."""

import random
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np
import srsly
import torch
from spacy.language import Language
from thinc.api import get_current_ops, to_numpy


class CannotResume(ValueError):
    """A run that was killed cannot go on, because settings or data are others now."""


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
    (path / "state.msgpack").write_bytes(srsly.msgpack_dumps(state))


def load_run(
    path: Path, nlp: Language, optimizer: Any, fingerprint: Dict[str, Any], *, exclude: Sequence[str] = ()
) -> Tuple[Progress, List[Any]]:
    """Put weights, optimizer and random states back; raises CannotResume when settings or data are others now.

    exclude: components that are not trained, which are as they were.
    RETURNS: the progress and the epoch_states that save_run was given.
    """
    state = srsly.msgpack_loads((path / "state.msgpack").read_bytes())
    for name, value in fingerprint.items():
        before = state["fingerprint"].get(name)
        if before != value:
            raise CannotResume(
                f"the training run in {path} cannot go on: {name} was {before!r} and is {value!r} now. "
                f"Put it back, or start anew: without --resume, or with {path} removed"
            )
    nlp.from_disk(path / "pipeline", exclude=exclude)
    load_optimizer(nlp, optimizer, state["optimizer"])
    for _ in range(state["progress"]["next_step"]):
        optimizer.step_schedules()
    load_random_states(state["random"])
    progress = Progress(**state["progress"])
    progress.results = [(score, step) for score, step in progress.results]
    return progress, [(version, tuple(numbers), gauss) for version, numbers, gauss in state["epoch_states"]]


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
