"""Rows of text in, lines in which columns stand under one another out: a Japanese character is two columns wide."""

import unicodedata
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Iterator, List, Sequence

if TYPE_CHECKING:
    from warnings import WarningMessage


def width_of(text: str) -> int:
    """In columns of a terminal."""
    return sum(2 if unicodedata.east_asian_width(char) in "FW" else 1 for char in text)


def pad(text: str, width: int) -> str:
    """Fill up with spaces to a width."""
    return text + " " * (width - width_of(text))


def print_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """The first column is text, the others are numbers, on the right."""
    lines: List[List[str]] = [list(map(str, row)) for row in (header, *rows)]
    widths = [max(width_of(cell) for cell in column) for column in zip(*lines)]
    for i, (first, *numbers) in enumerate(lines):
        cells = [pad(first, widths[0]), *(number.rjust(width) for number, width in zip(numbers, widths[1:]))]
        print("   ".join(cells))
        if i == 0:
            print("   ".join("-" * width for width in widths))


@contextmanager
def warnings_as_messages() -> Iterator[None]:
    """Print, at the end, what was warned of within."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    print_warnings(caught)


def print_warnings(caught: Sequence["WarningMessage"]) -> None:
    """The first line of each as a message, and the list that may follow it as it is."""
    from wasabi import msg

    for warning in caught:
        title, *lines = str(warning.message).split("\n")
        msg.warn(title)
        for line in lines:
            print(line)
