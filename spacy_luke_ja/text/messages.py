"""A value of the user's in, its short form for a message out."""

import reprlib
from itertools import islice
from typing import Any, Dict


class ShortRepr(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 100

    def repr_dict(self, value: Dict[Any, Any], level: int) -> str:
        """In its own order, which reprlib's is not."""
        if level <= 0:
            return "{...}"
        shown = [
            f"{self.repr1(k, level - 1)}: {self.repr1(v, level - 1)}" for k, v in islice(value.items(), self.maxdict)
        ]
        return "{" + ", ".join(shown + ["..."] * (len(value) > self.maxdict)) + "}"


SHORT_REPR = ShortRepr()


def show(value: Any) -> str:
    """Its repr; of one that is long, both ends."""
    return SHORT_REPR.repr(value)


def count(n: int, noun: str) -> str:
    """1 file, 2 files, 0 entities, 2 hidden files or folders."""
    plurals = [each[:-1] + "ies" if each.endswith("y") else each + "s" for each in noun.split(" or ")]
    return f"{n:,} {noun if n == 1 else ' or '.join(plurals)}"
