"""problem_type in config.json: whether a thing that is classified has one label, or may have several."""

from typing import Optional, Sequence

from .hf_checkpoint import Checkpoint

# Its values → whether a thing may have several labels.
PROBLEM_TYPES = {None: None, "single_label_classification": False, "multi_label_classification": True}


def read_problem_type(checkpoint: Checkpoint) -> Optional[bool]:
    """RETURNS: whether a thing may have several labels; None where config.json does not say."""
    problem_type = checkpoint.config.get("problem_type")
    if problem_type not in PROBLEM_TYPES:
        raise ValueError(
            f"problem_type in config.json of the checkpoint {checkpoint.name} must be one of "
            f"{', '.join(filter(None, PROBLEM_TYPES))}, got {problem_type}"
        )
    return PROBLEM_TYPES[problem_type]


def with_new_classes(checkpoint: Checkpoint, labels: Sequence[str], task: str, *, multi_label: bool) -> Checkpoint:
    """The same encoder with a classifier to be trained, whose config.json says how to read it.

    task: as the names of transformers' classes have it.
    """
    problem_type = next(name for name, several in PROBLEM_TYPES.items() if several is multi_label)
    return checkpoint.with_new_classifier(labels, task).with_config(problem_type=problem_type)
