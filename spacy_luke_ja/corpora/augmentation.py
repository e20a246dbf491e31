"""A text and its entities in; the same text as others would write it, with its entities on their characters, out.

spacy-luke-ja.NoisyText.v1, for [corpora.train.augmenter], does this to a share of the training examples.
"""

import random
import unicodedata
import zlib
from functools import cache
from itertools import accumulate
from typing import Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.training import Example

from ..annotated_labels import get_annotated_labels
from ..text.decoding import CharSpan
from .examples import make_example
from .records import Record

Changed = Tuple[str, Tuple[CharSpan, ...]]
Form = Callable[[str, Sequence[CharSpan]], Changed]
Augmenter = Callable[[Language, Example], Iterator[Example]]

STOPS = "。｡．."
COMMAS = "、､，"
# What stands before and after a title, and before an item of a list.
TITLE_MARKS = (("■", ""), ("【", "】"), ("◆", ""), ("# ", ""), ("第1章　", ""))
WRAP_WIDTHS = (12, 16, 20, 25, 30, 35, 38, 40)
LIST_MARKS = ("・", "1. ", "- ", "(2) ", "③", "＊ ")
FULL_WIDTH = {" ": "\N{IDEOGRAPHIC SPACE}", **{chr(code): chr(code + 0xFEE0) for code in range(ord("!"), ord("~") + 1)}}
# Half-width katakana and 。「」、・ー, the other way round; the two voicing marks make a character of their own.
NARROW = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(ord("｡"), ord("ﾝ") + 1)}
VOICING_MARKS = {"\u3099": "ﾞ", "\u309a": "ﾟ"}


# Characters


def replace_characters(text: str, char_spans: Iterable[CharSpan], replacements: Sequence[str]) -> Changed:
    """Put a string, which may be empty, for each character.

    replacements: one for each character of the text.
    RETURNS: the new text, and the spans on what has come of their characters.
    """
    offsets = [0, *accumulate(map(len, replacements))]
    spans = (s._replace(char_start=offsets[s.char_start], char_end=offsets[s.char_end]) for s in char_spans)
    return "".join(replacements), tuple(spans)


def map_characters(text: str, char_spans: Iterable[CharSpan], change: Callable[[str], str]) -> Changed:
    """change: a character → what stands in its place, whatever stands around it."""
    return replace_characters(text, char_spans, [change(char) for char in text])


def drop_characters(text: str, char_spans: Sequence[CharSpan], drop: Callable[[int], bool]) -> Changed:
    """drop: whether to leave out the character at a position; one within an entity always stays."""
    inside = {i for span in char_spans for i in range(span.char_start, span.char_end)}
    return replace_characters(
        text, char_spans, [char if i in inside or not drop(i) else "" for i, char in enumerate(text)]
    )


# Forms


def as_it_is(text: str, char_spans: Sequence[CharSpan]) -> Changed:
    return text, tuple(char_spans)


def to_full_width(text: str, char_spans: Sequence[CharSpan]) -> Changed:
    """ASCII in full width, its space too: NHK 7 → ＮＨＫ　７."""
    return map_characters(text, char_spans, lambda char: FULL_WIDTH.get(char, char))


def to_half_width(text: str, char_spans: Sequence[CharSpan]) -> Changed:
    """Katakana and full-width ASCII in half width: ドーム（Ａ） → ﾄﾞｰﾑ(A)."""
    return map_characters(text, char_spans, half_width)


@cache
def half_width(char: str) -> str:
    if char == "\N{IDEOGRAPHIC SPACE}" or "！" <= char <= "～":
        return unicodedata.normalize("NFKC", char)
    parts = unicodedata.normalize("NFD", char)
    if parts[0] in NARROW and all(mark in VOICING_MARKS for mark in parts[1:]):
        return NARROW[parts[0]] + "".join(VOICING_MARKS[mark] for mark in parts[1:])
    return char


def to_nfd(text: str, char_spans: Sequence[CharSpan]) -> Changed:
    """ガ as カ and U+3099, é as e and U+0301, as file names of macOS have it.

    Marks that stood apart before are not put in canonical order, which could carry one across an edge.
    """
    return map_characters(text, char_spans, lambda char: unicodedata.normalize("NFD", char))


def to_upper(text: str, char_spans: Sequence[CharSpan]) -> Changed:
    """Latin letters in capitals: Straße → STRASSE."""
    return map_characters(text, char_spans, upper_latin)


@cache
def upper_latin(char: str) -> str:
    return char.upper() if "LATIN" in unicodedata.name(char, "") else char


def without_final_stop(text: str, char_spans: Sequence[CharSpan]) -> Changed:
    last = len(text.rstrip()) - 1
    return drop_characters(text, char_spans, lambda i: i == last and text[i] in STOPS)


def without_commas(text: str, char_spans: Sequence[CharSpan]) -> Changed:
    """、 and the full-width comma go; the ASCII one, which stands in numbers, stays."""
    return drop_characters(text, char_spans, lambda i: text[i] in COMMAS)


def as_title(text: str, char_spans: Sequence[CharSpan], *, marks: Sequence[Tuple[str, str]] = TITLE_MARKS) -> Changed:
    """Without the final stop, and marked: 【…】. The text itself decides which of the marks it gets."""
    before, after = marks[zlib.crc32(text.encode("utf8", "surrogatepass")) % len(marks)]
    bare, spans = without_final_stop(text, char_spans)
    return before + bare + after, shift(spans, len(before))


def as_list(text: str, char_spans: Sequence[CharSpan], *, marks: Sequence[str] = LIST_MARKS) -> Changed:
    """As an item of a list, without the final stop: ・…. The text itself decides which of the marks it gets."""
    return as_title(text, char_spans, marks=[(mark, "") for mark in marks])


