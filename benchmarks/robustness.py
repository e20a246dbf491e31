"""F1 of pipelines on texts as they are, and on the same texts as others would write them.

    python benchmarks/robustness.py -p ja_luke_ner_sm -p mine=training/mine/model-best

Counted are exact characters and labels. The forms are those of corpora/augmentation.py, which moves the gold entities
with their characters. The data is Stockmark's dev part, so that test is looked at on purpose alone.
"""

import argparse
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from spacy.language import Language

from spacy_luke_ja.corpora.augmentation import FORMS, Changed
from spacy_luke_ja.corpora.formats import read_records
from spacy_luke_ja.corpora.records import Record
from spacy_luke_ja.evaluation.measures import labels_of, score_table
from spacy_luke_ja.evaluation.pipelines import load_pipeline, named_pipelines
from spacy_luke_ja.evaluation.run import run_pipeline

PLAIN = "plain"


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    help_ = "a pipeline or checkpoint, also as NAME=PATH; repeat"
    parser.add_argument("-p", "--pipeline", dest="pipelines", action="append", required=True, help=help_)
    help_ = "annotated texts, .spacy, .jsonl or .conll (default: %(default)s)"
    parser.add_argument("--data", type=Path, default=Path("corpus/dev.spacy"), help=help_)
    args = parser.parse_args(argv)
    paths = named_pipelines(args.pipelines)
    records = list(read_records(args.data))
    copies = {form: change_all(form, records) for form in FORMS}
    scores = {name: score_forms(load_pipeline(path), copies) for name, path in paths.items()}
    print(f"F1 over exact characters and labels, {len(records)} texts of {args.data}; in brackets, against plain.\n")
    print(to_markdown(records, copies, scores))


def change_all(form: str, records: Sequence[Record]) -> List[Changed]:
    return [FORMS[form](record.text, record.char_spans) for record in records]


def score_forms(nlp: Language, copies: Dict[str, List[Changed]]) -> Dict[str, float]:
    """RETURNS: form → micro F1."""
    scores = {}
    for form, changed in copies.items():
        texts = run_pipeline(nlp, changed)
        scores[form] = score_table(texts, labels_of(texts))["micro"]["f"]
    return scores


def to_markdown(
    records: Sequence[Record], copies: Dict[str, List[Changed]], scores: Dict[str, Dict[str, float]]
) -> str:
    """A row per form: how many texts are not as they were, and each pipeline's F1."""
    lines = [f"| form | texts changed | {' | '.join(scores)} |", f"|---|---|{'---|' * len(scores)}"]
    for form, changed in copies.items():
        n_changed = sum(text != record.text for (text, _), record in zip(changed, records))
        cells = [
            f"{own[form]:.3f}" + (f" ({own[form] - own[PLAIN]:+.3f})" if form != PLAIN else "")
            for own in scores.values()
        ]
        lines.append(f"| {form} | {n_changed} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
