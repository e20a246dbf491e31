"""Patterns of everyday texts and lists of names in, annotated texts out: other ones in every epoch.

    python -m scripts.pretraining.patterns data/patterns ner.json --n-texts 20   # to look at some

A pattern is a line of JSON, {"kind": …, "text": "{会社}の{姓}です。"}: a slot in braces is drawn by names.py, and
{製品名=TOEIC} is a name as it stands. {よみ} is how the person before it is read, which is no name. Patterns without a
slot teach what only looks like a name.
"""

import argparse
import json
import random
import re
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from spacy_luke_ja import CharSpan
from spacy_luke_ja.corpora.augmentation import FORMS, collect_mentions, replace_characters, shift
from spacy_luke_ja.corpora.records import Record
from spacy_luke_ja.corpora.stockmark import MD5, read_stockmark, split_records

from .names import LABEL_SLOTS, Name, Names, draw, find_jmnedict, read_jmnedict

SLOT = re.compile(r"\{([^{}]+)\}")
READING = "よみ"
SWAP_SHARE = 0.25  # of the names that stand in patterns as they are
# How often a filled pattern is written otherwise.
FORM_WEIGHTS = {
    "plain": 20.0, "full_width": 1.5, "half_width": 1.0, "upper": 0.5, "no_final_stop": 1.5, "no_commas": 0.7,
    "title": 0.3, "list": 0.7, "wrapped": 2.5, "broken_name": 1.5, "markup": 0.6, "runs": 0.6,
}  # fmt: skip
LIST_SHARE = 0.05  # lists of names, beside the patterns
LIST_SEPARATORS = {
    "\n": 8.0, "\n・": 3.0, "\n- ": 2.0, "、": 3.0, "\n\n": 1.0, "\r\n": 1.0, " / ": 1.0, "／": 1.0, ", ": 1.0,
    "・": 1.0, "\t": 1.0, "\u2028": 0.3, " ": 1.0, "　": 1.0,
}  # fmt: skip
LIST_SLOTS = """
    姓 姓名 会社 企業 大学 店 銀行 報道 国 県 市 町名 駅 病院 学校 商品 作品 アプリ チーム バンド 政党 省庁 役所 大会
    祭り 住所 外国名 ローマ字名 施設
""".split()
TAGS = (
    ("<b>", "</b>"), ("<strong>", "</strong>"), ("<td>", "</td>"), ("<li>", "</li>"), ("**", "**"), ("<br>", "<br/>"),
    ("&quot;", "&quot;"), ("&nbsp;", "&nbsp;"), ('<a href="https://example.com/">', "</a>"), ("[", "](https://example.jp/a)"),
)  # fmt: skip
RUNS = ("ー", "〜", "w", "ｗ", "あ", "…", "!", "a", "─", "=", "*", "笑", "。", "ぁ", "･", "?", "0", "-", "＊", "ハ")


class Patterns:
    """Fills patterns with names."""

    def __init__(self, texts: Sequence[str], names: Names, *, swap_share: float = 0.0):
        """swap_share: of the names that stand in patterns as they are, in whose place comes another of the label."""
        self.texts = list(texts)
        self.names = names
        self.swap_share = swap_share
        for text in texts:
            self.fill(text, random.Random(0))  # a slot that nobody knows is said now

    def fill(self, pattern: str, rng: random.Random) -> Record:
        """A name that was drawn before is now and then drawn again: texts come back to what they are about."""
        text, spans = "", []
        drawn: Dict[str, List[Name]] = {}
        person: Optional[Name] = None
        end = 0
        for match in SLOT.finditer(pattern):
            text += pattern[end : match.start()]
            end = match.end()
            label, _, literal = match[1].partition("=")
            if literal:
                is_swapped = rng.random() < self.swap_share
                name = self._draw_instead(label, literal, rng) if is_swapped else Name(((literal, label),))
            elif label == READING:
                reading = person.reading if person and person.reading else "よみ"
                text += reading
                continue
            else:
                earlier = drawn.setdefault(label, [])
                name = rng.choice(earlier) if earlier and rng.random() < 0.15 else self.names.draw(label, rng)
                earlier.append(name)
            if name.parts[0][1] == "人名":
                person = name
            for part, own_label in name.parts:
                if own_label and part:
                    spans.append(CharSpan(len(text), len(text) + len(part), own_label))
                text += part
        return Record(text + pattern[end:], tuple(spans))

    def _draw_instead(self, label: str, literal: str, rng: random.Random) -> Name:
        """Another name of the label, and of the shape where persons have several."""
        if label == "人名":
            slots = (
                ["姓 名"]
                if " " in literal or "　" in literal
                else ["姓", "名"]
                if len(literal) < 4
                else ["姓名", "外国名"]
            )
        else:
            slots = LABEL_SLOTS[label].split()
        return self.names.draw(rng.choice(slots), rng)

    def draw_list(self, rng: random.Random) -> Record:
        """Names of one slot, one after the other."""
        slot, separator = rng.choice(LIST_SLOTS), draw(LIST_SEPARATORS, rng)
        start = separator.lstrip("\r\n") if separator.startswith("\n") and rng.random() < 0.8 else ""
        return self.fill(start + separator.join([f"{{{slot}}}"] * rng.randint(2, 12)), rng)

    def draw(self, n_texts: int, rng: random.Random) -> List[Record]:
        """Each pattern as often as the others, in other forms now and then; and lists of names."""
        order: List[str] = []
        while len(order) < n_texts:
            order += rng.sample(self.texts, len(self.texts))
        records = []
        for pattern in order[:n_texts]:
            record = self.draw_list(rng) if rng.random() < LIST_SHARE else self.fill(pattern, rng)
            form = draw(FORM_WEIGHTS, rng)
            if form == "markup":
                record = with_markup(record, rng)
            elif form == "runs":
                record = with_run(record, rng)
            elif form == "broken_name":
                record = with_broken_name(record, rng)
            else:
                record = Record(*FORMS[form](record.text, record.char_spans))
            records.append(record)
        return records


