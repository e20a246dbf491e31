"""Annotated records in; the bytes of a part of the output out; and all parts as one file."""

import csv
import gzip
import io
import json
import math
import shutil
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Callable, Collection, Dict, Iterator, List, Mapping, Sequence, Tuple

from spacy.tokens import DocBin

from ..corpora.files import PACKED_ENDINGS, ending_of, import_zstandard
from ..corpora.records import Record
from ..corpora.token_tables import write_conll
from ..text.decoding import CharSpan
from ..text.messages import show
from . import parquet
from .readers import FIELDS
from .records import AnnotatedRecord, RecordSettings, has_field, look_up

COPY_AT_ONCE = 1 << 20
FOUND_COLUMNS = ("start", "end", "label", "entity", "score")
PLACE_COLUMNS = ("source_file", "source_line")
TABLE_COLUMNS = (*FOUND_COLUMNS, "question", *PLACE_COLUMNS)


@dataclass(frozen=True)
class Written:
    """A record to write. file, line: where it was read."""

    record: AnnotatedRecord
    file: str
    line: int


@dataclass(frozen=True)
class WriteSettings:
    """
    model: its name, for formats that say what predicted.
    as_lines: JSON lines, not an array.
    packed: what the name of the output ends with, ".gz" or ".zst"; "" for none.
    types, metadata: of the columns and files of Parquet sources, for Parquet.
    """

    records: RecordSettings
    model: str = ""
    as_lines: bool = True
    packed: str = ""
    types: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[bytes, bytes] = field(default_factory=dict)


class Part(ABC):
    """What becomes a part of the output: add record by record, then write.

    add raises a ValueError, which names the reason, for a record that the format cannot hold.
    n_nulls: NaN and infinities for which null stands.
    """

    def __init__(self, settings: WriteSettings):
        self.settings = settings
        self.n_nulls = 0

    def dump(self, value: Any) -> bytes:
        content, n_nulls = dump(value)
        self.n_nulls += n_nulls
        return content

    @abstractmethod
    def add(self, written: Written) -> None: ...

    @abstractmethod
    def write(self, path: Path) -> None: ...


# JSON


