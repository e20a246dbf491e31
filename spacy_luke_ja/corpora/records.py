"""A text and its entities by characters in, a checked Record out, or what is wrong with them."""

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from ..annotated_labels import check_annotated_labels
from ..text.characters import LONE_SURROGATE, trim_blank
from ..text.decoding import CharSpan
from ..text.messages import show

# start, end, label and, where the data has it, the text that stands there.
Entity = Tuple[Any, Any, Any, Optional[str]]
# What else than characters offsets may count: an encoding, and the bytes of one unit in it.
UNITS: Dict[str, Tuple[str, int]] = {"UTF-16 units": ("utf-16-le", 2), "bytes of UTF-8": ("utf-8", 1)}
SPAN_KEYS = (("start", "end"), ("start_offset", "end_offset"), ("start_char", "end_char"))
LABEL_KEYS = ("label", "labels", "type")
SURFACE_KEYS = ("text", "name", "surface")


@dataclass(frozen=True)
class Record:
    """A text and its entities, in text order and without overlaps.

    page: what texts of one source share, the id of a Wikipedia article say; "" where nothing is known.
    n_trimmed: how many of the entities began or ended with a blank character, which was left out.
    unit: what the offsets of the entities counted in the data, a key of UNITS; "" for characters.
    annotated_labels: those that the text was annotated for, where the data says so; None: nothing is known.
    """

    text: str
    char_spans: Tuple[CharSpan, ...]
    page: str = ""
    n_trimmed: int = field(default=0, compare=False)
    unit: str = field(default="", compare=False)
    annotated_labels: Optional[Tuple[str, ...]] = None

    @property
    def entities(self) -> List[Tuple[int, int, str]]:
        return [(span.char_start, span.char_end, span.label) for span in self.char_spans]

    def renamed(self, label_map: Mapping[str, str]) -> "Record":
        """With other labels, those that it was annotated for too; labels that the map does not have stay."""
        if not label_map:
            return self
        rename = lambda label: label_map.get(label, label)
        spans = tuple(span._replace(label=rename(span.label)) for span in self.char_spans)
        known = self.annotated_labels
        return replace(self, char_spans=spans, annotated_labels=known and tuple(dict.fromkeys(map(rename, known))))


class BadRecord(ValueError):
    """What is wrong with one record; line: where in its file, when it is not where the record begins."""

    line: Optional[int] = None


class LeftOut(BadRecord):
    """A record that its annotator did not want, which is nothing wrong."""


# Where a record stands in its file, and the record or what is wrong with it.
Read = Iterator[Tuple[str, Union[Record, BadRecord]]]


def attempt(parse: Callable[..., Any], *raw: Any) -> Any:
    """RETURNS: what parse returns, or the BadRecord that it raises, or is given first."""
    if raw and isinstance(raw[0], BadRecord):
        return raw[0]
    try:
        return parse(*raw)
    except BadRecord as error:
        return error


def make_record(text: Any, entities: Iterable[Sequence[Any]], page: Any = None) -> Record:
    """Check a text and its entities; raises BadRecord.

    entities: (start, end, label), or an Entity; a text beside the offsets tells whether they count characters, and
        those that count UTF-16 units or bytes are converted.
    """
    if not isinstance(text, str):
        raise BadRecord(f"the text must be a string, got {show(text)}")
    check_characters("the text", text)
    page = "" if page is None else str(page)
    check_characters("the page", page)
    stated = [check_entity(*entity) for entity in entities]
    has_surfaces = any(surface is not None for *_, surface in stated)
    fitting, unit = fit_offsets(text, stated) if has_surfaces else (stated, "")
    spans, n_trimmed = [], 0
    for start, end, label, _ in fitting:
        if not 0 <= start < end <= len(text):
            raise BadRecord(
                f"the entity {show_span(start, end, label)} is not within the {len(text)} characters of {show(text)}"
            )
        # No token holds a space between words, and an entity has none at its edges.
        trimmed = trim_blank(text, start, end)
        if trimmed[0] >= trimmed[1]:
            raise BadRecord(
                f"the entity {show_span(start, end, label)} is nothing but blank characters in {show(text)}"
            )
        n_trimmed += trimmed != (start, end)
        spans.append(CharSpan(*trimmed, label))
    spans = sorted(dict.fromkeys(spans))
    for first, second in zip(spans, spans[1:]):
        if second.char_start < first.char_end:
            raise BadRecord(f"the entities {show_span(*first)} and {show_span(*second)} overlap in {show(text)}")
    return Record(text, tuple(spans), page, n_trimmed, unit)


