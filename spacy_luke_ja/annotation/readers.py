"""A source in; where its records begin and end, and the records between two such places, out."""

import codecs
import csv
import io
import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from ..corpora.docbin import open_docbin, text_of_doc
from ..corpora.files import decode, decode_file, unpack
from ..corpora.json_values import parse_json, read_json_values
from ..corpora.records import BadRecord, attempt, check_decoded
from ..text.messages import show
from .encodings import is_japanese_in_utf8, warn_of_encoding
from .parquet import RowCursor, columns_of_parquet, parquet_extents
from .records import RecordSettings, has_field, look_up, refuse_taken
from .sources import Source
from .streams import DamagedFile, LineCursor, refuse_foreign_marks, without_break

FIELDS = "luke_fields"  # in the user_data of Docs that we wrote
OTHER_DELIMITERS = {";": "';'", "\t": "tab", ",": "','", "|": "'|'"}
DELIMITERS = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True)
class ReadSettings:
    text_column: str = "text"
    encoding: str = "utf-8"
    delimiter: str = ""  # of tables; "" is that of the format

    def of(self, source: Source) -> "ReadSettings":
        """The settings for a source that has an encoding of its own."""
        return replace(self, encoding=source.encoding) if source.encoding else self


class Extent(NamedTuple):
    """Where a record stands.

    start, end: bytes of what was unpacked; of formats that are read otherwise, records counted from 0.
    line: its first line, or the record's number, from 1. size: bytes that it takes.
    raw_offset: how far into the file on disk that is, in bytes, about.
    """

    start: int
    end: int
    line: int
    size: int
    raw_offset: int


class Placed(NamedTuple):
    """A record or what is wrong with it. line: where it stands, as in Extent."""

    line: int
    fields: Union[Dict[str, Any], BadRecord]


Extents = Iterator[Union[Extent, DamagedFile]]


@dataclass(frozen=True)
class Reader:
    """
    extents: where all records of a source stand, and at last what ends it before its time, if anything does.
    read: the records of a piece of a source, by a cursor that may have read what stands before it.
    open: such a cursor.
    columns: the names of columns of those formats that declare them.
    unit: what "line" counts.
    """

    extents: Callable[[Source, ReadSettings], Extents]
    open: Callable[[Source, ReadSettings], Any]
    read: Callable[[Any, Source, int, int, int, ReadSettings], Iterator[Placed]]
    columns: Optional[Callable[[Source, ReadSettings], List[str]]] = None
    unit: str = "line"


# Lines: plain text and JSON


def open_lines(source: Source, settings: ReadSettings) -> LineCursor:
    return LineCursor(source.path, source.packing)


def line_extents(source: Source, settings: ReadSettings, *, skip_blank: bool) -> Extents:
    cursor = open_lines(source, settings)
    try:
        while True:
            start, n = cursor.offset, cursor.line
            line = cursor.readline()
            if not line:
                return
            if not (skip_blank and not line.strip()):
                yield Extent(start, cursor.offset, n, len(line), cursor.raw_offset)
    except DamagedFile as error:
        yield error
    finally:
        cursor.close()


def clean(line: bytes, n: int, settings: ReadSettings) -> str:
    """A line without its break, and the first without a byte order mark."""
    return (decode_file if n == 1 else decode)(without_break(line), settings.encoding)


def checker(settings: ReadSettings, raw: bytes = b"") -> Callable[[str], None]:
    """What raises a BadRecord where something is not of the encoding. raw: as it was read, for advice."""
    advice = f"; --encoding names another, such as {'utf-8' if is_japanese_in_utf8(raw) else 'cp932'}"
    return partial(check_decoded, encoding=settings.encoding, advice=advice)


def read_lines(
    cursor: LineCursor, source: Source, start: int, end: int, line: int, settings: ReadSettings
) -> Iterator[Placed]:
    """A text per line; a line without characters is an empty text."""
    cursor.skip_to(start, line)
    for raw in cursor.lines_until(end):
        n = cursor.line - 1
        warn_of_encoding(raw, source, settings.encoding)
        text = clean(raw, n, settings)
        bad = attempt(checker(settings, raw), text)
        yield Placed(n, bad or {"file": source.name, "line": n, settings.text_column: text})


def read_jsonl(
    cursor: LineCursor, source: Source, start: int, end: int, line: int, settings: ReadSettings
) -> Iterator[Placed]:
    cursor.skip_to(start, line)
    for raw in cursor.lines_until(end):
        n = cursor.line - 1
        if raw.strip():
            warn_of_encoding(raw, source, settings.encoding)
            yield Placed(n, check_object(attempt(parse_json, clean(raw, n, settings), checker(settings, raw))))


def check_object(value: Any) -> Union[Dict[str, Any], BadRecord]:
    return value if isinstance(value, (dict, BadRecord)) else BadRecord(f"a JSON object is needed, got {show(value)}")


