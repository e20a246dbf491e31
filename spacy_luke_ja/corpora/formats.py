"""A file of annotated texts in, of any of the formats in FORMATS, its records out, or what is wrong with which line."""

import json
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple, Union

from spacy.language import Language
from spacy.tokens import Doc

from .docbin import read_docbin, read_docbin_texts, write_docbin
from .examples import make_reference
from .files import check_ending, ending_of, read_bytes, read_text
from .json_shapes import NAMES_KEYS, SHAPES, has_tokens, record_of, row_tags, text_of
from .json_values import NAMES, Values, names_of_tags, read_json_values, write_json_values
from .parsed import check_on_bad_record, keep_good
from .records import BadRecord, LeftOut, Read, Record, attempt
from .tagged_tokens import read_tags
from .token_tables import read_tokens, write_conll, write_conll_2003, write_conllu, write_pipes, write_tsv

DATASET_INFO = "dataset_info.json"  # of Hugging Face's datasets, beside their files


# JSON


def read_json(path: Path) -> Read:
    items = list(json_items(path))
    rows = (attempt(row_tags, item) for _, item in items if isinstance(item, dict) and has_tokens(item))
    tags = read_tags({tag for row in rows if isinstance(row, list) for tag in row})
    for place, item in items:
        yield place, attempt(record_of, item, tags)


def json_items(path: Path) -> Values:
    info = path.parent / DATASET_INFO
    names: Dict[str, List[str]] = {}
    for place, item in read_json_values(read_text(path)):
        if isinstance(item, dict) and has_tokens(item) and not any(item.get(key) for key in NAMES_KEYS):
            if not names and info.is_file():
                names = read_names(info)
            item = {**item, NAMES: names} if names else item
        yield place, item


def read_names(info: Path) -> Dict[str, List[str]]:
    try:
        value = json.loads(read_bytes(info))
        return names_of_tags(value.get("features", value) if isinstance(value, dict) else value)
    except ValueError as error:
        raise ValueError(f"{info} is no JSON: {error}") from error


def write_json(records: Sequence[Record], docs: Sequence[Doc], *, shape: str, as_lines: bool) -> bytes:
    make = SHAPES[shape].make
    return write_json_values([make(record, doc) for record, doc in zip(records, docs)], as_lines=as_lines)


# The table


@dataclass(frozen=True)
class Format:
    """
    what: a line for those who choose.
    endings: of the names of its files; where formats share one, the reader tells them apart by what is in the file.
    read: a file → its records.
    write: records and their Docs → the content of a file; raises a ValueError for what the format cannot hold.
    """

    what: str
    endings: Tuple[str, ...]
    read: Callable[[Path], Read]
    write: Callable[..., bytes]


LINES, ARRAY = ".jsonl", ".json"
TABLES = (".conll", ".bio", ".iob", ".iob2", ".bioes", ".tsv", ".txt")


def json_format(shape: str, what: str, endings: Tuple[str, ...] = (LINES, ARRAY)) -> Format:
    return Format(what, endings, read_json, partial(write_json, shape=shape))


# The first one with an ending is what a file with it is written in, where nothing else is asked for.
FORMATS: Dict[str, Format] = {
    "jsonl": json_format("jsonl", '{"text": …, "entities": [[start, end, label], …]}'),
    "doccano": json_format("doccano", '{"text": …, "label": [[start, end, label], …]}'),
    "prodigy": json_format("prodigy", '{"text": …, "tokens": …, "spans": [{"start": …, "end": …, "label": …}], …}'),
    "label-studio": json_format("label-studio", "Label Studio's JSON", (ARRAY, LINES)),
    "label-studio-min": json_format("label-studio-min", "Label Studio's JSON-MIN", (ARRAY, LINES)),
    "huggingface": json_format("huggingface", '{"text": …, "tokens": […], "ner_tags": ["B-地名", "O", …]}'),
    "doc-json": json_format("doc-json", "Doc.to_json"),
    "spacy-tuples": json_format("spacy-tuples", '[text, {"entities": [[start, end, label], …]}]'),
    "conll": Format("a token, a tab, a tag in BIO; an empty line between texts", TABLES, read_tokens, write_conll),
    "bioes": Format("the same in BIOES", TABLES, read_tokens, partial(write_conll, scheme="BIOES")),
    "conll2003": Format("the four columns of CoNLL-2003, tags in BIO", TABLES, read_tokens, write_conll_2003),
    "tsv": Format("a table with a header, token and tag", (".tsv", ".txt"), read_tokens, write_tsv),
    "pipes": Format("佐藤|B-人名 健一|I-人名, a text per line", (".iob", ".txt"), read_tokens, write_pipes),
    "docbin": Format("spaCy's .spacy", (".spacy",), read_docbin, write_docbin),
    "conllu": Format("CoNLL-U, tags in MISC as NE=B-地名", (".conllu", ".conll"), read_tokens, write_conllu),
}
READERS: Dict[str, Callable[[Path], Read]] = {ending: own.read for own in FORMATS.values() for ending in own.endings}


