"""A file of annotated texts in, JSONL, CoNLL style or DocBin; its records out, and what is wrong with which line."""

import codecs
import json
import warnings
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple, Union

from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from ..annotated_labels import ANNOTATED_LABELS, check_annotated_labels
from ..text.characters import LONE_SURROGATE, trim_blank
from ..text.decoding import CharSpan
from ..text.label_schemes import OUTSIDE, split_prefix

ON_BAD_RECORD = ("raise", "skip")
N_NAMED = 20  # bad records in a message
# In the first line of a table; tokens before tags.
HEADER_TOKENS = {"token", "word", "text", "form", "surface", "char", "character", "単語", "語", "文字", "トークン"}
HEADER_TAGS = {"tag", "label", "ner", "ner_tag", "ne", "entity", "iob", "iob2", "bio", "タグ", "ラベル", "固有表現"}
NO_LABELS = ("B", "I", "E", "S", "L", "U", "B-", "I-", "E-", "S-", "L-", "U-", "_", "-", "o")  # tags that say nothing
ENTITY_KEYS = ("entities", "spans", "label", "labels")  # in JSONL, of a text
SPAN_KEYS = (("start", "end", "label"), ("start_offset", "end_offset", "label"))  # of an entity that is an object


@dataclass(frozen=True)
class Record:
    """A text and its entities, in text order and without overlaps.

    page: what texts of one source share, the id of a Wikipedia article say; "" where nothing is known.
    n_trimmed: how many of the entities began or ended with a blank character, which was left out.
    annotated_labels: those that the text was annotated for, where the data says so; None: nothing is known.
    """

    text: str
    char_spans: Tuple[CharSpan, ...]
    page: str = ""
    n_trimmed: int = field(default=0, compare=False)
    annotated_labels: Optional[Tuple[str, ...]] = None

    @property
    def entities(self) -> List[Tuple[int, int, str]]:
        return [(span.char_start, span.char_end, span.label) for span in self.char_spans]


class BadRecord(ValueError):
    """What is wrong with one record; line: where in its file, when it is not where the record begins."""

    line: Optional[int] = None


class LeftOut(BadRecord):
    """A record that its annotator did not want, which is nothing wrong."""


# Where a record stands in its file, and the record or what is wrong with it.
Read = Iterator[Tuple[str, Union[Record, BadRecord]]]


def read_records(
    path: Union[str, Path], *, on_bad_record: str = "raise", setting: str = "on_bad_record"
) -> Iterator[Record]:
    """Read a file by its ending: .jsonl, .conll (also .bio, .iob, .tsv, .txt) or .spacy.

    on_bad_record: "raise" a ValueError that names file and line, or "skip" with one warning for all.
    setting: what the user knows on_bad_record as, for messages.
    """
    path = Path(path)
    check_on_bad_record(on_bad_record, setting)
    if path.suffix not in READERS:
        raise ValueError(f"{path}: the name must end in {', '.join(READERS)}, got {path.suffix or 'no ending'}")
    if not path.is_file():
        raise OSError(f"there is no file {path}")
    n_records, n_left_out, bad = 0, 0, []
    trimmed = Counter()  # type: ignore[var-annotated]
    for place, record in READERS[path.suffix](path):
        n_records += 1
        if isinstance(record, Record):
            if record.n_trimmed:
                trimmed[place] += record.n_trimmed
            yield record
            continue
        if isinstance(record, LeftOut):
            n_left_out += 1
            continue
        message = f"{path}, {place}: {record}"
        if on_bad_record == "raise":
            raise ValueError(f'{message}; with "skip" for {setting}, such records are left out') from record
        bad.append(message)
    if bad:
        warnings.warn(f"{len(bad)} of {n_records} records were skipped; the first is {bad[0]}{list_others(bad)}")
    if trimmed:
        warnings.warn(
            f"{sum(trimmed.values())} entities of {path} began or ended with a blank character, which was left out; "
            f"the first at {next(iter(trimmed))}"
        )
    if n_left_out:
        warnings.warn(f"{n_left_out} of {n_records} records of {path} were left out: Prodigy has them as not accepted")


