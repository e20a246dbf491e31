"""Aliases and logits in, links out: which titles a mention may stand for, which it does, or none."""

import json
import unicodedata
from typing import Dict, Iterable, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np

from .decoding import log_softmax
from .messages import show

# What spaCy's entity_linker writes where there is no entity.
NIL = "NIL"


class LinkedMention(NamedTuple):
    """Characters of a text and what they stand for.

    title: of Wikipedia, or NIL. links: (title, score) of what else they may stand for too, the likeliest first.
    """

    char_start: int
    char_end: int
    title: str
    links: Tuple[Tuple[str, float], ...] = ()


def normalize_alias(alias: str) -> str:
    """Texts have one alias in several widths, and with other blanks."""
    return " ".join(unicodedata.normalize("NFKC", alias).split())


class AliasTable:
    """How often an alias stood for which title.

    In a file, a line is an alias, a title and a count, with tabs between, or {"alias": "…", "titles": {"…": 3}}.
    """

    def __init__(self) -> None:
        self.counts: Dict[str, Dict[str, int]] = {}

    def __len__(self) -> int:
        return len(self.counts)

    def add(self, alias: str, title: str, count: int = 1) -> None:
        title = title.translate(dict.fromkeys(map(ord, "\t\r\n"), " "))  # which no title of Wikipedia has
        titles = self.counts.setdefault(normalize_alias(alias), {})
        titles[title] = titles.get(title, 0) + count

    def titles_of(self, alias: str) -> Mapping[str, int]:
        """RETURNS: title → count; the alias may be written as in any text."""
        return self.counts.get(normalize_alias(alias), {})

    def titles(self) -> List[str]:
        """All, each once."""
        return list(dict.fromkeys(title for titles in self.counts.values() for title in titles))

    def among(self, titles: Iterable[str]) -> "AliasTable":
        """The same without other titles."""
        known, kept = {*titles}, AliasTable()
        for alias, counts in self.counts.items():
            for title, count in counts.items():
                if title in known:
                    kept.add(alias, title, count)
        return kept

    def to_bytes(self) -> bytes:
        """The same table gives the same bytes."""
        lines = (
            f"{alias}\t{title}\t{count}\n"
            for alias, titles in sorted(self.counts.items())
            for title, count in sorted(titles.items(), key=lambda own: (-own[1], own[0]))
        )
        return "".join(lines).encode("utf8")

    @classmethod
    def from_bytes(cls, content: bytes, where: str) -> "AliasTable":
        """where: what to call it. Raises a ValueError that names the line."""
        table = cls()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{where} must be UTF-8: {error}") from error
        for n, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                for alias, title, count in parse_aliases(line.rstrip("\r"), f"{where}, line {n}"):
                    table.add(alias, title, count)
        return table


def parse_aliases(line: str, where: str) -> List[Tuple[str, str, int]]:
    parts = line.split("\t")
    found: Sequence[Tuple[str, str, object]] = [(parts[0], parts[1], to_count(parts[2]))] if len(parts) == 3 else []
    if len(parts) == 1 and line.startswith("{"):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = {}
        alias, titles = record.get("alias"), record.get("titles")
        if isinstance(alias, str) and isinstance(titles, dict):
            found = [(alias, title, count) for title, count in titles.items()]
    checked = [(a, t, n) for a, t, n in found if a.strip() and t.strip() and type(n) is int and n > 0]
    if not found or len(checked) < len(found):
        raise ValueError(
            f"{where} must be an alias, a title and a count of at least 1, with tabs between, or "
            f'{{"alias": "…", "titles": {{"…": 3}}}}, got {show(line)}'
        )
    return checked


def to_count(number: str) -> object:
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 16 else number


def rank_candidates(
    logits: np.ndarray, counts: Sequence[int], *, prior_weight: float, n: int
) -> Tuple[np.ndarray, np.ndarray]:
    """
    logits, counts: of the candidates of a mention, at least one.
    prior_weight: how much is added of the logarithms of the candidates' shares in the counts.
    RETURNS: the places of the n likeliest, and their probabilities among all.
    """
    # Against the most frequent, whose logarithm is 0, and stays so at any weight.
    shares = np.array(counts, dtype="float64") / max(counts)
    with np.errstate(over="ignore"):
        scores = np.exp(log_softmax((logits + prior_weight * np.log(shares))[None]))[0]
    places = np.argsort(-scores, kind="stable")[:n]
    return places, scores[places]


def choose_title(links: Sequence[Tuple[str, float]], threshold: float) -> str:
    """RETURNS: the likeliest title; NIL where there is none, or its score is below the threshold."""
    return links[0][0] if links and links[0][1] >= threshold else NIL
