"""Records with their places, or what is wrong with them, in, the good ones out: bad ones raise, or are left out."""

import warnings
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, List, Tuple, TypeVar, Union

from .files import read_text
from .json_values import read_json_values
from .records import BadRecord, LeftOut, attempt

ON_BAD_RECORD = ("raise", "skip")
N_NAMED = 20  # bad records in a message
Parsed = TypeVar("Parsed")


def check_on_bad_record(on_bad_record: str, setting: str = "on_bad_record") -> None:
    if on_bad_record not in ON_BAD_RECORD:
        raise ValueError(f"{setting} must be one of {', '.join(ON_BAD_RECORD)}, got {on_bad_record}")


def read_parsed(path: Path, parse: Callable[[Any], Parsed], *, on_bad_record: str) -> Iterator[Parsed]:
    """Read a file of JSON lines or of an array; the errors name it and the line.

    parse: raises BadRecord.
    """
    placed = ((place, attempt(parse, value)) for place, value in read_json_values(read_text(path)))
    return (record for _, record in keep_good(path, placed, on_bad_record))


def keep_good(
    path: Path,
    placed: Iterable[Tuple[str, Union[Parsed, BadRecord]]],
    on_bad_record: str,
    setting: str = "on_bad_record",
) -> Iterator[Tuple[str, Parsed]]:
    """
    on_bad_record: "raise" a ValueError that names file and place, or "skip" with one warning for all.
    setting: what the user knows on_bad_record as, for messages.
    """
    n_records, n_left_out = 0, 0
    bad: List[str] = []
    for place, record in placed:
        n_records += 1
        if isinstance(record, LeftOut):
            n_left_out += 1
        elif isinstance(record, BadRecord):
            bad.append(f"{path}, {place}: {record}")
            if on_bad_record == "raise":
                raise ValueError(f'{bad[0]}; with "skip" for {setting}, such records are left out') from record
        else:
            yield place, record
    if bad:
        warnings.warn(f"{len(bad)} of {n_records} records were skipped; the first is {bad[0]}{list_others(bad)}")
    if n_left_out:
        warnings.warn(
            f"{n_left_out} of {n_records} records of {path} were left out: Prodigy has them as not accepted, or Label "
            "Studio as cancelled"
        )


def list_others(messages: List[str]) -> str:
    """A line for each of the second to the last, or to N_NAMED."""
    more = [f"… and {len(messages) - N_NAMED} more"] if len(messages) > N_NAMED else []
    return "".join(f"\n    {message}" for message in [*messages[1:N_NAMED], *more])
