"""Precision, recall and F1 of pipelines on Japanese NER data of other makers, over three classes that all share.

    python benchmarks/out_of_domain.py -p ja_luke_ner_sm -p mine=training/mine/model-best --data ../shared/data/ner

The data: wac_dev.jsonl.xz, leads of Wikipedia articles (ku-nlp/WikipediaAnnotatedCorpus, with IREX's labels), and
gsd_dev.jsonl.xz, news and blogs (megagonlabs/UD_Japanese-GSD, with 22 labels after OntoNotes). Counted are exact
characters and the class. A set that is not there is skipped. The embedded encoder learned from the train parts of both
sets: for it, the annotation is another than its own, but the kind of text is not new.
"""

import argparse
import json
import lzma
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from spacy_luke_ja import CharSpan
from spacy_luke_ja.corpora.records import parse_entity
from spacy_luke_ja.evaluation.measures import EvaluatedText, bootstrap_intervals, score_table
from spacy_luke_ja.evaluation.pipelines import load_pipeline, named_pipelines
from spacy_luke_ja.evaluation.run import run_pipeline

PERSON, LOCATION, ORGANIZATION = CLASSES = ("PERSON", "LOCATION", "ORGANIZATION")
# Gold of which nobody is sure: none need find it, and what touches it is neither right nor wrong.
DOUBTFUL = "doubtful"

# Labels → classes; all others are left out, on both sides.
OURS = {
    "人名": PERSON,
    "地名": LOCATION,
    "法人名": ORGANIZATION,
    "政治的組織名": ORGANIZATION,
    "その他の組織名": ORGANIZATION,
    # As pipelines with another label_map have them.
    **{"PERSON": PERSON, "PER": PERSON},
    **{"LOCATION": LOCATION, "LOC": LOCATION, "GPE": LOCATION},
    **{"ORGANIZATION": ORGANIZATION, "ORG": ORGANIZATION, "ORG-P": ORGANIZATION, "ORG-O": ORGANIZATION},
}
SETS: Dict[str, Dict[str, str]] = {
    # IREX has no class for facilities: stations, bridges, castles are LOCATION here, schools ORGANIZATION, and temples
    # OPTIONAL. So 施設名 has no class of its own; who finds 東京駅 as 施設名 has missed a LOCATION.
    "wac_dev": {"PERSON": PERSON, "LOCATION": LOCATION, "ORGANIZATION": ORGANIZATION, "OPTIONAL": DOUBTFUL},
    # NORP: about two thirds are religions, parties and feudal domains, which are organizations by Stockmark's
    # labels, and the others peoples (ドイツ人) and adjectives. FAC is left out as 施設名 is, but what is found there as
    # LOCATION or ORGANIZATION is wrong.
    "gsd_dev": {"PERSON": PERSON, "GPE": LOCATION, "LOC": LOCATION, "ORG": ORGANIZATION, "NORP": DOUBTFUL},
}

Annotated = Tuple[str, Tuple[CharSpan, ...]]


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    help_ = "a pipeline or checkpoint, also as NAME=PATH; repeat"
    parser.add_argument("-p", "--pipeline", dest="pipelines", action="append", required=True, help=help_)
    help_ = f"the directory of {' and '.join(SETS)} (default: %(default)s)"
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ner"), help=help_)
    args = parser.parse_args(argv)
    pipelines = {name: load_pipeline(path) for name, path in named_pipelines(args.pipelines).items()}
    for name, classes in SETS.items():
        path = args.data / f"{name}.jsonl.xz"
        if not path.exists():
            print(f"## {name}\n\nskipped: there is no {path}\n")
            continue
        annotated = read_annotated(path)
        print(f"## {name}\n\n{describe_data(annotated, classes)}\n")
        rows, left_out = [], []
        for pipeline, nlp in pipelines.items():
            texts = run_pipeline(nlp, annotated)
            found = Counter(span.label for text in texts for span in text.found if span.label not in OURS)
            left_out.append(f"{pipeline} {list_counts(found) if found else 'none'}")
            rows += score_rows(pipeline, [merge_labels(text, classes) for text in texts])
        print("\n".join(["| pipeline | class | P | R | F1 (95 %) | gold |", "|---|---|---|---|---|---|", *rows]))
        print(f"\nFound with labels that are left out: {'; '.join(left_out)}.\n", flush=True)


def read_annotated(path: Path) -> List[Annotated]:
    """A line of JSON per text, as Stockmark's ner.json has them; here, an entity may stand within another."""
    annotated = []
    with lzma.open(path, "rt", encoding="utf8") as file_:
        for item in map(json.loads, file_):
            annotated.append((item["text"], tuple(CharSpan(*parse_entity(entity)[:3]) for entity in item["entities"])))
    return annotated


def merge_labels(text: EvaluatedText, classes: Dict[str, str]) -> EvaluatedText:
    """Labels as classes, without what does not count.

    What is found on doubtful gold goes, unless it is exactly an entity of which the gold is sure.
    """
    gold = rename(text.gold, classes)
    sure = [span for span in gold if span.label != DOUBTFUL]
    doubtful = [span for span in gold if span.label == DOUBTFUL]
    exact = {span[:3] for span in sure}
    found = [
        span
        for span in rename(text.found, OURS)
        if span[:3] in exact or not any(d.char_start < span.char_end and span.char_start < d.char_end for d in doubtful)
    ]
    return EvaluatedText(text.text, tuple(sure), tuple(found), text.has_scores)


def rename(spans: Sequence[CharSpan], classes: Dict[str, str]) -> List[CharSpan]:
    return [span._replace(label=classes[span.label]) for span in spans if span.label in classes]


def score_rows(pipeline: str, texts: Sequence[EvaluatedText]) -> List[str]:
    """Rows of the table: one per class, and one for all."""
    scores, intervals = score_table(texts, CLASSES), bootstrap_intervals(texts, CLASSES)
    rows = []
    for name in (*CLASSES, "micro"):
        row, interval = ((block["labels"] | {"micro": block["micro"]})[name] for block in (scores, intervals))
        low, high = interval["f"]
        cells = [pipeline, name, f"{row['p']:.3f}", f"{row['r']:.3f}", f"{row['f']:.3f} ({low:.3f}–{high:.3f})"]
        rows.append(f"| {' | '.join(cells)} | {row['support']} |")
    return rows


def describe_data(annotated: Sequence[Annotated], classes: Dict[str, str]) -> str:
    """The mapping, and what it leaves out."""
    counts = Counter(span.label for _, spans in annotated for span in spans)
    lines = [f"{len(annotated)} texts.", "", "| class | the set's labels | the pipelines' labels |", "|---|---|---|"]
    for class_ in (*CLASSES, DOUBTFUL):
        theirs = list_counts({label: counts[label] for label, own in classes.items() if own == class_})
        lines.append(f"| {class_} | {theirs} | {' '.join(label for label, own in OURS.items() if own == class_)} |")
    others = Counter({label: n for label, n in counts.items() if label not in classes})
    lines.append(f"| left out | {list_counts(others)} | all others |")
    return "\n".join(lines)


def list_counts(counts: Dict[str, int]) -> str:
    return ", ".join(f"{label} {n}" for label, n in sorted(counts.items(), key=lambda item: -item[1]))


if __name__ == "__main__":
    main()
