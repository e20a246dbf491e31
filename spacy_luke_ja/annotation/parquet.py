"""Parquet files in, their rows and the sizes of their texts out; rows in, tables and a file of them out."""

import json
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

ROWS_AT_ONCE = 128


def import_pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError('Parquet needs the package pyarrow: pip install "spacy_luke_ja[annotate]"') from error
    return pyarrow


def open_parquet(path: Path) -> Any:
    pa = import_pyarrow()
    try:
        return pa.parquet.ParquetFile(path, buffer_size=1 << 16, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is damaged, or no Parquet: {error}") from error


def columns_of_parquet(path: Path) -> List[str]:
    """Their names; those within structs after the struct's, with dots: comment, comment.body."""
    pa = import_pyarrow()

    def names_in(fields: Iterable[Any], before: str) -> Iterator[str]:
        for field in fields:
            yield before + field.name
            if pa.types.is_struct(field.type):
                yield from names_in(
                    (field.type.field(i) for i in range(field.type.num_fields)), f"{before}{field.name}."
                )

    with open_parquet(path) as file_:
        return list(names_in(file_.schema_arrow, ""))


def types_of_parquet(path: Path) -> Dict[str, Any]:
    with open_parquet(path) as file_:
        return {field.name: field.type for field in file_.schema_arrow}


def metadata_of_parquet(path: Path) -> Dict[bytes, bytes]:
    """The keys and values that a file has beside its columns."""
    with open_parquet(path) as file_:
        return dict(file_.schema_arrow.metadata or {})


def parquet_extents(path: Path, text_column: str) -> Iterator[Tuple[int, int]]:
    """RETURNS: for each row, the bytes of its text, and how many rows the file has."""
    pa = import_pyarrow()
    with open_parquet(path) as file_:
        n_rows = file_.metadata.num_rows
        for batch in file_.iter_batches(batch_size=ROWS_AT_ONCE, columns=[text_column], use_threads=False):
            column = batch.column(0)
            if batch.schema.names[0] != text_column:
                for part in text_column.split(".")[1:]:
                    column = pa.compute.struct_field(column, part)
            try:
                column = column.cast(pa.large_string())
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                yield from [(1, n_rows)] * len(batch)  # each is rejected when it is read
                continue
            for size in pa.compute.binary_length(column).to_pylist():
                yield size or 1, n_rows


class RowCursor:
    """The rows of a file, forwards; groups of rows before those that are asked for are not read."""

    def __init__(self, path: Path):
        self.file = open_parquet(path)
        self.n_read = 0
        self._batches: Optional[Iterator[Any]] = None
        self._left: List[Dict[str, Any]] = []

    def close(self) -> None:
        self.file.close()

    def rows(self, start: int, end: int) -> List[Dict[str, Any]]:
        if self._batches is None or start < self.n_read:
            self._open_at(start)
        rows: List[Dict[str, Any]] = []
        while self.n_read < end and self._batches is not None:
            if not self._left:
                batch = next(self._batches, None)
                if batch is None:
                    break
                if self.n_read + len(batch) <= start:
                    self.n_read += len(batch)
                    continue
                self._left = batch.to_pylist()
            n_skipped = max(0, min(len(self._left), start - self.n_read))
            n_taken = min(len(self._left), end - self.n_read)
            rows += self._left[n_skipped:n_taken]
            self._left = self._left[n_taken:]
            self.n_read += n_taken
        return rows

    def _open_at(self, start: int) -> None:
        sizes = [self.file.metadata.row_group(i).num_rows for i in range(self.file.metadata.num_row_groups)]
        first = 0
        while first < len(sizes) and sum(sizes[: first + 1]) <= start:
            first += 1
        self.n_read, self._left = sum(sizes[:first]), []
        groups = list(range(first, len(sizes)))
        self._batches = self.file.iter_batches(batch_size=ROWS_AT_ONCE, row_groups=groups, use_threads=False)


# Writing


def found_types() -> Tuple[Any, Any]:
    """The types of the columns of entities and of answers."""
    pa = import_pyarrow()
    place = [("start", pa.int64()), ("end", pa.int64())]
    entity = [*place, ("label", pa.string()), ("text", pa.string()), ("score", pa.float64())]
    answer = [("question", pa.string()), ("label", pa.string()), *place, ("text", pa.string())]
    answer += [("score", pa.float64()), ("error", pa.string())]
    return pa.list_(pa.struct(entity)), pa.list_(pa.struct(answer))


def text_type() -> Any:
    return import_pyarrow().string()


def write_rows(rows: Sequence[Dict[str, Any]], types: Dict[str, Any], path: Path) -> None:
    """Write a table with a column for each field of any row; values of several types become JSON.

    types: of columns that are known.
    """
    pa = import_pyarrow()
    names = dict.fromkeys([*(name for row in rows for name in row), *types])
    columns = {name: array_of([row.get(name) for row in rows], types.get(name)) for name in names}
    pa.parquet.write_table(pa.table(columns), path)


def array_of(values: Sequence[Any], type_: Any) -> Any:
    """type_: None for that of the values. Values that no one type holds become text, as JSON."""
    pa = import_pyarrow()
    try:
        return pa.array(values, type=type_)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return pa.array([None if value is None else as_json(value) for value in values], type=pa.string())


def as_json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def join_tables(paths: Sequence[Path], output: Path, metadata: Mapping[bytes, bytes] = {}) -> None:
    """Put tables with other columns or types, too, into one file, one after the other.

    metadata: keys and values of the file.
    """
    pa = import_pyarrow()
    schema = joint_schema([pa.parquet.read_schema(path) for path in paths]).with_metadata(dict(metadata) or None)
    with pa.parquet.ParquetWriter(output, schema) as writer:
        for path in paths:
            table = pa.parquet.read_table(path)
            columns = [fit_column(table, field) for field in schema]
            writer.write_table(pa.table(columns, schema=schema))


def joint_schema(schemas: Sequence[Any]) -> Any:
    """Columns in the order in which they come; one whose types do not go together is text."""
    pa = import_pyarrow()
    fields: Dict[str, Any] = {}
    for schema in schemas:
        for field in schema.remove_metadata():
            known = fields.get(field.name, field.type)
            try:
                pair = [pa.schema([(field.name, each)]) for each in (known, field.type)]
                fields[field.name] = pa.unify_schemas(pair, promote_options="permissive").field(0).type
            except (pa.ArrowInvalid, pa.ArrowTypeError):
                fields[field.name] = pa.string()
    return pa.schema(list(fields.items()))


def fit_column(table: Any, field: Any) -> Any:
    pa = import_pyarrow()
    if field.name not in table.column_names:
        return pa.nulls(len(table), field.type)
    column = table.column(field.name)
    if column.type == field.type:
        return column
    if pa.types.is_string(field.type):
        return array_of([None if value is None else as_json(value) for value in column.to_pylist()], field.type)
    return column.cast(field.type)
