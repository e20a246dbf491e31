"""Whatever a command prints in; what the console can show out, be it Japanese Windows' cp932 or ASCII."""

import codecs
import sys
from typing import Any, Tuple

# What our messages are made of; any other character that a console lacks is written as Python's escape.
PLAIN = {"–": "-", "—": "-", "…": "...", "×": "x", "→": "->", "≤": "<=", "≥": ">=", "\N{NO-BREAK SPACE}": " "}
PLAIN.update({"✔": "[+]", "✘": "[x]", "⚠": "[!]", "ℹ": "[i]"})


def escape(error: UnicodeError) -> Tuple[str, int]:
    """An error handler of codecs."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    chars = error.object[error.start : error.end]
    return "".join(PLAIN.get(char) or char.encode("ascii", "backslashreplace").decode() for char in chars), error.end


codecs.register_error("spacy-luke-ja.escape", escape)


def prepare_console() -> None:
    """Let no character stop a command that the console cannot show. An error handler that the user chose stays."""
    import wasabi.util

    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure and getattr(stream, "errors", None) in ("strict", "surrogateescape"):
            reconfigure(errors="spacy-luke-ja.escape")
    # wasabi 1.1 encodes messages for the console and decodes the bytes as UTF-8, which fails for Japanese in cp932.
    wasabi.util.ENCODING = "utf-8"