def read_texts(path: Union[str, Path]) -> Iterator[str]:
    """Read a file as read_records does, of which the texts alone matter: JSONL and Docs may lack entities."""
    path = Path(path)
    if path.suffix == ".jsonl" and path.is_file():
        for n, line in enumerate(read_lines(path), start=1):
            if line.strip():
                try:
                    yield make_record(parse_json_object(line)["text"], ()).text
                except BadRecord as error:
                    raise ValueError(f"{path}, line {n}: {error}") from error
    elif path.suffix == ".spacy" and path.is_file():
        yield from (doc.text for doc in open_docbin(path, Vocab()))
    else:
        yield from (record.text for record in read_records(path))


def find_bad_records(path: Union[str, Path]) -> List[str]:
    """Where in a file something is wrong, and what."""
    path = Path(path)
    found = [] if path.suffix not in READERS or not path.is_file() else READERS[path.suffix](path)
    return [f"{place}: {record}" for place, record in found if not isinstance(record, (Record, LeftOut))]


def list_others(messages: List[str]) -> str:
    """A line for each of the second to the last, or to N_NAMED."""
    more = [f"… and {len(messages) - N_NAMED} more"] if len(messages) > N_NAMED else []
    return "".join(f"\n    {message}" for message in [*messages[1:N_NAMED], *more])


def check_on_bad_record(on_bad_record: str, setting: str = "on_bad_record") -> None:
    if on_bad_record not in ON_BAD_RECORD:
        raise ValueError(f"{setting} must be one of {', '.join(ON_BAD_RECORD)}, got {on_bad_record}")


def make_record(text: Any, entities: Iterable[Tuple[Any, Any, Any]], page: str = "") -> Record:
    """Check a text and its entities; raises BadRecord."""
    if not isinstance(text, str):
        raise BadRecord(f"the text must be a string, got {text!r}")
    if LONE_SURROGATE.search(text):
        raise BadRecord(f"the text has a lone surrogate, which no UTF-8 can hold: {text!r}")
    spans, n_trimmed = [], 0
    for start, end, label in entities:
        # bool is an int to Python, and to nobody else
        if not all(isinstance(char, int) and not isinstance(char, bool) for char in (start, end)):
            raise BadRecord(f"start and end of an entity must be whole numbers, got {start!r} and {end!r}")
        if not isinstance(label, str) or not label:
            raise BadRecord(f"the label of the entity {start}–{end} must be a string that is not empty, got {label!r}")
        if not 0 <= start < end <= len(text):
            raise BadRecord(f"the entity {start}–{end} {label} is not within the {len(text)} characters of {text!r}")
        # No token holds a space between words, and an entity has none at its edges.
        trimmed = trim_blank(text, start, end)
        if trimmed[0] >= trimmed[1]:
            raise BadRecord(f"the entity {start}–{end} {label} is nothing but blank characters in {text!r}")
        n_trimmed += trimmed != (start, end)
        spans.append(CharSpan(*trimmed, label))
    spans = sorted(dict.fromkeys(spans))
    for first, second in zip(spans, spans[1:]):
        if second.char_start < first.char_end:
            raise BadRecord(
                f"the entities {first.char_start}–{first.char_end} {first.label} and {second.char_start}–"
                f"{second.char_end} {second.label} overlap in {text!r}"
            )
    return Record(text, tuple(spans), page, n_trimmed)


def read_jsonl(path: Path) -> Read:
    """{"text": …, "entities": [[start, end, label], …]} per line; also as doccano, Prodigy and Stockmark write them.

    "annotated_labels": [label, …] says for which labels alone the text was annotated.
    """
    for n, line in enumerate(read_lines(path), start=1):
        if line.strip():
            yield f"line {n}", attempt(parse_json_record, line)


