"""A checkpoint's tags behind a component: which labels of a Doc they are, and the adding of more."""

import warnings
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model

from ..models.hf_checkpoint import Checkpoint
from ..models.ner import NER
from ..models.types import SubwordLogits
from ..text.label_schemes import OUTSIDE, SCHEMES, shorten
from ..text.token_subwords import first_of_tokens
from ..token_splitting import token_offsets
from .checkpoint_pipe import CheckpointPipe
from .ner_labels import TagLabels, from_cfg, read_labels
from .settings import check_label_map, check_tag_names, check_threshold, check_unknown_labels, one_of, setting

LABEL_SUBWORDS = ("all", "first")
# How much lower than that of O, whose weights they start with, the logits of new tags are.
NEW_TAGS_LOWERED = 2.0


class TagPipe(CheckpointPipe):
    """A component whose classifier gives tags: which labels of a Doc they are, and the adding of more.

    Settings:

    tags: the classifier's outputs in order, where the checkpoint's config.json does not name them.
    scheme: IO, BIO, BIOES or BILOU; recognised from the tags when None.
    label_map: the checkpoint's label → the label in the Doc ("" to drop it on purpose); the known names of
        the eight Stockmark labels when None. Not used for labels the component was trained on here.
    label_subwords: which subwords carry tags, "all" or only the "first" of each token, whose tag then goes for the
        whole token. Train and use a checkpoint with the same.
    threshold: the least score of an entity, for all labels or per label (0 for those not named).
    unknown_labels: in training, the labels that texts say nothing of, unless they say for which they were annotated
        (see annotated_labels.py): neither that they are there, where none is marked, nor that they are not. None:
        after add_label, each of the labels that were there before, in texts in which it is not marked; else none.
    """

    task = NER

    tags: Optional[List[str]] = setting(check_tag_names, key="checkpoint_tags")
    scheme: Optional[str] = setting(one_of("scheme", tuple(SCHEMES), optional=True), key="checkpoint_scheme")
    label_map: Optional[Dict[str, str]] = setting(check_label_map, key="checkpoint_label_map")
    label_subwords: str = setting(one_of("label_subwords", LABEL_SUBWORDS), default="all")
    threshold: Union[float, Dict[str, float]] = setting(check_threshold, default=0.0)
    unknown_labels: Optional[List[str]] = setting(check_unknown_labels)

    def __init__(self, vocab: Vocab, model: Model, name: str = "", **arguments: Any):
        self._labels: Optional[TagLabels] = None
        self._added_labels: List[str] = []
        # What add_label gave the loaded classifier here; cfg["new_labels"], which is saved, may have it from before.
        self._grown_labels: List[str] = []
        super().__init__(vocab, model, name, **arguments)
        # Filled when training gives the component labels of its own; the settings are for a checkpoint from elsewhere.
        self.cfg.update(tags=None, scheme=None, label_map=None, new_labels=[])

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

    def _fill(self, checkpoint: Checkpoint) -> None:
        with self._unchanged_on_error():
            self._labels = self._read_labels(checkpoint)
            self._warn_of_unmapped(checkpoint)
            self._check_label_names()
            super()._fill(checkpoint)

    def _warn_of_unmapped(self, checkpoint: Checkpoint) -> None:
        unmapped = self._tag_labels.unmapped
        if unmapped:
            warnings.warn(
                f"[{self.name}] the labels {shorten(unmapped)} of the checkpoint {checkpoint.name} map to nothing, and "
                'their entities are left out; give them in label_map ("" leaves them out on purpose)'
            )

    def _check_label_names(self) -> None:
        """Raise a ValueError where settings name labels that the component has not."""
        thresholds = self.threshold if isinstance(self.threshold, Mapping) else ()
        for name, labels in (("threshold", thresholds), ("unknown_labels", self.unknown_labels or ())):
            strange = set(labels) - set(self.labels)
            if strange:
                raise ValueError(
                    f"{name} names {', '.join(sorted(strange))}, but the labels are {', '.join(self.labels)}"
                )

    def _tagged(self, doc: Doc, output: SubwordLogits) -> Tuple[SubwordLogits, Any]:
        """What of the model's output carries tags, and which rows of it these are."""
        if self.label_subwords == "all":
            return output, slice(None)
        subwords, rows = first_of_tokens(output.subwords, token_offsets(doc))
        return SubwordLogits(subwords, output.logits[rows]), rows
