"""The steps of a training in, a bar on a terminal out: how far it is, and how long it will take."""

from contextlib import contextmanager
from typing import IO, Any, Dict, Iterator

from tqdm import tqdm


@contextmanager
def show_bar(settings: Dict[str, Any], *, logger_has_bar: bool, first_step: int, stderr: IO) -> Iterator[tqdm]:
    """
    settings: of [training].
    logger_has_bar: of training.logger, beside which there is none of ours.

    There is no bar where stderr is no terminal.
    """
    total = settings["max_steps"] + 1 if settings["max_steps"] else None  # the first step is 0
    with tqdm(
        total=total,
        initial=first_step,
        disable=True if logger_has_bar else None,
        file=stderr,
        unit=" steps",
        dynamic_ncols=True,
        leave=False,
    ) as bar:
        yield bar
