"""What the components with LUKE's heads for entities have in common: how learning starts, and labels where they have
some."""

from typing import Any, Callable, Dict, Iterable, List, Sequence, Tuple

from spacy.training import Example
from spacy.util import logger

from ..models.architectures import fill_model
from ..models.hf_checkpoint import Checkpoint
from ..models.hf_loader import NoClassifier
from ..text.messages import show
from .checkpoint_pipe import CheckpointPipe


class EntityPipe(CheckpointPipe):
    """A component with a head for entities, which learns from any LUKE."""

    default_checkpoint = "ja_luke_sm"

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        return super().score(examples, **{**kwargs, "component": self.name})

    def _start(self, checkpoint: Checkpoint, names: Sequence[str], renew: Callable[[Checkpoint], Checkpoint]) -> None:
        """Load a checkpoint for training; one whose head does not know all names gets a new one.

        renew: gives a checkpoint what its new head needs.
        """
        try:
            if not names or self._knows(checkpoint, names):
                self._fill(checkpoint)
                return
        except NoClassifier:
            if not names:
                raise
        logger.info("the checkpoint %s gets a new head for %s", checkpoint.name, show(", ".join(names)))
        fill_model(self.model, self.task, renew(checkpoint), new_head=True)

    def _knows(self, checkpoint: Checkpoint, names: Sequence[str]) -> bool:
        return {*names} <= {*checkpoint.tags}


class ClassifierPipe(EntityPipe):
    """A component whose head is a classifier."""

    @property
    def labels(self) -> Tuple[str, ...]:
        """What the model knows; nothing before it is loaded."""
        return self._shim.checkpoint.tags if self._is_loaded else ()

    @property
    def label_data(self) -> List[str]:
        return list(self.labels)