def plain(value: Any) -> Any:
    """What JSON does not know, as text: dates as ISO 8601, bytes as UTF-8 or hexadecimal."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf8")
        except UnicodeDecodeError:
            return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def finite(value: Any) -> Tuple[Any, int]:
    """JSON has no NaN and no infinity: null stands for them. RETURNS: the value, and how many of these it had."""
    if isinstance(value, dict):
        values, n_nulls = finite(list(value.values()))
        return dict(zip(value, values)), n_nulls
    if isinstance(value, (list, tuple)):
        pairs = [finite(each) for each in value]
        return [each for each, _ in pairs], sum(n for _, n in pairs)
    is_null = isinstance(value, float) and not math.isfinite(value)
    return (None, 1) if is_null else (value, 0)


def dump(value: Any) -> Tuple[bytes, int]:
    """RETURNS: JSON, and how many numbers became null."""
    encode = partial(json.dumps, ensure_ascii=False, default=plain, allow_nan=False)
    try:
        return encode(value).encode("utf8"), 0
    except UnicodeEncodeError as error:
        raise ValueError(f"a field cannot be written as JSON: {error}") from error
    except ValueError:
        known, n_nulls = finite(value)
        return encode(known).encode("utf8"), n_nulls


class LinesPart(Part):
    """JSON, an object per line."""

    def __init__(self, settings: WriteSettings):
        super().__init__(settings)
        self.lines: List[bytes] = []

    def add(self, written: Written) -> None:
        self.lines.append(self.dump(self.row(written)))

    def row(self, written: Written) -> Any:
        return written.record.as_row(self.settings.records)

    def write(self, path: Path) -> None:
        if self.settings.as_lines:
            path.write_bytes(b"".join(line + b"\n" for line in self.lines))
        else:
            path.write_bytes(b"[\n" + b",\n".join(self.lines) + b"\n]\n")


def other_fields(record: AnnotatedRecord, settings: RecordSettings) -> Dict[str, Any]:
    return {name: value for name, value in record.fields.items() if name != settings.text_column}


def refuse_clashes(names: Sequence[str], fields: Collection[str], settings: RecordSettings) -> None:
    """Raise a ValueError where a field has the name of something that the output has beside it."""
    for name in names:
        if name in fields and name != settings.text_column and (name != "question" or settings.with_answers):
            raise ValueError(
                f"the output has a {show(name)} of its own beside the field, whatever --entities-column is; jsonl and "
                "parquet can hold both"
            )


class DoccanoPart(LinesPart):
    """{"text": …, "label": [[start, end, label], …]} with the other fields."""

    def row(self, written: Written) -> Any:
        record = written.record
        rest = other_fields(record, self.settings.records)
        refuse_clashes(WRITERS["doccano"].names, rest, self.settings.records)
        return {**rest, "text": record.text, "label": [[own.start, own.end, own.label] for own in record.entities]}


class LabelStudioPart(LinesPart):
    """Tasks with predictions."""

    def row(self, written: Written) -> Any:
        record = written.record
        rest = other_fields(record, self.settings.records)
        refuse_clashes(WRITERS["label-studio"].names, rest, self.settings.records)
        regions = [
            {
                "id": f"e{i}", "from_name": "label", "to_name": "text", "type": "labels",
                "value": {"start": own.start, "end": own.end, "text": own.text, "labels": [own.label]},
                **({} if own.score is None else {"score": own.score}),
            }
            for i, own in enumerate(record.entities, start=1)
        ]  # fmt: skip
        scores = [own.score for own in record.entities if own.score is not None]
        prediction: Dict[str, Any] = {"model_version": self.settings.model, "result": regions}
        if scores:
            prediction["score"] = min(scores)
        return {"data": {**rest, "text": record.text}, "predictions": [prediction]}


# Tables


class TablePart(Part):
    """A row for each entity and answer, one for a record without any; all fields but the text."""

    delimiter = ","

    def __init__(self, settings: WriteSettings):
        super().__init__(settings)
        self.rows: List[Dict[str, Any]] = []

    def add(self, written: Written) -> None:
        record = written.record
        rest = other_fields(record, self.settings.records)
        refuse_clashes(WRITERS["csv"].names, rest, self.settings.records)
        cells = {name: value if isinstance(value, str) else self.cell(value) for name, value in rest.items()}
        place = dict(zip(PLACE_COLUMNS, (written.file, written.line)))
        found: List[Dict[str, Any]] = [dict(zip(FOUND_COLUMNS, each)) for each in record.entities]
        for reply in record.answers or ():
            values = (reply.start, reply.end, reply.label, reply.text, reply.score)
            found.append({"question": reply.question, **dict(zip(FOUND_COLUMNS, values))})
        for name in rest:
            cells[name].encode("utf8")
        self.rows += [{**place, **cells, **each} for each in found or [dict.fromkeys(FOUND_COLUMNS, "")]]

    def write(self, path: Path) -> None:
        own = [*FOUND_COLUMNS, *["question"] * self.settings.records.with_answers]
        fields = dict.fromkeys(name for row in self.rows for name in row if name not in (*own, *PLACE_COLUMNS))
        with path.open("w", encoding="utf8", newline="") as file_:
            write_table(file_, [*PLACE_COLUMNS, *fields, *own], self.rows, self.delimiter)

    def cell(self, value: Any) -> str:
        """JSON of what JSON has; the rest as text, without the quotes of JSON."""
        if value is None:
            return ""
        if isinstance(value, (bool, int, dict, list, tuple)):
            return self.dump(value).decode("utf8")
        return repr(value) if isinstance(value, float) else plain(value)


class TabbedPart(TablePart):
    delimiter = "\t"


def write_table(file_: Any, columns: Sequence[str], rows: Any, delimiter: str) -> None:
    writer = csv.DictWriter(file_, columns, delimiter=delimiter, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)


# Parquet, CoNLL, Docs


class ParquetPart(Part):
    def __init__(self, settings: WriteSettings):
        super().__init__(settings)
        self.rows: List[Dict[str, Any]] = []
        self.types = dict(zip(("entities", "answers"), parquet.found_types()))

    def add(self, written: Written) -> None:
        row = written.record.as_row(self.settings.records)
        dump(row)  # or there is a string in it that UTF-8 cannot hold
        self.rows.append(row)

    def write(self, path: Path) -> None:
        own = self.settings.records
        types = dict(self.settings.types)
        if "." not in own.text_column or any(own.text_column in row for row in self.rows):
            types = {own.text_column: parquet.text_type(), **types}
        types[own.entities_column] = self.types["entities"]
        if own.with_answers:
            types[own.answers_column] = self.types["answers"]
        parquet.write_rows(self.rows, types, path)


class ConllPart(Part):
    """Tokens and tags in BIO, after the number of the record where it has one."""

    def __init__(self, settings: WriteSettings):
        super().__init__(settings)
        self.blocks: List[bytes] = []

    def add(self, written: Written) -> None:
        record = written.record
        if record.doc is None:
            raise ValueError("CoNLL needs the Docs; keep_docs must be true")
        own = Record(record.text, tuple(CharSpan(*each[:3]) for each in record.entities))
        block = write_conll([own], [record.doc])
        id_column = self.settings.records.id_column or "id"
        id_ = look_up(record.fields, id_column) if has_field(record.fields, id_column) else None
        head = "" if id_ is None else "# id = " + " ".join(str(id_).split()) + "\n"
        self.blocks.append(head.encode("utf8") + block)

    def write(self, path: Path) -> None:
        path.write_bytes(b"".join(self.blocks))


class DocsPart(Part):
    """Docs with their scores, and the other fields in user_data["luke_fields"]."""

    def __init__(self, settings: WriteSettings):
        super().__init__(settings)
        self.docs = DocBin(store_user_data=True)

    def add(self, written: Written) -> None:
        doc = written.record.doc
        if doc is None:
            raise ValueError(".spacy needs the Docs; keep_docs must be true")
        rest = other_fields(written.record, self.settings.records)
        if rest:
            doc.user_data[FIELDS] = json.loads(self.dump(rest))
        self.docs.add(doc)

    def write(self, path: Path) -> None:
        path.write_bytes(self.docs.to_bytes())


# Joining


def join_bytes(paths: Sequence[Path], output: Path, settings: WriteSettings) -> None:
    with open_packed(output, settings.packed) as joined:
        for path in paths:
            with path.open("rb") as part:
                shutil.copyfileobj(part, joined, COPY_AT_ONCE)


def join_json(paths: Sequence[Path], output: Path, settings: WriteSettings) -> None:
    if settings.as_lines:
        return join_bytes(paths, output, settings)
    with open_packed(output, settings.packed) as joined:
        joined.write(b"[")
        between = b"\n"
        for path in paths:
            content = path.read_bytes().removeprefix(b"[\n").removesuffix(b"\n]\n")
            if content:
                joined.write(between + content)
                between = b",\n"
        joined.write(b"\n]\n")


def join_tables(delimiter: str) -> Callable[[Sequence[Path], Path, WriteSettings], None]:
    def join(paths: Sequence[Path], output: Path, settings: WriteSettings) -> None:
        fields: Dict[str, None] = {}
        for path in paths:
            with path.open(encoding="utf8", newline="") as part:
                fields.update(dict.fromkeys(next(csv.reader(part, delimiter=delimiter))))
        own = [name for name in (*FOUND_COLUMNS, "question") if name in fields]
        columns = [name for name in fields if name not in own]
        with open_packed(output, settings.packed) as joined:
            text = io.TextIOWrapper(joined, encoding="utf8", newline="")
            write_table(text, [*columns, *own], all_rows(paths, delimiter), delimiter)
            text.flush()
            text.detach()

    return join


def all_rows(paths: Sequence[Path], delimiter: str) -> Iterator[Dict[str, Any]]:
    for path in paths:
        with path.open(encoding="utf8", newline="") as part:
            yield from csv.DictReader(part, delimiter=delimiter)


def join_docs(paths: Sequence[Path], output: Path, settings: WriteSettings) -> None:
    """In memory: a DocBin is one packed value."""
    docs = DocBin(store_user_data=True)
    for path in paths:
        docs.merge(DocBin(store_user_data=True).from_bytes(path.read_bytes()))
    with open_packed(output, settings.packed) as joined:
        joined.write(docs.to_bytes())


def join_parquet(paths: Sequence[Path], output: Path, settings: WriteSettings) -> None:
    parquet.join_tables(paths, output, settings.metadata)


@contextmanager
def open_packed(path: Path, packed: str) -> Iterator[Any]:
    """A new file; the same content gives the same bytes, packed too."""
    with path.open("wb") as file_:
        if packed == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=file_, mtime=0) as gzipped:
                yield gzipped
        elif packed == ".zst":
            with import_zstandard().ZstdCompressor().stream_writer(file_, closefd=False) as zipped:
                yield zipped
        else:
            yield file_


@dataclass(frozen=True)
class Writer:
    """
    what: a line for those who choose. endings: of the names of its files.
    part: collects records. join: parts → one file.
    names: what it has beside the fields, which can have none of these names.
    needs_docs: whether it writes tokens. packs: whether .gz and .zst may follow the ending.
    """

    what: str
    endings: Tuple[str, ...]
    part: Callable[[WriteSettings], Part]
    join: Callable[[Sequence[Path], Path, WriteSettings], None]
    names: Tuple[str, ...] = ()
    needs_docs: bool = False
    packs: bool = True


# The first one with an ending is what a file with it is written in, where nothing else is asked for.
WRITERS: Dict[str, Writer] = {
    "jsonl": Writer("all fields, and entities with scores", (".jsonl", ".ndjson"), LinesPart, join_json),
    "parquet": Writer("the same in columns", (".parquet",), ParquetPart, join_parquet, packs=False),
    "csv": Writer(
        "a row for each entity, all fields but the text", (".csv",), TablePart, join_tables(","), TABLE_COLUMNS
    ),
    "tsv": Writer("the same between tabs", (".tsv",), TabbedPart, join_tables("\t"), TABLE_COLUMNS),
    "docbin": Writer("spaCy's .spacy", (".spacy",), DocsPart, join_docs, needs_docs=True, packs=False),
    "conll": Writer("tokens and tags in BIO", (".conll", ".bio", ".iob2"), ConllPart, join_bytes, needs_docs=True),
    "label-studio": Writer(
        "Label Studio's tasks with predictions", (".json", ".jsonl"), LabelStudioPart, join_json, ("text",)
    ),
    "doccano": Writer('doccano\'s {"text": …, "label": …}', (".jsonl",), DoccanoPart, join_json, ("text", "label")),
}


def choose_writer(path: Path, name: str = "") -> str:
    """RETURNS: a key of WRITERS; raises a ValueError when there is none, or the ending does not fit."""
    if name and name not in WRITERS:
        raise ValueError(f"--output-format must be one of {', '.join(WRITERS)}, got {name}")
    ending = ending_of(path)
    is_packed = path.suffix.lower() in PACKED_ENDINGS
    for own, writer in WRITERS.items():
        if ending in writer.endings and name in ("", own):
            if is_packed and not (writer.packs and path.suffix.lower() in (".gz", ".zst")):
                raise ValueError(f"{path}: {own} cannot be packed as {path.suffix}; leave that ending out")
            return own
    known = WRITERS[name].endings if name else tuple(dict.fromkeys(e for w in WRITERS.values() for e in w.endings))
    raise ValueError(f"{path}: the name must end in {', '.join(known)}, got {ending or 'no ending'}")