def with_markup(record: Record, rng: random.Random) -> Record:
    """Tags and entities of HTML around some of the names, and around the whole."""
    before, behind = rng.choice(TAGS)
    text, spans, end = "", [], 0
    for span in record.char_spans:
        own = (before, behind) if rng.random() < 0.6 else ("", "")
        text += record.text[end : span.char_start] + own[0]
        spans.append(span._replace(char_start=len(text), char_end=len(text) + span.char_end - span.char_start))
        text += record.text[span.char_start : span.char_end] + own[1]
        end = span.char_end
    inner = Record(text + record.text[end:], tuple(spans))
    outer = rng.choice((("", ""), ("<p>", "</p>"), ("", "<br />"), ("<div>", "</div>"), ("", "&nbsp;"), ("&gt; ", "")))
    return Record(outer[0] + inner.text + outer[1], shift(inner.char_spans, len(outer[0])))


def with_run(record: Record, rng: random.Random) -> Record:
    """A character repeated many times before or behind."""
    run = rng.choice(RUNS) * rng.choice((3, 5, 8, 12, 20, 40, 80))
    if rng.random() < 0.5:
        return Record(record.text + run, record.char_spans)
    return Record(run + record.text, shift(record.char_spans, len(run)))


def with_broken_name(record: Record, rng: random.Random) -> Record:
    """A line break inside one of the names, where a mail was wrapped: 佐藤⏎健一."""
    breakable = [span for span in record.char_spans if span.char_end - span.char_start > 1]
    if not breakable:
        return record
    broken = rng.choice(breakable)
    place = rng.randrange(broken.char_start + 1, broken.char_end)
    lines = [f"\n{char}" if i == place else char for i, char in enumerate(record.text)]
    return Record(*replace_characters(record.text, record.char_spans, lines))


def read_patterns(directory: Path, *, slots: bool = True, empty: bool = True) -> List[str]:
    """slots, empty: whether to take the patterns with slots, and those without."""
    texts = []
    for path in sorted(directory.glob("*.jsonl")):
        for line in path.read_text(encoding="utf8").splitlines():
            text = json.loads(line)["text"]
            if slots if SLOT.search(text) else empty:
                texts.append(text)
    return list(dict.fromkeys(texts))


def make_names(
    directory: Path, train: Sequence[Record], *, n_listed: Optional[int] = None, other_sources: bool = True
) -> Names:
    """directory: with patterns and names/. train: sentences whose mentions are names, too. n_listed: how many names of
    each list are taken, the first; None for all. other_sources: whether train and JMnedict give names."""
    mentions, jmnedict = collect_mentions(train) if other_sources else {}, find_jmnedict() if other_sources else None
    entries = read_jmnedict(jmnedict) if jmnedict else None
    return Names(directory / "names", mentions=mentions, jmnedict=entries, n_listed=n_listed)


def make_patterns(
    directory: Path, train: Sequence[Record], *, n_listed: Optional[int] = None, **kinds: bool
) -> Patterns:
    """directory, train, n_listed: as make_names takes them; with n_listed, no other sources. kinds: read_patterns'."""
    names = make_names(directory, train, n_listed=n_listed, other_sources=n_listed is None)
    return Patterns(read_patterns(directory, **kinds), names, swap_share=SWAP_SHARE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("patterns", type=Path)
    parser.add_argument("stockmark", type=Path)
    parser.add_argument("--n-texts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--md5", default=MD5, help='of ner.json; "" takes any file')
    args = parser.parse_args()
    train = split_records(read_stockmark(args.stockmark, md5=args.md5))["train"]
    patterns = make_patterns(args.patterns, train)
    for record in patterns.draw(args.n_texts, random.Random(args.seed)):
        print(
            json.dumps({"text": record.text, "entities": [list(s[:3]) for s in record.char_spans]}, ensure_ascii=False)
        )


if __name__ == "__main__":
    main()
