"""A file of texts with relations between mentions in, Examples out (spacy-luke-ja.RelationsCorpus.v1, for [corpora]).

A record is one of these; head, tail, h and t are numbers of entities, from 0. Pairs that it does not name have no
relation.

    {"text": "…", "entities": [{"start": 0, "end": 4, "label": "人名"}, …],
     "relations": [{"head": 0, "tail": 1, "label": "勤務先"}, …]}
    TACRED's: {"token": […], "subj_start": 0, "subj_end": 1, "subj_type": "…", "obj_start": …, "relation": "…"}
    DocRED's: {"sents": [[…]], "vertexSet": [[{"sent_id": 0, "pos": [0, 2], "type": "…"}, …]],
     "labels": [{"h": 0, "t": 1, "r": "…"}, …]}
"""

from itertools import product
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.training import Example

from ..relations_data import set_gold_relations
from ..text.messages import show
from .mentions import UNTYPED, check_overlaps, check_span, make_mentioned_doc, parse_annotated
from .parsed import check_on_bad_record, read_parsed
from .records import BadRecord, check_characters, check_entity, check_name
from .tagged_tokens import join_tokens

Labelled = Tuple[int, int, str]


class RelatedText(NamedTuple):
    """relations: (head, tail, label); unknown: (head, tail) of which nothing is known. Both by numbers of mentions."""

    text: str
    mentions: List[Labelled]
    relations: List[Tuple[int, int, str]]
    unknown: List[Tuple[int, int]]


def create_relations_corpus(
    path: Optional[Path],
    on_bad_record: str = "raise",
    mentions_key: Optional[str] = None,
    no_relation: Optional[str] = "no_relation",
) -> Callable[[Language], Iterator[Example]]:
    """
    path: a file of JSON lines or of an array, packed or not.
    on_bad_record: "raise", or "skip" with a warning, when a record cannot be read.
    mentions_key: where the Docs get the mentions: in this group of doc.spans, or in doc.ents when null. As the
        component's setting.
    no_relation: what the file calls a pair without a relation. As the component's setting.
    """
    if path is None:
        raise ValueError("path must name a file of related mentions (say --paths.train train.jsonl), got null")
    check_on_bad_record(on_bad_record)

    def parse(value: Any) -> RelatedText:
        return parse_related(value, can_overlap=mentions_key is not None, no_relation=no_relation)

    def read(nlp: Language) -> Iterator[Example]:
        for own in read_parsed(Path(path), parse, on_bad_record=on_bad_record):
            yield make_relations_example(
                nlp, own.text, own.mentions, own.relations, unknown=own.unknown, mentions_key=mentions_key
            )

    return read


def make_relations_example(
    nlp: Language,
    text: str,
    mentions: Iterable[Labelled],
    relations: Iterable[Tuple[int, int, str]],
    *,
    unknown: Iterable[Tuple[int, int]] = (),
    mentions_key: Optional[str] = None,
) -> Example:
    """Make an Example of a text with relations between mentions; its tokens are split where a mention begins or ends.

    mentions: (char_start, char_end, label). Raises a ValueError for characters that are not there.
    relations: (head, tail, label), head and tail as numbers of mentions. A pair may have several.
    unknown: (head, tail) of which nothing is known. All other pairs have no relation.
    mentions_key: where both Docs have the mentions: doc.ents when None, where they may not overlap.
    """
    mentions = list(mentions)
    predicted = make_mentioned_doc(nlp, text, mentions, mentions_key)
    reference = predicted.copy()

    def chars(number: int) -> Tuple[int, int]:
        if not 0 <= number < len(mentions):
            raise ValueError(f"head and tail must be numbers of the {len(mentions)} mentions, got {number}")
        return mentions[number][:2]

    set_gold_relations(
        reference,
        [(chars(head), chars(tail), label) for head, tail, label in relations],
        unknown=[(chars(head), chars(tail)) for head, tail in unknown],
    )
    return Example(predicted, reference)


def parse_related(value: Any, *, can_overlap: bool, no_relation: Optional[str]) -> RelatedText:
    """Check an object; raises BadRecord."""
    shapes = {"text": parse_own, "subj_start": parse_tacred, "vertexSet": parse_docred}
    parse = next((shapes[key] for key in shapes if isinstance(value, dict) and key in value), None)
    if parse is None:
        raise BadRecord(
            'a record must be {"text": "…", "entities": […], "relations": […]}, or have the keys of TACRED or DocRED, '
            f"got {show(value)}"
        )
    own = parse(value)
    check_characters("the text", own.text)
    for start, end, _ in own.mentions:
        check_span(own.text, start, end)
    check_overlaps(own.text, [mention[:2] for mention in own.mentions], can_overlap=can_overlap)
    for head, tail, label in own.relations:
        if not all(type(number) is int and 0 <= number < len(own.mentions) for number in (head, tail)):
            raise BadRecord(
                f"head and tail must be numbers of the {len(own.mentions)} mentions, got {show(head)} and {show(tail)}"
            )
        if own.mentions[head][:2] == own.mentions[tail][:2]:
            raise BadRecord(f"head and tail of a relation must be different mentions, got {show((head, tail, label))}")
        check_name("the label of a relation", label)
    return own._replace(relations=[relation for relation in own.relations if relation[2] != no_relation])


