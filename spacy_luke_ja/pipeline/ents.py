"""Spans in, those of them that go to doc.ents out; and what the components that write there have in common."""

from typing import Any, Callable, Iterable, List, Optional, Sequence

from spacy.tokens import Doc, Span
from spacy.vocab import Vocab
from thinc.api import Model

from ..token_splitting import find_tokens, span_at
from .checkpoint_pipe import CheckpointPipe

EntsFilter = Callable[[Iterable[Span], Iterable[Span]], Iterable[Span]]


class EntsPipe(CheckpointPipe):
    """A component that writes doc.ents."""

    def __init__(
        self, vocab: Vocab, model: Model, name: str = "", *, ents_filter: Optional[EntsFilter] = None, **arguments: Any
    ):
        """
        ents_filter: (entities before, new entities) → entities; the new ones replace the old when None.
        arguments: scorer, and the settings.
        """
        super().__init__(vocab, model, name, **arguments)
        self.ents_filter = ents_filter


def choose_ents(doc: Doc, spans: Sequence[Span], ents_filter: Optional[EntsFilter]) -> List[Span]:
    """RETURNS: what doc.ents is to be where these spans were found; those on blocked tokens are left out."""
    blocked = {span.start for span in blocked_spans(doc)}
    free = [span for span in spans if blocked.isdisjoint(range(span.start, span.end))]
    return free if ents_filter is None else list(ents_filter(doc.ents, free))


def write_ents(doc: Doc, ents: Iterable[Span]) -> None:
    """In place of those that it has; blocked tokens stay blocked."""
    doc.set_ents(sorted(ents), blocked=blocked_spans(doc))


def blocked_spans(doc: Doc) -> List[Span]:
    """RETURNS: one a token."""
    return [span_at(doc, *chars, "") for chars in find_tokens(doc, 3, "")]
