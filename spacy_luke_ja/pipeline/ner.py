"""Docs in, named entities out: the component luke_ner."""

import warnings
from collections import Counter
from functools import partial
from typing import Any, Iterable, Iterator, List, Mapping, Optional, Set

import numpy as np
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model

from ..models.types import SubwordLogits
from ..text.alignment import ALIGNMENT_MODES
from ..text.decoding import CharSpan, check_cost, check_temperature
from ..text.ner import FoundEntity, find_entities, score_entities
from ..text.token_subwords import begin_inside_tokens, count_line_breaks
from ..token_splitting import token_offsets
from .ents import EntsPipe
from .factory import make_factory
from .listeners import BeforeListeners, keep_listeners_in_step
from .ner_doc import FILTERED, LossReport, annotate_entities, register_extensions
from .ner_learning import LearningTagPipe
from .settings import SpansKey, checked_number, one_of, setting

register_extensions()


class LukeNer(BeforeListeners, EntsPipe, LearningTagPipe):
    """Named entities by a Hugging Face token classifier, on exact characters.

    Writes doc.ents; ent._.luke_score; doc._.luke_entities, the character spans before they met the tokens;
    doc._.luke_alignment, what the tokens did to them; and doc.spans[spans_key] with attrs["scores"], a
    LastingSpanGroup.

    Settings, besides those of TagPipe; all can be assigned at any time:

    alignment_mode: "strict", "contract", "expand" as in Doc.char_span; "split" splits tokens at entity edges.
    temperature: what the logits are divided by before they become scores, so that these are probabilities: found by
        `spacy luke calibrate`. It changes scores only. The checkpoint's own (score_temperature in its config.json,
        else 1.0) when None.
    cut_cost: what it costs an entity to begin or end inside a token, as a natural logarithm of probability: with
        2.0, such an edge must make the tags exp(2) times as likely as the best without it. The checkpoint's own
        (cut_cost in its config.json, else 0.0) when None.
    line_break_cost: the same for an entity that goes on in the next line: the higher, the surer a list of one name
        a line stays apart; the lower, the surer a name that was wrapped stays whole. The checkpoint's own
        (line_break_cost in its config.json, else 0.0) when None.
    spans_key: where in doc.spans the entities and their scores go, too, those that ents_filter turns away included
        where they are whole tokens; under the component's present name when None.
    """

    factory = "luke_ner"
    default_checkpoint = "ja_luke_ner_sm"

    alignment_mode: str = setting(one_of("alignment_mode", ALIGNMENT_MODES), default="split")
    temperature: Optional[float] = setting(checked_number(check_temperature, optional=True))
    cut_cost: Optional[float] = setting(checked_number(partial(check_cost, setting="cut_cost"), optional=True))
    line_break_cost: Optional[float] = setting(
        checked_number(partial(check_cost, setting="line_break_cost"), optional=True)
    )
    spans_key: Optional[str] = SpansKey()  # type: ignore[assignment]

    def __init__(self, vocab: Vocab, model: Model, name: str = "", **arguments: Any):
        """arguments: scorer, ents_filter, and the settings."""
        super().__init__(vocab, model, name, **arguments)
        self._warned_modes: Set[str] = set()  # of which a single Doc has said what it moved or dropped
        # What befell the entities so far, to say once when ents_filter turns away all.
        self._outcomes: Counter = Counter()
        self._has_warned_of_filter = False

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> List[List[CharSpan]]:
        """Find entities without touching the Docs.

        RETURNS: per Doc, character spans in text order, with the Doc's labels; those below threshold are left out.
        """
        found = self.find_entities(docs)
        flat = [entity for entities in found for entity in entities]
        scores = iter(score_entities(flat, temperature=self.score_temperature).tolist())
        scored = [[CharSpan(*entity[:3], next(scores)) for entity in entities] for entities in found]
        return [[span for span in spans if span.score >= self._threshold(span.label)] for spans in scored]

    def find_entities(self, docs: Iterable[Doc]) -> List[List[FoundEntity]]:
        """Run the model, without touching the Docs.

        RETURNS: per Doc, all entities in text order, with the Doc's labels; temperature and threshold come after this.
        """
        self.load()
        docs = list(docs)
        outputs = self.model.predict(docs)
        return [self._decode(doc, self._tagged(doc, output)[0]) for doc, output in zip(docs, outputs)]

    @property
    def score_temperature(self) -> float:
        """What logits are divided by for scores: the setting temperature, or else the checkpoint's own."""
        if self.temperature is not None:
            return self.temperature
        self.load()
        return self.model.attrs["score_temperature"]

    def _decode(self, doc: Doc, output: SubwordLogits) -> List[FoundEntity]:
        if not np.isfinite(output.logits).all():
            raise ValueError(self._not_finite())
        subwords, own = output.subwords, self.model.attrs
        cut_cost = own["cut_cost"] if self.cut_cost is None else self.cut_cost
        line_cost = own["line_break_cost"] if self.line_break_cost is None else self.line_break_cost
        entities = find_entities(
            subwords,
            output.logits,
            self._tag_labels.scheme,
            edge_costs=cut_cost * begin_inside_tokens(subwords, token_offsets(doc)) if cut_cost else None,
            line_costs=line_cost * count_line_breaks(subwords) if line_cost else None,
            longest=own["longest_entity"],
        )
        mapped = [entity._replace(label=self._tag_labels.doc_label.get(entity.label, "")) for entity in entities]
        return [entity for entity in mapped if entity.label]

    def _threshold(self, label: str) -> float:
        return self.threshold.get(label, 0.0) if isinstance(self.threshold, Mapping) else self.threshold

    def set_annotations(self, docs: Iterable[Doc], scores: List[List[CharSpan]]) -> None:
        """Write predicted character spans to Docs; with alignment_mode "split", tokens may be split."""
        for doc, char_spans in zip(docs, scores):
            annotate_entities(
                doc,
                char_spans,
                component=self.name,
                alignment_mode=self.alignment_mode,
                spans_key=self.spans_key,
                ents_filter=self.ents_filter,
            )

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate a stream; what its tokens moved or dropped is said once, at its end; by single Docs, once."""
        report = LossReport(self.name)
        try:
            for doc in keep_listeners_in_step(self, stream, partial(super().pipe, batch_size=batch_size)):
                report.add(doc)
                yield doc
        finally:
            if report.n_docs > 1 or self.alignment_mode not in self._warned_modes:
                has_warned = report.warn(self.alignment_mode)
                self._warned_modes.update([self.alignment_mode] if has_warned else [])
            self._warn_if_all_are_filtered(report.counts)

    def _warn_if_all_are_filtered(self, counts: Counter) -> None:
        self._outcomes.update(counts)
        n_found = sum(self._outcomes.values())
        if n_found == self._outcomes[FILTERED] > 0 and not self._has_warned_of_filter:
            self._has_warned_of_filter = True
            warnings.warn(
                f"[{self.name}] ents_filter turned away all {n_found} entities found so far: others were set there "
                "before, or the tokens are blocked. doc._.luke_entities has them; to have them in doc.ents, put "
                f'{self.name} first, or set ents_filter to {{"@misc": "spacy.prioritize_new_ents_filter.v1"}}',
                stacklevel=3,
            )


make_luke_ner = make_factory(
    LukeNer,
    functions={
        "ents_filter": {"@misc": "spacy.prioritize_existing_ents_filter.v1"},
        "scorer": {"@scorers": "spacy-luke-ja.ner_scorer.v1"},
    },
    assigns=["doc.ents", "token.ent_iob", "token.ent_type", "doc.spans"],
    retokenizes=True,
    default_score_weights={
        "ents_f": 1.0,
        "ents_p": 0.0,
        "ents_r": 0.0,
        "ents_per_type": None,
        "char_ents_f": 0.0,
        "char_ents_p": 0.0,
        "char_ents_r": 0.0,
        "char_ents_per_type": None,
    },
)
