"""Docs in, named entities out: the component luke_ner."""

import copy
import warnings
from collections import Counter
from functools import partial
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Set, Tuple, Union

import numpy as np
from spacy import util
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Optimizer, set_dropout_rate

from ..annotated_labels import get_annotated_labels, labels_in
from ..models.architectures import fill_model
from ..models.hf_checkpoint import Checkpoint
from ..models.hf_loader import NoClassifier
from ..models.ner import NER
from ..models.types import LukeNerModel, SubwordLogits
from ..text.alignment import ALIGNMENT_MODES
from ..text.decoding import (
    CharSpan,
    FoundEntity,
    check_cost,
    check_temperature,
    encode_tags,
    find_entities,
    score_entities,
)
from ..text.label_schemes import OUTSIDE, SCHEMES, shorten
from ..text.token_subwords import begin_inside_tokens, count_line_breaks, first_of_tokens
from ..token_splitting import token_offsets
from ..training.optimizers import create_adamw
from ..user_data import pack_quickly
from .annotation import FILTERED, EntsFilter, LossReport, annotate, register_extensions
from .checkpoint_pipe import CheckpointPipe
from .labels import TagLabels, from_cfg, new_labels, read_labels
from .listeners import BeforeListeners, keep_listeners_in_step
from .settings import (
    Setting,
    SpansKey,
    check_label_map,
    check_tag_names,
    check_threshold,
    check_unknown_labels,
    checked_number,
    one_of,
)
from .training import annotated_subwords, gold_char_spans, possible_tags, rehearsal_loss, tag_loss

DEFAULT_MODEL = {"@architectures": "spacy-luke-ja.HFModel.v1", "name": "ja_luke_ner_sm"}

LABEL_SUBWORDS = ("all", "first")
# How much lower than that of O, whose weights they start with, the logits of new tags are.
NEW_TAGS_LOWERED = 2.0
# How much staying with what it said of unknown labels counts against the gold. With 100 sentences of a new label, the
# others lost 1.0 points at 2 and 0.6 at 5, and the new one was learned as well.
REHEARSAL_WEIGHT = 5.0
# Up to which width of an encoder which learning rate is good to go on with.
LEARN_RATES = ((512, 5e-5), (768, 2e-5), (float("inf"), 1e-5))

register_extensions()


@Language.factory(
    "luke_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type", "doc.spans"],
    retokenizes=True,
    default_config={
        "model": DEFAULT_MODEL,
        "tags": None,
        "scheme": None,
        "label_map": None,
        "alignment_mode": "split",
        "label_subwords": "all",
        "threshold": 0.0,
        "temperature": None,
        "cut_cost": None,
        "line_break_cost": None,
        "unknown_labels": None,
        "spans_key": None,
        "ents_filter": {"@misc": "spacy.prioritize_existing_ents_filter.v1"},
        "scorer": {"@scorers": "spacy-luke-ja.ner_scorer.v1"},
    },
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
def make_luke_ner(
    nlp: Language,
    name: str,
    model: LukeNerModel,
    tags: Optional[List[str]],
    scheme: Optional[str],
    label_map: Optional[Dict[str, str]],
    alignment_mode: str,
    label_subwords: str,
    threshold: Union[float, Dict[str, float]],
    temperature: Optional[float],
    cut_cost: Optional[float],
    line_break_cost: Optional[float],
    unknown_labels: Optional[List[str]],
    spans_key: Optional[str],
    ents_filter: Optional[EntsFilter],
    scorer: Optional[Callable],
) -> "LukeNer":
    """Construct a LukeNer; see there for the settings."""
    return LukeNer(
        nlp.vocab,
        model,
        name,
        tags=tags,
        scheme=scheme,
        label_map=label_map,
        alignment_mode=alignment_mode,
        label_subwords=label_subwords,
        threshold=threshold,
        temperature=temperature,
        cut_cost=cut_cost,
        line_break_cost=line_break_cost,
        unknown_labels=unknown_labels,
        spans_key=spans_key,
        ents_filter=ents_filter,
        scorer=scorer,
    ).belongs_to(nlp)


