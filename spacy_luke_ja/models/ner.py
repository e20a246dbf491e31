"""Named entities as a task of the window layer: a row of tags for each subword of a text."""

from typing import Any, Dict

from .hf_checkpoint import Checkpoint
from .task import TOKEN_CLASSIFIER, Task

# What a checkpoint says of the decoding of its logits.
DECODING = ("score_temperature", "cut_cost", "line_break_cost", "longest_entity")


class NerTask(Task):
    head = TOKEN_CLASSIFIER

    def read_checkpoint(self, checkpoint: Checkpoint) -> Dict[str, Any]:
        return {name: getattr(checkpoint, name) for name in DECODING}


NER = NerTask()
