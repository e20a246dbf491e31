"""What the components with LUKE's heads for entities have in common."""

from typing import Any, Dict, Iterable, List, Tuple

from spacy.training import Example

from .checkpoint_pipe import CheckpointPipe


class EntityPipe(CheckpointPipe):
    """A component with a head for entities, which learns from any LUKE."""

    default_checkpoint = "ja_luke_sm"

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        return super().score(examples, **{**kwargs, "component": self.name})


class ClassifierPipe(EntityPipe):
    """A component whose head is a classifier."""

    @property
    def labels(self) -> Tuple[str, ...]:
        """What the model knows; nothing before it is loaded."""
        return self._shim.checkpoint.tags if self._is_loaded else ()

    @property
    def label_data(self) -> List[str]:
        return list(self.labels)
