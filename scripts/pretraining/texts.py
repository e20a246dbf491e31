"""Corpora in, one file of documents out, without the pages of Stockmark's test and dev sentences (stage 1).

    python -m scripts.pretraining.texts ../shared/data assets/ner.json build/pretraining/documents.jsonl

A document is dropped when its Wikipedia id is that of such a page, or its title, or when it is from Wikipedia or a news
site and has a run of 16 characters in common with a test or dev sentence. The corpora do not name the page of
every document, so a page that was rewritten from end to end could remain; its sentences would be others too.

A line of the output: {"source": …, "paragraphs": [{"text": …, "links": [[start, end], …]}, …]}.
"""

import argparse
import json
import lzma
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Set, Tuple

from spacy_luke_ja.corpora.stockmark import MD5, read_stockmark, split_records

# Source → the share of its paragraphs that is taken: those that read least like today's Wikipedia and news in part.
TEXTS = {
    "kyoto_wiki": 1.0,
    "jawiki_gocon": 1.0,
    "jaquad_train_contexts": 1.0,
    "gsd_train": 1.0,
    "wikinews": 1.0,
    "ntrex_news": 1.0,
    "ict_white_paper": 0.15,
    "aozora_expository": 0.05,
}
LINKED = ("jawiki_country_linked", "jawiki_wp2txt_linked")
NOT_FROM_THE_WEB = {"ict_white_paper", "aozora_expository"}
SHARED_RUN = 16  # characters


@dataclass
class Document:
    source: str
    title: str = ""  # "" where the corpus does not say
    page: str = ""  # the article's id on Wikipedia; "" where the corpus does not say
    paragraphs: List[Dict[str, Any]] = field(default_factory=list)  # text, links


class HeldOut:
    """What must not be learned from: the pages of the test and dev sentences."""

    def __init__(self, stockmark: Path, titles_path: Path, *, md5: str = MD5):
        """stockmark: ner.json. titles_path: titles.tsv.xz. md5: of ner.json; "" takes any file."""
        parts = split_records(read_stockmark(stockmark, md5=md5))
        records = parts["test"] + parts["dev"]
        self.pages: Set[str] = {record.page for record in records}
        texts = [record.text for record in records]
        self.runs: Set[str] = {text[i : i + SHARED_RUN] for text in texts for i in range(len(text) - SHARED_RUN + 1)}
        with lzma.open(titles_path, "rt", encoding="utf8") as file_:
            titles = [line.rstrip("\n").split("\t") for line in file_]
        self.titles = {title for source, id_, title in titles if source == "jawiki_gocon" and id_ in self.pages}

    def why(self, document: Document) -> str:
        """RETURNS: why the document is left out; "" when it stays."""
        if document.page in self.pages:
            return "page"
        if document.title in self.titles:
            return "title"
        lead = document.paragraphs[0]["text"][:40] if document.paragraphs else ""
        if any(title in lead for title in self.titles):
            return "title in its first words"
        if document.source in NOT_FROM_THE_WEB:
            return ""
        for paragraph in document.paragraphs:
            text = paragraph["text"]
            if any(text[i : i + SHARED_RUN] in self.runs for i in range(len(text) - SHARED_RUN + 1)):
                return f"{SHARED_RUN} characters in common"
        return ""


def read_texts(data: Path) -> Iterator[Document]:
    """The plain corpora; a blank line ends a document."""
    for source in TEXTS:
        with lzma.open(data / "corpus" / f"{source}.txt.xz", "rt", encoding="utf8") as file_:
            for block in re.split(r"\n\s*\n", file_.read()):
                lines = [line.strip() for line in block.split("\n")]
                if any(lines):
                    paragraphs: List[Dict[str, Any]] = [{"text": line, "links": []} for line in lines if line]
                    yield Document(source, paragraphs=paragraphs)


def read_wac(data: Path) -> Iterator[Document]:
    """The leads of the Wikipedia Annotated Corpus, whose ids hold those of their pages."""
    pages: Dict[str, List[str]] = {}
    with lzma.open(data / "ner" / "wac_train.jsonl.xz", "rt", encoding="utf8") as file_:
        for line in file_:
            item = json.loads(line)
            pages.setdefault(wac_page(item["id"]), []).append(item["text"])
    for page, texts in pages.items():
        yield Document("wac_train", page=page, paragraphs=[{"text": "".join(texts), "links": []}])


def wac_page(sentence_id: str) -> str:
    """ "wiki00080654-00-01" → "80654"."""
    return sentence_id.split("-")[0].removeprefix("wiki").lstrip("0")


def read_linked(data: Path) -> Iterator[Document]:
    """Wikipedia paragraphs with their hyperlinks; neighbours of one article are a document."""
    for source in LINKED:
        document = Document(source)
        with lzma.open(data / "linked" / f"{source}.jsonl.xz", "rt", encoding="utf8") as file_:
            for line in file_:
                item = json.loads(line)
                if item["article"] != document.title:
                    if document.paragraphs:
                        yield document
                    document = Document(source, title=item["article"])
                links = [link["span"] for link in item["links"]]
                document.paragraphs.append({"text": item["text"], "links": links})
        if document.paragraphs:
            yield document


def take_share(document: Document, share: float) -> Document:
    """Every n-th paragraph, n = 1 / share."""
    every = round(1 / share)
    return replace(document, paragraphs=document.paragraphs[::every])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="the directory that holds corpus/, ner/ and linked/")
    parser.add_argument("stockmark", type=Path, help="Stockmark's ner.json")
    parser.add_argument("output", type=Path)
    parser.add_argument("--md5", default=MD5, help='of ner.json; "" takes any file')
    args = parser.parse_args()
    held_out = HeldOut(args.stockmark, args.data / "linked" / "titles.tsv.xz", md5=args.md5)
    counts: Dict[Tuple[str, str], int] = Counter()
    args.output.parent.mkdir(parents=True, exist_ok=True)
    with args.output.open("w", encoding="utf8") as file_:
        for documents in (read_texts(args.data), read_wac(args.data), read_linked(args.data)):
            for document in documents:
                reason = held_out.why(document)
                counts[document.source, reason or "kept"] += 1
                if reason:
                    continue
                document = take_share(document, TEXTS.get(document.source, 1.0))
                counts[document.source, "characters"] += sum(len(p["text"]) for p in document.paragraphs)
                record = {"source": document.source, "paragraphs": document.paragraphs}
                file_.write(json.dumps(record, ensure_ascii=False) + "\n")
    for (source, what), count in sorted(counts.items()):
        print(f"{source:24} {what:32} {count:12,}")


if __name__ == "__main__":
    main()