def parse_own(value: Dict[str, Any]) -> RelatedText:
    relations: Any = value.get("relations")
    if not is_list_of_dicts(relations):
        raise BadRecord(f'a record must be {{"text": "…", "entities": […], "relations": […]}}, got {show(value)}')
    text, mentions = parse_annotated(value, "entities", parse_entity)
    return RelatedText(text, mentions, [(own.get("head"), own.get("tail"), own.get("label")) for own in relations], [])


def parse_entity(own: Any) -> Labelled:
    return make_mention(own.get("start"), own.get("end"), own.get("label", UNTYPED))


def parse_tacred(value: Dict[str, Any]) -> RelatedText:
    """One pair, subject and object, whose last tokens are subj_end and obj_end. Nothing is known of the other
    direction."""
    tokens: Any = value.get("token", value.get("tokens"))
    relation: Any = value.get("relation")
    if not is_list_of_strings(tokens):
        raise BadRecord(f'"token" must be a list of strings, got {show(tokens)}')
    text, offsets = join_tokens(tokens)
    mentions = []
    for part in ("subj", "obj"):
        first, last = value.get(f"{part}_start"), value.get(f"{part}_end")
        end = last + 1 if type(last) is int else last
        mentions.append(make_mention(*place_tokens(offsets, [first, end]), value.get(f"{part}_type", UNTYPED)))
    return RelatedText(text, mentions, [(0, 1, relation)], [(1, 0)])


def parse_docred(value: Dict[str, Any]) -> RelatedText:
    """An entity has several mentions. Of two that are related, the nearest have the relation; nothing is known of
    their other pairs."""
    sentences: Any = value.get("sents")
    vertices: Any = value["vertexSet"]
    labels: Any = value.get("labels")
    are_sentences = isinstance(sentences, list) and all(map(is_list_of_strings, sentences))
    are_vertices = isinstance(vertices, list) and all(own and is_list_of_dicts(own) for own in vertices)
    if not are_sentences or not are_vertices or not is_list_of_dicts(labels):
        raise BadRecord(f'a record of DocRED must have "sents", "vertexSet" and "labels", got {show(value)}')
    text, offsets = join_tokens([token for sentence in sentences for token in sentence])
    firsts = [sum(map(len, sentences[:n])) for n in range(len(sentences))]
    mentions: Dict[Labelled, int] = {}
    of_vertex: List[List[int]] = []
    for vertex in vertices:
        places = []
        for own in vertex:
            n, pos = own.get("sent_id"), own.get("pos")
            if type(n) is not int or not 0 <= n < len(firsts) or not isinstance(pos, list):
                raise BadRecord(f"a mention must have a sent_id and pos, got {show(own)}")
            in_sentence = offsets[firsts[n] : firsts[n] + len(sentences[n])]
            mention = make_mention(*place_tokens(in_sentence, pos), own.get("type", UNTYPED))
            places.append(mentions.setdefault(mention, len(mentions)))
        of_vertex.append(list(dict.fromkeys(places)))
    placed = list(mentions)
    relations, unknown = [], []
    for label in labels:
        head, tail = label.get("h"), label.get("t")
        if not all(type(own) is int and 0 <= own < len(of_vertex) for own in (head, tail)) or head == tail:
            raise BadRecord(f"h and t must be numbers of two of the {len(of_vertex)} entities, got {show(label)}")
        pairs = sorted(
            (pair for pair in product(of_vertex[head], of_vertex[tail]) if placed[pair[0]][:2] != placed[pair[1]][:2]),
            key=lambda pair: distance(placed[pair[0]], placed[pair[1]]),
        )
        relations += [(*pair, label.get("r")) for pair in pairs[:1]]
        unknown += pairs[1:]
    return RelatedText(text, placed, relations, unknown)


def make_mention(start: Any, end: Any, label: Any) -> Labelled:
    return check_entity(start, end, label)[:3]


def place_tokens(offsets: Sequence[Tuple[int, int]], edges: Any) -> Tuple[int, int]:
    """edges: the first token and the one behind the last. RETURNS: their characters; raises BadRecord."""
    are_numbers = len(edges) == 2 and all(type(edge) is int for edge in edges)
    if not are_numbers or not 0 <= edges[0] < edges[1] <= len(offsets):
        raise BadRecord(f"a mention must be some of {len(offsets)} tokens, got {show(edges)}")
    return offsets[edges[0]][0], offsets[edges[1] - 1][1]


def distance(first: Labelled, second: Labelled) -> int:
    return max(first[0] - second[1], second[0] - first[1], 0)


def is_list_of_dicts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(own, dict) for own in value)


def is_list_of_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(own, str) for own in value)
