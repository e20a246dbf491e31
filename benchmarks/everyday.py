"""Precision, recall and F1 of pipelines on the everyday texts of data/everyday, by label and kind of text.

    python benchmarks/everyday.py -p ja_luke_ner_sm -p mine=training/mine/model-best --part dev

Counted are exact characters and the label. Besides single texts, ten are joined by nothing and by line breaks. With
--three-classes, labels of other makers are compared by PERSON, LOCATION and ORGANIZATION, as out_of_domain.py maps
them and ENE maps GiNZA's. Choices are made on dev; test and hard_names are for the numbers of a release.
"""

import argparse
import json
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from documents import join
from out_of_domain import CLASSES, LOCATION, ORGANIZATION, OURS, PERSON
from spacy.language import Language

from spacy_luke_ja import CharSpan
from spacy_luke_ja.corpora.formats import read_records
from spacy_luke_ja.corpora.records import Record
from spacy_luke_ja.evaluation.measures import (
    EvaluatedText,
    bootstrap_intervals,
    calibration,
    labels_of,
    score_table,
)
from spacy_luke_ja.evaluation.pipelines import load_pipeline, named_pipelines
from spacy_luke_ja.evaluation.run import run_pipeline
from spacy_luke_ja.stockmark_labels import LABELS

DATA = Path(__file__).parent.parent / "data" / "everyday"
JOINS = {"": "joined by ten", "\n": "joined by ten lines"}
N_JOINED = 10
# Class → labels of ja_ginza (Sekine's extended named entities); others are left out.
ENE_LABELS = {
    PERSON: "Person",
    LOCATION: """
        City Province Country County GPE_Other Location_Other Domestic_Region Continental_Region Geological_Region_Other
        Mountain Island River Lake Sea Bay Address_Other Postal_Address
    """,
    ORGANIZATION: """
        Company Company_Group Corporation_Other Organization_Other Show_Organization Political_Party Government Cabinet
        Military Political_Organization_Other International_Organization Sports_Organization_Other Sports_League
        Pro_Sports_Organization Sports_Federation Family
    """,
}
ENE = {label: class_ for class_, labels in ENE_LABELS.items() for label in labels.split()}


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    help_ = "a pipeline or checkpoint, also as NAME=PATH; repeat"
    parser.add_argument("-p", "--pipeline", dest="pipelines", action="append", required=True, help=help_)
    parser.add_argument("--part", choices=("dev", "test", "hard_names"), default="dev")
    parser.add_argument("--three-classes", action="store_true")
    parser.add_argument(
        "--data", type=Path, default=DATA, help="the directory of dev.jsonl, test.jsonl and hard_names.jsonl"
    )
    args = parser.parse_args(argv)
    path = args.data / f"{args.part}.jsonl"
    records = list(read_records(path))
    kinds = [json.loads(line)["kind"] for line in path.read_text(encoding="utf8").splitlines()]
    for name, pipeline in named_pipelines(args.pipelines).items():
        print(f"## {name}, {len(records)} texts of {args.part}\n")
        nlp = load_pipeline(pipeline)
        texts = run(nlp, records)
        if args.three_classes:
            texts = [in_classes(text) for text in texts]
        print(score_lines(texts, CLASSES if args.three_classes else LABELS))
        if not args.three_classes:
            print(kind_lines(texts, kinds))
            print(joined_lines(nlp, records))
            calibrated = calibration(texts)
            if calibrated:
                print(f"Expected calibration error: {calibrated['ece']:.3f}.\n", flush=True)


def run(nlp: Language, records: Sequence[Record]) -> List[EvaluatedText]:
    return run_pipeline(nlp, [(record.text, record.char_spans) for record in records])


def in_classes(text: EvaluatedText) -> EvaluatedText:
    """What both makers call a person, a place or an organization; 大学 and the like are ORGANIZATION on both sides."""
    gold, found = (
        tuple(span._replace(label=classes[span.label]) for span in spans if span.label in classes)
        for spans, classes in ((text.gold, OURS), (text.found, {**OURS, **ENE}))
    )
    return EvaluatedText(text.text, gold, found)


def score_lines(texts: Sequence[EvaluatedText], labels: Sequence[str]) -> str:
    scores, intervals = score_table(texts, labels), bootstrap_intervals(texts, labels)
    lines = ["| label | support | P | R | F1 |", "|---|---|---|---|---|"]
    for label in labels:
        row = scores["labels"][label]
        lines.append(f"| {label} | {row['support']} | {row['p']:.3f} | {row['r']:.3f} | {row['f']:.3f} |")
    row, (low, high) = scores["micro"], intervals["micro"]["f"]
    f1 = f"{row['f']:.3f} ({low:.3f}–{high:.3f})"
    return "\n".join([*lines, f"| micro | {row['support']} | {row['p']:.3f} | {row['r']:.3f} | {f1} |", ""])


def kind_lines(texts: Sequence[EvaluatedText], kinds: Sequence[str]) -> str:
    by_kind: Dict[str, List[EvaluatedText]] = {}
    for text, kind in zip(texts, kinds):
        by_kind.setdefault(kind, []).append(text)
    scores = {kind: score_table(own, labels_of(own))["micro"]["f"] for kind, own in by_kind.items() if labels_of(own)}
    ranked = sorted(scores.items(), key=lambda item: -item[1])
    return f"F1 by kind: {', '.join(f'{kind} {f1:.2f}' for kind, f1 in ranked)}.\n"


def joined_lines(nlp: Language, records: Sequence[Record]) -> str:
    parts: List[str] = []
    for separator, name in JOINS.items():
        joined: List[Tuple[str, Tuple[CharSpan, ...]]] = [
            join(records[i : i + N_JOINED], separator) for i in range(0, len(records), N_JOINED)
        ]
        texts = run_pipeline(nlp, joined)
        parts.append(f"{name} {score_table(texts, labels_of(texts))['micro']['f']:.3f}")
    return f"F1 of longer texts: {', '.join(parts)}.\n"


if __name__ == "__main__":
    main()
