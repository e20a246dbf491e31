"""Annotated data, or nothing, in; what the speed benchmark reads out: sentences, long documents, a stream."""

import random
from pathlib import Path
from typing import Iterator, List, Optional, Sequence

# Where there is no data: names and words to make sentences of.
SURNAMES = ("山田", "佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "中村", "小林", "加藤")
GIVEN_NAMES = ("花子", "太郎", "健一", "美咲", "直樹", "由美", "翔太", "恵子")
PLACES = ("東京都", "大阪府", "京都市", "札幌市", "福岡県", "フランス", "ニューヨーク", "中国", "横浜港")
COMPANIES = ("日立製作所", "トヨタ自動車", "株式会社ひかり出版", "ABC Holdings", "みなと銀行", "国立科学博物館")
PATTERNS = (
    "{person}は{year}年に{place}で生まれ、のちに{company}の社長を務めた。",
    "{company}は{place}に本社を置く企業であり、{year}年に{person}らによって設立された。",
    "同年、{place}で開かれた大会において、{person}が優勝したと{company}が発表した。",
    "この作品は{person}の代表作として知られ、{year}年以降は{place}でも広く読まれている。",
    "なお、{place}の施設については、{company}が運営を引き継ぐことで合意している。",
)
# Long documents have 2,000 to 20,000 characters, most of them few: long ones are rarer, as elsewhere.
SHORTEST_DOCUMENT, LONGEST_FACTOR = 2_000, 10
PARAGRAPH_SENTENCES = 6
KATAKANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモラリルレロ"


def read_sentences(path: Optional[Path], *, test_only: bool = True, n_generated: int = 1069) -> List[str]:
    """The texts of an annotated file, of ner.json its 1069 test sentences or all; made-up ones where path is None."""
    if path is None:
        return generate_sentences(n_generated)
    from spacy_luke_ja.corpora.formats import read_records
    from spacy_luke_ja.corpora.stockmark import read_stockmark, split_records

    if path.suffix == ".json":
        records = read_stockmark(path, md5="")
        return [record.text for record in (split_records(records)["test"] if test_only else records)]
    return [record.text for record in read_records(path) if record.text]


def generate_sentences(n: int, *, seed: int = 0) -> List[str]:
    rng = random.Random(seed)
    return [
        rng.choice(PATTERNS).format(
            person=rng.choice(SURNAMES) + rng.choice(GIVEN_NAMES),
            place=rng.choice(PLACES),
            company=rng.choice(COMPANIES),
            year=rng.randint(1868, 2025),
        )
        for _ in range(n)
    ]


def make_documents(sentences: Sequence[str], n: int, *, seed: int = 0) -> List[str]:
    """n documents of sentences drawn by chance, a newline behind each sixth; in no order of length."""
    rng = random.Random(seed)
    documents = []
    for _ in range(n):
        n_chars = round(SHORTEST_DOCUMENT * LONGEST_FACTOR ** (rng.random() ** 2))
        text = ""
        for i in range(n_chars):
            text += rng.choice(sentences) + ("\n" if i % PARAGRAPH_SENTENCES == PARAGRAPH_SENTENCES - 1 else "")
            if len(text) >= n_chars:
                break
        documents.append(text[:n_chars])
    return documents


def stream_of_texts(sentences: Sequence[str], n: int, *, seed: int = 0) -> Iterator[str]:
    """n short texts, each with a name that none before it had: what makes a vocabulary grow in real streams."""
    rng = random.Random(seed)
    for i in range(n):
        sentence = sentences[i % len(sentences)]
        start = rng.randrange(max(1, len(sentence) - 14))
        name, number = "", i
        while number or not name:
            number, digit = divmod(number, len(KATAKANA))
            name += KATAKANA[digit]
        yield f"{name}氏は{sentence[start : start + 14]}"


def cut_long(texts: Sequence[str], *, max_chars: int) -> List[str]:
    """Cut what is longer than max_chars at line, sentence and comma ends; the rest stays whole."""
    from spacy_luke_ja.text.cutting import cut_text

    pieces: List[str] = []
    for text in texts:
        if len(text) <= max_chars:
            pieces.append(text)
            continue
        # Japanese has three bytes a character; what has fewer is cut once more, wherever it is.
        for part in cut_text(text, max_bytes=3 * max_chars):
            pieces += [part[start : start + max_chars] for start in range(0, len(part), max_chars)]
    return pieces
