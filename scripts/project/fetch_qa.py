"""Get the data of the workflow qa: copies that lie at hand, or downloads.

    python scripts/project/fetch_qa.py assets --jaquad-train ../elsewhere/jaquad_train.json.xz

JaQuAD (Skelter Labs, CC BY-SA 3.0) is in parts there, and a file here. Of its train data some articles are held out,
which titles decide: by them, and not by dev, a training finds its best step. JSQuAD (Yahoo Japan and Waseda University,
CC BY-SA 4.0) is for evaluation alone.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple
from urllib.request import urlopen

from spacy_luke_ja.corpora.qa import read_contexts, read_json, require

JAQUAD = "https://raw.githubusercontent.com/SkelterLabsInc/JaQuAD/23f5d72/data"
JSQUAD = "https://raw.githubusercontent.com/yahoojapan/JGLUE/main/datasets/jsquad-v1.3"
HELD_OUT = 0.03  # of the articles


class Source(NamedTuple):
    """urls: of its parts, in order. n_questions: in all of them."""

    urls: List[str]
    n_questions: int


SOURCES = {
    "jaquad_train": Source([f"{JAQUAD}/train/jaquad_train_{i:04}.json" for i in range(30)], 31_748),
    "jaquad_dev": Source([f"{JAQUAD}/dev/jaquad_dev_{i:04}.json" for i in range(4)], 3_939),
    "jsquad_valid": Source([f"{JSQUAD}/valid-v1.3.json"], 4_442),
}
# Where a source is more than one file.
PARTS = {"jaquad_train": ("jaquad_train_part", "jaquad_heldout")}


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("assets", type=Path, help="the directory for the files")
    for name in SOURCES:
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, default=None, help="where a copy may lie")
    args = parser.parse_args(argv)
    args.assets.mkdir(parents=True, exist_ok=True)
    for name, source in SOURCES.items():
        paths = [args.assets / f"{part}.json" for part in PARTS.get(name, [name])]
        if all(path.exists() for path in paths):
            print(f"{' and '.join(map(str, paths))}: there already")
            continue
        try:
            articles = get_articles(name, source, getattr(args, name))
            parts = hold_out(articles) if name in PARTS else [articles]
        except (OSError, ValueError) as error:
            sys.exit(str(error))
        for path, part in zip(paths, parts):
            write_squad(path, part)
            print(f"wrote {path}: {len(part)} articles, {count_questions(part)} questions")


def get_articles(name: str, source: Source, copy: Optional[Path]) -> List[Dict[str, Any]]:
    """Of a copy, as it is; else of a download, which must be whole."""
    if copy and copy.is_file():
        articles = require(read_json(copy), "data", list, str(copy))
        for n, article in enumerate(articles, start=1):  # and no row for each question
            require(article, "paragraphs", list, f"{copy}, article {n}")
        list(read_contexts(copy))  # raises a ValueError where it is not SQuAD's format
        return articles
    try:
        return download(source)
    except (OSError, ValueError) as error:
        raise OSError(
            f"{name} cannot be downloaded: {error}.\nName a copy, a .json or .json.xz: "
            f"spacy project run qa . --vars.{name}_copy PATH"
        ) from error


def download(source: Source, open_url: Callable[..., Any] = urlopen) -> List[Dict[str, Any]]:
    articles: List[Dict[str, Any]] = []
    for url in source.urls:
        try:
            with open_url(url, timeout=60) as file_:
                articles += require(json.load(file_), "data", list, url)
        except (OSError, ValueError) as error:
            raise OSError(f"{url}: {error}") from error
    n_questions = count_questions(articles)
    if n_questions != source.n_questions:
        raise ValueError(f"{source.urls[0]} and the others must have {source.n_questions} questions, got {n_questions}")
    return articles


def hold_out(articles: Sequence[Dict[str, Any]]) -> Tuple[List[Dict[str, Any]], List[Dict[str, Any]]]:
    """RETURNS: the articles without those of some titles, and those; the same whatever their order."""
    titles = sorted({str(article.get("title")) for article in articles}, key=hash_of)
    if len(titles) < 2:
        raise ValueError(f"to hold one out, there must be at least two titles of articles, got {len(titles)}")
    held_out = set(titles[: max(1, round(HELD_OUT * len(titles)))])
    is_held_out = lambda article: str(article.get("title")) in held_out
    return [a for a in articles if not is_held_out(a)], [a for a in articles if is_held_out(a)]


def hash_of(title: str) -> str:
    return hashlib.sha256(title.encode("utf8")).hexdigest()


def count_questions(articles: Sequence[Dict[str, Any]]) -> int:
    return sum(len(paragraph["qas"]) for article in articles for paragraph in article["paragraphs"])


def write_squad(path: Path, articles: Sequence[Dict[str, Any]]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps({"data": articles}, ensure_ascii=False), encoding="utf8")
    part.replace(path)


if __name__ == "__main__":
    main()
