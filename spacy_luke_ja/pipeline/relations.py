"""Docs with mentions in, the relations between them out: the component luke_relations."""

from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from spacy.util import logger

from ..models.mentions import MentionedDoc
from ..models.problem_type import read_problem_type, with_new_classes
from ..models.relations import RELATIONS
from ..relations_data import get_gold_pairs, set_found_relations
from ..text.relations import FoundRelation, Pair, RelationLabels, find_pairs, find_relations
from .checkpoint_pipe import check_same_text
from .classifier_pipe import ClassifierPipe
from .factory import make_factory
from .relations_doc import labelled_mentions, register_extensions
from .relations_loss import relations_loss
from .settings import check_mentions_key, setting, share, some_name, whole_number, yes_or_no

register_extensions()


def check_matcher(value: Any) -> Optional[Dict[str, List[List[str]]]]:
    if value is None:
        return None
    is_list = lambda own: isinstance(own, (list, tuple))
    is_pair = lambda own: is_list(own) and len(own) == 2 and all(isinstance(label, str) for label in own)
    if not isinstance(value, Mapping) or not all(
        isinstance(relation, str) and is_list(pairs) and all(map(is_pair, pairs)) for relation, pairs in value.items()
    ):
        raise ValueError(
            'matcher must give relations the labels of head and tail, {"勤務先": [["人名", "法人名"]]}, say, '
            f"got {value!r}"
        )
    return {relation: [list(pair) for pair in pairs] for relation, pairs in value.items()}


class GoldPairs(NamedTuple):
    """What is learned of a text: pairs with their relations; and how many relations are of no such pair."""

    pairs: List[Pair]
    labels: List[Tuple[str, ...]]
    n_left_out: int


