"""A checkpoint's tags and the settings in; which label of a Doc each tag stands for out."""

from dataclasses import dataclass
from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from ..models.hf_checkpoint import Checkpoint
from ..stockmark_labels import map_labels
from ..text.label_schemes import TagScheme, make_scheme, make_tags


@dataclass(frozen=True)
class TagLabels:
    """What the outputs of a classifier mean.

    scheme: its tags, with the labels that the checkpoint uses.
    doc_label: the checkpoint's label → the Doc's; one that is missing or "" is left out.
    """

    scheme: TagScheme
    doc_label: Mapping[str, str]

    @property
    def labels(self) -> Tuple[str, ...]:
        """The Doc's labels, in the order of the tags."""
        return tuple(dict.fromkeys(filter(None, self.doc_label.values())))

    @property
    def checkpoint_label(self) -> Dict[str, str]:
        """The Doc's label → the checkpoint's; the first where several of the checkpoint's are one in the Doc."""
        return {doc: own for own, doc in reversed(list(self.doc_label.items())) if doc}

    @property
    def unmapped(self) -> List[str]:
        """The checkpoint's labels that map to nothing, not even on purpose."""
        return [label for label in dict.fromkeys(self.scheme.labels) if label and label not in self.doc_label]

    def with_labels(self, labels: Sequence[str]) -> "TagLabels":
        """The same tags, and behind them those of new labels, which are called alike in the Doc.

        Raises a ValueError for a label that the checkpoint has under another name in the Doc, or leaves out.
        """
        for label in labels:
            if label in self.scheme.labels:
                raise ValueError(
                    f"the label {label} cannot be added: the checkpoint has it, and label_map makes it "
                    f"{self.doc_label.get(label, '')!r} in the Doc; change label_map to have it under its own name"
                )
        tags = (*self.scheme.tags, *make_tags(labels, self.scheme.name)[1:])
        doc_label = {**self.doc_label, **{label: label for label in labels}}
        return TagLabels(make_scheme(tags, scheme=self.scheme.name), doc_label)

    def checkpoint_labels(self, labels: Collection[str]) -> Set[str]:
        """All labels of the checkpoint that are one of these in the Doc."""
        return {own for own, doc in self.doc_label.items() if doc in labels}

    def to_cfg(self) -> Dict[str, Any]:
        return {"tags": list(self.scheme.tags), "scheme": self.scheme.name, "label_map": dict(self.doc_label)}


def from_cfg(cfg: Mapping[str, Any]) -> TagLabels:
    """What to_cfg wrote: labels that training gave the component, whatever its settings say of a checkpoint's."""
    return TagLabels(make_scheme(cfg["tags"], scheme=cfg["scheme"]), dict(cfg["label_map"]))


def new_labels(labels: Sequence[str], scheme: Optional[str]) -> TagLabels:
    """Labels for a new classifier; scheme: BIO when None."""
    tags = make_tags(labels, scheme or "BIO")
    return TagLabels(make_scheme(tags, scheme=scheme or "BIO"), {label: label for label in labels})


def read_labels(
    checkpoint: Checkpoint,
    *,
    tags: Optional[Sequence[str]],
    scheme: Optional[str],
    label_map: Optional[Mapping[str, str]],
) -> TagLabels:
    """Read what a checkpoint says of its outputs; the settings are LukeNer's.

    Raises a ValueError when the tags mean nothing, or none of the labels maps.
    """
    if tags is not None and len(tags) != len(checkpoint.tags):
        raise ValueError(
            f"tags must name the {len(checkpoint.tags)} outputs of the checkpoint {checkpoint.name}, got {len(tags)}"
        )
    tag_scheme = make_scheme(checkpoint.tags if tags is None else tags, scheme=scheme)
    labels = list(dict.fromkeys(filter(None, tag_scheme.labels)))
    return TagLabels(tag_scheme, map_labels(labels, label_map))
