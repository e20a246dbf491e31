"""Examples in, a better classifier out: what luke_ner learns, and how it forgets nothing."""

import copy
import warnings
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

import numpy as np
from spacy import util
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from thinc.api import Model, Optimizer

from ..annotated_labels import get_annotated_labels, labels_in
from ..models.architectures import fill_model
from ..models.hf_checkpoint import Checkpoint
from ..models.hf_loader import NoClassifier
from ..models.types import SubwordLogits
from ..text.ner import encode_tags
from ..training.optimizers import create_adamw
from .ner_labels import new_labels
from .ner_loss import annotated_subwords, gold_char_spans, possible_tags, rehearsal_loss, tag_loss
from .ner_tags import TagPipe

# How much staying with what it said of unknown labels counts against the gold. With 100 sentences of a new label, the
# others lost 1.0 points at 2 and 0.6 at 5, and the new one was learned as well.
REHEARSAL_WEIGHT = 5.0
# Up to which width of an encoder which learning rate is good to go on with.
LEARN_RATES = ((512, 5e-5), (768, 2e-5), (float("inf"), 1e-5))


class LearningTagPipe(TagPipe):
    """Learns tags from entities, also where texts are annotated for some labels alone."""

    # As it was before training.
    _model_before: Optional[Model] = None
    _own_optimizer: Optional[Optimizer] = None

    def _fill(self, checkpoint: Checkpoint) -> None:
        super()._fill(checkpoint)
        self._model_before = None

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
        fill_model(self.model, self.task, checkpoint.with_new_classifier(self._labels.scheme.tags), new_head=True)
        self._model_before = None

    @property
    def _rehearsal_model(self) -> Optional[Model]:
        """The model as it was when nlp.resume_training was called, which looks for this name, and assigns a copy."""
        if not self._shim.can_train:
            raise AttributeError("a model that does not train has nothing to rehearse")  # spaCy asks by hasattr
        self.load()
        return self._model_before

    @_rehearsal_model.setter
    def _rehearsal_model(self, model: Model) -> None:
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
        validate_examples(examples, "LukeNer.rehearse")
        docs = [example.predicted for example in examples if len(example.predicted)]
        if self._model_before is None:
            raise ValueError(
                f"[{self.name}] there is nothing to rehearse: call nlp.resume_training() before the first update"
            )
        if sgd not in (None, False) and not isinstance(sgd, Optimizer):
            sgd = self._rehearsal_optimizer(sgd)
        loss_of = lambda outputs: self._rehearsal_loss(docs, outputs)
        return self._learn(docs, loss_of, drop=drop, sgd=sgd, losses=losses)

    def _rehearsal_loss(
        self, docs: Sequence[Doc], outputs: Sequence[SubwordLogits]
    ) -> Tuple[float, List[np.ndarray], int]:
        loss, n_terms, gradients = 0.0, 0, []
        for (i, taught), doc in zip(self._taught(docs), docs):
            output, rows = self._tagged(doc, outputs[i])
            mask = np.ones(len(output.subwords), dtype=bool)
            own, tagged = rehearsal_loss(output.logits, taught[rows], np.flatnonzero(self._are_old(taught)), mask)
            gradient = np.zeros_like(outputs[i].logits)
            gradient[rows] = tagged
            gradients.append(gradient)
            loss, n_terms = loss + own, n_terms + len(mask)
        return loss, gradients, n_terms

    def _rehearsal_optimizer(self, stand_in: Any) -> Optimizer:
        """nlp.rehearse gives components a function in the optimizer's place, and steps for the last of them alone."""
        if self._own_optimizer is None:
            self._own_optimizer = create_adamw(stand_in.learn_rate, weight_decay=0.0)
        self._own_optimizer.learn_rate = stand_in.learn_rate
        return self._own_optimizer