def with_annotated_labels(record: Record, labels: Any) -> Record:
    """labels: those that the text was annotated for, or None; raises BadRecord."""
    if labels is None:
        return record
    try:
        labels = check_annotated_labels(labels)
    except ValueError as error:
        raise BadRecord(str(error)) from error
    for span in record.char_spans:
        if span.label not in labels:
            raise BadRecord(
                f"the entity {span.char_start}–{span.char_end} {span.label} has a label that is not in "
                f"annotated_labels, {', '.join(labels) or 'which is empty'}"
            )
    return replace(record, annotated_labels=tuple(labels))


def check_characters(name: str, value: str) -> None:
    if LONE_SURROGATE.search(value):
        raise BadRecord(f"{name} has a lone surrogate, which no UTF-8 can hold: {show(value)}")


def check_decoded(text: str, encoding: str = "UTF-8", advice: str = "") -> None:
    """Raise a BadRecord where `decode` (files.py) met a byte that is not of the encoding."""
    wrong = LONE_SURROGATE.search(text)
    if wrong:
        before = show(text[max(0, wrong.start() - 20) : wrong.start()])
        raise BadRecord(f"this is not {encoding}: the byte {ord(wrong[0]) & 0xFF:#04x} after {before}{advice}")


def check_entity(start: Any, end: Any, label: Any, surface: Optional[str] = None) -> Entity:
    check_offsets(start, end)
    return start, end, check_name(f"the label of the entity {show(start)}–{show(end)}", label), surface


def check_offsets(start: Any, end: Any) -> None:
    # bool is an int to Python, and to nobody else
    if not all(isinstance(char, int) and not isinstance(char, bool) for char in (start, end)):
        raise BadRecord(f"start and end of an entity must be whole numbers, got {show(start)} and {show(end)}")


def check_name(what: str, value: Any) -> str:
    """RETURNS: the value; raises a BadRecord where it is no string to call something by."""
    if not isinstance(value, str) or not value:
        raise BadRecord(f"{what} must be a string that is not empty, got {show(value)}")
    check_characters(what, value)
    return value


def show_span(start: int, end: int, label: str, *_: Any) -> str:
    return f"{show(start)}–{show(end)} {label if len(label) <= 100 else show(label)}"


def fit_offsets(text: str, entities: List[Entity]) -> Tuple[List[Entity], str]:
    """Find out what offsets count, by the texts that stand beside some of them.

    RETURNS: the entities by characters; and a key of UNITS, or "" where they counted characters.
    """
    if all(stands_there(text, entity) for entity in entities):
        return entities, ""
    readings = {"": entities, **{unit: convert_offsets(text, entities, *UNITS[unit]) for unit in UNITS}}
    for normalise in (str, without_spaces):  # which some tools change
        for unit, reading in readings.items():
            if all(stands_there(text, entity, normalise) for entity in reading):
                return reading, unit
    start, end, label, surface = next(entity for entity in entities if not stands_there(text, entity))
    there = show(text[max(0, start) : max(0, end)])
    raise BadRecord(f"{show(surface)} does not stand at {show_span(start, end, label)}, but {there}")


def convert_offsets(text: str, entities: List[Entity], encoding: str, size: int) -> List[Entity]:
    """-1 stands for an offset that is within a character."""
    places, place = {}, 0
    for i, char in enumerate(text):
        places[place] = i
        place += len(char.encode(encoding)) // size
    places[place] = len(text)
    return [(places.get(start, -1), places.get(end, -1), label, surface) for start, end, label, surface in entities]


def stands_there(text: str, entity: Entity, normalise: Callable[[str], str] = str) -> bool:
    start, end, _, surface = entity
    if surface is None:
        return start >= 0 and end >= 0
    return 0 <= start <= end <= len(text) and normalise(text[start:end]) == normalise(surface)


def without_spaces(text: str) -> str:
    return "".join(text.split())


def parse_entity(entity: Any) -> Entity:
    """An entity as JSON has it: [start, end, label], or an object, of whichever tool."""
    if isinstance(entity, list) and len(entity) == 3:
        return entity[0], entity[1], entity[2], None
    if isinstance(entity, dict):
        label = next((entity[key] for key in LABEL_KEYS if key in entity), None)
        if isinstance(label, list):
            if len(label) != 1:
                raise BadRecord(f"an entity must have one label, got {show(label)}")
            (label,) = label
        surface = next((entity[key] for key in SURFACE_KEYS if isinstance(entity.get(key), str)), None)
        if isinstance(entity.get("span"), list) and len(entity["span"]) == 2:
            return entity["span"][0], entity["span"][1], label, surface
        for start, end in SPAN_KEYS:
            if start in entity and end in entity and label is not None:
                return entity[start], entity[end], label, surface
    raise BadRecord(f"an entity must be [start, end, label] or an object with start, end, label, got {show(entity)}")
