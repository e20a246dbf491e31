"""Docs with mentions in, the types of each out: the component luke_entity_typing."""

from typing import Callable, Iterable, List, Optional, Sequence, Tuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples

from ..models.typing import TYPING, Mentioned
from ..text.typing import TypedMention, find_types
from ..typing_data import get_gold_types, register_extensions
from ..user_data import pack_quickly
from .factory import make_factory
from .mention_pipe import MentionPipe, check_same_text
from .settings import setting, share, yes_or_no
from .typing_doc import annotate_types, mentions_in
from .typing_loss import typing_loss

register_extensions()


class LukeEntityTyping(MentionPipe):
    """What given mentions are, several types a mention, by LUKE's entity classification.

    The types go to span._.luke_types, (label, score) each, of spans with the mention's characters.

    Settings, which can be assigned at any time:

    mentions_key: which group of doc.spans has the mentions; doc.ents when None.
    threshold: the least score, a probability, of a type.
    overwrite_labels: whether the mentions get their likeliest type as label; those without a type keep theirs.
    """

    factory = "luke_entity_typing"
    task = TYPING

    threshold: float = setting(share("threshold"), default=0.5)
    overwrite_labels: bool = setting(yes_or_no("overwrite_labels"), default=False)

    def predict(self, docs: Iterable[Doc]) -> List[List[TypedMention]]:
        """RETURNS: per Doc, its mentions with their types, without touching it."""
        self.load()
        inputs = [(doc, mentions_in(doc, self.mentions_key)) for doc in docs]
        found = []
        for (_, mentions), logits in zip(inputs, self.model.predict(inputs)):
            if np.isnan(logits).any():
                raise ValueError(self._not_finite())
            types = [find_types(own, self.labels, self.threshold) for own in logits]
            found.append([TypedMention(*chars, own) for chars, own in zip(mentions, types)])
        return found

    def set_annotations(self, docs: Iterable[Doc], scores: List[List[TypedMention]]) -> None:
        pack_quickly()  # a process that was spawned has not called __init__
        key, overwrite = self.mentions_key, self.overwrite_labels
        for doc, mentions in zip(docs, scores):
            annotate_types(doc, mentions, component=self.name, mentions_key=key, overwrite_labels=overwrite)

    # Training

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Sequence[str]] = None,
    ) -> None:
        """Load the checkpoint; one that does not have the labels gets a new classifier, to be trained.

        get_examples: gives examples whose references have types, see make_typing_example.
        labels: the types to learn; those of all examples when None.
        """
        validate_get_examples(get_examples, "LukeEntityTyping.initialize")
        gold = (
            own for example in get_examples() for mention in get_gold_types(example.reference) for own in mention.types
        )
        names = sorted({label for label, _ in gold}) if labels is None else list(dict.fromkeys(labels))
        self._start(self._open(), names, lambda own: own.with_new_classifier(names, TYPING.head.task))

    def _inputs(self, examples: Sequence[Example]) -> List[Mentioned]:
        return [(example.predicted, [own[:2] for own in get_gold(example)]) for example in examples]

    def _summed_loss(
        self, examples: Iterable[Example], outputs: List[np.ndarray]
    ) -> Tuple[float, List[np.ndarray], int]:
        gold = [[[label for label, _ in own.types] for own in get_gold(example)] for example in examples]
        return typing_loss(outputs, gold, self.labels)


make_luke_entity_typing = make_factory(
    LukeEntityTyping,
    functions={"scorer": {"@scorers": "spacy-luke-ja.typing_scorer.v1"}},
    assigns=["span._.luke_types"],
    requires=[],
    default_score_weights={"typing_f": 1.0, "typing_p": 0.0, "typing_r": 0.0},
)


def get_gold(example: Example) -> List[TypedMention]:
    check_same_text(example)
    return get_gold_types(example.reference)