def parse_json_object(line: bytes) -> Dict[str, Any]:
    """RETURNS: an object with "text", whatever that is."""
    try:
        item = json.loads(line.decode("utf8"))
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"this is not JSON in UTF-8: {error}") from error
    if not isinstance(item, dict) or "text" not in item:
        raise BadRecord('an object with "text" is needed')
    return item


def parse_json_record(line: bytes) -> Record:
    item = parse_json_object(line)
    if item.get("answer") in ("reject", "ignore"):
        raise LeftOut(f"its answer is {item['answer']!r}")
    key = next((key for key in ENTITY_KEYS if key in item), None)
    if key is None:
        raise BadRecord(f'an object with "text" and one of {", ".join(ENTITY_KEYS)} is needed')
    entities = item[key] or []
    if not isinstance(entities, list):
        raise BadRecord(f'"{key}" must be a list of entities, got {entities!r}')
    page = item.get("page", item.get("curid"))
    record = make_record(item["text"], map(parse_entity, entities), "" if page is None else str(page))
    return with_annotated_labels(record, item.get("annotated_labels"))


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


def parse_entity(entity: Any) -> Tuple[Any, Any, Any]:
    if isinstance(entity, list) and len(entity) == 3:
        return entity[0], entity[1], entity[2]
    if isinstance(entity, dict):
        for keys in SPAN_KEYS:
            if all(key in entity for key in keys):
                return entity[keys[0]], entity[keys[1]], entity[keys[2]]
        if isinstance(entity.get("span"), list) and len(entity["span"]) == 2:
            return *entity["span"], entity.get("type", entity.get("label"))
    raise BadRecord(f"an entity must be [start, end, label] or an object with start, end, label, got {entity!r}")


def read_conll(path: Path) -> Read:
    """A token and its tag per line, first and last column; an empty line between texts.

    Columns stand between tabs, or in a line without any, between spaces. Before a text, lines that begin with "# " and
    have no tab are comments. Tags may be of any scheme, or without prefixes. Tokens are put together without spaces,
    but for those that end and begin with ASCII letters or digits. A header of the columns is passed over.
    """
    lines: List[Tuple[int, bytes]] = []
    all_lines = [line.strip(b"\r") for line in (*read_lines(path), b"")]
    header, is_sure = find_header(all_lines)
    for n, line in enumerate(all_lines, start=1):
        if n - 1 == header:
            if not is_sure:
                shown = line.decode("utf8", "replace")
                yield f"line {n}", BadRecord(f"{shown!r} has no tag as the other lines; a header must be removed")
            continue
        if line.startswith(b"# ") and b"\t" not in line and not lines:
            continue
        if line.strip(b" \t") and not line.startswith(b"-DOCSTART-"):
            lines.append((n, line))
        elif lines:
            record = attempt(make_conll_record, lines)
            yield f"line {getattr(record, 'line', None) or lines[0][0]}", record
            lines = []


def find_header(lines: List[bytes]) -> Tuple[Optional[int], bool]:
    """RETURNS: which line names the columns, and whether that is sure, by known names, or likely, by its tag alone."""
    place = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith(b"#")), None)
    rows = [columns_of(line.decode("utf8", "replace")) for line in lines[place:] if line.strip(b" \t")]
    if place is None or len(rows[0]) < 2:
        return None, True
    token, tag = (rows[0][i].strip() for i in (0, -1))
    names = [name.casefold().removesuffix("s") for name in (token, tag)]
    if names[0] in HEADER_TOKENS and names[1] in HEADER_TAGS:
        return place, True
    tags = {row[-1].strip() for row in rows[1:]} - {OUTSIDE}
    has_scheme = bool(tags) and all(split_prefix(tag)[0] for tag in tags)
    return place if has_scheme and tag != OUTSIDE and "-" not in tag and tag not in NO_LABELS else None, False


