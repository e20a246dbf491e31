"""A corpus in, the batches of a run out, the same again after a kill; and checksums that tell other data."""

import itertools
import random
import zlib
from contextlib import suppress
from typing import IO, Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

import srsly
from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from .progress import dump_random_states, load_random_states


class TrainingBatches:
    """The batches of a run, epoch by epoch, shuffled as spaCy does.

    states: Python's random state at the beginning of each epoch so far. Given those of a run that was killed, the same
        batches come again, so that it can pass over the ones that were done; unless a stream draws random numbers while
        it is read, and components do so between.
    checksum: of the examples; None for a stream, which is read anew in every epoch.
    """

    def __init__(self, nlp: Language, corpus: Callable, settings: Dict[str, Any]):
        self.nlp = nlp
        self.corpus = corpus
        self.batcher = settings["batcher"]
        self.max_epochs = settings["max_epochs"]
        self.states: List[Any] = []
        self.examples: Optional[List[Example]] = None
        self.checksum: Optional[int] = None
        if self.max_epochs >= 0:  # -1 is a stream
            self.examples = list(corpus(nlp))
            if not self.examples:
                raise ValueError(Errors.E986)
            self.checksum = checksum_of(example.reference for example in self.examples)

    def __iter__(self) -> Iterator[Tuple[int, List[Example]]]:
        for epoch in itertools.count():
            if self.max_epochs > 0 and epoch == self.max_epochs:
                return
            if epoch < len(self.states):
                random.setstate(self.states[epoch])
            else:
                self.states.append(random.getstate())
            examples: Iterable[Example] = self.corpus(self.nlp) if self.examples is None else self.examples
            if self.examples is not None:
                random.shuffle(self.examples)
            for batch in self.batcher(examples):
                yield epoch, list(batch)


def checksum_of(docs: Iterable[Doc]) -> int:
    """Of texts and annotation, that in user_data too: two that differ in a label or an answer have another."""
    attributes: Any = [
        "ORTH",
        "SPACY",
        "TAG",
        "POS",
        "MORPH",
        "LEMMA",
        "HEAD",
        "DEP",
        "SENT_START",
        "ENT_IOB",
        "ENT_TYPE",
    ]
    checksum = 0
    for doc in docs:
        spans = {key: [(span.start, span.end, span.label_) for span in group] for key, group in doc.spans.items()}
        checksum = zlib.crc32(doc.to_array(attributes).tobytes(), checksum)
        checksum = zlib.crc32(f"{spans} {sorted(doc.cats.items())}".encode(), checksum)
        checksum = zlib.crc32(dump_user_data(doc), checksum)
    return checksum


def dump_user_data(doc: Doc) -> bytes:
    """As Doc.to_bytes saves it, in an order of its own; what cannot be saved is left out."""
    dumps = []
    for key, value in doc.user_data.items():
        with suppress(TypeError):
            dumps.append(srsly.msgpack_dumps([key, value]))
    return b"".join(sorted(dumps))


def check_dev(nlp: Language, dev_corpus: Callable, batches: TrainingBatches, stdout: IO) -> int:
    """Say what would make the scores on dev meaningless: no texts, or labels that cannot be learned.

    RETURNS: the checksum of the dev data.
    """
    references = [example.reference for example in dev_corpus(nlp)]
    if not references:
        raise ValueError("training.dev_corpus is empty, so no step could be told to be the best")
    if batches.examples is not None:
        learned = {ent.label_ for example in batches.examples for ent in example.reference.ents}
        lacking = {ent.label_ for reference in references for ent in reference.ents} - learned
        if lacking:
            labels = ", ".join(sorted(lacking))
            print(f"dev has labels that train lacks: {labels}; they cannot be learned and count as missed", file=stdout)
    return checksum_of(references)


def steps_after(
    batches: TrainingBatches, dropouts: Iterable[float], n_steps: int
) -> Iterator[Tuple[int, List[Example], float]]:
    """YIELDS: epoch, batch and dropout of each step after the first n_steps, which are passed over."""
    steps = ((epoch, batch, dropout) for (epoch, batch), dropout in zip(batches, dropouts))
    if n_steps:
        states = dump_random_states()
        next(itertools.islice(steps, n_steps - 1, None), None)
        load_random_states(states)
    return steps
