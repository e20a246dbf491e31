"""Corpora in, one file of documents out, without the pages of Stockmark's test and dev sentences (stage 1).

    python -m scripts.pretraining.texts ../shared/data assets/ner.json build/pretraining/documents.jsonl

A document is dropped when its Wikipedia id is that of such a page, or when it is an article whose title, or the start
of whose text, is that of such a page, or when it has a run of 16 characters in common with a test or dev sentence. The
sentences themselves were taken out of the corpora beforehand, so titles are found where texts are whole, in the
sets of questions, and by the ids that some lists have. That covers every article of jawiki_gocon, JaQuAD and WAC. Of
the articles on Kyoto (2009) no list says the id: where one is the page of a test sentence and shares no other run of
characters with it, its other sentences remain.

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
    "real_persona_chat": 1.0,
    "multi_party_chat": 1.0,
    "news_chat": 1.0,
    "tanaka_sentences": 1.0,
}
EVERYDAY = {
    "real_persona_chat",
    "multi_party_chat",
    "news_chat",
    "tanaka_sentences",
    "gsd_train",
    "wikinews",
    "ntrex_news",
}
LINKED = ("jawiki_country_linked", "jawiki_wp2txt_linked")
QUESTION_SETS = ("jaquad_train", "jaquad_dev", "jsquad_valid-v1.3")
ARTICLES = {"kyoto_wiki", "jawiki_gocon", "jaquad_train_contexts", "wac_train", *LINKED}  # of Wikipedia
LINES = {"gsd_train", "tanaka_sentences"}  # each line a document: sentences from everywhere
NOT_FROM_THE_WEB = {"ict_white_paper", "aozora_expository", "real_persona_chat", "multi_party_chat"}
SHARED_RUN = 16  # characters
LEAD = 40  # characters


@dataclass
class Document:
    source: str
    title: str = ""  # "" where the corpus does not say
    page: str = ""  # the article's id on Wikipedia; "" where the corpus does not say
    paragraphs: List[Dict[str, Any]] = field(default_factory=list)  # text, links


class HeldOut:
    """What must not be learned from: the pages of the test and dev sentences."""

    def __init__(self, stockmark: Path, data: Path, *, md5: str = MD5):
        """stockmark: ner.json. data: the directory that holds linked/, ner/ and qa/. md5: of ner.json; "" takes any."""
        parts = split_records(read_stockmark(stockmark, md5=md5))
        records = parts["test"] + parts["dev"]
        self.pages: Set[str] = {record.page for record in records}
        texts = [record.text for record in records]
        self.runs: Set[str] = {text[i : i + SHARED_RUN] for text in texts for i in range(len(text) - SHARED_RUN + 1)}
        self.titles = {bare_title(title) for title in self._find_titles(data)} - {""}

    def _find_titles(self, data: Path) -> Iterator[str]:
        """The titles of the pages, as far as anything tells them."""
        for source, id_, title in read_titles(data / "linked" / "titles.tsv.xz"):
            if source == "jawiki_gocon" and id_ in self.pages:
                yield title
        for name in QUESTION_SETS:
            with lzma.open(data / "qa" / f"{name}.json.xz", "rt", encoding="utf8") as file_:
                for article in json.load(file_)["data"]:
                    if any(self.has_shared_run(paragraph["context"]) for paragraph in article["paragraphs"]):
                        yield article["title"]
        for document in read_wac(data):
            if document.page in self.pages:
                yield re.split("[（(は、]", document.paragraphs[0]["text"])[0]

    def has_shared_run(self, text: str) -> bool:
        return any(text[i : i + SHARED_RUN] in self.runs for i in range(len(text) - SHARED_RUN + 1))

    def why(self, document: Document) -> str:
        """RETURNS: why the document is left out; "" when it stays."""
        if document.page in self.pages:
            return "page"
        if bare_title(document.title) in self.titles:
            return "title"
        if document.source in ARTICLES and document.paragraphs:
            lead = document.paragraphs[0]["text"][:LEAD].replace("　", "").lstrip("「『")
            # A short title may be a common word, which says little unless the text begins with it.
            if any(lead.startswith(title) or (len(title) > 3 and title in lead) for title in self.titles):
                return "title in its first words"
        if document.source not in NOT_FROM_THE_WEB:
            if any(self.has_shared_run(paragraph["text"]) for paragraph in document.paragraphs):
                return f"{SHARED_RUN} characters in common"
        return ""


def bare_title(title: str) -> str:
    """Without what tells it from others of the name, and without spaces: "オセロ (遊戯)" → "オセロ"."""
    return re.sub(r"[ 　]|[ 　]?[(（].*", "", title)


def read_titles(path: Path) -> List[Tuple[str, str, str]]:
    """Of every article: source, id, title."""
    with lzma.open(path, "rt", encoding="utf8") as file_:
        rows = [line.rstrip("\n").split("\t") for line in file_]
    return [(source, id_, title) for source, id_, title in rows]


def read_texts(data: Path) -> Iterator[Document]:
    """The plain corpora; a blank line ends a document."""
    jaquad_titles = [
        title for source, _, title in read_titles(data / "linked" / "titles.tsv.xz") if source == "jaquad_train"
    ]
    for source in TEXTS:
        with lzma.open(data / "corpus" / f"{source}.txt.xz", "rt", encoding="utf8") as file_:
            blocks = [block for block in re.split(r"\n\s*\n", file_.read()) if block.strip()]
        if source in LINES:
            blocks = [line for block in blocks for line in block.splitlines()]
        titles = jaquad_titles if source == "jaquad_train_contexts" else [""] * len(blocks)
        if len(titles) != len(blocks):
            raise ValueError(f"{source} has {len(blocks)} documents, but titles.tsv.xz has {len(titles)} for it")
        for block, title in zip(blocks, titles):
            paragraphs: List[Dict[str, Any]] = [
                {"text": line.strip(), "links": []} for line in block.splitlines() if line.strip()
            ]
            yield Document(source, title=title, paragraphs=paragraphs)


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
    parser.add_argument("data", type=Path, help="the directory that holds corpus/, linked/, ner/ and qa/")
    parser.add_argument("stockmark", type=Path, help="Stockmark's ner.json")
    parser.add_argument("output", type=Path)
    parser.add_argument(
        "--every-other", type=int, default=1, help="of the documents that are not everyday language, each n-th"
    )
    parser.add_argument("--md5", default=MD5, help='of ner.json; "" takes any file')
    args = parser.parse_args()
    held_out = HeldOut(args.stockmark, args.data, md5=args.md5)
    counts: Dict[Tuple[str, str], int] = Counter()
    args.output.parent.mkdir(parents=True, exist_ok=True)
    with args.output.open("w", encoding="utf8") as file_:
        for documents in (read_texts(args.data), read_wac(args.data), read_linked(args.data)):
            for document in documents:
                reason = held_out.why(document)
                counts[document.source, reason or "kept"] += 1
                is_skipped = document.source not in EVERYDAY and counts[document.source, "kept"] % args.every_other
                if reason or is_skipped:
                    continue
                document = take_share(document, TEXTS.get(document.source, 1.0))
                counts[document.source, "characters"] += sum(len(p["text"]) for p in document.paragraphs)
                record = {"source": document.source, "paragraphs": document.paragraphs}
                file_.write(json.dumps(record, ensure_ascii=False) + "\n")
    for (source, what), count in sorted(counts.items()):
        print(f"{source:24} {what:32} {count:12,}")


if __name__ == "__main__":
    main()
