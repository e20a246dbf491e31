"""A text in, what a tokenizer makes of it before it cuts pieces out, with the place of each character."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Callable, Iterator, List, Sequence, Tuple

import numpy as np


@dataclass(frozen=True)
class PreparedText:
    """A text as pieces are cut from it.

    sources: (n_chars,) int64, the character of the original text that each one comes from; it never decreases.
    """

    text: str
    sources: np.ndarray

    def offsets_in_source(self, offsets: np.ndarray) -> np.ndarray:
        """offsets: (n, 2) characters of this text. RETURNS: (n, 2) characters of the original one."""
        if not len(self.text):
            return np.zeros_like(offsets)
        starts, ends = offsets[:, 0], offsets[:, 1]
        first = self.sources[np.minimum(starts, len(self.text) - 1)]
        last = self.sources[np.maximum(ends - 1, 0)] + 1
        # An empty piece at the end stands behind the last character.
        first = np.where(starts == len(self.text), self.sources[-1] + 1, first)
        return np.stack([first, np.where(ends > starts, last, first)], axis=1)


Step = Callable[[PreparedText], PreparedText]


@dataclass(frozen=True)
class Preparation:
    """Steps one after another, then a cut at punctuation where it is asked for; from a text to parts of it."""

    steps: Tuple[Step, ...]
    cuts_punctuation: bool = False

    def __call__(self, text: str) -> List[PreparedText]:
        prepared = PreparedText(text, np.arange(len(text)))
        for step in self.steps:
            prepared = step(prepared)
        return list(cut_punctuation(prepared)) if self.cuts_punctuation else [prepared]


def map_characters(prepared: PreparedText, change: Callable[[str], str]) -> PreparedText:
    changed = [change(char) for char in prepared.text]
    lengths = np.fromiter(map(len, changed), dtype="int64", count=len(changed))
    return PreparedText("".join(changed), np.repeat(prepared.sources, lengths))


def select(prepared: PreparedText, parts: Sequence[Tuple[str, int]]) -> PreparedText:
    """parts: new strings, and at which character each begins; none is longer than what it stands for."""
    text = "".join(part for part, _ in parts)
    places = [start + i for part, start in parts for i in range(len(part))]
    return PreparedText(text, prepared.sources[np.array(places, dtype="int64")])


def lower(prepared: PreparedText) -> PreparedText:
    return map_characters(prepared, str.lower)


def strip_accents(prepared: PreparedText) -> PreparedText:
    """Decompose and drop what combines: é → e, but also が → か."""
    is_letter = lambda char: not unicodedata.combining(char)
    return map_characters(prepared, lambda char: "".join(filter(is_letter, unicodedata.normalize("NFKD", char))))


def squeeze_blanks(prepared: PreparedText) -> PreparedText:
    """One space between words, and none around the text."""
    return join_words(prepared, [match.span() for match in re.finditer(r"\S+", prepared.text)])


def join_words(prepared: PreparedText, words: Sequence[Tuple[int, int]]) -> PreparedText:
    """words: start and end of each. A space between two has the place of the first character of the second."""
    parts: List[Tuple[str, int]] = []
    for i, (start, end) in enumerate(words):
        parts += [(" ", start)] * (i > 0) + [(prepared.text[start:end], start)]
    return select(prepared, parts)


def replace_quotes(prepared: PreparedText) -> PreparedText:
    """`` and '' → ", as TeX's texts have them."""
    parts, end = [], 0
    for match in re.finditer("``|''", prepared.text):
        parts += [(prepared.text[end : match.start()], end), ('"', match.start())]
        end = match.end()
    return select(prepared, [*parts, (prepared.text[end:], end)]) if parts else prepared


def put_word_start(prepared: PreparedText) -> PreparedText:
    """ "▁" before the text, and " " for any that the text has."""
    text = "▁" + prepared.text.replace("▁", " ")
    return PreparedText(text, np.concatenate([prepared.sources[:1], prepared.sources])) if prepared.text else prepared


def hide_word_starts(prepared: PreparedText) -> PreparedText:
    return PreparedText(prepared.text.replace("▁", " "), prepared.sources)


def cut_punctuation(prepared: PreparedText) -> Iterator[PreparedText]:
    """Each punctuation mark by itself, and what is between them."""
    start = 0
    for i, char in enumerate(prepared.text):
        if is_punctuation(char):
            for begin, end in ((start, i), (i, i + 1)):
                if end > begin:
                    yield PreparedText(prepared.text[begin:end], prepared.sources[begin:end])
            start = i + 1
    if start < len(prepared.text):
        yield PreparedText(prepared.text[start:], prepared.sources[start:])


def is_punctuation(char: str) -> bool:
    """As BERT's tokenizers understand it: ASCII's symbols, too."""
    return char in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" or unicodedata.category(char).startswith("P")
