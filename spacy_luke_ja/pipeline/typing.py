"""Docs with mentions in, the types of each out: the component luke_entity_typing."""

from typing import Callable, Iterable, List, Optional, Sequence, Tuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples

from ..models.mentions import MentionedDoc
from ..models.typing import TYPING
from ..text.typing import TypedMention, find_types
from ..typing_data import get_gold_types
from .checkpoint_pipe import check_same_text
from .classifier_pipe import ClassifierPipe
from .factory import make_factory
from .mentions import mentions_in
from .settings import check_mentions_key, setting, share, yes_or_no
from .typing_doc import annotate_types, register_extensions
from .typing_loss import typing_loss

register_extensions()


class LukeEntityTyping(ClassifierPipe):
    """What given mentions are, several types a mention, by LUKE's entity classification.

    The types go to span._.luke_types, (label, score) each, of spans with the mention's characters.

    Settings, which can be assigned at any time:

    mentions_key: which group of doc.spans has the mentions; doc.ents when None.
    threshold: the least score, a probability, of a type.
    overwrite_labels: whether the mentions get their likeliest type as label; those without a type keep theirs.
    cut_at_mentions: whether a text is cut at a mention before it becomes subwords, as for a checkpoint that was trained
        with LUKE's own tokenizer; a model must be run as it was trained.
    """

    factory = "luke_entity_typing"
    task = TYPING

    mentions_key: Optional[str] = setting(check_mentions_key)
    threshold: float = setting(share("threshold"), default=0.5)
    overwrite_labels: bool = setting(yes_or_no("overwrite_labels"), default=False)
    cut_at_mentions: bool = setting(yes_or_no("cut_at_mentions"), default=False)

    def predict(self, docs: Iterable[Doc]) -> List[List[TypedMention]]:
        """RETURNS: per Doc, its mentions with their types, without touching it."""
        self.load()
        inputs = [self._ask(doc, mentions_in(doc, self.mentions_key)) for doc in docs]
        found = []
        for own, logits in zip(inputs, self.model.predict(inputs)):
            if np.isnan(logits).any():
                raise ValueError(self._not_finite())
            types = [find_types(row, self.labels, self.threshold) for row in logits]
            found.append([TypedMention(*chars, types_of) for (chars,), types_of in zip(own.groups, types)])
        return found

    def _ask(self, doc: Doc, mentions: Sequence[Tuple[int, int]]) -> MentionedDoc:
        return MentionedDoc(doc, [(own,) for own in mentions], self.cut_at_mentions)

    def set_annotations(self, docs: Iterable[Doc], scores: List[List[TypedMention]]) -> None:
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

    def _inputs(self, examples: Sequence[Example]) -> List[MentionedDoc]:
        return [self._ask(example.predicted, [own[:2] for own in get_gold(example)]) for example in examples]

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
