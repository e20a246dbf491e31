"""What the components with LUKE's heads for entities have in common: labels, how learning starts, mentions to read."""

from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import logger

from ..models.architectures import fill_model
from ..models.hf_checkpoint import Checkpoint
from ..models.hf_loader import NoClassifier
from .checkpoint_pipe import CheckpointPipe
from .settings import setting


def check_mentions_key(value: Any) -> Optional[str]:
    if value is not None and (not isinstance(value, str) or not value):
        raise ValueError(f"mentions_key must be a key of doc.spans, or None for doc.ents, got {value!r}")
    return value


class EntityPipe(CheckpointPipe):
    """A component whose labels are a classifier's, which learns from any LUKE."""

    default_checkpoint = "ja_luke_sm"

    @property
    def labels(self) -> Tuple[str, ...]:
        """What the model knows; nothing before it is loaded."""
        return self._shim.checkpoint.tags if self._is_loaded else ()

    @property
    def label_data(self) -> List[str]:
        return list(self.labels)

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        return super().score(examples, **{**kwargs, "component": self.name})

    def _start(self, checkpoint: Checkpoint, names: Sequence[str], renew: Callable[[Checkpoint], Checkpoint]) -> None:
        """Load a checkpoint for training; one whose classifier does not know all names gets a new one.

        renew: gives a checkpoint what its new classifier needs.
        """
        try:
            if {*names} <= {*checkpoint.tags} or not names:
                self._fill(checkpoint)
                return
        except NoClassifier:
            if not names:
                raise
        logger.info("the checkpoint %s gets a new classifier for %s", checkpoint.name, ", ".join(names))
        fill_model(self.model, self.task, renew(checkpoint), new_head=True)


class MentionPipe(EntityPipe):
    """A component that reads the mentions in doc.ents or doc.spans.

    mentions_key: which group of doc.spans has the mentions; doc.ents when None.
    """

    mentions_key: Optional[str] = setting(check_mentions_key)


def spans_of(doc: Doc, mentions_key: Optional[str]) -> List[Span]:
    """RETURNS: doc.ents, or those of a group in doc.spans, that are not empty."""
    spans: Iterable[Span] = doc.ents if mentions_key is None else doc.spans.get(mentions_key, ())
    return [span for span in spans if span.start < span.end]


def check_same_text(example: Example) -> None:
    if example.reference.text != example.predicted.text:
        raise ValueError(
            f"the texts of an example's Docs must be the same, got {example.predicted.text[:40]!r} and "
            f"{example.reference.text[:40]!r}"
        )
