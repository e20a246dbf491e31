"""problem_type in config.json: whether a thing that is classified has one label, may have several, or has a number."""

from typing import Optional, Sequence

from .hf_checkpoint import Checkpoint

# Of classes: its values → whether a thing may have several labels.
SEVERAL = {"single_label_classification": False, "multi_label_classification": True}


def check_problem_type(checkpoint: Checkpoint, choices: Sequence[str]) -> Optional[str]:
    """choices: what a task can do. RETURNS: one of them; None where config.json does not say."""
    problem_type = checkpoint.config.get("problem_type")
    if problem_type not in (None, *choices):
        raise ValueError(
            f"problem_type in config.json of the checkpoint {checkpoint.name} must be one of "
            f"{', '.join(choices)}, got {problem_type}"
        )
    return problem_type


def read_problem_type(checkpoint: Checkpoint) -> Optional[bool]:
    """Of classes. RETURNS: whether a thing may have several labels; None where config.json does not say."""
    problem_type = check_problem_type(checkpoint, tuple(SEVERAL))
    return None if problem_type is None else SEVERAL[problem_type]


def with_new_classes(checkpoint: Checkpoint, labels: Sequence[str], task: str, *, multi_label: bool) -> Checkpoint:
    """The same encoder with a classifier to be trained, whose config.json says how to read it.

    task: as the names of transformers' classes have it.
    """
    problem_type = next(name for name, several in SEVERAL.items() if several is multi_label)
    return checkpoint.with_new_classifier(labels, task).with_config(problem_type=problem_type)
