"""An object of JSON in, as one of many tools writes it for a text, its record out, and the other way round."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from spacy.tokens import Doc

from ..text.messages import show
from .json_values import NAMES, is_tuple
from .records import BadRecord, Entity, LeftOut, Record, make_record, parse_entity, with_annotated_labels
from .tagged_tokens import TagsOfFile, find_entities, join_tokens, tag_tokens

ENTITY_KEYS = ("entities", "spans", "label", "labels", "annotations", "ents")  # lists of entities
TOKEN_KEYS = ("tokens", "words")
TAG_KEYS = ("ner_tags", "ner", "bio_tags", "iob_tags", "tags", "labels")
NAMES_KEYS = (NAMES, "names", "tag_names", "label_names", "ner_tags_names", "id2label")
DONE_KEYS = ("_task_hash", "_input_hash", "annotation_id", "annotator")  # of records that somebody annotated


@dataclass(frozen=True)
class Shape:
    """What the objects of one tool look like.

    fits: whether an object is of this tool; the first in SHAPES that fits reads it.
    text: the text, whatever it is.
    entities: of an object and its text, with the tags of the whole file; raises BadRecord.
    make: an object of a record and its Doc, of which it may take the tokens.
    """

    fits: Callable[[Any], bool]
    text: Callable[[Any], Any]
    entities: Callable[[Any, TagsOfFile], Iterable[Entity]]
    make: Callable[[Record, Doc], Any]


def shape_of(item: Any) -> Shape:
    for shape in SHAPES.values():
        if shape.fits(item):
            return shape
    raise BadRecord('an object with "text" is needed')


def text_of(item: Any) -> Record:
    """The text alone, which need not be annotated; raises BadRecord."""
    return make_record(shape_of(item).text(item), ())


def record_of(item: Any, tags: TagsOfFile) -> Record:
    """Raises BadRecord."""
    shape = shape_of(item)
    if not isinstance(item, dict):
        return make_record(shape.text(item), shape.entities(item, tags))
    record = make_record(shape.text(item), shape.entities(item, tags), item.get("page", item.get("curid")))
    return with_annotated_labels(record, item.get("annotated_labels"))


# spaCy


def tuple_entities(item: Any, tags: TagsOfFile) -> Iterable[Entity]:
    if not isinstance(item[1].get("entities"), list):
        raise BadRecord(f'[text, {{"entities": [[start, end, label], …]}}] is needed, got {show(item)}')
    return map(parse_entity, item[1]["entities"])


# Label Studio


def label_studio_text(item: Any) -> Any:
    texts = [value for value in item["data"].values() if isinstance(value, str)]
    if "text" not in item["data"] and len(texts) != 1:
        raise BadRecord(f'the task must have one text, in "data" as "text", got {show(item["data"])}')
    return item["data"].get("text", texts[0] if texts else None)


def label_studio_entities(item: Any, tags: TagsOfFile) -> Iterable[Entity]:
    annotations = item.get("annotations", item.get("completions"))
    if annotations is None and "predictions" in item:
        raise BadRecord("the task has predictions of a model, and no annotation by a person; export it annotated")
    if not isinstance(annotations, list) or not all(isinstance(each, dict) for each in annotations):
        raise BadRecord(f'"annotations" must be a list of objects, got {show(annotations)}')
    done = [region_entities(each.get("result")) for each in annotations if not each.get("was_cancelled")]
    if annotations and not done:
        raise LeftOut("it was cancelled")
    if not done:
        raise BadRecord("the task has no annotation")
    if any(sorted(other) != sorted(done[0]) for other in done[1:]):
        raise BadRecord(f"its {len(done)} annotations differ from one another; keep one of them")
    return done[0]


def region_entities(regions: Any) -> List[Entity]:
    if not isinstance(regions, list) or not all(isinstance(region, dict) for region in regions):
        raise BadRecord(f'"result" must be a list of regions, got {show(regions)}')
    entities = []
    for region in regions:
        value = region.get("value")
        if isinstance(value, dict) and "start" in value:
            if "labels" not in value:
                raise BadRecord(f"regions of text must have labels, got {show(region.get('type'))}: {show(value)}")
            entities.append(parse_entity(value))
    return entities


def make_label_studio(record: Record, doc: Doc) -> Any:
    regions = [
        {"id": f"e{i}", "from_name": "label", "to_name": "text", "type": "labels", "value": region}
        for i, region in enumerate(make_regions(record), start=1)
    ]
    return {"data": {"text": record.text}, "annotations": [{"result": regions}], **rest_of(record)}


def make_regions(record: Record) -> List[Any]:
    return [
        {"start": start, "end": end, "text": record.text[start:end], "labels": [label]}
        for start, end, label in record.entities
    ]


# Rows of tokens and tags


def has_tokens(item: Any) -> bool:
    tokens = tokens_of(item)
    return tokens is not None and all(isinstance(token, str) for token in tokens) and tag_key_of(item) is not None


def tokens_of(item: Any) -> Optional[List[Any]]:
    return next((item[key] for key in TOKEN_KEYS if isinstance(item.get(key), list)), None)


def tag_key_of(item: Any) -> Optional[str]:
    has_entities = any(isinstance(item.get(key), list) for key in ("entities", "spans"))
    keys = TAG_KEYS if not has_entities else TAG_KEYS[:-2]
    return next((key for key in keys if isinstance(item.get(key), list)), None)


def row_tags(item: Any) -> List[str]:
    """The tags of a row by name; raises BadRecord."""
    key = tag_key_of(item)
    tags = item[key]
    if all(isinstance(tag, str) for tag in tags):
        return tags
    names: Any = next((item[own] for own in NAMES_KEYS if item.get(own)), None)
    if isinstance(names, dict):
        names = names.get(key, names)
    if isinstance(names, dict):
        names = {str(n): name for n, name in names.items()}
    elif isinstance(names, list):
        names = {str(n): name for n, name in enumerate(names)}
    else:
        raise BadRecord(
            f'"{key}" has numbers, got {show(tags)}, and their names are nowhere: they may stand in "names" of each '
            'row, or in dataset_info.json beside the file ("features")'
        )
    for tag in tags:
        if isinstance(tag, bool) or not isinstance(tag, (int, str)) or not isinstance(names.get(str(tag), tag), str):
            raise BadRecord(f'"{key}" has {show(tag)}, which has no name among {show(list(names.values()))}')
    return [names.get(str(tag), tag) for tag in tags]


def row_text(item: Any) -> str:
    return item["text"] if isinstance(item.get("text"), str) else join_tokens(tokens_of(item) or [])[0]


def row_entities(item: Any, tags: TagsOfFile) -> Iterable[Entity]:
    tokens, own_tags = tokens_of(item) or [], row_tags(item)
    if len(tokens) != len(own_tags):
        raise BadRecord(f"there are {len(tokens)} tokens and {len(own_tags)} tags")
    if "" in tokens:
        raise BadRecord(f"token number {tokens.index('') + 1} is empty")
    _, offsets = join_tokens(tokens, item["text"] if isinstance(item.get("text"), str) else None)
    return find_entities(offsets, [tags.split(*pair) for pair in zip(own_tags, tokens)])


def make_row(record: Record, doc: Doc) -> Any:
    tagged = tag_tokens(doc)
    tokens, tags = ([pair[i] for pair in tagged] for i in (0, 1))
    return {"text": record.text, "tokens": tokens, "ner_tags": tags, **rest_of(record)}


# Objects with a text and a list of entities: ours, doccano's, Prodigy's, Doc.to_json's, Label Studio's JSON-MIN


def has_text(item: Any) -> bool:
    return isinstance(item, dict) and "text" in item


def listed_entities(item: Any, tags: TagsOfFile) -> Iterable[Entity]:
    if item.get("answer") in ("reject", "ignore"):
        raise LeftOut(f"its answer is {item['answer']!r}")
    there = {key: item[key] for key in ENTITY_KEYS if item.get(key) is not None}
    lists = {key: value for key, value in there.items() if isinstance(value, list)}
    if len(lists) > 1:  # names of labels are no entities
        lists = {key: value for key, value in lists.items() if not value or not all(isinstance(x, str) for x in value)}
    if not there:
        lists = {key: value for key, value in item.items() if is_regions(value)}
        if not lists and (any(key in item for key in ENTITY_KEYS) or is_done(item)):
            return []
        if len(lists) != 1:
            raise BadRecord(f'an object with "text" and one of {", ".join(ENTITY_KEYS[:4])} is needed')
    elif not lists:
        key, value = next(iter(there.items()))
        raise BadRecord(f'"{key}" must be a list of entities, got {show(value)}')
    parsed = {key: list(map(parse_entity, value)) for key, value in lists.items()}
    (first, entities), *others = parsed.items()
    for key, own in others:
        if {show(entity[:3]) for entity in own} != {show(entity[:3]) for entity in entities}:
            raise BadRecord(
                f'"{first}" has {len(entities)} entities and "{key}" has {len(own)} others; the right ones alone must '
                "be there"
            )
    return entities


def is_regions(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(x, dict) and "labels" in x for x in value)


def is_done(item: Any) -> bool:
    """Whether a record without entities was annotated: Prodigy and JSON-MIN write no empty lists."""
    return item.get("answer") == "accept" and "options" not in item or any(key in item for key in DONE_KEYS)


def make_prodigy(record: Record, doc: Doc) -> Any:
    tokens = [
        {"text": t.text, "start": t.idx, "end": t.idx + len(t), "id": t.i, "ws": bool(t.whitespace_)} for t in doc
    ]
    spans = [
        {
            "start": ent.start_char, "end": ent.end_char, "token_start": ent.start, "token_end": ent.end - 1,
            "label": ent.label_,
        }
        for ent in doc.ents
    ]  # fmt: skip
    return {"text": record.text, "tokens": tokens, "spans": spans, "answer": "accept", **rest_of(record)}


def rest_of(record: Record) -> Dict[str, Any]:
    """What else than text and entities there is to keep."""
    page = {"page": record.page} if record.page else {}
    return page if record.annotated_labels is None else {**page, "annotated_labels": list(record.annotated_labels)}


def with_text(key: str, entities: Callable[[Record], Sequence[Any]]) -> Callable[[Record, Doc], Any]:
    return lambda record, doc: {"text": record.text, key: list(entities(record)), **rest_of(record)}


def entity_lists(record: Record) -> List[List[Any]]:
    return [list(entity) for entity in record.entities]


get_text: Callable[[Any], Any] = lambda item: item["text"]
LISTED: Tuple[Any, Any, Any] = (has_text, get_text, listed_entities)

# In the order in which they are tried.
SHAPES: Dict[str, Shape] = {
    "spacy-tuples": Shape(
        is_tuple,
        lambda item: item[0],
        tuple_entities,
        lambda record, doc: [record.text, {"entities": entity_lists(record)}],
    ),
    "label-studio": Shape(
        lambda item: isinstance(item, dict) and isinstance(item.get("data"), dict),
        label_studio_text,
        label_studio_entities,
        make_label_studio,
    ),
    "huggingface": Shape(lambda item: isinstance(item, dict) and has_tokens(item), row_text, row_entities, make_row),
    "jsonl": Shape(*LISTED, with_text("entities", entity_lists)),
    "doccano": Shape(*LISTED, with_text("label", entity_lists)),
    "prodigy": Shape(*LISTED, make_prodigy),
    "doc-json": Shape(*LISTED, lambda record, doc: {**doc.to_json(), **rest_of(record)}),
    "label-studio-min": Shape(*LISTED, with_text("label", make_regions)),
}
