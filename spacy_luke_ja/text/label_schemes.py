"""The tags of a checkpoint in (B-地名, ORG-P, …); their prefixes, labels and allowed successions out."""

from dataclasses import dataclass
from functools import cached_property
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

LABELS = ("人名", "法人名", "政治的組織名", "その他の組織名", "地名", "施設名", "製品名", "イベント名")

# What published checkpoints call the eight labels.
KNOWN_LABELS: Dict[str, str] = {
    **{label: label for label in LABELS},
    # tsmatz/xlm-roberta-ner-japanese
    "PER": "人名",
    "ORG": "法人名",
    "ORG-P": "政治的組織名",
    "ORG-O": "その他の組織名",
    "LOC": "地名",
    "INS": "施設名",
    "PRD": "製品名",
    "EVT": "イベント名",
}

# The eight labels in the words of other label sets, for label_map (registered as spacy-luke-ja.label_map.v1).
LABEL_MAPS: Dict[str, Dict[str, str]] = {
    "stockmark": KNOWN_LABELS,
    "ontonotes": {
        "人名": "PERSON",
        "法人名": "ORG",
        "政治的組織名": "ORG",
        "その他の組織名": "ORG",
        "地名": "GPE",
        "施設名": "FAC",
        "製品名": "PRODUCT",
        "イベント名": "EVENT",
    },
}

OUTSIDE = "O"

# Where in an entity a tag may stand.
ROLES = {"b": "the first subword", "i": "a subword inside", "e": "the last subword", "s": "the only subword"}
ANYWHERE = "bies"
# Per scheme, the roles of a tag with this prefix; "" is no prefix.
SCHEMES: Dict[str, Dict[str, str]] = {
    "IO": {"": ANYWHERE, "I": ANYWHERE},
    "BIO": {"B": "bs", "I": "ie"},
    "BIOES": {"B": "b", "I": "i", "E": "e", "S": "s"},
    "BILOU": {"B": "b", "I": "i", "L": "e", "U": "s"},
}


@dataclass(frozen=True)
class TagScheme:
    """The tags of a token classifier, in the order of its output, and what may follow what.

    tags: (n_tags) as the checkpoint writes them.
    labels: (n_tags) the label of each tag, "" for O.
    begins: (n_tags,) bool, the tag always starts a new entity.
    allowed: (n_tags, n_tags) bool, the second tag may follow the first.
    edges: (n_tags, n_tags) bool, between the first tag and the second an entity ends or begins.
    allowed_first, allowed_last: (n_tags,) bool.
    """

    name: str
    tags: Tuple[str, ...]
    labels: Tuple[str, ...]
    begins: np.ndarray
    allowed: np.ndarray
    edges: np.ndarray
    allowed_first: np.ndarray
    allowed_last: np.ndarray

    @cached_property
    def label_ids(self) -> np.ndarray:
        """(n_tags,) the same number, above 0, for tags of one label; 0 for O."""
        return np.array([1 + self.labels.index(label) if label else 0 for label in self.labels])

    @cached_property
    def goes_on(self) -> np.ndarray:
        """(n_tags, n_tags) bool, the second tag goes on with the entity of the first."""
        return ~self.edges & (self.label_ids > 0)

    def tag_ids(self, label: str, n_subwords: int) -> List[int]:
        """The tags, as rows of the output, that say: one entity of this label over n_subwords subwords."""
        roles = ["s"] if n_subwords == 1 else ["b"] + ["i"] * (n_subwords - 2) + ["e"]
        by_role: Dict[str, int] = {}
        for i, tag in enumerate(self.tags):
            if self.labels[i] == label:
                by_role.update(dict.fromkeys(tag_roles(tag, self.name), i))
        missing = [role for role in roles if role not in by_role]
        if missing:
            raise ValueError(
                f"the tags {', '.join(self.tags)} have none for {ROLES[missing[0]]} of {label}, so an entity over "
                f"{n_subwords} subwords cannot be learned; initialize with these labels to get a new classifier"
            )
        return [by_role[role] for role in roles]


def split_prefix(tag: str) -> Tuple[str, str]:
    """Split "B-地名" into ("B", "地名"); ORG-P has no prefix, for none is longer than one letter."""
    if len(tag) > 2 and tag[1] == "-" and tag[0] in "BIESLU":
        return tag[0], tag[2:]
    return "", tag


def tag_roles(tag: str, scheme: str) -> str:
    """The roles of a tag; one without a prefix ([PAD] among B- and I- tags, say) may stand anywhere in its label."""
    prefix, _ = split_prefix(tag)
    return ANYWHERE if prefix == "" else SCHEMES[scheme][prefix]


def recognise_scheme(tags: Sequence[str]) -> str:
    """Tell the scheme from the prefixes in use: IO, BIO, BIOES or BILOU. Tags without a prefix fit any."""
    prefixes = {split_prefix(tag)[0] for tag in tags if tag != OUTSIDE} - {""}
    if prefixes <= {"I"}:
        return "IO"
    for scheme in ("BIO", "BIOES", "BILOU"):
        if prefixes <= set(SCHEMES[scheme]):
            return scheme
    raise ValueError(
        f"the tags {', '.join(tags)} mix the prefixes {', '.join(sorted(prefixes))}, which no scheme has; "
        f"set scheme to one of {', '.join(SCHEMES)}"
    )


