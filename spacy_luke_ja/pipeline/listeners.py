"""Vectors that later components are about to learn from in, and the same for tokens split meanwhile out.

In Language.update, a tok2vec computes the vectors of a batch once, and those who listen to it take them when their turn
comes. Where a component of ours is among `annotates` and splits tokens in between, there are no longer as many vectors
as tokens, and spaCy raises E953.
"""

from dataclasses import replace
from typing import Any, Callable, Iterable, Iterator, List, Sequence
from weakref import WeakKeyDictionary

import numpy as np
from spacy.attrs import IDX
from spacy.tokens import Doc
from thinc.api import Model, get_array_module

# By component, those that listen in the components behind it. Not in the component, which is saved and copied alone.
_behind: "WeakKeyDictionary[Any, List[Any]]" = WeakKeyDictionary()


class BeforeListeners:
    """A component that comes before listeners: spaCy shows it the components behind it whenever a pipeline changes.

    It has what spacy.ty.ListenedToComponent has; nobody listens to it.
    """

    listeners: Sequence[Any] = ()
    listening_components: Sequence[str] = ()

    @property
    def listener_map(self) -> dict:
        return {}

    @listener_map.setter
    def listener_map(self, value: dict) -> None:
        """spaCy sets it when it begins to show the components behind this one."""
        _behind[self] = []

    def add_listener(self, listener: Any, component_name: str) -> None:
        pass

    def remove_listener(self, listener: Any, component_name: str) -> bool:
        return False

    def find_listeners(self, component: Any) -> None:
        if isinstance(getattr(component, "model", None), Model):
            _behind.setdefault(self, []).extend(
                node for node in component.model.walk() if hasattr(node, "receive") and hasattr(node, "get_batch_id")
            )


def keep_listeners_in_step(
    component: Any, stream: Iterable[Doc], annotate: Callable[[Iterable[Doc]], Iterator[Doc]]
) -> Iterator[Doc]:
    """Annotate a stream; when all of it is through, and it was a batch to learn from, its vectors follow the splits."""
    waiting = [listener for listener in _behind.get(component, ()) if listener._batch_id is not None]
    if not waiting:
        yield from annotate(stream)
        return
    docs: List[Doc] = []
    starts: List[np.ndarray] = []
    batch_id, longest = 0, max(len(listener._outputs) for listener in waiting)

    def watched() -> Iterator[Doc]:
        nonlocal batch_id
        for doc in stream:
            if len(docs) <= longest:  # no more: it is none of their batches
                docs.append(doc)
                starts.append(doc.to_array(IDX))
                batch_id += waiting[0].get_batch_id([doc])
            yield doc

    yield from annotate(watched())
    origins = [
        np.searchsorted(before, doc.to_array(IDX), side="right") - 1 if len(doc) else np.zeros(0, dtype="int64")
        for before, doc in zip(starts, docs)
    ]
    for listener in waiting:
        if listener._batch_id == batch_id and len(listener._outputs) == len(docs):
            outputs = [spread(output, origin) for output, origin in zip(listener._outputs, origins)]
            backprop = summed_before(listener._backprop, listener._outputs, origins)
            listener.receive(listener.get_batch_id(docs), outputs, backprop)


def spread(output: Any, origin: np.ndarray) -> Any:
    """output: the vectors of a Doc's tokens, or, of spacy-transformers, those of its subwords and their alignment."""
    if len(origin) == 0:
        return output
    if hasattr(output, "align"):
        return replace(output, align=output.align[origin])
    return output[get_array_module(output).asarray(origin)]


def summed_before(
    backprop: Callable, outputs: Sequence[Any], origins: Sequence[np.ndarray]
) -> Callable[[Sequence[Any]], Any]:
    """RETURNS: backprop, with the gradients of a token's parts added up."""

    def of_parts(gradients: Sequence[Any]) -> Any:
        if any(hasattr(output, "align") for output in outputs):
            return backprop(gradients)
        whole = []
        for output, gradient, origin in zip(outputs, gradients, origins):
            xp = get_array_module(output)
            d_output = xp.zeros_like(output)
            xp.add.at(d_output, xp.asarray(origin), gradient)
            whole.append(d_output)
        return backprop(whole)

    return of_parts
