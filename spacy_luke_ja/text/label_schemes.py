"""The tags of a checkpoint in (B-地名, ORG-P, …); their prefixes, labels and allowed successions out."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, Iterable, List, Optional, Sequence, Set, Tuple

import numpy as np

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
    allowed_first, allowed_last: (n_tags,) bool, the tag may begin or end a text; so it may follow, or go before, any
        tag that ends or begins an entity, whatever their labels.
    goes_on, is_inside: (n_tags,) bool, the entity may go on behind the tag, or may have begun before it.
    """

    name: str
    tags: Tuple[str, ...]
    labels: Tuple[str, ...]
    begins: np.ndarray
    allowed_first: np.ndarray
    allowed_last: np.ndarray
    goes_on: np.ndarray
    is_inside: np.ndarray

    def may_follow(self, first: Any, second: Any) -> np.ndarray:
        """first, second: rows of tags, of shapes that broadcast. RETURNS: bool, the second tag may follow the first."""
        within = (self.label_ids[first] == self.label_ids[second]) & self.goes_on[first] & self.is_inside[second]
        return within | (self.allowed_last[first] & self.allowed_first[second])

    def is_edge(self, first: Any, second: Any) -> np.ndarray:
        """As may_follow. RETURNS: bool, between the first tag and the second an entity ends or begins."""
        first_id, second_id = self.label_ids[first], self.label_ids[second]
        return (first_id != second_id) | ((first_id > 0) & self.begins[second])

    def is_continued(self, first: Any, second: Any) -> np.ndarray:
        """As may_follow. RETURNS: bool, the second tag goes on with the entity of the first."""
        return ~self.is_edge(first, second) & (self.label_ids[second] > 0)

    @cached_property
    def allowed(self) -> np.ndarray:
        """(n_tags, n_tags) bool, may_follow of all pairs."""
        return self.may_follow(np.arange(len(self.tags))[:, None], np.arange(len(self.tags)))

    @cached_property
    def forbidden(self) -> np.ndarray:
        """(n_tags, n_tags) minus infinity where the second tag may not follow the first, else 0."""
        return np.where(self.allowed, 0.0, -np.inf)

    @cached_property
    def edges(self) -> np.ndarray:
        """(n_tags, n_tags) bool, is_edge of all pairs."""
        return self.is_edge(np.arange(len(self.tags))[:, None], np.arange(len(self.tags)))

    @cached_property
    def continuations(self) -> np.ndarray:
        """(n_tags, n_tags) bool, is_continued of all pairs."""
        return self.is_continued(np.arange(len(self.tags))[:, None], np.arange(len(self.tags)))

    @cached_property
    def label_ids(self) -> np.ndarray:
        """(n_tags,) the same number, above 0, for tags of one label; 0 for O."""
        first = {"": 0}
        return np.array([first.setdefault(label, 1 + i) for i, label in enumerate(self.labels)])

    @cached_property
    def tags_of_label(self) -> np.ndarray:
        """(n_tags, most tags of a label) all tags of each tag's label, in order; -1 where there are no more."""
        rows: Dict[str, List[int]] = {}
        for i, label in enumerate(self.labels):
            rows.setdefault(label, []).append(i)
        width = max(map(len, rows.values()))
        padded = {label: own + [-1] * (width - len(own)) for label, own in rows.items()}
        return np.array([padded[label] for label in self.labels])

    @cached_property
    def _by_role(self) -> Dict[str, Dict[str, int]]:
        """label → role → the last tag that has it."""
        by_role: Dict[str, Dict[str, int]] = {}
        for i, (tag, label) in enumerate(zip(self.tags, self.labels)):
            prefix = "" if tag == label else split_prefix(tag)[0]
            by_role.setdefault(label, {}).update(dict.fromkeys(prefix_roles(prefix, self.name), i))
        return by_role

    def tag_ids(self, label: str, n_subwords: int) -> List[int]:
        """The tags, as rows of the output, that say: one entity of this label over n_subwords subwords."""
        roles = ["s"] if n_subwords == 1 else ["b"] + ["i"] * (n_subwords - 2) + ["e"]
        by_role = self._by_role.get(label, {})
        missing = [role for role in roles if role not in by_role]
        if missing:
            raise ValueError(
                f"the tags {shorten(self.tags)} have none for {ROLES[missing[0]]} of {label}, so an entity over "
                f"{n_subwords} subwords cannot be learned; initialize with these labels to get a new classifier"
            )
        return [by_role[role] for role in roles]


