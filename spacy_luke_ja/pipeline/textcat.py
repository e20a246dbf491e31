"""Docs in, classes of their texts out: the component luke_textcat."""

from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model

from ..models.hf_checkpoint import Checkpoint
from ..models.problem_type import read_problem_type, with_new_classes
from ..models.textcat import TEXTCAT
from ..text.textcat import class_scores
from .checkpoint_pipe import CheckpointPipe
from .class_loss import class_loss
from .factory import make_factory
from .settings import setting, share, yes_or_no
from .textcat_doc import write_cats
from .textcat_loss import check_cats, gold_classes


class LukeTextcat(CheckpointPipe):
    """Classes of texts by a Hugging Face model for sequence classification.

    Writes doc.cats: for each label a score between 0 and 1. A long text is read in windows; its logits are the mean of
    theirs, each weighted by how many subwords of the text it has.

    Settings, which can be assigned at any time:

    multi_label: whether a text may have several labels or none, each with a probability of its own (sigmoid); else it
        has exactly one, and the scores are 1.0 together (softmax). What the checkpoint says (problem_type in its
        config.json, else one label) when None.
    threshold: with multi_label, from which score on a label counts as found in nlp.evaluate; 0.5 when None. doc.cats
        has all scores in any case, as spaCy's textcat has.
    """

    factory = "luke_textcat"
    task = TEXTCAT
    default_checkpoint = "ja_luke_sm"

    multi_label: Optional[bool] = setting(yes_or_no("multi_label", optional=True))
    threshold: Optional[float] = setting(share("threshold", optional=True))

    def __init__(self, vocab: Vocab, model: Model, name: str = "", **arguments: Any):
        """arguments: scorer, and the settings."""
        super().__init__(vocab, model, name, **arguments)
        self.cfg["positive_label"] = None

    # Labels

    @property
    def labels(self) -> Tuple[str, ...]:
        """The labels that doc.cats gets. Before loading, those of a local checkpoint, or none."""
        if self._is_loaded:
            return self._shim.checkpoint.tags
        try:
            checkpoint = self._open(allow_download=False)
        except (OSError, ValueError):
            return ()  # it is said when the checkpoint is loaded, and no reason to fail here
        return self._own_labels(checkpoint)

    @property
    def label_data(self) -> List[str]:
        """What `spacy init labels` writes and initialize takes."""
        return list(self.labels)

    @property
    def is_multi_label(self) -> bool:
        """Whether a text may have several labels: the setting multi_label, or else what the checkpoint says."""
        if self.multi_label is not None:
            return self.multi_label
        self.load()
        return bool(self.model.attrs["multi_label"])

    def _own_labels(self, checkpoint: Checkpoint) -> Tuple[str, ...]:
        """Those of a checkpoint's own classifier; none for an encoder, or a model of another task."""
        return checkpoint.tags if checkpoint.task == TEXTCAT.head.task else ()

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> List[np.ndarray]:
        """RETURNS: per Doc, (n_labels,) scores in the order of the labels, without touching it."""
        docs = list(docs)
        if not docs:
            return []
        self.load()
        logits = np.stack(self.model.predict(docs))
        if not np.isfinite(logits).all():
            raise ValueError(self._not_finite())
        return list(class_scores(logits, multi_label=self.is_multi_label))

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[np.ndarray]) -> None:
        """Write scores to doc.cats."""
        labels = self.labels
        for doc, own in zip(docs, scores):
            write_cats(doc, labels, own)

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        return super().score(examples, **{"multi_label": self.is_multi_label, **kwargs})

    # Training

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Sequence[str]] = None,
        positive_label: Optional[str] = None,
    ) -> None:
        """Load the checkpoint for training.

        get_examples: gives examples, whose references have doc.cats; their labels are used where `labels` is None.
        labels: the labels to learn, say from `spacy init labels`.
        positive_label: of two labels, the one whose F1 is cats_score.

        A checkpoint whose classifier has all the labels goes on from there; else its encoder gets a new classifier for
        these labels, with random weights.
        """
        validate_get_examples(get_examples, "LukeTextcat.initialize")
        checkpoint = self._open()
        all_cats = [example.reference.cats for example in get_examples()]
        own_labels = self._own_labels(checkpoint)
        if labels is None:
            labels = sorted(set().union(*all_cats)) or own_labels
        if not labels:
            raise ValueError(
                f"[{self.name}] none of the {len(all_cats)} examples has doc.cats, so there is no label to learn, and "
                f"the checkpoint {checkpoint.name} has none of its own: spacy-luke-ja.TextcatCorpus.v1 reads them"
            )
        stated = self.multi_label
        if stated is None and own_labels:
            stated = read_problem_type(checkpoint)
        multi_label = bool(stated)
        for cats in all_cats:
            check_cats(cats, multi_label=multi_label)
        labels = list(own_labels) if self._knows(checkpoint, labels) else list(dict.fromkeys(labels))
        if len(labels) < 2 and not multi_label:
            raise ValueError(
                f"[{self.name}] there is one label, {labels[0]}, and where a text has exactly one, there must be two "
                "or more; set multi_label to true where a text has the label or not"
            )
        if positive_label is not None and (positive_label not in labels or len(labels) != 2 or multi_label):
            raise ValueError(
                f"[{self.name}] positive_label must be one of two labels of which a text has one, got "
                f"{positive_label}; the labels are {', '.join(labels)}"
            )
        with self._unchanged_on_error():
            self.cfg["positive_label"] = positive_label
            renew = partial(with_new_classes, labels=labels, task=TEXTCAT.head.task, multi_label=multi_label)
            self._start(checkpoint, labels, renew)

    def _knows(self, checkpoint: Checkpoint, names: Sequence[str]) -> bool:
        return {*names} <= {*self._own_labels(checkpoint)}

    def _summed_loss(
        self, examples: Iterable[Example], outputs: List[np.ndarray]
    ) -> Tuple[float, List[np.ndarray], int]:
        if not outputs:
            return 0.0, [], 0
        multi_label = self.is_multi_label
        try:
            gold = [gold_classes(own.reference.cats, self.labels, multi_label=multi_label) for own in examples]
        except ValueError as error:
            raise ValueError(f"[{self.name}] {error}") from error
        loss, gradient, n_terms = class_loss(np.stack(outputs), np.stack(gold), multi_label=multi_label)
        return loss, list(gradient), n_terms


make_luke_textcat = make_factory(
    LukeTextcat,
    functions={"scorer": {"@scorers": "spacy-luke-ja.textcat_scorer.v1"}},
    assigns=["doc.cats"],
    default_score_weights={
        "cats_score": 1.0,
        "cats_score_desc": None,
        "cats_micro_p": None,
        "cats_micro_r": None,
        "cats_micro_f": None,
        "cats_macro_p": None,
        "cats_macro_r": None,
        "cats_macro_f": None,
        "cats_macro_auc": None,
        "cats_f_per_type": None,
    },
)
