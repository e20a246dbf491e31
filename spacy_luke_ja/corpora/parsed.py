"""A file of JSON and a parser of its objects in, what the parser makes of each out; bad ones raise, or are left out."""

import warnings
from pathlib import Path
from typing import Any, Callable, Iterator, List, TypeVar

from .files import read_text
from .json_values import read_json_values
from .records import BadRecord

Parsed = TypeVar("Parsed")


def read_parsed(path: Path, parse: Callable[[Any], Parsed], *, on_bad_record: str) -> Iterator[Parsed]:
    """Read a file; the errors name it and the line.

    parse: raises BadRecord.
    """
    bad: List[str] = []
    for place, value in read_json_values(read_text(path)):
        try:
            if isinstance(value, BadRecord):
                raise value
            yield parse(value)
        except BadRecord as error:
            if on_bad_record == "raise":
                advice = 'with "skip" for on_bad_record, such records are left out'
                raise ValueError(f"{path}, {place}: {error}; {advice}") from error
            bad.append(f"{place}: {error}")
    if bad:
        warnings.warn(f"{path}: {len(bad)} records were left out; the first, {bad[0]}")
