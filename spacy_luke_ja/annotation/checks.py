"""A source and the fields that are needed in; a message that names what is wrong with a setting out."""

import sys
from typing import Any, Dict, List, Optional

from ..text.messages import show
from .readers import READERS, ReadSettings
from .records import RecordSettings, has_field
from .sources import Source
from .writers import PLACE_COLUMNS, WRITERS, refuse_clashes


def check_fields(source: Source, reading: ReadSettings, id_column: Optional[str]) -> None:
    """Raise a ValueError where no record of a source has the field of the texts, or of the ids.

    Of records that declare no columns, as many are read as it takes to find both.
    """
    needed = {"--text-column": reading.text_column, "--id-column": id_column}
    missing = {option: column for option, column in needed.items() if column is not None}
    reader = READERS[source.format]
    if source.format in ("docbin", "lines", "file"):  # which always have a text
        del missing["--text-column"]
    if reader.columns is not None:
        columns = reader.columns(source, reading) if source.size else []
        refuse_missing(source, missing, columns, "has no column")
        return
    first: Optional[List[str]] = None
    cursor: Any = None
    try:
        cursor = reader.open(source, reading) if missing else None
        for placed in reader.read(cursor, source, 0, sys.maxsize, 1, reading) if missing else ():
            if isinstance(placed.fields, dict):
                first = list(placed.fields) if first is None else first
                missing = {option: name for option, name in missing.items() if not has_field(placed.fields, name)}
                if not missing:
                    return
    except ValueError:
        pass  # where a file is damaged is said when it is read
    finally:
        if cursor is not None:
            cursor.close()
    refuse_missing(source, missing, first or [], "has no record with a field")


def check_names(
    source: Source, reading: ReadSettings, writer: str, records: RecordSettings, *, with_source: bool
) -> None:
    """Raise a ValueError where a column has the name of something that the output has beside the columns.

    writer: a key of WRITERS. with_source: whether records get fields that say where they stood.
    """
    declared = READERS[source.format].columns
    if declared is None or not source.size:
        return
    columns = declared(source, reading)
    try:
        refuse_clashes(WRITERS[writer].names, columns, records)
    except ValueError as error:
        raise ValueError(f"{source.name} cannot be written as {writer}: {error}") from error
    taken = [name for name in PLACE_COLUMNS if with_source and name in columns]
    if taken:
        raise ValueError(
            f"{source.name} has a column {show(taken[0])} already, and --with-source gives one of that name"
        )


def refuse_missing(source: Source, missing: Dict[str, str], there: List[str], what: str) -> None:
    for option, column in missing.items():
        if there and column not in there:
            raise ValueError(f"{source.name} {what} {show(column)}; {option} must name one of {', '.join(there)}")