def shorten(names: Sequence[str], most: int = 40) -> str:
    """Names for a message: of very many, the first ones."""
    return ", ".join(names) if len(names) <= most else f"{', '.join(names[:most])} … ({len(names)} in all)"


def split_prefix(tag: str) -> Tuple[str, str]:
    """Split "B-地名" into ("B", "地名"); ORG-P has no prefix, for none is longer than one letter."""
    if len(tag) > 2 and tag[1] == "-" and tag[0] in "BIESLU":
        return tag[0], tag[2:]
    return "", tag


def unfounded_tags(tags: Iterable[str]) -> Set[str]:
    """Tags whose first letter may be of their label: E-mail without B-mail, S-Bahn where no E- goes with a B-."""
    split = {tag: split_prefix(tag) for tag in tags}
    begun = {label for prefix, label in split.values() if prefix == "B"}
    ended = {prefix for prefix, label in split.values() if label in begun}
    return {
        tag
        for tag, (prefix, label) in split.items()
        if (prefix in ("E", "L") and label not in begun)
        or (prefix == "S" and "E" not in ended)
        or (prefix == "U" and "L" not in ended)
    }


def prefix_roles(prefix: str, scheme: str) -> str:
    """The roles of a tag; one without a prefix ([PAD] among B- and I- tags, say) may stand anywhere in its label."""
    return ANYWHERE if prefix == "" else SCHEMES[scheme][prefix]


def recognise_scheme(tags: Sequence[str]) -> str:
    """Tell the scheme from the prefixes in use: IO, BIO, BIOES or BILOU. Tags without a prefix fit any."""
    prefixes = {split_prefix(tag)[0] for tag in set(tags) - {OUTSIDE} - unfounded_tags(tags)} - {""}
    if prefixes <= {"I"}:
        return "IO"
    for scheme in ("BIO", "BIOES", "BILOU"):
        if prefixes <= set(SCHEMES[scheme]):
            return scheme
    raise ValueError(
        f"the tags {shorten(tags)} mix the prefixes {', '.join(sorted(prefixes))}, which no scheme has; "
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
        raise ValueError(f"tags must differ from one another, got {shorten(tags)}")
    if OUTSIDE not in tags:
        raise ValueError(
            f"tags must have an O for what is in no entity, got {shorten(tags)}; the setting tags can name it"
        )
    check_scheme(scheme)
    if scheme is None:
        scheme = recognise_scheme(tags)
    known = set(SCHEMES[scheme]) - {"E", "L"}  # without a B- these end nothing, whatever the scheme
    bare = {tag for tag in unfounded_tags(tags) if tag[0] not in known}
    roles, labels = [], []
    for tag in tags:
        prefix, label = ("", tag) if tag in bare else split_prefix(tag)
        if prefix and prefix not in SCHEMES[scheme]:
            raise ValueError(f"the tag {tag} has none of the prefixes of {scheme} ({', '.join(SCHEMES[scheme])})")
        labels.append("" if tag == OUTSIDE else label)
        roles.append("" if tag == OUTSIDE else prefix_roles(prefix, scheme))
    roles_of: Dict[str, str] = {}
    for role, label in zip(roles, labels):
        roles_of[label] = roles_of.get(label, "") + role
    for label, own in roles_of.items():
        if label and "s" not in own and not {"b", "e"} <= set(own):
            own_tags = ", ".join(tag for tag, tag_label in zip(tags, labels) if tag_label == label)
            raise ValueError(
                f"in the scheme {scheme}, the tags of {label} ({own_tags}) cannot make up an entity; leave scheme to "
                "be recognised, or name the right one"
            )
    has_role = lambda some: np.array([bool(set(role) & set(some)) for role in roles])
    is_outside = np.array([not role for role in roles])
    return TagScheme(
        name=scheme,
        tags=tags,
        labels=tuple(labels),
        begins=has_role("bs") & np.array([role != ANYWHERE for role in roles]),
        allowed_first=is_outside | has_role("bs"),
        allowed_last=is_outside | has_role("es"),
        goes_on=has_role("bi"),
        is_inside=has_role("ie"),
    )
