"""Which labels a gold Doc was annotated for, kept in its user_data; of all others it says nothing.

doc.user_data["luke_annotated_labels"] is a list of labels. Without it, nobody has said, and the setting unknown_labels
of luke_ner decides.
"""

from typing import Any, FrozenSet, Iterable, List, Optional, Set

from spacy.tokens import Doc

ANNOTATED_LABELS = "luke_annotated_labels"  # in doc.user_data, so that it survives to_bytes and DocBin


def check_annotated_labels(labels: Any, name: str = "annotated_labels") -> List[str]:
    """name: what to call them in the error. RETURNS: each once, in a list."""
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise ValueError(f"{name} must be a list of labels, got {labels!r}")
    labels = list(labels)
    if not all(isinstance(label, str) and label for label in labels):
        raise ValueError(f"{name} must be labels that are not empty, got {labels!r}")
    return list(dict.fromkeys(labels))


def get_annotated_labels(doc: Doc) -> Optional[FrozenSet[str]]:
    """RETURNS: None where nobody has said."""
    labels = doc.user_data.get(ANNOTATED_LABELS)
    return None if labels is None else frozenset(labels)


def set_annotated_labels(doc: Doc, labels: Iterable[str]) -> None:
    """Say that a gold Doc was annotated for these labels alone."""
    doc.user_data[ANNOTATED_LABELS] = check_annotated_labels(labels)


def labels_in(doc: Doc) -> Set[str]:
    """RETURNS: the labels of a gold Doc's entities, and those that it was annotated for."""
    return {ent.label_ for ent in doc.ents} | (get_annotated_labels(doc) or set())
