"""What the components that classify with LUKE's heads for entities have in common."""

from typing import List, Tuple

from .checkpoint_pipe import CheckpointPipe


class ClassifierPipe(CheckpointPipe):
    """A component whose head is a classifier of entities, which learns from any LUKE."""

    default_checkpoint = "ja_luke_sm"

    @property
    def labels(self) -> Tuple[str, ...]:
        """What the model knows; nothing before it is loaded."""
        return self._shim.checkpoint.tags if self._is_loaded else ()

    @property
    def label_data(self) -> List[str]:
        return list(self.labels)