# A text per file


def file_extents(source: Source, settings: ReadSettings) -> Extents:
    yield Extent(0, 1, 1, source.size, source.size)


def read_file(
    cursor: LineCursor, source: Source, start: int, end: int, line: int, settings: ReadSettings
) -> Iterator[Placed]:
    try:
        content = b"".join(cursor.lines_until(float("inf")))
        warn_of_encoding(content, source, settings.encoding)
        text = decode_file(content, settings.encoding)
        checker(settings, content)(text)
        fields: Any = {"file": source.name, settings.text_column: text}
    except (BadRecord, DamagedFile) as error:
        fields = BadRecord(str(error))
    yield Placed(1, fields)


# Tables: RFC 4180, as Python's csv and Excel read it


class TableCursor(LineCursor):
    """columns: of the header, which is read when a table is opened."""

    columns: List[str]


def open_table(source: Source, settings: ReadSettings) -> TableCursor:
    cursor = TableCursor(source.path, source.packing)
    rows = table_rows(cursor, source, settings, float("inf"))
    try:
        first = next(rows, None)
    except DamagedFile as error:
        raise DamagedFile(f"{source.name}: {error}") from error
    header = [] if first is None else first[1]
    if isinstance(header, BadRecord):
        cursor.close()
        raise ValueError(f"{source.name}: the header cannot be read: {header}")
    cursor.columns = header
    return cursor


def delimiter_of(source: Source, settings: ReadSettings) -> str:
    return settings.delimiter or DELIMITERS[source.format]


def columns_of_table(source: Source, settings: ReadSettings) -> List[str]:
    cursor = open_table(source, settings)
    cursor.close()
    if not cursor.columns and cursor.offset == 0:
        return []
    if len(set(cursor.columns)) < len(cursor.columns):
        raise ValueError(f"{source.name}: column names must be unique, got {show(cursor.columns)}")
    if len(cursor.columns) == 1 and settings.text_column not in cursor.columns:
        for delimiter, shown in OTHER_DELIMITERS.items():
            if delimiter in cursor.columns[0]:
                raise ValueError(
                    f"{source.name} has one column, {show(cursor.columns[0])}; --delimiter {shown} parts it"
                )
    return cursor.columns


