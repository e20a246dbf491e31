"""F1 of pipelines on Stockmark's sentences joined to texts, and on lists of its names: what texts of many lines cost.

    python benchmarks/documents.py -p ja_luke_ner_sm --data ../shared/data/stockmark/ner.json --part dev

Sentences are joined k to a text in the data's order. Lists hold the part's names of one label, each name once, 25 to a
text. Wrapped is each sentence with a line break inside one of its names: what counts is that name. Counted are exact
characters and the label. The settings window and line_break_cost of a checkpoint are chosen by the dev part.
"""

import argparse
import random
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from spacy.language import Language

from spacy_luke_ja import CharSpan
from spacy_luke_ja.corpora.records import Record
from spacy_luke_ja.corpora.stockmark import MD5, read_stockmark, split_records
from spacy_luke_ja.evaluation.measures import labels_of, score_table
from spacy_luke_ja.evaluation.pipelines import load_pipeline, named_pipelines
from spacy_luke_ja.evaluation.run import run_pipeline

Annotated = Tuple[str, Tuple[CharSpan, ...]]

SENTENCES_JOINED = (1, 2, 4, 8, 16)
NAMES_IN_LIST = 25
JOINS = {"": "nothing", "\n": "\\n", " ": "a space"}
LIST_JOINS = {"、": "、", "\n": "\\n", "\n\n": "\\n\\n", "\r\n": "\\r\\n", "\u2028": "U+2028", "\x85": "U+0085"}


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    help_ = "a pipeline or checkpoint, also as NAME=PATH; repeat"
    parser.add_argument("-p", "--pipeline", dest="pipelines", action="append", required=True, help=help_)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/stockmark/ner.json"), help="ner.json")
    parser.add_argument("--part", choices=("dev", "test"), default="dev")
    parser.add_argument("--md5", default=MD5, help='of ner.json; "" takes any file')
    args = parser.parse_args(argv)
    records = split_records(read_stockmark(args.data, md5=args.md5))[args.part]
    for name, path in named_pipelines(args.pipelines).items():
        nlp = load_pipeline(path)
        print(f"## {name}, {len(records)} sentences of {args.part}\n")
        print(table_of("joined by", SENTENCES_JOINED, joined_scores(nlp, records)))
        lists = list_recalls(nlp, records)
        print(table_of("lists: label", [*LIST_JOINS.values(), "names"], lists))
        n_found, n_names = wrapped_recall(nlp, records)
        print(f"Wrapped names found: {n_found} of {n_names}.\n", flush=True)


def joined_scores(nlp: Language, records: Sequence[Record]) -> Dict[str, List[str]]:
    """F1 by what joins the sentences, a column per k."""
    scores = {}
    for separator, name in JOINS.items():
        tables = []
        for k in SENTENCES_JOINED:
            texts = run_pipeline(nlp, [join(records[i : i + k], separator) for i in range(0, len(records), k)])
            tables.append(score_table(texts, labels_of(texts)))
        scores[name] = [f"{table['micro']['f']:.3f}" for table in tables]
    return scores


def join(records: Sequence[Record], separator: str) -> Annotated:
    text, spans = "", []
    for i, record in enumerate(records):
        text += separator if i else ""
        spans += [CharSpan(len(text) + start, len(text) + end, label) for start, end, label in record.entities]
        text += record.text
    return text, tuple(spans)


def list_recalls(nlp: Language, records: Sequence[Record]) -> Dict[str, List[str]]:
    """The share of names found by label, a column per separator, and their number."""
    names: Dict[str, Dict[str, None]] = {}
    for record in records:
        for start, end, label in record.entities:
            names.setdefault(label, {})[record.text[start:end]] = None
    rows = {}
    totals = [0] * len(LIST_JOINS)
    for label, own in names.items():
        counts = [count_found(nlp, label, list(own), separator) for separator in LIST_JOINS]
        totals = [total + count for total, count in zip(totals, counts)]
        rows[label] = [*(f"{count / len(own):.3f}" for count in counts), str(len(own))]
    n_names = sum(map(len, names.values()))
    return {**rows, "all": [*(f"{total / max(1, n_names):.3f}" for total in totals), str(n_names)]}


def count_found(nlp: Language, label: str, names: Sequence[str], separator: str) -> int:
    lists = []
    for i in range(0, len(names), NAMES_IN_LIST):
        parts = [Record(name, (CharSpan(0, len(name), label),)) for name in names[i : i + NAMES_IN_LIST]]
        lists.append(join(parts, separator))
    return sum(len({*text.gold} & {*text.found}) for text in run_pipeline(nlp, lists))


def wrapped_recall(nlp: Language, records: Sequence[Record]) -> Tuple[int, int]:
    """RETURNS: how many names with a line break inside are found, of how many."""
    rng = random.Random(0)
    wrapped, names = [], []
    for record in records:
        long = [(start, end, label) for start, end, label in record.entities if end - start > 2]
        if long:
            start, end, label = rng.choice(long)
            place = rng.randrange(start + 1, end)
            wrapped.append((f"{record.text[:place]}\n{record.text[place:]}", ()))
            names.append(CharSpan(start, end + 1, label))
    return sum(name in text.found for name, text in zip(names, run_pipeline(nlp, wrapped))), len(names)


def table_of(first: str, columns: Sequence[object], rows: Dict[str, List[str]]) -> str:
    lines = [[first, *map(str, columns)], ["---"] * (len(columns) + 1), *([name, *row] for name, row in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    main()
