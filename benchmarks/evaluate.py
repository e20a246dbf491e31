"""Entity scores over exact characters, micro, macro and per label, of pipelines on a part of Stockmark.

    python benchmarks/evaluate.py --data ner.json --part dev ja_luke_ner_sm spacy_ner=build/spacy_ner/model-best

A pipeline is an embedded checkpoint's name, or name=directory. With --entities, what the first one finds is written
as JSON lines, to compare environments: every character span, without its score.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any, Dict

import spacy

import spacy_luke_ja
from spacy_luke_ja.corpora.examples import make_example
from spacy_luke_ja.corpora.stockmark import read_stockmark, split_records
from spacy_luke_ja.scorers import score_char_ents
from spacy_luke_ja.text.label_schemes import LABELS


def load(name: str) -> Any:
    if "=" in name:
        return spacy.load(name.partition("=")[2])
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": {"name": name}})
    return nlp


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pipelines", nargs="+")
    parser.add_argument("--data", type=Path, required=True, help="Stockmark's ner.json")
    parser.add_argument("--part", default="dev")
    parser.add_argument("--entities", type=Path)
    args = parser.parse_args()
    records = split_records(read_stockmark(args.data))[args.part]
    results: Dict[str, Dict[str, Any]] = {}
    for name in args.pipelines:
        nlp = load(name)
        examples = [make_example(nlp, record.text, record.entities) for record in records]
        list(nlp.pipe(record.text for record in records[:50]))  # loaded and warm
        started = time.time()
        docs = list(nlp.pipe(record.text for record in records))
        seconds = time.time() - started
        for example, doc in zip(examples, docs):
            example.predicted = doc
        results[name.partition("=")[0]] = {**score_char_ents(examples), "speed": len(docs) / seconds}
        if args.entities and name == args.pipelines[0]:
            rows = [[list(span[:3]) for span in doc._.luke_entities] for doc in docs]
            lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
            args.entities.write_text("".join(lines), encoding="utf8")
    support = {label: sum(span.label == label for r in records for span in r.char_spans) for label in LABELS}
    print(f"{len(records)} sentences, {sum(support.values())} entities\n")
    print("| label | support | " + " | ".join(f"{name} P | R | F1" for name in results) + " |")
    print("|---|---|" + "---|---|---|" * len(results))
    for label in LABELS:
        scores = [result["char_ents_per_type"].get(label, dict.fromkeys("prf", 0.0)) for result in results.values()]
        print_row(label, support[label], [score[key] for score in scores for key in "prf"])
    micro = [result[f"char_ents_{key}"] for result in results.values() for key in "prf"]
    print_row("micro", sum(support.values()), micro)
    macro = [
        sum(result["char_ents_per_type"].get(label, dict.fromkeys("prf", 0.0))[key] for label in LABELS) / len(LABELS)
        for result in results.values()
        for key in "prf"
    ]
    print_row("macro", sum(support.values()), macro)
    print("\nsentences a second: " + ", ".join(f"{name} {result['speed']:.0f}" for name, result in results.items()))


def print_row(name: str, support: int, numbers: Any) -> None:
    print(f"| {name} | {support} | " + " | ".join(f"{number:.3f}" for number in numbers) + " |")


if __name__ == "__main__":
    main()