class LukeRelations(ClassifierPipe):
    """Relations between the mentions of a Doc, by LUKE's classification of pairs of entities.

    They go to doc._.luke_relations: a Relation each, with head, tail, label and score. All pairs are read in both
    directions, each by itself.

    Settings, which can be assigned at any time:

    mentions_key: which group of doc.spans has the mentions; doc.ents when None.
    max_distance: the most characters between two mentions of a pair; as many as the encoder takes when None.
    matcher: relation → the labels of head and tail that it may stand between, [["人名", "法人名"]], say; "*" is any
        label. A relation that it does not have may stand between any. Pairs that may have none are not read.
    no_relation: the label of pairs without a relation; None where the checkpoint has no such label.
    multi_label: whether a pair may have several relations, each with a probability of its own (sigmoid); else it has
        at most one (softmax). What the checkpoint says (problem_type in its config.json, else one) when None.
    threshold: the least score of a relation. When None, that of no_relation; with multi_label, 0.5.
    n_best: how many of the likeliest relations of its pair a Relation has beside its own.
    cut_at_mentions: whether a text is cut at both mentions before it becomes subwords, as for a checkpoint that was
        trained with LUKE's own tokenizer; a model must be run as it was trained.
    """

    factory = "luke_relations"
    task = RELATIONS

    mentions_key: Optional[str] = setting(check_mentions_key)
    max_distance: Optional[int] = setting(whole_number("max_distance", least=0, optional=True), default=100)
    matcher: Optional[Dict[str, List[List[str]]]] = setting(check_matcher)
    no_relation: Optional[str] = setting(
        some_name("no_relation", "a label, or None where every pair has a relation", optional=True),
        default="no_relation",
    )
    multi_label: Optional[bool] = setting(yes_or_no("multi_label", optional=True))
    threshold: Optional[float] = setting(share("threshold", optional=True))
    n_best: int = setting(whole_number("n_best", least=1), default=3)
    cut_at_mentions: bool = setting(yes_or_no("cut_at_mentions"), default=False)

    @property
    def labels(self) -> Tuple[str, ...]:
        """The relations that the model knows; none before it is loaded."""
        return tuple(label for label in super().labels if label != self.no_relation)

    def predict(self, docs: Iterable[Doc]) -> List[List[FoundRelation]]:
        """RETURNS: per Doc, the relations between its mentions, without touching it."""
        self.load()
        labels = self._meanings()
        asked = [self._pairs_in(doc, labels) for doc in docs]
        outputs = self.model.predict([self._ask(doc, pairs) for doc, (pairs, _) in zip(docs, asked)])
        return [self._find(pairs, logits, allowed, labels) for (pairs, allowed), logits in zip(asked, outputs)]

    def _ask(self, doc: Doc, pairs: Sequence[Pair]) -> MentionedDoc:
        return MentionedDoc(doc, pairs, self.cut_at_mentions)

    def _find(
        self, pairs: Sequence[Pair], logits: np.ndarray, allowed: np.ndarray, labels: RelationLabels
    ) -> List[FoundRelation]:
        if np.isnan(logits).any():
            raise ValueError(self._not_finite())
        settings: Any = {"threshold": self.threshold, "n_best": self.n_best}
        return [
            FoundRelation(*pair, label, score, best)
            for pair, own, may in zip(pairs, logits, allowed)
            for label, score, best in find_relations(own, may, labels, **settings)
        ]

    def set_annotations(self, docs: Iterable[Doc], scores: List[List[FoundRelation]]) -> None:
        for doc, relations in zip(docs, scores):
            set_found_relations(doc, self.name, relations)

    def _meanings(self) -> RelationLabels:
        """RETURNS: what the loaded classifier says; a ValueError where the settings do not fit it."""
        labels, matcher = super().labels, self.matcher or {}
        multi_label = self._is_multi_label(self._shim.checkpoint)
        if self.no_relation not in (*labels, None) and not multi_label:
            raise ValueError(
                f"[{self.name}] no_relation is {self.no_relation}, and the checkpoint {self._shim.checkpoint.name} has "
                f"no such label, only {', '.join(labels)}; name the one for pairs without a relation, or set it to None"
            )
        unknown = sorted(matcher.keys() - set(self.labels))
        if unknown:
            raise ValueError(
                f"[{self.name}] matcher has {', '.join(unknown)}, and the relations are {', '.join(self.labels)}"
            )
        return RelationLabels(labels, self.no_relation, multi_label, matcher)

    def _is_multi_label(self, checkpoint: Any) -> bool:
        return bool(read_problem_type(checkpoint) if self.multi_label is None else self.multi_label)

    def _pairs_in(
        self, doc: Doc, labels: RelationLabels, *, further: Sequence[Tuple[int, int]] = ()
    ) -> Tuple[List[Pair], np.ndarray]:
        """further: mentions beside those that the Doc has, without labels.

        RETURNS: the pairs that may have a relation, and (n_pairs, n_labels) which each may have.
        """
        mentions = labelled_mentions(doc, self.mentions_key)
        for mention in further:
            mentions.setdefault(mention, set())
        allowed_of: Dict[Tuple[Any, ...], np.ndarray] = {}
        pairs, allowed = [], []
        for head, tail in find_pairs(mentions, self.max_distance):
            key = (frozenset(mentions[head]), frozenset(mentions[tail]))
            if key not in allowed_of:
                allowed_of[key] = labels.allows(mentions[head], mentions[tail])
            if allowed_of[key].any():
                pairs.append((head, tail))
                allowed.append(allowed_of[key])
        return pairs, np.array(allowed, dtype=bool).reshape(-1, len(labels.labels))

    # Training

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Sequence[str]] = None,
    ) -> None:
        """Load the checkpoint; one that does not have the labels gets a new classifier, to be trained.

        get_examples: gives examples whose references have relations, see make_relations_example.
        labels: the relations to learn; those of all examples when None.
        """
        validate_get_examples(get_examples, "LukeRelations.initialize")
        examples = list(get_examples())
        gold = [pair for example in examples for pair in get_gold_pairs(example.reference)]
        names = (
            sorted({label for pair in gold for label in pair.labels or ()})
            if labels is None
            else list(dict.fromkeys(labels))
        )
        names = [name for name in names if name != self.no_relation]
        checkpoint = self._open()
        has_own = checkpoint.task == RELATIONS.head.task
        multi_label = self._is_multi_label(checkpoint) if has_own else bool(self.multi_label)
        none = [] if multi_label or self.no_relation is None else [self.no_relation]
        with self._unchanged_on_error():
            self._start(
                checkpoint,
                [*none, *names] if names else [],
                lambda own: with_new_classes(own, [*none, *names], RELATIONS.head.task, multi_label=multi_label),
            )
            meanings = self._meanings()
            left_out = sum(self._gold(example, meanings)[0].n_left_out for example in examples)
        if left_out:
            logger.warning(
                "[%s] %d relations of the examples are between mentions that the settings max_distance and matcher "
                "leave out: they are not learned, and will not be found",
                self.name,
                left_out,
            )

    def _gold(self, example: Example, labels: RelationLabels) -> Tuple[GoldPairs, np.ndarray]:
        """RETURNS: what is learned of an example, and (n_pairs, n_labels) what each pair may have."""
        check_same_text(example)
        gold = {own[:2]: own.labels for own in get_gold_pairs(example.reference)}
        self._check_gold(gold, labels)
        pairs, allowed = self._pairs_in(example.reference, labels, further=[own for pair in gold for own in pair])
        columns = {label: i for i, label in enumerate(labels.labels)}
        may = lambda i, own: own is not None and all(allowed[i, columns[label]] for label in own)
        known = [i for i, pair in enumerate(pairs) if may(i, gold.get(pair, ()))]
        kept = [pairs[i] for i in known]
        of_pairs = [gold.get(pair) or () for pair in kept]
        n_left_out = sum(len(own or ()) for own in gold.values()) - sum(map(len, of_pairs))
        return GoldPairs(kept, of_pairs, n_left_out), allowed[known]

    def _check_gold(self, gold: Mapping[Pair, Optional[Tuple[str, ...]]], labels: RelationLabels) -> None:
        for own in gold.values():
            strange = sorted({*(own or ())} - {*self.labels})
            if strange:
                raise ValueError(
                    f"[{self.name}] the examples have the relations {', '.join(strange)}, but the component knows "
                    f"{', '.join(self.labels)}; initialize with all of them"
                )
            if len(own or ()) > 1 and not labels.multi_label:
                raise ValueError(
                    f"[{self.name}] a pair must have one relation, got {', '.join(own or ())}; set multi_label to true "
                    "where it may have several"
                )

    def _inputs(self, examples: Sequence[Example]) -> List[MentionedDoc]:
        labels = self._meanings() if examples else None
        return [self._ask(example.predicted, self._gold(example, labels)[0].pairs) for example in examples if labels]

    def _summed_loss(
        self, examples: Iterable[Example], outputs: List[np.ndarray]
    ) -> Tuple[float, List[np.ndarray], int]:
        labels = self._meanings()
        gold = [self._gold(example, labels) for example in examples]
        return relations_loss(outputs, [own.labels for own, _ in gold], [allowed for _, allowed in gold], labels)


make_luke_relations = make_factory(
    LukeRelations,
    functions={"scorer": {"@scorers": "spacy-luke-ja.relations_scorer.v1"}},
    assigns=["doc._.luke_relations"],
    requires=[],
    default_score_weights={"relations_f": 1.0, "relations_p": 0.0, "relations_r": 0.0},
)