class LukeNer(BeforeListeners, CheckpointPipe):
    """Named entities by a Hugging Face token classifier, on exact characters.

    Writes doc.ents; ent._.luke_score; doc._.luke_entities, the character spans before they met the tokens;
    doc._.luke_alignment, what the tokens did to them; and doc.spans[spans_key] with attrs["scores"], a
    LastingSpanGroup.

    Settings can be assigned at any time.
    """

    task = NER
    default_checkpoint = "ja_luke_ner_sm"

    tags = Setting(check_tag_names, key="checkpoint_tags")
    scheme = Setting(one_of("scheme", tuple(SCHEMES), optional=True), key="checkpoint_scheme")
    label_map = Setting(check_label_map, key="checkpoint_label_map")
    alignment_mode = Setting(one_of("alignment_mode", ALIGNMENT_MODES))
    label_subwords = Setting(one_of("label_subwords", LABEL_SUBWORDS))
    threshold = Setting(check_threshold)
    temperature = Setting(checked_number(check_temperature, optional=True))
    cut_cost = Setting(checked_number(partial(check_cost, setting="cut_cost"), optional=True))
    line_break_cost = Setting(checked_number(partial(check_cost, setting="line_break_cost"), optional=True))
    unknown_labels = Setting(check_unknown_labels)
    spans_key = SpansKey()

    def __init__(
        self,
        vocab: Vocab,
        model: LukeNerModel,
        name: str = "luke_ner",
        *,
        tags: Optional[Sequence[str]] = None,
        scheme: Optional[str] = None,
        label_map: Optional[Dict[str, str]] = None,
        alignment_mode: str = "split",
        label_subwords: str = "all",
        threshold: Union[float, Dict[str, float]] = 0.0,
        temperature: Optional[float] = None,
        cut_cost: Optional[float] = None,
        line_break_cost: Optional[float] = None,
        unknown_labels: Optional[Sequence[str]] = None,
        spans_key: Optional[str] = None,
        ents_filter: Optional[EntsFilter] = None,
        scorer: Optional[Callable] = None,
    ):
        """
        tags: the classifier's outputs in order, where the checkpoint's config.json does not name them.
        scheme: IO, BIO, BIOES or BILOU; recognised from the tags when None.
        label_map: the checkpoint's label → the label in the Doc ("" to drop it on purpose); the known names of
            the eight Stockmark labels when None. Not used for labels the component was trained on here.
        alignment_mode: "strict", "contract", "expand" as in Doc.char_span; "split" splits tokens at entity edges.
        label_subwords: which subwords carry tags, "all" or only the "first" of each token, whose tag then goes for the
            whole token. Train and use a checkpoint with the same.
        threshold: the least score of an entity, for all labels or per label (0 for those not named).
        temperature: what the logits are divided by before they become scores, so that these are probabilities: found by
            `spacy luke calibrate`. No entity changes by it. The checkpoint's own (score_temperature in its config.json,
            else 1.0) when None.
        cut_cost: what it costs an entity to begin or end inside a token, as a natural logarithm of probability: with
            2.0, such an edge must make the tags exp(2) times as likely as the best without it. The checkpoint's own
            (cut_cost in its config.json, else 0.0) when None.
        line_break_cost: the same for an entity that goes on in the next line: the higher, the surer a list of one name
            a line stays apart; the lower, the surer a name that was wrapped stays whole. The checkpoint's own
            (line_break_cost in its config.json, else 0.0) when None.
        unknown_labels: in training, the labels that texts say nothing of, unless they say for which they were annotated
            (see annotated_labels.py): neither that they are there, where none is marked, nor that they are not. None:
            after add_label, each of the labels that were there before, in texts in which it is not marked; else none.
        spans_key: where in doc.spans the entities and their scores go, too, those that ents_filter turns away included
            where they are whole tokens; under the component's present name when None.
        ents_filter: (entities before, new entities) → entities; the new ones replace the old when None.
        scorer: what Language.evaluate calls.
        """
        super().__init__(vocab, model, name, scorer)
        self._labels: Optional[TagLabels] = None
        self._added_labels: List[str] = []
        # What add_label gave the loaded classifier here; cfg["new_labels"], which is saved, may have it from before.
        self._grown_labels: List[str] = []
        self._model_before: Optional[LukeNerModel] = None
        self._own_optimizer: Optional[Optimizer] = None
        self.tags = tags
        self.scheme = scheme
        self.label_map = label_map
        self.alignment_mode = alignment_mode
        self._warned_modes: Set[str] = set()  # of which a single Doc has said what it moved or dropped
        self.label_subwords = label_subwords
        self.threshold = threshold
        self.temperature = temperature
        self.cut_cost = cut_cost
        self.line_break_cost = line_break_cost
        self.unknown_labels = unknown_labels
        self.spans_key = spans_key
        self.ents_filter = ents_filter
        # Filled when training gives the component labels of its own; the settings are for a checkpoint from elsewhere.
        self.cfg.update(tags=None, scheme=None, label_map=None, new_labels=[])
        # What befell the entities so far, to say once when ents_filter turns away all.
        self._outcomes: Counter = Counter()
        self._has_warned_of_filter = False
        pack_quickly()

    # Labels

    @property
    def labels(self) -> Tuple[str, ...]:
        """The labels that doc.ents may get. Before loading, those of a local checkpoint, or none."""
        known: Tuple[str, ...] = ()
        if self._labels is not None:
            known = self._labels.labels
        else:
            try:
                known = self._read_labels(self._open(allow_download=False)).labels
            except (OSError, ValueError):
                pass  # it is said when the checkpoint is loaded, and no reason to fail here
        return tuple(dict.fromkeys([*known, *self._added_labels]))

    @property
    def label_data(self) -> List[str]:
        """What `spacy init labels` writes and initialize takes."""
        return list(self.labels)

    @property
    def is_resizable(self) -> bool:
        return True

    def add_label(self, label: str) -> int:
        """Add a label; a loaded classifier grows outputs for it and keeps the others.

        The new outputs are those for "no entity" at first, too low to be chosen: training tells the two apart. See
        unknown_labels for texts that are annotated with the new label alone.

        RETURNS: 0 if the label is there already, else 1.
        """
        if not isinstance(label, str) or not label:
            raise ValueError(f"a label must be a string that is not empty, got {label!r}")
        if label in self.labels:
            return 0
        if self._is_loaded:
            self._grow_labels([label])
        else:
            self._added_labels.append(label)
        return 1

    def _read_labels(self, checkpoint: Checkpoint) -> TagLabels:
        if self.cfg["tags"] is not None:
            return from_cfg(self.cfg)
        return read_labels(checkpoint, tags=self.tags, scheme=self.scheme, label_map=self.label_map)

    def _check_changed(self, changes: Mapping[str, Any]) -> None:
        super()._check_changed(changes)
        if self._labels is not None:
            changed = sorted(changes.keys() & {"tags", "scheme", "label_map"})
            if changed and self.cfg["tags"] is not None:
                raise ValueError(
                    f"{changed[0]} says how to read a checkpoint's labels, and this component has its own, from "
                    f"training: {', '.join(self.labels)}"
                )
            if changed:
                self._labels = self._read_labels(self._shim.checkpoint)
                self._warn_of_unmapped(self._shim.checkpoint)
            self._check_label_names()

    def _grow_labels(self, labels: Sequence[str]) -> None:
        """Give the loaded classifier outputs for new labels."""
        old = self._tag_labels.scheme.tags
        grown = self._tag_labels.with_labels(labels)
        tags = grown.scheme.tags
        n_new = len(tags) - len(old)
        rows = [*range(len(old)), *[old.index(OUTSIDE)] * n_new]
        self._shim.resize(tags, rows, [*[0.0] * len(old), *[NEW_TAGS_LOWERED] * n_new])
        self.model.get_ref("classifier").attrs["n_tags"] = len(tags)
        self._grown_labels += labels
        self.cfg.update(grown.to_cfg(), new_labels=list(self._grown_labels))
        self._labels = grown

    @property
    def _tag_labels(self) -> TagLabels:
        if self._labels is None:
            raise ValueError(
                f"[{self.name}] no checkpoint is loaded yet; call nlp.initialize(), or use the component once"
            )
        return self._labels

    # Loading

    @property
    def _is_loaded(self) -> bool:
        return super()._is_loaded and not self._added_labels

    def _open(self, *, allow_download: bool = True) -> Checkpoint:
        return super()._open(allow_download=allow_download).naming_outputs(self.tags)

    def _fill_first(self, checkpoint: Checkpoint) -> None:
        # What was added before the checkpoint's own labels were known may be among them.
        known = self._read_labels(checkpoint)
        missing = [label for label in self._added_labels if label not in known.labels]
        known.with_labels(missing)  # or it is an error
        self._fill(checkpoint)
        if missing:
            self._grow_labels(missing)
        self._added_labels = []

    def _fill_saved(self, checkpoint: Checkpoint) -> None:
        self._added_labels, self._grown_labels = [], []
        super()._fill_saved(checkpoint)

    @property
    def score_temperature(self) -> float:
        """What logits are divided by for scores: the setting temperature, or else the checkpoint's own."""
        if self.temperature is not None:
            return self.temperature
        self.load()
        return self.model.attrs["score_temperature"]

    def _fill(self, checkpoint: Checkpoint) -> None:
        with self._unchanged_on_error():
            self._labels = self._read_labels(checkpoint)
            self._warn_of_unmapped(checkpoint)
            self._check_label_names()
            super()._fill(checkpoint)
            self._model_before = None

    def _warn_of_unmapped(self, checkpoint: Checkpoint) -> None:
        unmapped = self._tag_labels.unmapped
        if unmapped:
            warnings.warn(
                f"[{self.name}] the labels {shorten(unmapped)} of the checkpoint {checkpoint.name} map to nothing, and "
                'their entities are left out; give them in label_map ("" leaves them out on purpose)'
            )

    def _check_label_names(self) -> None:
        """Raise a ValueError where settings name labels that the component has not."""
        named = {"threshold": self.threshold if isinstance(self.threshold, Mapping) else ()}
        named["unknown_labels"] = self.unknown_labels or ()
        for setting, labels in named.items():
            strange = set(labels) - set(self.labels)
            if strange:
                raise ValueError(
                    f"{setting} names {', '.join(sorted(strange))}, but the labels are {', '.join(self.labels)}"
                )

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

    def _tagged(self, doc: Doc, output: SubwordLogits) -> Tuple[SubwordLogits, Any]:
        """What of the model's output carries tags, and which rows of it these are."""
        if self.label_subwords == "all":
            return output, slice(None)
        subwords, rows = first_of_tokens(output.subwords, token_offsets(doc))
        return SubwordLogits(subwords, output.logits[rows]), rows

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
        pack_quickly()  # a process that was spawned has not called __init__
        for doc, char_spans in zip(docs, scores):
            annotate(
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

    # Training

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Sequence[str]] = None,
    ) -> None:
        """Load the checkpoint for training.

        get_examples: gives examples; their labels are used where `labels` is None.
        labels: the labels to learn, say from `spacy init labels`.

        Labels that texts were annotated for count as theirs, found in them or not. A checkpoint whose classifier knows
        all the labels goes on from there; else its encoder gets a new classifier for these labels, with random weights.
        """
        validate_get_examples(get_examples, "LukeNer.initialize")
        checkpoint = self._open()
        if labels is None:
            references = [example.reference for example in get_examples()]
            if not references:
                raise ValueError(f"[{self.name}] there are no examples to learn from: the training corpus is empty")
            labels = sorted(set().union(*(labels_in(reference) for reference in references)))
            if not labels:
                self._check_own_labels(checkpoint, len(references))
        labels = list(dict.fromkeys([*labels, *self._added_labels]))
        with self._unchanged_on_error():
            self._start_with(checkpoint, labels)

    def _start_with(self, checkpoint: Checkpoint, labels: Sequence[str]) -> None:
        """Load a checkpoint for training on labels; none: its own."""
        self.cfg.update(tags=None, scheme=None, label_map=None, new_labels=[])
        self._added_labels, self._grown_labels = [], []
        own_labels = self._own_labels(checkpoint)
        if not labels or set(labels) <= set(own_labels):
            try:
                self._fill(checkpoint)
                return
            except NoClassifier:
                if not labels:
                    raise
                own_labels = ()
                util.logger.info("the checkpoint %s has no classifier: a new one is trained", checkpoint.name)
        given_up = [label for label in own_labels if label not in labels]
        if given_up:
            warnings.warn(
                f"[{self.name}] the checkpoint {checkpoint.name} gets a new classifier for {', '.join(labels)}; "
                f"its labels {', '.join(given_up)} are given up; to keep all of them, do not initialize, but call "
                "add_label and nlp.resume_training()"
            )
        self._labels = new_labels(labels, self.scheme)
        self._check_label_names()
        self.cfg.update(self._labels.to_cfg())
        fill_model(self.model, NER, checkpoint.with_new_classifier(self._labels.scheme.tags), new_head=True)
        self._model_before = None

    @property
    def _rehearsal_model(self) -> Optional[LukeNerModel]:
        """The model as it was when nlp.resume_training was called, which looks for this name, and assigns a copy."""
        if not self._shim.can_train:
            raise AttributeError("a model that does not train has nothing to rehearse")  # spaCy asks by hasattr
        self.load()
        return self._model_before

    @_rehearsal_model.setter
    def _rehearsal_model(self, model: LukeNerModel) -> None:
        self._model_before = model
        self._owner.offer_optimizer(self.create_optimizer)

    def create_optimizer(self) -> Optimizer:
        """AdamW at a rate that a trained encoder of this width bears.

        nlp.resume_training returns it where the config asks for no other optimizer than spaCy's default, whose rate of
        0.001 is for small networks and destroys this one.
        """
        self.load()
        width = self._shim.checkpoint.config.get("hidden_size") or 768
        return create_adamw(next(rate for widest, rate in LEARN_RATES if width <= widest))

    def _own_labels(self, checkpoint: Checkpoint) -> Tuple[str, ...]:
        """The labels that a checkpoint's own classifier gives; none for an encoder without one."""
        try:
            return self._read_labels(checkpoint).labels
        except ValueError:
            return ()

    def _check_own_labels(self, checkpoint: Checkpoint, n_examples: int) -> None:
        try:
            self._read_labels(checkpoint)
        except ValueError as error:
            raise ValueError(
                f"[{self.name}] none of the {n_examples} examples has an entity, so there is no label to learn; and "
                f"{error}"
            ) from error

    def _summed_loss(
        self, examples: Iterable[Example], outputs: List[SubwordLogits]
    ) -> Tuple[float, List[np.ndarray], int]:
        """Cross entropy over subwords, the gold placed by characters; special and padding positions have none.

        Where a text says nothing of some labels (see unknown_labels), "no entity" and these together count as right,
        and how likely each of them is against the others stays what it was before training.
        """
        scheme, checkpoint_label = self._tag_labels.scheme, self._tag_labels.checkpoint_label
        examples = list(examples)
        unknown = [self._unknown_in(example) for example in examples]
        tagged, all_rows, possible, annotated = [], [], [], []
        for example, whole_output, labels in zip(examples, outputs, unknown):
            output, rows = self._tagged(example.predicted, whole_output)
            spans = [span._replace(label=checkpoint_label[span.label]) for span in gold_char_spans(example)]
            tags = encode_tags(output.subwords, spans, scheme)
            tagged.append(output)
            all_rows.append(rows)
            possible.append(possible_tags(tags, scheme, labels))
            annotated.append(annotated_subwords(example, output.subwords))
        loss, tagged_gradients, n_terms = tag_loss(tagged, possible, annotated)
        for i, taught in self._taught([e.predicted if own else None for e, own in zip(examples, unknown)]):
            held = np.isin(scheme.labels, ["", *unknown[i]])[: taught.shape[1]]
            more, gradient = rehearsal_loss(
                tagged[i].logits, taught[all_rows[i]], np.flatnonzero(held & self._are_old(taught)), annotated[i]
            )
            loss += REHEARSAL_WEIGHT * more
            tagged_gradients[i] += REHEARSAL_WEIGHT * gradient
        gradients = [np.zeros_like(output.logits) for output in outputs]
        for gradient, rows, tagged_gradient in zip(gradients, all_rows, tagged_gradients):
            gradient[rows] = tagged_gradient
        return loss, gradients, n_terms

    def _unknown_in(self, example: Example) -> Set[str]:
        """The checkpoint's labels of which the gold says neither that they are in the text nor that they are not.

        Raises a ValueError for gold labels that the component does not know.
        """
        annotated, marked = get_annotated_labels(example.reference), {ent.label_ for ent in example.reference.ents}
        strange = (marked | (annotated or set())) - set(self.labels)
        if strange:
            raise ValueError(
                f"[{self.name}] the examples have the labels {', '.join(sorted(strange))}, but the component knows "
                f"{', '.join(self.labels)}; call add_label, or initialize with all of them"
            )
        if annotated is not None:
            unknown = set(self.labels) - annotated
        elif self.unknown_labels is not None:
            unknown = set(self.unknown_labels)
        elif self.cfg["new_labels"]:
            unknown = set(self.labels) - set(self.cfg["new_labels"]) - marked
        else:
            unknown = set()
        return self._tag_labels.checkpoint_labels(unknown)

    def _taught(self, docs: Sequence[Optional[Doc]]) -> Iterator[Tuple[int, np.ndarray]]:
        """What the model said before it was trained on.

        RETURNS: per Doc that is not None, its place and (n_subwords, n_tags) logits, without tags added since.
        """
        some = {i: doc for i, doc in enumerate(docs) if doc is not None}
        if not some:
            return
        if self._model_before is None:
            self._model_before = copy.deepcopy(self.model)
        outputs = self._model_before.predict(list(some.values()))
        yield from ((i, output.logits) for i, output in zip(some, outputs))

    def _are_old(self, taught: np.ndarray) -> np.ndarray:
        """RETURNS: (n_tags,) bool, which of the tags that the model had before training are of labels it knew then."""
        return ~np.isin(self._tag_labels.scheme.labels[: taught.shape[1]], self.cfg["new_labels"])

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
    ) -> Dict[str, float]:
        """Learn from texts, whatever their gold, to say what the model said when nlp.resume_training was called.

        Labels that are new are left alone.

        RETURNS: losses, with the mean divergence per subword added under the component's name.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        validate_examples(examples, "LukeNer.rehearse")
        docs = [example.predicted for example in examples if len(example.predicted)]
        if self._model_before is None:
            raise ValueError(
                f"[{self.name}] there is nothing to rehearse: call nlp.resume_training() before the first update"
            )
        if not docs:
            return losses
        set_dropout_rate(self.model, drop)
        outputs, backprop = self.model.begin_update(docs)
        loss, n_terms, gradients = 0.0, 0, []
        for (i, taught), doc in zip(self._taught(docs), docs):
            output, rows = self._tagged(doc, outputs[i])
            mask = np.ones(len(output.subwords), dtype=bool)
            own, tagged = rehearsal_loss(output.logits, taught[rows], np.flatnonzero(self._are_old(taught)), mask)
            gradient = np.zeros_like(outputs[i].logits)
            gradient[rows] = tagged
            gradients.append(gradient)
            loss, n_terms = loss + own, n_terms + len(mask)
        backprop(gradients)
        self._shim.n_loss_terms += n_terms
        if sgd not in (None, False):
            self.finish_update(sgd if isinstance(sgd, Optimizer) else self._rehearsal_optimizer(sgd))
        losses[self.name] += loss / max(1, n_terms)
        return losses

    def _rehearsal_optimizer(self, stand_in: Any) -> Optimizer:
        """nlp.rehearse gives components a function in the optimizer's place, and steps for the last of them alone."""
        if self._own_optimizer is None:
            self._own_optimizer = create_adamw(stand_in.learn_rate, weight_decay=0.0)
        self._own_optimizer.learn_rate = stand_in.learn_rate
        return self._own_optimizer
