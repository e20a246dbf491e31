"""What both trainings share: the course of the learning rate, the optimizer, and states to go on from after a kill."""

import argparse
import hashlib
from pathlib import Path
from typing import Any, Dict, Mapping, Sequence

import torch
from torch import nn


def learn_rate_share(step: int, n_steps: int, n_warmup: int, n_decay: int) -> float:
    """Rises to 1, stays, falls to 0."""
    return max(0.0, min(1.0, (step + 1) / n_warmup, (n_steps - step) / max(1, n_decay)))


def make_optimizer(modules: Mapping[nn.Module, float], learn_rate: float) -> torch.optim.Optimizer:
    """AdamW; biases and layer norms do not decay.

    modules: module → how many times as fast as the learning rate it learns.
    """
    groups = []
    for module, scale in modules.items():
        for decays in (True, False):
            parameters = [p for p in module.parameters() if (p.ndim > 1) == decays]
            groups.append({"params": parameters, "weight_decay": 0.01 if decays else 0.0, "scale": scale})
    return torch.optim.AdamW(groups, lr=learn_rate, betas=(0.9, 0.98), eps=1e-6, fused=True)


def set_learn_rate(optimizer: torch.optim.Optimizer, learn_rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = learn_rate * group["scale"]


def settings_of(args: argparse.Namespace, inputs: Sequence[Path], free: Sequence[str]) -> Dict[str, str]:
    """What must be the same when a run goes on: its arguments but for the free ones, and what it reads."""
    settings = {name: str(value) for name, value in vars(args).items() if name not in free}
    return {**settings, **{path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in inputs}}


def save_state(path: Path, parts: Mapping[str, Any], done: Mapping[str, Any], settings: Mapping[str, str]) -> None:
    """All at once or not at all.

    parts: what has a state_dict. done: numbers that say how far the run is.
    """
    state = {"parts": {name: part.state_dict() for name, part in parts.items()}, "done": done, "settings": settings}
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def load_state(path: Path, parts: Mapping[str, Any], settings: Mapping[str, str]) -> Dict[str, Any]:
    """Fill the parts.

    RETURNS: how far the run was. Raises a ValueError when it had other settings or read other data.
    """
    state = torch.load(path, map_location="cpu")
    for name, value in settings.items():
        if state["settings"].get(name) != value:
            raise ValueError(
                f"{path} is of a run with {name} {state['settings'].get(name)}, not {value}; remove it to start anew"
            )
    for name, part in parts.items():
        part.load_state_dict(state["parts"][name])
    return state["done"]