def columns_of(text: str) -> List[str]:
    return text.split("\t") if "\t" in text else [column for column in text.split(" ") if column]


def read_lines(path: Path) -> List[bytes]:
    """Lines of a text file in UTF-8, which may begin with a byte order mark as Windows writes it."""
    return path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n")


def make_conll_record(lines: List[Tuple[int, bytes]]) -> Record:
    """lines: with their numbers."""
    text = ""
    entities: List[Tuple[int, int, str]] = []
    goes_on = False  # whether the last entity may still grow
    for n, line in lines:
        try:
            token, tag = parse_conll_line(line)
        except BadRecord as error:
            error.line = n
            raise
        prefix, label = split_prefix(tag)
        if text and is_latin(text[-1]) and is_latin(token[0]):
            text += " "
        start, end = len(text), len(text) + len(token)
        text += token
        if tag == OUTSIDE:
            goes_on = False
        elif goes_on and prefix not in ("B", "S", "U") and entities[-1][2] == label:
            entities[-1] = (entities[-1][0], end, label)
            goes_on = prefix not in ("E", "L")
        else:
            entities.append((start, end, label))
            goes_on = prefix not in ("E", "L", "S", "U")
    return make_record(text, entities)


def parse_conll_line(line: bytes) -> Tuple[str, str]:
    """RETURNS: the token and its tag."""
    try:
        text = line.decode("utf8")
    except UnicodeDecodeError as error:
        raise BadRecord(f"this is not UTF-8: {error}") from error
    columns = columns_of(text)
    token, tag = columns[0], columns[-1].strip()
    if len(columns) < 2 or not token or not tag:
        raise BadRecord(f"a token and its tag are needed, got {text!r}")
    if tag in NO_LABELS:
        raise BadRecord(f"the tag {tag!r} of {token!r} has no label; O stands for what is in no entity")
    if tag[1:2] == "-" and tag[0].isascii() and tag[0].isalpha() and not split_prefix(tag)[0]:
        raise BadRecord(f"the tag {tag!r} of {token!r} has a prefix that no scheme has; B, I, E, S, L and U are known")
    return token, tag


def is_latin(char: str) -> bool:
    return char.isascii() and char.isalnum()


def open_docbin(path: Path, vocab: Vocab) -> List[Doc]:
    try:
        return list(DocBin().from_disk(path).get_docs(vocab))
    except Exception as error:  # zlib, msgpack or a KeyError, according to where it is damaged
        raise ValueError(f"{path} is damaged, or no DocBin: {error}") from error


def read_docbin(path: Path) -> Read:
    """doc.ents of each Doc, whatever tokenizer made it."""
    for n, doc in enumerate(open_docbin(path, Vocab()), start=1):
        if not doc.has_annotation("ENT_IOB") and len(doc):
            yield f"Doc {n}", BadRecord(f"the Doc has no entity annotation: {doc.text!r}")
        elif any(token.ent_iob == 0 for token in doc):
            yield (
                f"Doc {n}",
                BadRecord(
                    f"the Doc is annotated in part, which spacy.Corpus.v1 can read and this cannot hold: {doc.text!r}"
                ),
            )
        else:
            yield f"Doc {n}", attempt(record_of_doc, doc)


def record_of_doc(doc: Doc) -> Record:
    record = make_record(doc.text, ((ent.start_char, ent.end_char, ent.label_) for ent in doc.ents))
    return with_annotated_labels(record, doc.user_data.get(ANNOTATED_LABELS))


def attempt(parse: Callable[[Any], Record], raw: Any) -> Union[Record, BadRecord]:
    try:
        return parse(raw)
    except BadRecord as error:
        return error


READERS: Dict[str, Callable[[Path], Read]] = {
    ".jsonl": read_jsonl,
    **dict.fromkeys((".conll", ".bio", ".iob", ".tsv", ".txt"), read_conll),
    ".spacy": read_docbin,
}