def wrapped(text: str, char_spans: Sequence[CharSpan], *, widths: Sequence[int] = WRAP_WIDTHS) -> Changed:
    """A line break after every n characters, in names too, as in mails. The text itself decides on n."""
    width = widths[zlib.crc32(text.encode("utf8", "surrogatepass")) % len(widths)]
    column = 0
    lines = []
    for i, char in enumerate(text):
        column = 0 if char in "\r\n" else column + 1
        is_full = column == width and i + 1 < len(text) and text[i + 1] not in "\r\n"
        lines.append(char + "\n" if is_full else char)
        column = 0 if is_full else column
    # A break behind an entity's last character is none of it.
    _, spans = replace_characters(text, char_spans, lines)
    return "".join(lines), tuple(
        s._replace(char_end=s.char_end - (lines[old.char_end - 1] != text[old.char_end - 1]))
        for s, old in zip(spans, char_spans)
    )


def shift(char_spans: Iterable[CharSpan], n_chars: int) -> Tuple[CharSpan, ...]:
    return tuple(s._replace(char_start=s.char_start + n_chars, char_end=s.char_end + n_chars) for s in char_spans)


FORMS: Dict[str, Form] = {
    "plain": as_it_is,
    "full_width": to_full_width,
    "half_width": to_half_width,
    "nfd": to_nfd,
    "upper": to_upper,
    "no_final_stop": without_final_stop,
    "no_commas": without_commas,
    "title": as_title,
    "list": as_list,
    "wrapped": wrapped,
}


# Mentions


def collect_mentions(records: Iterable[Record]) -> Dict[str, List[str]]:
    """RETURNS: label → the entities of that label as they are written, each once, in the order of the texts."""
    mentions: Dict[str, Dict[str, None]] = {}
    for record in records:
        for span in record.char_spans:
            mentions.setdefault(span.label, {})[record.text[span.char_start : span.char_end]] = None
    return {label: list(own) for label, own in mentions.items()}


def replace_mentions(
    text: str,
    char_spans: Sequence[CharSpan],
    mentions: Mapping[str, Sequence[str]],
    rng: random.Random,
    share: float,
) -> Changed:
    """Swap each entity, with probability `share`, for one drawn from the mentions of its label, if there are any.

    Entities of one character stay: most are a part of a word (日 in 訪日), where no other mention fits.
    """
    replacements = list(text)
    for span in char_spans:
        known = mentions.get(span.label)
        if known and span.char_end - span.char_start > 1 and rng.random() < share:
            # All of the new mention in the place of the first character, and nothing in the place of the others.
            replacements[span.char_start : span.char_end] = [rng.choice(known)] + [""] * (
                span.char_end - span.char_start - 1
            )
    return replace_characters(text, char_spans, replacements)


# Examples


def create_noisy_text_augmenter(
    level: float, forms: Dict[str, float], mention_share: float = 0.0, keep_original: bool = True
) -> Augmenter:
    """
    level: the share of examples that are changed.
    forms: a name in FORMS → its weight; a changed example has one form, drawn by weight. "plain" leaves the characters
        alone, for examples in which only entities are swapped.
    mention_share: the share of a changed example's entities that are swapped for others of their label, which the
        examples read before had; 0 swaps none.
    keep_original: whether the example comes too, beside the changed one, or is replaced as by spaCy's own augmenters.
        spaCy reads the corpus once for all epochs, unless training.max_epochs is -1, so what is replaced is never seen.

    A changed example has the entities of the first, and no other annotation of it. One that says nothing of some of its
    tokens, and one that its form leaves as it is, comes once and as it is. What is drawn depends on Python's random,
    which training.seed sets.
    """
    for setting, value in (("level", level), ("mention_share", mention_share)):
        if not 0 <= value <= 1:
            raise ValueError(f"{setting} must be a share between 0 and 1, got {value}")
    unknown = [name for name in forms if name not in FORMS]
    if unknown:
        raise ValueError(f"forms must be names of {', '.join(FORMS)} with their weights, got {', '.join(unknown)}")
    if any(weight < 0 for weight in forms.values()) or not sum(forms.values()) > 0:
        raise ValueError(f"the weights in forms must be 0 or more, and one of them above 0, got {forms}")
    names, weights = list(forms), list(forms.values())
    mentions: Dict[str, List[str]] = {}
    seen: Dict[str, set] = {}

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        record = record_of(example)
        if record is None:
            yield example
            return
        changed: Optional[Changed] = None
        if random.random() < level:
            rng = random.Random(random.getrandbits(64))
            swapped = replace_mentions(record.text, record.char_spans, mentions, rng, mention_share)
            changed = FORMS[rng.choices(names, weights)[0]](*swapped)
        if mention_share:
            for label, own in collect_mentions([record]).items():
                new = [mention for mention in own if mention not in seen.setdefault(label, set())]
                seen[label].update(new)
                mentions.setdefault(label, []).extend(new)
        if changed is None or changed[0] == record.text:
            yield example
            return
        if keep_original:
            yield example
        text, char_spans = changed
        annotated_labels = get_annotated_labels(example.reference)
        yield make_example(nlp, text, [span[:3] for span in char_spans], annotated_labels=annotated_labels)

    return augment


def record_of(example: Example) -> Optional[Record]:
    """None for an example of which some tokens, or all, have no entity annotation."""
    reference = example.reference
    if any(token.ent_iob == 0 for token in reference):
        return None
    spans = tuple(CharSpan(ent.start_char, ent.end_char, ent.label_) for ent in reference.ents)
    return Record(reference.text, spans)
