"""Docs in, named entities out, nested ones too: the component luke_span_ner."""

from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from spacy.util import logger

from ..annotated_labels import get_annotated_labels
from ..models.spans import SPANS, AskedSpans, SpanLogits
from ..text.alignment import ALIGNMENT_MODES
from ..text.decoding import CharSpan
from ..text.spans import EDGES, find_spans
from .checkpoint_pipe import check_same_text
from .classifier_pipe import ClassifierPipe
from .ents import EntsPipe
from .factory import make_factory
from .settings import SpansKey, one_of, setting, share, some_name, whole_number, yes_or_no
from .spans_doc import annotate_spans, gold_spans
from .spans_loss import spans_loss


class LukeSpanNer(EntsPipe, ClassifierPipe):
    """Named entities by LUKE's classification of spans: all short spans of a text are candidates, each read by itself.

    Writes doc.spans[spans_key], a LastingSpanGroup with attrs["scores"]; and doc.ents, of which none overlaps another,
    the surer first.

    Settings, which can be assigned at any time:

    edges: where candidates begin and end: "subword", or "token", which are fewer where tokens are longer.
    max_span_length: the most subwords of a candidate.
    max_spans: the most candidates read together.
    no_entity: the checkpoint's label of candidates that are no entity.
    threshold: the least score, a probability, of an entity.
    nested: whether doc.spans has entities within others, too.
    alignment_mode: "strict", "contract", "expand" as in Doc.char_span; "split" splits tokens at entity edges.
    spans_key: where in doc.spans the entities go; under the component's present name when None. What is learned is
        that group of a reference where it has one, else its doc.ents.
    """

    factory = "luke_span_ner"
    task = SPANS

    edges: str = setting(one_of("edges", EDGES), default="subword")
    max_span_length: int = setting(whole_number("max_span_length", least=1), default=16)
    max_spans: int = setting(whole_number("max_spans", least=1), default=128)
    no_entity: str = setting(some_name("no_entity", "a label of the checkpoint"), default="NIL")
    threshold: float = setting(share("threshold"), default=0.0)
    nested: bool = setting(yes_or_no("nested"), default=False)
    alignment_mode: str = setting(one_of("alignment_mode", ALIGNMENT_MODES), default="split")
    spans_key: Optional[str] = SpansKey()  # type: ignore[assignment]

    @property
    def labels(self) -> Tuple[str, ...]:
        """What the model finds; nothing before it is loaded."""
        return tuple(label for label in super().labels if label != self.no_entity)

    def predict(self, docs: Iterable[Doc]) -> List[List[CharSpan]]:
        """RETURNS: per Doc, what was found, overlaps included, the surest first, without touching it."""
        self.load()
        labels = self._outputs()
        found = []
        for char_spans, logits in self.model.predict([self._ask(doc) for doc in docs]):
            if np.isnan(logits).any():
                raise ValueError(self._not_finite())
            found.append(find_spans(char_spans, logits, labels, none=self.no_entity, threshold=self.threshold))
        return found

    def set_annotations(self, docs: Iterable[Doc], scores: List[List[CharSpan]]) -> None:
        """Write what was found to Docs; with alignment_mode "split", tokens may be split."""
        for doc, char_spans in zip(docs, scores):
            annotate_spans(
                doc,
                char_spans,
                alignment_mode=self.alignment_mode,
                nested=self.nested,
                spans_key=str(self.spans_key),
                ents_filter=self.ents_filter,
            )

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        return super().score(examples, **{"spans_key": self.spans_key, **kwargs})

    def _ask(self, doc: Doc) -> AskedSpans:
        return AskedSpans(doc, self.edges, self.max_span_length, self.max_spans)

    def _gold(self, example: Example) -> Optional[Dict[Tuple[int, int], str]]:
        return gold_spans(example.reference, str(self.spans_key))

    def _outputs(self) -> Tuple[str, ...]:
        """RETURNS: the labels of the loaded classifier's outputs; a ValueError where no_entity is none of them."""
        labels = super().labels
        if self.no_entity not in labels:
            raise ValueError(
                f"[{self.name}] no_entity is {self.no_entity}, and the checkpoint {self._shim.checkpoint.name} has no "
                f"such label, only {', '.join(labels)}; name the one for spans that are no entity"
            )
        return labels

    # Training

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Sequence[str]] = None,
    ) -> None:
        """Load the checkpoint; one that does not have the labels gets a new classifier, to be trained.

        get_examples: gives examples whose references have doc.ents, or a group spans_key.
        labels: the labels to learn; those of all examples when None.
        """
        validate_get_examples(get_examples, "LukeSpanNer.initialize")
        examples = list(get_examples())
        if labels is None:
            gold = [self._gold(example) or {} for example in examples]
            labels = sorted({label for own in gold for label in own.values()})
        names = [label for label in dict.fromkeys(labels) if label != self.no_entity]
        outputs = [self.no_entity, *names] if names else []
        with self._unchanged_on_error():
            self._start(self._open(), outputs, lambda own: own.with_new_classifier(outputs, SPANS.head.task))
            self._outputs()
        self._warn_of_others(examples)

    def _warn_of_others(self, examples: Sequence[Example]) -> None:
        """Say how many gold spans are no candidates, with an example."""
        lost, n_gold = [], 0
        for example in examples:
            gold = self._gold(example) or {}
            n_gold += len(gold)
            item = SPANS.encode(self.subword_encoder, [self._ask(example.predicted)])[0]
            candidates = set(map(tuple, item.candidates[:, 2:].tolist()))
            lost += [example.reference.text[start:end] for start, end in gold if (start, end) not in candidates]
        if lost:
            logger.warning(
                "[%s] %d of %d gold spans are no candidates, %r, say: they have more than %d subwords "
                "(max_span_length), or begin or end inside a %s; they are not learned, and will not be found",
                self.name,
                len(lost),
                n_gold,
                lost[0],
                self.max_span_length,
                self.edges,
            )

    def _inputs(self, examples: Sequence[Example]) -> List[AskedSpans]:
        return [self._ask(example.predicted) for example in examples]

    def _summed_loss(
        self, examples: Iterable[Example], outputs: List[SpanLogits]
    ) -> Tuple[float, List[np.ndarray], int]:
        gold, annotated = [], []
        for example in examples:
            check_same_text(example)
            own = self._gold(example)
            strange = sorted(set((own or {}).values()) - set(self.labels))
            if strange:
                raise ValueError(
                    f"[{self.name}] the examples have the labels {', '.join(strange)}, but the component knows "
                    f"{', '.join(self.labels)}; initialize with all of them"
                )
            gold.append(own or {})
            known = get_annotated_labels(example.reference)
            annotated.append(() if own is None else known if known is None else tuple(known))
        return spans_loss(outputs, gold, annotated, self._outputs(), none=self.no_entity)


make_luke_span_ner = make_factory(
    LukeSpanNer,
    functions={
        "ents_filter": {"@misc": "spacy.prioritize_existing_ents_filter.v1"},
        "scorer": {"@scorers": "spacy-luke-ja.spans_scorer.v1"},
    },
    assigns=["doc.ents", "token.ent_iob", "token.ent_type", "doc.spans"],
    retokenizes=True,
    default_score_weights={
        "spans_f": 1.0,
        "spans_p": 0.0,
        "spans_r": 0.0,
        "spans_per_type": None,
        "ents_f": 0.0,
        "ents_p": 0.0,
        "ents_r": 0.0,
        "ents_per_type": None,
    },
)
