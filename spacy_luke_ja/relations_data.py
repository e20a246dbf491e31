"""Relations between mentions in a Doc, kept in its user_data: gold and predicted alike, each with its head."""

from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple, Union

from spacy.tokens import Doc, Span

from .mention_data import find_known, store_known
from .text.relations import FoundRelation, GoldPair, Mention, Pair
from .user_data import check_within, drop_of

# Not the name of the extension attribute, which others may have registered before us.
RELATED, GOLD = "luke_related", "luke_gold_related"

GivenMention = Union[Span, Tuple[int, int]]


def get_found_relations(doc: Doc, component: Optional[str] = None) -> List[FoundRelation]:
    """What a component found, or all did when None, in text order, the likeliest of a pair first."""
    found = [
        FoundRelation(*pair, label, score, tuple((name, own) for name, own in n_best))
        for own, pair, (label, score, n_best) in find_pairs_in(doc, RELATED)
        if component in (own, None)
    ]
    return sorted(found, key=lambda own: (own.head, own.tail, -own.score))


def set_found_relations(doc: Doc, component: str, relations: Iterable[FoundRelation]) -> None:
    """In place of what this component found before."""
    values = ((own.head, own.tail, [own.label, own.score, [list(each) for each in own.n_best]]) for own in relations)
    store_pairs(doc, RELATED, component, values)


def clear_found_relations(doc: Doc) -> None:
    """Of all components."""
    drop_of(doc, None, RELATED)


def get_gold_pairs(doc: Doc) -> List[GoldPair]:
    """Of all pairs that it does not have, gold says that they have no relation."""
    found = [GoldPair(*pair, labels and tuple(labels)) for _, pair, labels in find_pairs_in(doc, GOLD)]
    return sorted(found, key=lambda own: own[:2])


def set_gold_relations(
    doc: Doc,
    relations: Iterable[Tuple[GivenMention, GivenMention, str]],
    *,
    unknown: Iterable[Tuple[GivenMention, GivenMention]] = (),
) -> None:
    """Say what the right relations are, for training and evaluation, in place of what was said before.

    relations: (head, tail, label); head and tail are Spans, or (char_start, char_end). A pair may have several.
    unknown: pairs (head, tail) of which nothing is known. All other pairs have no relation.
    """
    labels_of: Dict[Pair, Optional[Dict[str, None]]] = {}
    for head, tail, label in relations:
        if not isinstance(label, str) or not label:
            raise ValueError(f"the label of a relation must be a string that is not empty, got {label!r}")
        pair = check_pair(doc, head, tail)
        labels_of[pair] = {**(labels_of.get(pair) or {}), label: None}
    for head, tail in unknown:
        labels_of.setdefault(check_pair(doc, head, tail), None)
    pairs = ((*pair, None if labels is None else list(labels)) for pair, labels in labels_of.items())
    store_pairs(doc, GOLD, "", pairs)


def check_pair(doc: Doc, head: GivenMention, tail: GivenMention) -> Pair:
    """RETURNS: the characters; a ValueError where they are not in the text, or are the same."""
    pair = chars_of(head), chars_of(tail)
    for mention in pair:
        check_within(doc, *mention, "mention")
    if pair[0] == pair[1]:
        raise ValueError(f"head and tail of a relation must be different mentions, got {pair[0][0]}–{pair[0][1]} twice")
    return pair


def chars_of(mention: GivenMention) -> Mention:
    if isinstance(mention, Span):
        return mention.start_char, mention.end_char
    start, end = mention
    return start, end


def find_pairs_in(doc: Doc, name: str) -> Iterator[Tuple[str, Pair, Any]]:
    """YIELDS: component, pair and value. The tail is stored by where it stands from the head, and moves along."""
    known = list(find_known(doc, name))
    text = doc.text if known else ""
    for component, head_start, head_end, ((first, last, tail_text), value) in known:
        tail_start, tail_end = head_start + first, head_start + last
        if 0 <= tail_start and text[tail_start:tail_end] == tail_text:  # else a part of a Doc that does not have it
            yield component, ((head_start, head_end), (tail_start, tail_end)), value


def store_pairs(doc: Doc, name: str, component: str, pairs: Iterable[Tuple[Mention, Mention, Any]]) -> None:
    """In place of what this component said before. pairs: head, tail, and a value of what msgpack gives back."""
    text = doc.text
    of_heads = (
        (*head, [[tail[0] - head[0], tail[1] - head[0], text[slice(*tail)]], value]) for head, tail, value in pairs
    )
    store_known(doc, name, component, of_heads)
