"""Classes of texts as a task of the window layer: a row of logits for each text."""

from typing import Any, Dict

from .hf_checkpoint import Checkpoint
from .problem_type import read_problem_type
from .whole_text import WholeTextTask


class TextcatTask(WholeTextTask):
    def read_checkpoint(self, checkpoint: Checkpoint) -> Dict[str, Any]:
        return {"multi_label": read_problem_type(checkpoint)}


TEXTCAT = TextcatTask()
