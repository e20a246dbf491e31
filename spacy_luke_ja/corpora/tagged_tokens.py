"""Tokens with tags in, a text and its entities out; and a Doc's tokens with tags."""

import re
from dataclasses import dataclass
from typing import Collection, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from spacy.tokens import Doc

from ..text.label_schemes import OUTSIDE, SCHEMES, split_prefix, unfounded_tags
from ..text.messages import show
from .records import BadRecord, Entity

# S-PER is one token of PER, and S-Bahn may be a word.
WORD = re.compile("[A-Za-z][A-Z]*[a-z]")
NO_LABELS = ("B", "I", "E", "S", "L", "U", "B-", "I-", "E-", "S-", "L-", "U-", "_", "-", "o")  # tags that say nothing


@dataclass(frozen=True)
class TagsOfFile:
    """What the tags of a file mean; only all of them tell.

    Labels may have hyphens: B-E-mail is E-mail. E-mail alone is E-mail where no tag has a prefix, and mail where B-mail
    is there; else it is refused, as is S-Bahn where no E- is there.

    meanings: tag → (prefix, label), or an error that names the tag.
    """

    meanings: Dict[str, Tuple[str, str]]
    errors: Dict[str, str]

    def split(self, tag: str, token: str) -> Tuple[str, str]:
        """RETURNS: prefix and label; raises BadRecord, which names the token."""
        if tag in self.errors:
            raise BadRecord(f"the tag {show(tag)} of {show(token)} {self.errors[tag]}")
        return self.meanings[tag]


def read_tags(tags: Collection[str], *, scheme: Optional[str] = None) -> TagsOfFile:
    """tags: all tags of a file. scheme: theirs, where the file says it."""
    tags = set(tags)
    begin_or_inside = {tag for tag in tags if split_prefix(tag)[0] in ("B", "I")}
    bare = {tag for tag in tags if tag[1:2] != "-" and tag not in (OUTSIDE, *NO_LABELS)}
    is_plain = bool(bare) and not begin_or_inside
    unfounded = {tag for tag in unfounded_tags(tags) if tag[0] in ("E", "L") or WORD.match(tag[2:])}
    if scheme is not None:
        is_plain, unfounded = False, {tag for tag in tags if split_prefix(tag)[0] not in SCHEMES[scheme]} - {OUTSIDE}
    meanings: Dict[str, Tuple[str, str]] = {OUTSIDE: ("", "")}
    errors: Dict[str, str] = {}
    for tag in tags - {OUTSIDE}:
        prefix, label = split_prefix(tag)
        if tag in NO_LABELS:
            errors[tag] = "has no label; O stands for what is in no entity"
        elif is_plain:
            meanings[tag] = ("", tag)
            if OUTSIDE not in tags:
                errors[tag] = "has no prefix, and no tag of the file is O; are these tokens and their tags?"
        elif tag in unfounded:
            errors[tag] = (
                "may end an entity in BIOES or BILOU, of which the file has too little, or be a label: then its tags "
                f"are {show('B-' + tag)} and {show('I-' + tag)}. The first line may be # scheme = BIOES"
            )
        elif not prefix and tag[1:2] == "-" and tag[0].isascii() and tag[0].isalpha():
            errors[tag] = "has a prefix that no scheme has; B, I, E, S, L and U are known"
        elif not prefix:
            errors[tag] = "has no prefix, and others of the file have"
        else:
            meanings[tag] = (prefix, label)
    return TagsOfFile(meanings, errors)


def join_tokens(tokens: Sequence[str], text: Optional[str] = None) -> Tuple[str, List[Tuple[int, int]]]:
    """Put tokens together, or find them in their text; raises BadRecord.

    Without a text, there is a space between those that end and begin with ASCII letters or digits, and nowhere else.
    RETURNS: the text; and start and end of each token.
    """
    offsets = []
    if text is None:
        text = ""
        for token in tokens:
            if text and token and is_latin(text[-1]) and is_latin(token[0]):
                text += " "
            offsets.append((len(text), len(text) + len(token)))
            text += token
        return text, offsets
    end = 0
    for token in tokens:
        start = end
        while start < len(text) and not text.startswith(token, start) and text[start].isspace():
            start += 1
        if not text.startswith(token, start):
            raise BadRecord(f"the token {show(token)} does not stand at character {end} of the text {show(text)}")
        end = start + len(token)
        offsets.append((start, end))
    if text[end:].strip():
        raise BadRecord(f"no token stands for {show(text[end:])} at the end of the text {show(text)}")
    return text, offsets


def is_latin(char: str) -> bool:
    return char.isascii() and char.isalnum()


def find_entities(offsets: Sequence[Tuple[int, int]], tags: Sequence[Tuple[str, str]]) -> List[Entity]:
    """tags: (prefix, label) of each token, ("", "") for O; prefixes may be of any scheme."""
    entities: List[Entity] = []
    goes_on = False  # whether the last entity may still grow
    for (start, end), (prefix, label) in zip(offsets, tags):
        if not label:
            goes_on = False
        elif goes_on and prefix not in ("B", "S", "U") and entities[-1][2] == label:
            entities[-1] = (entities[-1][0], end, label, None)
            goes_on = prefix not in ("E", "L")
        else:
            entities.append((start, end, label, None))
            goes_on = prefix not in ("E", "L", "S", "U")
    return entities


def tag_tokens(doc: Doc, scheme: str = "BIO") -> List[Tuple[str, str]]:
    """Tokens and their tags in BIO or BIOES; tokens of blank characters are left out."""
    rows: List[Tuple[str, str, str]] = [
        (token.text, token.ent_iob_ if token.ent_type_ else OUTSIDE, token.ent_type_)
        for token in doc
        if not token.text.isspace()
    ]
    if scheme == "BIOES":
        rows = list(with_ends(rows))
    return [(token, f"{prefix}-{label}" if label else OUTSIDE) for token, prefix, label in rows]


def with_ends(rows: Sequence[Tuple[str, str, str]]) -> Iterator[Tuple[str, str, str]]:
    following: Iterable[Tuple[str, str, str]] = [*rows[1:], ("", OUTSIDE, "")]
    for (token, prefix, label), (_, next_prefix, _) in zip(rows, following):
        is_last = next_prefix != "I"
        yield token, {"B": "S", "I": "E"}.get(prefix, prefix) if is_last else prefix, label