def table_rows(
    cursor: LineCursor, source: Source, settings: ReadSettings, end: float
) -> Iterator[Tuple[Extent, Union[List[str], BadRecord], bytes]]:
    """RETURNS: where each row stands, its cells, and its bytes."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # Python's own is 131,072 characters
    taken: List[bytes] = []

    def lines() -> Iterator[str]:
        for raw in cursor.lines_until(end):
            taken.append(raw)
            line = raw.removeprefix(codecs.BOM_UTF8) if cursor.offset == len(raw) else raw
            yield decode(line, settings.encoding)

    rows = csv.reader(lines(), delimiter=delimiter_of(source, settings))
    while True:
        start, n = cursor.offset, cursor.line
        taken.clear()
        try:
            row: Any = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            row = BadRecord(f"this is no row of a table: {error}")
        if not row:
            continue
        raw = b"".join(taken)
        if isinstance(row, list):
            row = attempt(checker(settings, raw), "".join(row)) or row
        if raw.count(b'"') % 2 and is_unclosed(raw, source, settings):
            row = BadRecord(
                f"the quotes that open here are not closed in the {len(taken)} lines to the end of the file"
            )
        yield Extent(start, cursor.offset, n, len(raw), cursor.raw_offset), row, raw


def is_unclosed(raw: bytes, source: Source, settings: ReadSettings) -> bool:
    """Whether a row ends within quotes, which only a strict reader says, and only at the end of a file."""
    lines = io.StringIO(decode(raw, settings.encoding), newline="")
    try:
        list(csv.reader(lines, delimiter=delimiter_of(source, settings), strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def table_extents(source: Source, settings: ReadSettings) -> Extents:
    cursor = LineCursor(source.path, source.packing)
    try:
        rows = table_rows(cursor, source, settings, float("inf"))
        next(rows, None)
        yield from (extent for extent, _, _ in rows)
    except DamagedFile as error:
        yield error
    finally:
        cursor.close()


def read_table(
    cursor: TableCursor, source: Source, start: int, end: int, line: int, settings: ReadSettings
) -> Iterator[Placed]:
    cursor.skip_to(start, line)
    for extent, row, raw in table_rows(cursor, source, settings, end):
        warn_of_encoding(raw, source, settings.encoding)
        if isinstance(row, list) and len(row) != len(cursor.columns):
            row = BadRecord(f"there are {len(row)} columns, and {len(cursor.columns)} in the header")
        yield Placed(extent.line, row if isinstance(row, BadRecord) else dict(zip(cursor.columns, row)))


# What is in memory as a whole: JSON over several lines, and DocBins


class ItemCursor:
    def __init__(self, items: Sequence[Placed]):
        self.items = items

    def close(self) -> None:
        self.items = ()


def open_json(source: Source, settings: ReadSettings) -> ItemCursor:
    text = decode_file(unpack(source.path.read_bytes(), source.name), settings.encoding)
    values = read_json_values(text, checker(settings))
    return ItemCursor([Placed(i, check_object(value)) for i, (_, value) in enumerate(values, start=1)])


def open_docs(source: Source, settings: ReadSettings) -> ItemCursor:
    docs = open_docbin(unpack(source.path.read_bytes(), source.name), source.name)
    return ItemCursor(
        [
            Placed(i, {**doc.user_data.get(FIELDS, {}), settings.text_column: text_of_doc(doc)})
            for i, doc in enumerate(docs, start=1)
        ]
    )


def item_extents(open_: Callable[[Source, ReadSettings], ItemCursor]) -> Callable[[Source, ReadSettings], Extents]:
    def extents(source: Source, settings: ReadSettings) -> Extents:
        try:
            items = open_(source, settings).items
        except ValueError as error:  # it names the file
            yield DamagedFile(str(error))
            return
        for i, item in enumerate(items):
            fields = item.fields
            has_text = not isinstance(fields, BadRecord) and has_field(fields, settings.text_column)
            text = look_up(fields, settings.text_column) if has_text else None  # type: ignore[arg-type]
            size = 3 * len(text) if isinstance(text, str) else 1
            yield Extent(i, i + 1, i + 1, size, source.size * (i + 1) // len(items))

    return extents


def read_items(
    cursor: ItemCursor, source: Source, start: int, end: int, line: int, settings: ReadSettings
) -> Iterator[Placed]:
    return iter(cursor.items[start:end])


# Parquet


def open_rows(source: Source, settings: ReadSettings) -> RowCursor:
    return RowCursor(source.path)


def row_extents(source: Source, settings: ReadSettings) -> Extents:
    n_before = 0
    for size, n_rows in parquet_extents(source.path, settings.text_column):
        yield Extent(n_before, n_before + 1, n_before + 1, size, source.size * (n_before + 1) // n_rows)
        n_before += 1


def read_rows(
    cursor: RowCursor, source: Source, start: int, end: int, line: int, settings: ReadSettings
) -> Iterator[Placed]:
    for i, row in enumerate(cursor.rows(start, end), start=start + 1):
        yield Placed(i, row)


READERS: Dict[str, Reader] = {
    "lines": Reader(lambda s, r: line_extents(s, r, skip_blank=False), open_lines, read_lines),
    "file": Reader(file_extents, open_lines, read_file),
    "jsonl": Reader(lambda s, r: line_extents(s, r, skip_blank=True), open_lines, read_jsonl),
    "json": Reader(item_extents(open_json), open_json, read_items, unit="object"),
    "csv": Reader(table_extents, open_table, read_table, columns_of_table),
    "tsv": Reader(table_extents, open_table, read_table, columns_of_table),
    "parquet": Reader(row_extents, open_rows, read_rows, lambda s, r: columns_of_parquet(s.path), "row"),
    "docbin": Reader(item_extents(open_docs), open_docs, read_items, unit="Doc"),
}
TEXT_FORMATS = ("lines", "file", "jsonl", "json", "csv", "tsv")


def check_source(source: Source, settings: ReadSettings, records: RecordSettings) -> None:
    """Raise a ValueError that names a source which cannot be read, or whose records cannot be annotated at all."""
    if source.format in TEXT_FORMATS:
        cursor = LineCursor(source.path, source.packing)
        try:
            refuse_foreign_marks(source.name, cursor.file.read(4))
        except cursor.errors:
            pass  # where it is damaged is said when it is read
        finally:
            cursor.close()
    there = declared_columns(source, settings)
    if there and settings.text_column not in there:
        raise ValueError(
            f"{source.name} has no column {show(settings.text_column)}; --text-column must name one of "
            f"{', '.join(there)}"
        )
    refuse_taken(there, records, f"{source.name} has")


def declared_columns(source: Source, settings: ReadSettings) -> List[str]:
    """The columns of a table; of other records, the fields of the first, if that has a text."""
    reader = READERS[source.format]
    if reader.columns is not None:
        return reader.columns(source, settings) if source.size else []
    if source.format not in ("jsonl", "json"):
        return []
    extent = next(reader.extents(source, settings), None)
    if not isinstance(extent, Extent):
        return []
    cursor = reader.open(source, settings)
    first = next(reader.read(cursor, source, extent.start, extent.end, extent.line, settings), None)
    cursor.close()
    fields = first.fields if first is not None else None
    return list(fields) if isinstance(fields, dict) and settings.text_column in fields else []