# Reading


def read_records(
    path: Union[str, Path], *, on_bad_record: str = "raise", setting: str = "on_bad_record"
) -> Iterator[Record]:
    """Read a file, packed or not, by its ending and by what is in it.

    on_bad_record: "raise" a ValueError that names file and line, or "skip" with one warning for all.
    setting: what the user knows on_bad_record as, for messages.
    """
    path = Path(path)
    check_on_bad_record(on_bad_record, setting)
    trimmed: Counter = Counter()
    converted: Dict[str, Counter] = {}
    for place, record in keep_good(path, reader_of(path)(path), on_bad_record, setting):
        if record.n_trimmed:
            trimmed[place] += record.n_trimmed
        if record.unit:
            converted.setdefault(record.unit, Counter())[place] += len(record.char_spans)
        yield record
    if trimmed:
        warnings.warn(
            f"{sum(trimmed.values())} entities of {path} began or ended with a blank character, which was left out; "
            f"the first at {next(iter(trimmed))}"
        )
    for unit, places in converted.items():
        warnings.warn(
            f"{sum(places.values())} entities of {path} had offsets in {unit}, as the texts beside them show, and were "
            f"put right; the first at {next(iter(places))}"
        )


def reader_of(path: Path) -> Callable[[Path], Read]:
    return READERS[check_ending(path, READERS)]


def read_texts(path: Union[str, Path]) -> Iterator[str]:
    """Read a file as read_records does, of which the texts alone matter: JSON and Docs may lack entities."""
    path = Path(path)
    read = reader_of(path)
    if read is read_json:
        for place, item in json_items(path):
            record = attempt(text_of, item)
            if isinstance(record, BadRecord):
                raise ValueError(f"{path}, {place}: {record}") from record
            yield record.text
    elif read is read_docbin:
        yield from read_docbin_texts(path)
    else:
        yield from (record.text for record in read_records(path))


def find_bad_records(path: Union[str, Path]) -> List[str]:
    """Where in a file something is wrong, and what."""
    path = Path(path)
    found: Any = [] if ending_of(path) not in READERS or not path.is_file() else reader_of(path)(path)
    return [f"{place}: {record}" for place, record in found if not isinstance(record, (Record, LeftOut))]


# Writing


def choose_format(path: Path, name: str = "", *, setting: str = "format") -> str:
    """
    name: a key of FORMATS; "" takes the one that the ending of the path stands for.
    RETURNS: a key of FORMATS; raises a ValueError when the ending does not fit.
    """
    ending = ending_of(path)
    if name and name not in FORMATS:
        raise ValueError(f"{setting} must be one of {', '.join(FORMATS)}, got {name}")
    for own, row in FORMATS.items():
        if ending in row.endings and name in ("", own):
            return own
    endings = FORMATS[name].endings if name else list(READERS)
    raise ValueError(f"{path}: the name must end in {', '.join(endings)}, got {ending or 'no ending'}")


def write_records(nlp: Language, records: Sequence[Record], format: str, *, ending: str = "") -> bytes:
    """
    nlp: whose tokenizer makes tokens, which are split where an entity begins or ends.
    format: a key of FORMATS. ending: JSON lines or an array.
    RETURNS: the content of a file; raises a ValueError that names a text which the format cannot hold.
    """
    row = FORMATS[format]
    docs = [
        make_reference(nlp, record.text, record.entities, annotated_labels=record.annotated_labels)
        for record in records
    ]
    settings = {"as_lines": (ending or row.endings[0]) == LINES} if row.read is read_json else {}
    return row.write(records, docs, **settings)