def check_scheme(scheme: Optional[str]) -> None:
    if scheme is not None and scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, got {scheme}")


def make_tags(labels: Iterable[str], scheme: str = "BIO") -> Tuple[str, ...]:
    """The tags of a new classifier for these labels: O, then every label with every prefix of the scheme."""
    prefixes = [""] if scheme == "IO" else [f"{prefix}-" for prefix in SCHEMES[scheme]]
    return (OUTSIDE, *(prefix + label for label in labels for prefix in prefixes))


def make_scheme(tags: Sequence[str], *, scheme: Optional[str] = None) -> TagScheme:
    """Read a checkpoint's tags.

    tags: in the order of the classifier's output (its id2label).
    scheme: IO, BIO, BIOES or BILOU; recognised from the prefixes when None.
    Raises a ValueError when the tags mean nothing (LABEL_0 …), lack an O, or do not fit the scheme.
    """
    tags = tuple(tags)
    if tags and all(tag == f"LABEL_{i}" for i, tag in enumerate(tags)):
        raise ValueError(
            f"the checkpoint's tags are {tags[0]} … {tags[-1]}: its config.json does not say what they mean; "
            "an encoder without a classifier is to be trained first, with nlp.initialize() or spacy train; else give "
            "the names of the tags in the setting tags, in the order of the classifier's output, "
            'say tags=["O", "B-人名", "I-人名", …]'
        )
    if len(set(tags)) != len(tags):
        raise ValueError(f"tags must differ from one another, got {', '.join(tags)}")
    if OUTSIDE not in tags:
        raise ValueError(
            f"tags must have an O for what is in no entity, got {', '.join(tags)}; the setting tags can name it"
        )
    check_scheme(scheme)
    if scheme is None:
        scheme = recognise_scheme(tags)
    roles, labels = [], []
    for tag in tags:
        prefix, label = split_prefix(tag)
        if prefix and prefix not in SCHEMES[scheme]:
            raise ValueError(f"the tag {tag} has none of the prefixes of {scheme} ({', '.join(SCHEMES[scheme])})")
        labels.append("" if tag == OUTSIDE else label)
        roles.append("" if tag == OUTSIDE else tag_roles(tag, scheme))
    for label in dict.fromkeys(filter(None, labels)):
        own = set("".join(role for role, tag_label in zip(roles, labels) if tag_label == label))
        if "s" not in own and not {"b", "e"} <= own:
            own_tags = ", ".join(tag for tag, tag_label in zip(tags, labels) if tag_label == label)
            raise ValueError(
                f"in the scheme {scheme}, the tags of {label} ({own_tags}) cannot make up an entity; leave scheme to "
                "be recognised, or name the right one"
            )
    n = len(tags)
    begins = np.array([role != ANYWHERE and bool(set(role) & set("bs")) for role in roles])
    edges = np.array([[a != b or bool(a and begins[j]) for j, b in enumerate(labels)] for a in labels])
    allowed = np.zeros((n, n), dtype=bool)
    for i in range(n):
        for j in range(n):
            closed_by = set(roles[i]) & set("es") or not roles[i]
            opened_by = set(roles[j]) & set("bs") or not roles[j]
            goes_on = labels[i] == labels[j] and set(roles[i]) & set("bi") and set(roles[j]) & set("ie")
            allowed[i, j] = bool(goes_on or (closed_by and opened_by))
    return TagScheme(
        name=scheme,
        tags=tags,
        labels=tuple(labels),
        begins=begins,
        allowed=allowed,
        edges=edges,
        allowed_first=np.array([not role or bool(set(role) & set("bs")) for role in roles]),
        allowed_last=np.array([not role or bool(set(role) & set("es")) for role in roles]),
    )


def map_labels(labels: Sequence[str], label_map: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """Say which label each of a checkpoint's labels becomes in a Doc.

    label_map: checkpoint's label → label in the Doc; "" drops a label on purpose. The known names of the
        eight Stockmark labels when None. A label_map may also start from one of the eight, whatever the
        checkpoint calls it.
    RETURNS: a dict without the labels that map to nothing.
    Raises a ValueError, naming the labels, when none of them maps.
    """
    mapped: Dict[str, str] = {}
    for label in labels:
        if label_map is None:
            target = KNOWN_LABELS.get(label)
        else:
            target = label_map.get(label, label_map.get(KNOWN_LABELS.get(label, label)))
        if target is not None:
            mapped[label] = target
    if not any(mapped.values()):
        found = f"none of the checkpoint's labels ({', '.join(labels)}) maps to a label of the pipeline"
        if label_map is None:
            example = labels[0] if labels else "PERSON"
            raise ValueError(f'{found} (known: {", ".join(KNOWN_LABELS)}); give label_map, say {{"{example}": "人名"}}')
        raise ValueError(
            f"{found} by the label_map {dict(label_map)}; label_map replaces the known names, so name all to keep"
        )
    return mapped
