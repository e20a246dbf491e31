"""Named entities as a task of the window layer: a row of tags for each subword of a text."""

from typing import Any, Dict

from .hf_checkpoint import OF_DECODING, Checkpoint
from .task import TOKEN_CLASSIFIER, Task


class NerTask(Task):
    head = TOKEN_CLASSIFIER

    def read_checkpoint(self, checkpoint: Checkpoint) -> Dict[str, Any]:
        return {name: getattr(checkpoint, name) for name in OF_DECODING}


NER = NerTask()
